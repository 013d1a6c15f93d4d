"""Accuracy against robustness: a curve a remedy, a point a strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infotorch.figures.style import blank_figure, look, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def strength_figure(curves: Mapping[str, Sequence[Mapping[str, Any]]], robust: str) -> Figure:
    """Accuracy under attack over accuracy, with one standard error each way, from weak to strong.

    Args:
        curves: remedy -> points with "strength" (a word), "accuracy", "robust" and their "accuracy_error" and
            "robust_error", in percent.
        robust: what the second accuracy is.

    Example:
        >>> point = {"strength": "0.1", "accuracy": 98.0, "robust": 40.0, "accuracy_error": 0.1, "robust_error": 1.0}
        >>> strength_figure({"vib": [point]}, "strong PGD").data[0].text
        ('0.1',)
    """
    figure = blank_figure(height=420)
    for number, (remedy, points) in enumerate(curves.items()):
        colour, mark = look(number)
        ends = {key: [short(point[key]) for point in points] for key in ("accuracy", "robust")}
        errors = {key: {"array": [short(point[f"{key}_error"]) for point in points]} for key in ends}
        figure.add_scatter(
            x=ends["accuracy"],
            y=ends["robust"],
            error_x=errors["accuracy"],
            error_y=errors["robust"],
            text=[point["strength"] for point in points],
            name=plain(remedy),
            mode="lines+markers",
            line={"color": colour},
            marker={"symbol": mark},
        )
    figure.update_xaxes(title_text="test accuracy, %")
    figure.update_yaxes(title_text=f"accuracy under {plain(robust)}, %")
    return figure
