"""What was measured of every variant of a table, beside what was published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from infotorch.figures.style import PALETTE, blank_figure, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class Measured(Protocol):
    """One metric of one variant: seed -> value, their mean and its standard error, the published value and where."""

    @property
    def values(self) -> Mapping[int, float]:
        """Seed -> value."""
        ...

    @property
    def published(self) -> float | None:
        """The paper's value."""

    @property
    def source(self) -> str:
        """Where the paper gives it."""
        ...

    @property
    def mean(self) -> float | None:
        """Mean over seeds."""

    @property
    def std_error(self) -> float | None:
        """Standard error of the mean."""


def measured_figure(
    variants: Sequence[tuple[str, Measured | None]],
    *,
    title: str,
    unit: str = "",
    times: float = 1.0,
    shown: Callable[[float], str] = "{:.4g}".format,
    better: str = "",
) -> Figure:
    """One line per variant: every seed as a ring, the mean with its standard error, and the published value.

    A variant far from all others, such as the majority class, is named at the edge with its mean, so that the others
    stay apart; never the first one or the best one, nor one with a value near those that are drawn.

    Args:
        variants: names, top to bottom, and what was measured of each; None where nothing was.
        title: of the horizontal axis.
        unit: that stands behind a value.
        times: what the values are multiplied by, 100 for percent.
        shown: a value as people read it, without its unit.
        better: which values are: "higher" or "lower"; "" where neither is.
    """
    figure = blank_figure(height=96 + 34 * len(variants))
    found = [(place, measured) for place, (_, measured) in enumerate(variants) if measured is not None]
    means = {place: measured.mean for place, measured in found if measured.mean is not None}
    far = far_places(
        {place: _span(measured) for place, measured in found if place in means}, {0, *_best(means, better)}
    )
    unit = f" {unit}" if unit else ""
    _add_measured(figure, [(place, measured) for place, measured in found if place not in far], unit, times, shown)
    for place, side in far.items():
        text, anchor = (f"◂ {shown(means[place])}", "left") if side < 0 else (f"{shown(means[place])} ▸", "right")
        at = {"x": 0 if side < 0 else 1, "xref": "paper", "xanchor": anchor, "y": place, "yanchor": "middle"}
        figure.add_annotation(text=text, showarrow=False, font={"color": PALETTE[0]}, **at)
    figure.update_xaxes(title_text=plain(title), showgrid=True)
    names = [plain(name) for name, _ in variants]
    # Top to bottom as in the table; half a line of air above and below.
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6])
    return figure


def far_places(spans: Mapping[int, tuple[float, float]], kept: Collection[int] = ()) -> dict[int, int]:
    """Which lines lie so far out that the others would fill less than a fifth of the axis.

    Args:
        spans: line -> its lowest and its highest value.
        kept: lines that stay, wherever they are.

    Returns:
        Line -> -1 (far below) or 1 (far above); at most two, and three lines or more always remain. Each is farther
        from those that remain than they are from each other.

    Example:
        >>> far_places({0: (0.97, 0.98), 1: (0.98, 0.98), 2: (0.113, 0.113), 3: (0.975, 0.976)})
        {2: -1}
    """
    ranked = sorted(spans, key=lambda place: sum(spans[place]))
    whole = max((high for _, high in spans.values()), default=0.0) - min(
        (low for low, _ in spans.values()), default=0.0
    )
    for below, above in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2)):
        left = ranked[below : len(ranked) - above]
        sides = dict.fromkeys(ranked[:below], -1) | dict.fromkeys(ranked[len(ranked) - above :], 1)
        if len(left) < 3 or set(sides) & set(kept):
            continue
        low, high = min(spans[place][0] for place in left), max(spans[place][1] for place in left)
        gaps = [low - spans[place][1] if side < 0 else spans[place][0] - high for place, side in sides.items()]
        if high - low < whole / 5 and min(gaps) > high - low:
            return sides
    return {}


def _span(measured: Measured) -> tuple[float, float]:
    """The lowest and the highest value that is drawn of a line."""
    mean, error = measured.mean or 0.0, measured.std_error or 0.0
    published = [] if measured.published is None else [measured.published]
    values = [*measured.values.values(), *published, mean - error, mean + error]
    return min(values), max(values)


def _best(means: Mapping[int, float], better: str) -> list[int]:
    """The best line, or none where it is not known which way is better."""
    choose = {"higher": max, "lower": min}.get(better)
    return [choose(means, key=means.__getitem__)] if choose and means else []


def _add_measured(
    figure: Figure, found: Sequence[tuple[int, Measured]], unit: str, times: float, shown: Callable[[float], str]
) -> None:
    seeds = [(value * times, place, seed) for place, m in found for seed, value in m.values.items()]
    means = [(m.mean, place, m) for place, m in found if m.mean is not None]
    published = [(m.published * times, place, m) for place, m in found if m.published is not None]
    if seeds:
        ring = {"symbol": "circle-open", "size": 9, "color": PALETTE[5], "line": {"width": 1.5}}
        _dots(figure, "one seed", seeds, ring, [f"seed {seed}: {value:.5g}{unit}" for value, _, seed in seeds])
    if means:
        errors = [(m.std_error or 0.0) * times for _, _, m in means]
        said = [f"mean {shown(mean)}{unit}, n = {len(m.values)}" for mean, _, m in means]
        bar = {"type": "data", "array": errors, "thickness": 2, "width": 5, "color": PALETTE[0]}
        points = [(mean * times, place, m) for mean, place, m in means]
        _dots(figure, "mean ± s.e.", points, {"size": 8, "color": PALETTE[0]}, said, error_x=bar)
    if published:
        said = [plain(f"published {value:.5g}{unit}, {m.source}".removesuffix(", ")) for value, _, m in published]
        diamond = {"symbol": "diamond-open", "size": 11, "color": PALETTE[1], "line": {"width": 2}}
        _dots(figure, "published", published, diamond, said)


def _dots(
    figure: Figure,
    name: str,
    points: Sequence[tuple[float, int, Any]],
    marker: Mapping[str, Any],
    said: Sequence[str],
    error_x: Mapping[str, Any] | None = None,
) -> None:
    figure.add_scatter(
        x=[short(x) for x, _, _ in points],
        y=[place for _, place, _ in points],
        name=name,
        mode="markers",
        marker=marker,
        error_x=error_x,
        hovertext=said,
        hoverinfo="text",
    )
