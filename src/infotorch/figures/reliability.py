"""A reliability diagram: how often a classifier is right where it is so sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infotorch.figures.style import PALETTE, blank_figure, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def reliability_figure(bins: Sequence[tuple[float, float, int]]) -> Figure:
    """Accuracy over mean confidence, in percent, a mark as large as its share of the samples; calibrated on the line.

    Args:
        bins: mean confidence, accuracy, and how many.

    Example:
        >>> reliability_figure([(0.75, 0.5, 4)]).data[1].y
        (50.0,)
    """
    figure = blank_figure(height=380)
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"dash": "dot", "color": PALETTE[6]}, name="calibrated"
    )
    most = max((count for _, _, count in bins), default=1)
    figure.add_scatter(
        x=[short(100 * confidence) for confidence, _, _ in bins],
        y=[short(100 * right) for _, right, _ in bins],
        customdata=[count for _, _, count in bins],
        hovertemplate="%{x:.1f} % sure, %{y:.1f} % right, %{customdata} samples<extra></extra>",
        mode="lines+markers",
        marker={"size": [6 + 18 * (count / most) ** 0.5 for _, _, count in bins], "color": PALETTE[0]},
        name="found",
    )
    figure.update_xaxes(title_text="confidence, %")
    figure.update_yaxes(title_text="accuracy, %")
    return figure
