"""Curves and rows -> plotly figures. Colours tell modules or variants apart, and so do marks."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.report.curves import (
    Curve,
    constant_value,
    curves_by_module,
    curves_by_variant,
    has_steps,
    mean_curve,
    quantities,
    stages,
)
from infotorch.report.numbers import format_metric, metric_label, metric_unit, scale
from infotorch.report.rows import Measured, Row, main_metrics, twin_of
from infotorch.report.runs import Run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe & Ito 2008, without the yellow and the black that vanish on white and on dark paper.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon")
_DASHES = {"train": "dot", "test": "dash"}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
_GRID = "rgba(128,128,128,0.22)"
_INK = "#3b4252"


def measured_figure(rows: Sequence[Row], name: str) -> Figure:
    """One line per variant: every seed as a ring, the mean with its standard error, and the published value.

    Args:
        rows: rows of one recipe.
        name: metric name.

    Returns:
        The figure. A variant far from all others, such as the majority class, is named at the edge with its mean, so
        that the others stay apart.

    Example:
        >>> from infotorch.report.rows import Measured
        >>> accuracy = Measured("test_accuracy", {0: 0.9, 1: 0.92}, published=0.91)
        >>> row = Row("demo", "bp", (), {"test_accuracy": accuracy}, 4.0, {}, ())
        >>> [trace.name for trace in measured_figure([row], "test_accuracy").data]
        ['one seed', 'mean ± s.e.', 'published']
    """
    figure = blank_figure(height=96 + 34 * len(rows))
    found = [(place, row.metrics[name]) for place, row in enumerate(rows) if name in row.metrics]
    means = {place: measured.mean for place, measured in found if measured.mean is not None}
    far = far_places(means)
    _add_measured(figure, name, [(place, measured) for place, measured in found if place not in far])
    for place, side in far.items():
        shown = format_metric(name, means[place])
        text, anchor = (f"◂ {shown}", "left") if side < 0 else (f"{shown} ▸", "right")
        at = {"x": 0 if side < 0 else 1, "xref": "paper", "xanchor": anchor, "y": place, "yanchor": "middle"}
        figure.add_annotation(text=text, showarrow=False, font={"color": PALETTE[0]}, **at)
    figure.update_xaxes(title_text=plain(metric_label(name)), showgrid=True)
    names = [plain(row.variant) for row in rows]
    # Top to bottom as in the table; half a line of air above and below.
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.4, -0.6])
    return figure


def far_places(means: Mapping[int, float]) -> dict[int, int]:
    """Which lines lie so far out that the others would fill less than a fifth of the axis.

    Args:
        means: line -> mean.

    Returns:
        Line -> -1 (far below) or 1 (far above); at most two, and three lines or more always remain.

    Example:
        >>> far_places({0: 0.97, 1: 0.98, 2: 0.113, 3: 0.975})
        {2: -1}
    """
    ranked = sorted(means, key=means.__getitem__)
    for below, above in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2)):
        kept = ranked[below : len(ranked) - above]
        if len(kept) >= 3 and means[kept[-1]] - means[kept[0]] < (means[ranked[-1]] - means[ranked[0]]) / 5:
            return dict.fromkeys(ranked[:below], -1) | dict.fromkeys(ranked[len(ranked) - above :], 1)
    return {}


def _add_measured(figure: Figure, name: str, found: Sequence[tuple[int, Measured]]) -> None:
    times, unit = scale(name), _spaced(metric_unit(name))
    seeds = [(value * times, place, seed) for place, m in found for seed, value in m.values.items()]
    means = [(m.mean * times, place, m) for place, m in found if m.mean is not None]
    published = [(m.published * times, place, m) for place, m in found if m.published is not None]
    if seeds:
        ring = {"symbol": "circle-open", "size": 9, "color": PALETTE[5], "line": {"width": 1.5}}
        _dots(figure, "one seed", seeds, ring, [f"seed {seed}: {value:.5g}{unit}" for value, _, seed in seeds])
    if means:
        errors = [(m.std_error or 0.0) * times for _, _, m in means]
        said = [f"mean {format_metric(name, m.mean)}{unit}, n = {m.n}" for _, _, m in means]
        bar = {"type": "data", "array": errors, "thickness": 2, "width": 5, "color": PALETTE[0]}
        _dots(figure, "mean ± s.e.", means, {"size": 8, "color": PALETTE[0]}, said, error_x=bar)
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


def variants_figure(runs: Sequence[Run], name: str) -> Figure | None:
    """One metric over training, a colour per variant.

    Args:
        runs: runs of one recipe.
        name: metric name as in the lines, for example "validation_accuracy" or "learning_rate".

    Returns:
        The figure, or None where no run has the metric.
    """
    curves = curves_by_variant(runs, name)
    return _curves_figure(curves, name, has_steps(runs)) if curves else None


def module_figure(runs: Sequence[Run], quantity: str) -> Figure | None:
    """One quantity over training, a colour per module, train dotted and validation solid, stages as bands.

    Args:
        runs: runs of one variant, its seeds.
        quantity: metric name without its split, for example "loss".

    Returns:
        The figure, or None where no run has the quantity.
    """
    curves = curves_by_module(runs, quantity)
    if not curves:
        return None
    figure = _curves_figure(curves, quantity, has_steps(runs))
    _add_stages(figure, next((run for run in runs if run.completed), runs[0]))
    return figure


def overview_curve(rows: Sequence[Row]) -> str | None:
    """The metric over training that compares the variants of a recipe best.

    Args:
        rows: rows of one recipe.

    Returns:
        The validation twin of the recipe's main metric, or a loss where no run wrote it; None without either.
    """
    runs = [run for row in rows for run in row.runs]
    wanted = [twin_of(name, "validation") for name in main_metrics(rows)] + ["validation_loss", "train_loss"]
    return next((name for name in wanted if curves_by_variant(runs, name)), None)


def rates_vary(runs: Sequence[Run]) -> bool:
    """Whether any run changes its learning rate, or has modules with different ones."""
    return any(
        constant_value(curves_by_module([run], "learning_rate")) is None
        for run in runs
        if "learning_rate" in quantities([run])
    )


def _curves_figure(curves: Sequence[Curve], name: str, steps: bool) -> Figure:
    labels = list(dict.fromkeys(curve.label for curve in curves))
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
                _add_curve(figure, curve, name, labels.index(label), faint=mean is not None, legend=shown)
            if mean is not None:
                _add_curve(figure, mean, name, labels.index(label), faint=False, legend=label not in named)
                named.add(label)
    figure.update_xaxes(title_text="step" if steps else "epoch", rangemode="tozero")
    figure.update_yaxes(title_text=plain(metric_label(name)))
    if name == "learning_rate" and _decades(curves) > 1:
        figure.update_yaxes(type="log", dtick=1)
    return figure


def _add_curve(figure: Figure, curve: Curve, name: str, index: int, *, faint: bool, legend: bool) -> None:
    colour, times = PALETTE[index % len(PALETTE)], scale(name)
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
        marker={"symbol": MARKS[(index + index // len(PALETTE)) % len(MARKS)], "size": 5},
        hovertemplate=plain(f"{curve.label} {curve.split}".strip() + f", {who}{ended}") + ": %{y:.5g}<extra></extra>",
    )
    ends = [(x, value) for x, value in zip(curve.x, y, strict=True) if value is not None][-1:]
    if curve.stopped and ends:
        cross = {"symbol": "x", "size": 9, "color": colour}
        x, value = ends[0]
        figure.add_scatter(x=[x], y=[value], mode="markers", marker=cross, showlegend=False, hoverinfo="skip")


def _add_stages(figure: Figure, run: Run) -> None:
    found = stages(run)
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


def blank_figure(height: int) -> Figure:
    """A figure in the page's style, without data."""
    from plotly.graph_objects import Figure

    figure = Figure()
    axis = {
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": "rgba(128,128,128,0.5)",
        "automargin": True,
        "title_standoff": 8,
    }
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 14, "t": 14, "b": 8},
        font={"family": _FONT, "size": 12, "color": _INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 12}},
        hoverlabel={"font": {"family": _FONT, "size": 12}, "align": "left"},
        showlegend=True,
        xaxis={**axis, "showgrid": False, "ticks": "outside", "ticklen": 4, "showline": True},
        yaxis=axis,
    )
    return figure


def _decades(curves: Sequence[Curve]) -> float:
    values = [y for curve in curves for y in curve.y if y is not None]
    return math.log10(max(values) / min(values)) if values and min(values) > 0 else 0.0


def short(value: float) -> float:
    """A number with six significant digits."""
    return float(f"{value:.6g}")  # what a figure can show; the tables have the rest


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def plain(text: str) -> str:
    """Text of a run for a figure, where no markup in it acts."""
    return html.escape(text, quote=False)  # plotly reads <b> and <a href> in labels
