"""Quantities over training as curves: single seeds thin, their mean thick."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infotorch.figures.style import blank_figure, look, places, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_DASHES = {"train": "dot", "test": "dash"}


@dataclass(frozen=True)
class Curve:
    """One quantity of one run over training.

    Args:
        label: what the colour stands for: a module or a variant.
        split: "train", "validation", "test" or "".
        seed: the run's seed; None for the mean over seeds.
        completed: whether the run completed.
        stopped: whether a run that did not complete came to its end on this curve.
        x: global steps, or epochs where a run does not count steps.
        y: values as stored; None where the run wrote null, which means not finite.
    """

    label: str
    split: str
    seed: int | None
    completed: bool
    stopped: bool
    x: list[float]
    y: list[float | None]


@dataclass(frozen=True)
class Stage:
    """A stretch of training in which the same modules learn.

    Args:
        start: where it begins on the horizontal axis.
        end: where it ends.
        label: the modules, joined by commas.
    """

    start: float
    end: float
    label: str


def mean_curve(curves: Sequence[Curve]) -> Curve | None:
    """Mean over the completed seeds of one label and split, at the places that all of them have.

    Args:
        curves: curves of one label and split.

    Returns:
        The mean, or None below two completed seeds or without a common place.

    Example:
        >>> twins = [Curve("bp", "train", seed, True, False, [1.0, 2.0], [0.5 + seed, 0.25]) for seed in (0, 1)]
        >>> mean_curve(twins).y
        [1.0, 0.25]
    """
    tables = [dict(zip(curve.x, curve.y, strict=True)) for curve in curves if curve.completed]
    shared = [x for x in tables[0] if all(x in table for table in tables)] if len(tables) > 1 else []
    if not shared:
        return None
    columns = [[y for table in tables if (y := table[x]) is not None] for x in shared]
    means = [statistics.fmean(column) if len(column) == len(tables) else None for column in columns]
    return Curve(curves[0].label, curves[0].split, None, True, False, shared, means)


def curves_figure(
    curves: Sequence[Curve],
    *,
    x_title: str,
    y_title: str,
    times: float = 1.0,
    log_y: bool = False,
    stages: Sequence[Stage] = (),
    order: Sequence[str] = (),
) -> Figure:
    """Curves over training, a colour and a mark a label; train dotted, test dashed; means over seeds thick.

    Args:
        curves: in the order of their labels.
        x_title: of the horizontal axis.
        y_title: of the vertical axis.
        times: what the values are multiplied by, 100 for percent.
        log_y: powers of ten, on a logarithmic vertical axis where the values go over more than a decade.
        stages: drawn as bands, where there are several.
        order: of the labels of several figures, in which each keeps its colour; by default that of the curves.

    Example:
        >>> twins = [Curve("bp", "train", seed, True, False, [1.0, 2.0], [0.5, 0.25]) for seed in (0, 1)]
        >>> [trace.line.width for trace in curves_figure(twins, x_title="epoch", y_title="loss").data]
        [1, 1, 2]
    """
    labels = list(dict.fromkeys(curve.label for curve in curves))
    looks = places(labels, order)
    figure = blank_figure(height=290 + 18 * (len(labels) // 4) if len(labels) > 1 else 264)
    figure.update_layout(showlegend=len(labels) > 1)
    named: set[str] = set()
    splits = sorted({curve.split for curve in curves}, key=("validation", "", "test", "train").index)
    for split in splits:
        for label in labels:
            group = [curve for curve in curves if curve.label == label and curve.split == split]
            mean = mean_curve(group)
            for curve in group:
                shown = label not in named and mean is None
                named |= {label} if shown else set()
                _add_curve(figure, curve, times, looks[label], faint=mean is not None, legend=shown)
            if mean is not None:
                _add_curve(figure, mean, times, looks[label], faint=False, legend=label not in named)
                named.add(label)
    figure.update_xaxes(title_text=x_title, rangemode="tozero")
    figure.update_yaxes(title_text=plain(y_title))
    if log_y:
        figure.update_yaxes(exponentformat="power", showexponent="all", minexponent=0)
        if _decades(curves) > 1:
            figure.update_yaxes(type="log", dtick=1)
    _add_stages(figure, stages)
    return figure


def _add_curve(figure: Figure, curve: Curve, times: float, index: int, *, faint: bool, legend: bool) -> None:
    colour, mark = look(index)
    who = "mean over seeds" if curve.seed is None else f"seed {curve.seed}"
    ended = "" if curve.completed else ", not completed"
    y = [None if value is None else short(value * times) for value in curve.y]
    few = len(curve.x) <= 25 and not faint
    figure.add_scatter(
        x=curve.x,
        y=y,
        name=plain(curve.label),
        legendgroup=plain(curve.label),
        showlegend=legend,
        mode="lines+markers" if few or len(curve.x) == 1 else "lines",
        opacity=0.3 if faint and curve.completed else 1.0,
        line={"color": colour, "width": 1 if faint else 2, "dash": _DASHES.get(curve.split, "solid")},
        marker={"symbol": mark, "size": 5},
        hovertemplate=plain(f"{curve.label} {curve.split}".strip() + f", {who}{ended}") + ": %{y:.5g}<extra></extra>",
    )
    ends = [(x, value) for x, value in zip(curve.x, y, strict=True) if value is not None][-1:]
    if curve.stopped and ends:
        cross = {"symbol": "x", "size": 9, "color": colour}
        x, value = ends[0]
        figure.add_scatter(x=[x], y=[value], mode="markers", marker=cross, showlegend=False, hoverinfo="skip")


def _add_stages(figure: Figure, found: Sequence[Stage]) -> None:
    if len(found) < 2:
        return
    figure.update_layout(margin={"t": 24})  # room for the names of the stages
    for index, stage in enumerate(found):
        if index % 2:
            figure.add_vrect(
                x0=stage.start, x1=stage.end, fillcolor="rgba(128,128,128,0.10)", line_width=0, layer="below"
            )
        figure.add_annotation(
            x=(stage.start + stage.end) / 2,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text=plain(stage.label if len(stage.label) <= 14 else f"stage {index + 1}"),
            font={"size": 11},
        )


def _decades(curves: Sequence[Curve]) -> float:
    values = [y for curve in curves for y in curve.y if y is not None]
    return math.log10(max(values) / min(values)) if values and min(values) > 0 else 0.0
