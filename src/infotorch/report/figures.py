"""What of the runs the page's figures show; `infotorch.figures` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from infotorch.figures.curves import Curve, Stage, curves_figure
from infotorch.figures.measured import measured_figure as draw_measured
from infotorch.report.curves import constant_value, curves_by_module, curves_by_variant, has_steps, quantities, stages
from infotorch.report.numbers import better, format_metric, metric_label, metric_unit, scale
from infotorch.report.runs import Run
from infotorch.report.summaries import VariantSummary, main_metrics, twin_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def measured_figure(rows: Sequence[VariantSummary], name: str) -> Figure:
    """One line per variant: every seed as a ring, the mean with its standard error, and the published value.

    Args:
        rows: rows of one recipe.
        name: metric name.

    Returns:
        The figure. A variant far from all others, such as the majority class, is named at the edge with its mean, so
        that the others stay apart.

    Example:
        >>> from infotorch.report.summaries import Measured
        >>> accuracy = Measured("test_accuracy", {0: 0.9, 1: 0.92}, published=0.91)
        >>> row = VariantSummary("demo", "bp", (), {"test_accuracy": accuracy}, 4.0, {}, ())
        >>> [trace.name for trace in measured_figure([row], "test_accuracy").data]
        ['one seed', 'mean ± s.e.', 'published']
    """
    return draw_measured(
        [(row.variant, row.metrics.get(name)) for row in rows],
        title=metric_label(name),
        unit=metric_unit(name),
        times=scale(name),
        shown=partial(format_metric, name),
        better=better(name),
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
    order = [run.variant for run in runs]  # a variant without this metric keeps its colour free
    return _over_training(curves, runs, name, order=order) if curves else None


def module_figure(runs: Sequence[Run], quantity: str, order: Sequence[str] = ()) -> Figure | None:
    """One quantity over training, a colour per module, train dotted and validation solid, stages as bands.

    Args:
        runs: runs of one variant, its seeds.
        quantity: metric name without its split, for example "loss".
        order: of all modules of the page, in which each keeps its colour.

    Returns:
        The figure, or None where no run has the quantity.
    """
    curves = curves_by_module(runs, quantity)
    if not curves:
        return None
    bands = stages(next((run for run in runs if run.completed), runs[0]))
    return _over_training(curves, runs, quantity, bands, order)


def overview_curve(rows: Sequence[VariantSummary]) -> str | None:
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


def _over_training(
    curves: Sequence[Curve], runs: Sequence[Run], name: str, bands: Sequence[Stage] = (), order: Sequence[str] = ()
) -> Figure:
    return curves_figure(
        curves,
        x_title="step" if has_steps(runs) else "epoch",
        y_title=metric_label(name),
        times=scale(name),
        log_y=name == "learning_rate",
        stages=bands,
        order=order,
    )
