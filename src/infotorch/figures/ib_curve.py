"""The bottleneck's curve of a network: what a representation tells of the class against what it keeps of the input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infotorch.figures.style import new_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def ib_curve_figure(points: Sequence[Mapping[str, float]], label_entropy: float) -> Figure:
    """I(Y; T) against I(X; T), with one standard error each way; the dashes are H(Y) and I(Y; T) = I(X; T).

    Args:
        points: the fields of `CurvePoint`, for each beta.
        label_entropy: H(Y), in nats.

    Example:
        >>> point = {"beta": 0.1, "mi_xt": 1.0, "mi_ty": 0.5, "mi_xt_error": 0.1, "mi_ty_error": 0.1}
        >>> ib_curve_figure([point], 0.69).data[0].text
        ('0.1',)
    """
    x, y = [point["mi_xt"] for point in points], [point["mi_ty"] for point in points]
    figure = new_figure()
    figure.add_scatter(
        x=x,
        y=y,
        error_x={"array": [point["mi_xt_error"] for point in points]},
        error_y={"array": [point["mi_ty_error"] for point in points]},
        text=[f"{point['beta']:g}" for point in points],
        mode="lines+markers+text",
        textposition="bottom right",
        name="beta",
    )
    farthest = max([value for value in x if math.isfinite(value)], default=1.0)
    top = label_entropy
    figure.add_scatter(
        x=[0, top, max(farthest, top)], y=[0, top, top], mode="lines", line={"dash": "dash"}, name="no better"
    )
    figure.update_layout(xaxis_title="I(X; T), nats", yaxis_title="I(Y; T), nats")
    return figure
