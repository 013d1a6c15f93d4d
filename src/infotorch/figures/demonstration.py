"""The two kinds of figures that a demonstration leaves: lines, and a value over two parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from infotorch.figures.style import blank_figure, look, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@dataclass(frozen=True)
class Curves:
    """Lines of one figure.

    Args:
        title: what is shown.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        lines: name -> (xs, ys); None among the ys where a value is infinite.
        log_x: a logarithmic horizontal axis.
        note: what a reader must know.
        spreads: name -> standard deviations of the ys, drawn as bars; of the lines that have any.

    Example:
        >>> [trace.name for trace in Curves("", "x", "y", {"step": ([0.0, 1.0], [0.0, None])}).figure().data]
        ['step']
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float | None]]]
    log_x: bool = False
    note: str = ""
    spreads: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def figure(self) -> Figure:
        """The lines; those that coincide are told by their dashes."""
        figure = blank_figure(height=320)
        for place, (name, (xs, ys)) in enumerate(self.lines.items()):
            spread = self.spreads.get(name)
            figure.add_scatter(
                x=[short(x) for x in xs],
                y=[None if y is None else short(y) for y in ys],
                name=plain(name),
                mode="lines",
                error_y={"array": spread, "thickness": 1} if spread else None,
                line={"color": look(place)[0], "width": 2, "dash": _DASHES[place % len(_DASHES)]},
                hovertemplate=plain(name) + ": %{y:.4g} at %{x:.3g}<extra></extra>",
            )
        figure.update_xaxes(title_text=plain(self.x_label), type="log" if self.log_x else "linear")
        figure.update_yaxes(title_text=plain(self.y_label))
        return figure


@dataclass(frozen=True)
class Heat:
    """A value over two parameters.

    Args:
        title: what is shown.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        value_label: of the colours.
        xs: places of the columns.
        ys: places of the rows.
        values: a row for each y; None, or what is infinite, stays blank.
        note: what a reader must know.
    """

    title: str
    x_label: str
    y_label: str
    value_label: str
    xs: Sequence[float]
    ys: Sequence[float]
    values: Sequence[Sequence[float | None]]
    note: str = ""

    def figure(self) -> Figure:
        """The map, blank where the value is infinite."""
        figure = blank_figure(height=320)
        figure.add_heatmap(
            x=[short(x) for x in self.xs],
            y=[short(y) for y in self.ys],
            z=[[None if value is None else short(value) for value in row] for row in self.values],
            colorscale="Viridis",
            colorbar={"title": {"text": plain(self.value_label)}, "thickness": 12},
            hoverongaps=False,
            hovertemplate="%{z:.4g} at %{x:.3g}, %{y:.3g}<extra></extra>",
        )
        figure.update_xaxes(title_text=plain(self.x_label), type="linear")
        figure.update_yaxes(title_text=plain(self.y_label))
        return figure


_KINDS: dict[object, type[Curves | Heat]] = {"curves": Curves, "heat": Heat}


def read_drawing(content: Mapping[str, Any]) -> Curves | Heat:
    """A figure as demonstration.json holds it, with its "kind" beside its fields.

    Raises:
        TypeError: not the fields of one kind.

    Example:
        >>> read_drawing({"kind": "curves", "title": "f", "x_label": "x", "y_label": "y", "lines": {}}).title
        'f'
    """
    kind = _KINDS.get(content.get("kind"))
    if kind is None:
        raise TypeError(f"read_drawing: kind must be curves or heat, got {content.get('kind')!r}.")
    return kind(**{one.name: content[one.name] for one in fields(kind) if one.name in content})
