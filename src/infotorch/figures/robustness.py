"""Accuracy on changed samples, over how large the change is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.figures.style import blank_figure, look, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def robustness_figure(unchanged: float, lines: Sequence[Mapping[str, Any]]) -> Figure:
    """A line for each kind of change, which begins at size 0 with the accuracy of unchanged samples.

    Args:
        unchanged: that accuracy.
        lines: those of `Robustness.table`.

    Example:
        >>> line = {"change": "pgd", "size": 0.1, "accuracy": 0.5, "std_error": 0.02}
        >>> robustness_figure(0.9, [line]).data[0].y
        (0.9, 0.5)
    """
    figure = blank_figure(height=290)
    for number, change in enumerate(dict.fromkeys(line["change"] for line in lines)):
        colour, mark = look(number)
        found = [line for line in lines if line["change"] == change]
        figure.add_scatter(
            x=[0.0, *(line["size"] for line in found)],
            y=[short(unchanged), *(short(line["accuracy"]) for line in found)],
            error_y={"array": [0.0, *(short(line["std_error"]) for line in found)]},
            name=plain(change),
            mode="lines+markers",
            line={"color": colour},
            marker={"symbol": mark},
        )
    figure.update_xaxes(title_text="size of the change, in units of the input's scale", rangemode="tozero")
    figure.update_yaxes(title_text="accuracy")
    return figure
