"""The figure of a range test: what every candidate rate reached, and the range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infotorch.figures.style import look, new_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

#: What one candidate reached: its rate, the last value, and after how many epochs.
Point = tuple[float, float, int]


def range_test_figure(lines: Mapping[str, Sequence[Point]], ends: Mapping[str, Sequence[float]], value: str) -> Figure:
    """The last value against the rate on a logarithmic axis, one line for each trial, with the range marked.

    Points are larger the longer a candidate was trained. Where lengths differ no line joins the points.

    Args:
        lines: name of a line -> (rate, last value, epochs) of its candidates.
        ends: such as {"lr_min": [0.01]}; several rates are those of several layers.
        value: what the values are.

    Example:
        >>> figure = range_test_figure({"trial 0": [(0.01, 0.5, 2), (0.1, 0.9, 2)]}, {"lr_top": [0.1]}, "accuracy")
        >>> figure.data[0].mode, figure.layout.annotations[0].text
        ('lines+markers', 'lr_top')
    """
    figure = new_figure()
    even = len({epochs for points in lines.values() for _, _, epochs in points}) == 1
    for index, (name, points) in enumerate(lines.items()):
        colour, mark = look(index)
        figure.add_scatter(
            x=[rate for rate, _, _ in points],
            y=[reached for _, reached, _ in points],
            mode="lines+markers" if even else "markers",
            line={"color": colour},
            marker={"color": colour, "symbol": mark, "size": [4 + 2 * min(epochs, 6) for _, _, epochs in points]},
            text=[f"{epochs} epochs" for _, _, epochs in points],
            name=name,
        )
    for height, (name, rates) in enumerate(ends.items()):
        for rate in rates:
            figure.add_vline(x=rate, line_dash="dot")
            # On a logarithmic axis plotly takes the logarithm for notes, but not for lines.
            figure.add_annotation(x=math.log10(rate), y=1 + 0.05 * height, yref="paper", text=name, showarrow=False)
    figure.update_xaxes(
        type="log", exponentformat="power", showexponent="all", minexponent=0, title_text="learning rate"
    )
    figure.update_yaxes(title_text=value)
    return figure
