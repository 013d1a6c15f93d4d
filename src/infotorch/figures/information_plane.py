"""The information plane: layers at an epoch that a slider chooses, and the paths of modules over training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infotorch.figures.curves import Curve, mean_curve
from infotorch.figures.style import blank_figure, look, places, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ARROWS = 4


def epochs_figure(points: Sequence[Mapping[str, Any]], order: Sequence[str] = ()) -> Figure | None:
    """Every layer's path as a thin line, and where it is at the epoch of the slider as a mark with its standard errors.

    Args:
        points: the fields of `PlanePoint`, plain; those without both coordinates are left out.
        order: of the layers of several figures, in which each keeps its colour.

    Returns:
        The figure; None where no point has both coordinates.

    Example:
        >>> point = {"layer": "fc1", "mi_xt": 3.0, "mi_ty": 1.0, "mi_xt_error": 0.1, "mi_ty_error": 0.1,
        ...          "assumption": "bin_width=0.1", "xt_estimator": "binned_mi", "ty_estimator": "binned_mi"}
        >>> figure = epochs_figure([{"epoch": 0, **point}, {"epoch": 5, **point, "mi_ty": 2.0}])
        >>> [step.label for step in figure.layout.sliders[0].steps]
        ['0', '5']
    """
    points = [point for point in points if point["mi_xt"] is not None and point["mi_ty"] is not None]
    if not points:
        return None
    layers = list(dict.fromkeys(point["layer"] for point in points))
    epochs = sorted({point["epoch"] for point in points})
    at = {(point["layer"], point["epoch"]): point for point in points}
    figure = blank_figure(height=420)
    looks = places(layers, order)
    for layer in layers:
        _add_path(figure, looks[layer], [at[layer, epoch] for epoch in epochs if (layer, epoch) in at])
    for layer in layers:
        _add_mark(figure, looks[layer], at.get((layer, epochs[-1])) or {"layer": layer})
    marks = list(range(len(layers), 2 * len(layers)))
    steps = [{"label": str(epoch), "method": "restyle", "args": [_moved(layers, epoch, at), marks]} for epoch in epochs]
    slider = {"active": len(epochs) - 1, "steps": steps, "currentvalue": {"prefix": "epoch "}, "pad": {"t": 48}}
    figure.update_layout(sliders=[slider], margin={"b": 24})
    first = points[0]
    figure.update_xaxes(title_text=plain(f"I(X; T), nats ({first['xt_estimator']})"), showgrid=True)
    figure.update_yaxes(title_text=plain(f"I(T; Y), nats ({first['ty_estimator']})"))
    return figure


def _moved(layers: Sequence[str], epoch: int, at: dict[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """What the slider changes: place and errors of every layer's mark; a layer that was not measured has none."""
    here = [at.get((layer, epoch)) for layer in layers]
    return {
        "x": [[short(point["mi_xt"])] if point else [] for point in here],
        "y": [[short(point["mi_ty"])] if point else [] for point in here],
        "error_x.array": [[_error(point, "mi_xt_error")] if point else [] for point in here],
        "error_y.array": [[_error(point, "mi_ty_error")] if point else [] for point in here],
        "customdata": [[point["assumption"]] if point else [] for point in here],
    }


def _error(point: Mapping[str, Any], name: str) -> float:
    return short(point[name]) if point[name] is not None else 0.0


def _add_path(figure: Figure, place: int, points: Sequence[Mapping[str, Any]]) -> None:
    colour, _ = look(place)
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


def _add_mark(figure: Figure, place: int, point: Mapping[str, Any]) -> None:
    colour, mark = look(place)
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


@dataclass(frozen=True)
class Way:
    """One module of one run, or of the mean over seeds, through the plane.

    Args:
        xt: I(X; T) over training.
        ty: I(Y; T) at the same places.
    """

    xt: Curve
    ty: Curve


