"""How far an estimator is from the truth, law by law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.figures.style import blank_figure, look, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Pixels of a law's line, and of what stands around them.
_LINE, _AROUND = 18, 120


def benchmark_figure(lines: Sequence[Mapping[str, Any]]) -> Figure:
    """A mark for each law at its mean error, with the spread over seeds; laws without a value are left out.

    Args:
        lines: those of `BenchmarkResult.table`.

    Example:
        >>> line = {"law": "normal", "mean_error_nats": -0.1, "spread_nats": 0.02}
        >>> benchmark_figure([line]).data[0].x
        (-0.1,)
    """
    shown = [line for line in lines if line["mean_error_nats"] is not None]
    figure = blank_figure(height=_AROUND + _LINE * len(shown))
    colour, mark = look(0)
    figure.add_scatter(
        x=[short(line["mean_error_nats"]) for line in shown],
        y=[plain(line["law"]) for line in shown],
        error_x={"array": [short(line["spread_nats"] or 0.0) for line in shown]},
        mode="markers",
        marker={"symbol": mark, "color": colour},
        showlegend=False,
    )
    figure.add_vline(x=0.0, line={"width": 1})
    figure.update_xaxes(title_text="estimate - truth, in nats")
    figure.update_yaxes(autorange="reversed")
    return figure
