"""information_plane.json as a figure: the plane with an epoch slider, a colour and a mark for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infotorch.records.run_record import RunRecord
from infotorch.report.figures import MARKS, PALETTE, blank_figure, plain, short
from infotorch.report.rows import Row
from infotorch.report.runs import Run
from infotorch.report.sections import drawing

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_KEYS = {"epoch", "layer", "mi_xt", "mi_ty", "mi_xt_error", "mi_ty_error", "assumption", "xt_estimator", "ty_estimator"}


def read_plane(record: RunRecord, name: str) -> dict[str, Any]:
    """What `InformationPlane.write` wrote, a file of a run.

    Raises:
        ValueError: the file is missing or damaged.
    """
    content = record.content(name) or {}
    points = content.get("points")
    if not isinstance(points, list) or not all(isinstance(point, dict) and _KEYS <= set(point) for point in points):
        raise ValueError(f"{record.directory / name} is damaged: it holds no points of an information plane.")
    return content


def epochs_figure(content: dict[str, Any]) -> Figure | None:
    """Every layer's path as a thin line, and where it is at the epoch of the slider as a mark with its standard errors.

    Args:
        content: see `read_plane`.

    Returns:
        The figure; None where no point has both coordinates.

    Example:
        >>> point = {"layer": "fc1", "mi_xt": 3.0, "mi_ty": 1.0, "mi_xt_error": 0.1, "mi_ty_error": 0.1,
        ...          "assumption": "bin_width=0.1", "xt_estimator": "binned_mi", "ty_estimator": "binned_mi"}
        >>> figure = epochs_figure({"points": [{"epoch": 0, **point}, {"epoch": 5, **point, "mi_ty": 2.0}]})
        >>> [step.label for step in figure.layout.sliders[0].steps]
        ['0', '5']
    """
    points = [point for point in content["points"] if point["mi_xt"] is not None and point["mi_ty"] is not None]
    if not points:
        return None
    layers = list(dict.fromkeys(point["layer"] for point in points))
    epochs = sorted({point["epoch"] for point in points})
    at = {(point["layer"], point["epoch"]): point for point in points}
    figure = blank_figure(height=420)
    for place, layer in enumerate(layers):
        _add_path(figure, place, [at[layer, epoch] for epoch in epochs if (layer, epoch) in at])
    for place, layer in enumerate(layers):
        _add_mark(figure, place, at.get((layer, epochs[-1])) or {"layer": layer})
    marks = list(range(len(layers), 2 * len(layers)))
    steps = [{"label": str(epoch), "method": "restyle", "args": [_moved(layers, epoch, at), marks]} for epoch in epochs]
    slider = {"active": len(epochs) - 1, "steps": steps, "currentvalue": {"prefix": "epoch "}, "pad": {"t": 48}}
    figure.update_layout(sliders=[slider], margin={"b": 24})
    first = points[0]
    figure.update_xaxes(title_text=plain(f"I(X; T), nats ({first['xt_estimator']})"), showgrid=True)
    figure.update_yaxes(title_text=plain(f"I(T; Y), nats ({first['ty_estimator']})"))
    return figure


def _moved(layers: Sequence[str], epoch: int, at: dict[tuple[str, int], dict[str, Any]]) -> dict[str, Any]:
    """What the slider changes: place and errors of every layer's mark; a layer that was not measured has none."""
    here = [at.get((layer, epoch)) for layer in layers]
    return {
        "x": [[short(point["mi_xt"])] if point else [] for point in here],
        "y": [[short(point["mi_ty"])] if point else [] for point in here],
        "error_x.array": [[_error(point, "mi_xt_error")] if point else [] for point in here],
        "error_y.array": [[_error(point, "mi_ty_error")] if point else [] for point in here],
        "customdata": [[point["assumption"]] if point else [] for point in here],
    }


def _error(point: dict[str, Any], name: str) -> float:
    return short(point[name]) if point[name] is not None else 0.0


def _look(place: int) -> tuple[str, str]:
    return PALETTE[place % len(PALETTE)], MARKS[(place + place // len(PALETTE)) % len(MARKS)]


def _add_path(figure: Figure, place: int, points: Sequence[dict[str, Any]]) -> None:
    colour, _ = _look(place)
    figure.add_scatter(
        x=[short(point["mi_xt"]) for point in points],
        y=[short(point["mi_ty"]) for point in points],
        mode="lines",
        line={"color": colour, "width": 1},
        opacity=0.5,
        hoverinfo="skip",
        showlegend=False,
        legendgroup=plain(points[0]["layer"]),
    )


def _add_mark(figure: Figure, place: int, point: dict[str, Any]) -> None:
    colour, mark = _look(place)
    name, there = plain(point["layer"]), "mi_xt" in point
    bar = {"type": "data", "thickness": 1, "width": 3, "color": colour}
    figure.add_scatter(
        x=[short(point["mi_xt"])] if there else [],
        y=[short(point["mi_ty"])] if there else [],
        error_x={**bar, "array": [_error(point, "mi_xt_error")] if there else []},
        error_y={**bar, "array": [_error(point, "mi_ty_error")] if there else []},
        customdata=[point["assumption"]] if there else [],
        name=name,
        legendgroup=name,
        mode="markers",
        marker={"symbol": mark, "size": 11, "color": colour},
        hovertemplate=f"{name}: I(X; T) %{{x:.4g}} with %{{customdata}}, I(T; Y) %{{y:.4g}}<extra></extra>",
    )


def information_plane_section(rows: Sequence[Row], specs: list[str]) -> str:
    """The planes of one run of each variant that has any; nothing without.

    Raises:
        ValueError: such a file is damaged.
    """
    figures = ""
    for row in rows:
        having = sorted((run for run in row.runs if _planes(run)), key=lambda run: run.seed)
        for name in _planes(having[0]) if having else []:
            content = read_plane(having[0].record, name)
            note = f"seed {having[0].seed}, {content.get('rows')} rows{_assumed(content)}; the slider is the epoch"
            figures += drawing(epochs_figure(content), row.variant, note, specs)
    if not figures:
        return ""
    return f"<h3>Layers in the information plane</h3><p class=quiet>{_ABOUT}</p><div class=figures>{figures}</div>"


def _planes(run: Run) -> list[str]:
    """Names of the run's files that hold a plane."""
    return [name for name in run.record.files() if name.startswith("information_plane")]


def _assumed(content: dict[str, Any]) -> str:
    """What makes I(X; T) finite, in words; nothing where the file does not say."""
    assumed = content.get("assumption")
    if not isinstance(assumed, dict):
        return ""
    return "".join(f", {name.replace('_', ' ')} {value:.4g}" for name, value in assumed.items())


_ABOUT = (
    "A mark is a layer at the slider's epoch, with standard errors; thin lines are the whole paths. I(X; T) holds "
    "under the assumption that stands at each mark: without it, it would be infinite or the same for every layer."
)
