"""A number over the epochs of a training: a colour a module, held-out samples beside those it learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.figures.style import blank_figure, look, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def history_figure(history: Sequence[Mapping[str, Any]], quantity: str) -> Figure:
    """A line for each module that has the quantity: dotted on training samples, solid on validation samples.

    Args:
        history: lines of `FitResult.history`.
        quantity: a column of it; its validation values are those of "validation_<quantity>".

    Example:
        >>> lines = [{"epoch": 1, "module": "fc", "loss": 0.7}, {"epoch": 2, "module": "fc", "loss": 0.4}]
        >>> history_figure(lines, "loss").data[0].y
        (0.7, 0.4)
    """
    figure = blank_figure(height=290)
    for number, module in enumerate(dict.fromkeys(line["module"] for line in history)):
        colour, mark = look(number)
        for column, of, dash in ((quantity, "training", "dot"), (f"validation_{quantity}", "validation", "solid")):
            lines = [line for line in history if line["module"] == module and column in line]
            if lines:
                figure.add_scatter(
                    x=[line["epoch"] for line in lines],
                    y=[short(line[column]) for line in lines],
                    name=plain(f"{module}, {of}"),
                    mode="lines+markers" if len(lines) <= 25 else "lines",
                    line={"color": colour, "dash": dash},
                    marker={"symbol": mark, "size": 5},
                )
    figure.update_xaxes(title_text="epoch", rangemode="tozero")
    figure.update_yaxes(title_text=plain(quantity))
    return figure