def paths_figure(found: Sequence[Way], *, x_title: str, y_title: str, order: Sequence[str] = ()) -> Figure:
    """I(X; T) against I(Y; T) over training, a colour and a mark per module.

    The mean over completed seeds is thick and single seeds are thin; a lone completed one is thick.

    Args:
        found: every module of every run.
        x_title: of I(X; T).
        y_title: of I(T; Y).
        order: as for `epochs_figure`.

    Example:
        >>> xt = Curve("fc1", "train", 0, True, False, [1.0, 2.0], [3.0, 1.5])
        >>> ty = Curve("fc1", "train", 0, True, False, [1.0, 2.0], [0.5, 1.0])
        >>> [list(trace.x) for trace in paths_figure([Way(xt, ty)], x_title="I(X; T)", y_title="I(T; Y)").data]
        [[3.0, 1.5], [1.5, 3.0]]
    """
    modules = list(dict.fromkeys(way.xt.label for way in found))
    figure = blank_figure(height=340)
    figure.update_layout(showlegend=len(modules) > 1)
    looks = places(modules, order)
    for module in modules:
        of_module = [way for way in found if way.xt.label == module]
        xt, ty = mean_curve([way.xt for way in of_module]), mean_curve([way.ty for way in of_module])
        mean = [Way(xt, ty)] if xt is not None and ty is not None else []
        thick = mean or [way for way in of_module if way.xt.completed] or of_module
        for way in [*of_module, *mean]:
            _add_way(figure, way, looks[module], faint=way not in thick, legend=way is thick[0])
    figure.update_xaxes(title_text=x_title, showgrid=True)
    figure.update_yaxes(title_text=y_title)
    return figure


def _add_way(figure: Figure, way: Way, index: int, *, faint: bool, legend: bool) -> None:
    xs, ys = [[short(value) for value in curve.y if value is not None] for curve in (way.xt, way.ty)]
    colour, mark = look(index)
    who = "mean over seeds" if way.xt.seed is None else f"seed {way.xt.seed}"
    label = plain(way.xt.label)
    shared = {"name": label, "legendgroup": label, "opacity": 0.3 if faint else 1.0}
    arrows = set() if faint else _arrow_places(xs, ys)
    figure.add_scatter(
        x=xs,
        y=ys,
        **shared,
        showlegend=False,
        mode="lines" if faint else "lines+markers",
        line={"color": colour, "width": 1 if faint else 2, "backoff": 0},
        marker={
            "symbol": "arrow",
            "angleref": "previous",
            "size": [10 if place in arrows else 0 for place in range(len(xs))],
            "color": colour,
            "opacity": 1,
            "line": {"width": 0},
        },
        customdata=[short(place) for place in way.xt.x],
        hovertemplate=f"{label}, {who}, at %{{customdata}}: I(X; T) %{{x:.4g}}, I(T; Y) %{{y:.4g}}<extra></extra>",
    )
    if not faint:
        edge = {"width": 1.5, "color": colour}
        ends = {"symbol": [mark, f"{mark}-open"], "size": 9, "color": colour, "opacity": 1, "line": edge}
        figure.add_scatter(
            x=[xs[-1], xs[0]],
            y=[ys[-1], ys[0]],
            **shared,
            showlegend=legend,
            mode="markers",
            marker=ends,
            hoverinfo="skip",
        )


def _arrow_places(xs: Sequence[float], ys: Sequence[float]) -> set[int]:
    """Where arrowheads stand: evenly along the line, never on its ends."""
    # In fractions of the line's own extent, as neither axis should decide alone.
    wide, high = (max(values) - min(values) or 1.0 for values in (xs, ys))
    gone = [0.0]
    for i in range(1, len(xs)):
        gone.append(gone[-1] + math.hypot((xs[i] - xs[i - 1]) / wide, (ys[i] - ys[i - 1]) / high))
    marks = (gone[-1] * number / (_ARROWS + 1) for number in range(1, _ARROWS + 1))
    return {next(i for i, way in enumerate(gone) if way >= mark) for mark in marks} - {0, len(xs) - 1}
