"""A square of numbers between things: a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from infotorch.figures.style import blank_figure, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Beyond, numbers in the cells are no longer read.
_MOST_NUMBERS = 15


def matrix_figure(
    cells: np.ndarray, names: Sequence[str], *, told: Sequence[Sequence[str]], title: str, most: float | None = None
) -> Figure:
    """Darker where a cell holds more, from 0; a cell without a finite value is blank.

    Args:
        cells: (rows, columns).
        names: of both.
        told: what pointing at a cell shows, below the two names.
        title: what the numbers are.
        most: of the darkest; None: the largest finite cell.

    Example:
        >>> cells = np.array([[np.inf, 0.25], [0.25, np.inf]])
        >>> matrix_figure(cells, ["a", "b"], told=[["", ""], ["", ""]], title="nats").data[0].z
        ([None, 0.25], [0.25, None])
    """
    finite = np.isfinite(cells)
    figure = blank_figure(height=max(300, 120 + 26 * len(names)))
    shown = [plain(name) for name in names]
    figure.add_heatmap(
        z=[
            [short(value) if there else None for value, there in zip(*row, strict=True)]
            for row in zip(cells, finite, strict=True)
        ],
        x=list(range(len(names))),
        y=list(range(len(names))),
        customdata=[
            [f"{y} ~ {x}<br>{plain(text)}" for x, text in zip(shown, row, strict=True)]
            for y, row in zip(shown, told, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        texttemplate="%{z:.2f}" if len(names) <= _MOST_NUMBERS else None,
        colorscale=[[0.0, "#ffffff"], [1.0, "#0072B2"]],
        zmin=0.0,
        zmax=float(cells[finite].max(initial=0.0)) or 1.0 if most is None else most,
        colorbar={"title": {"text": plain(title)}, "outlinewidth": 0},
        hoverongaps=False,
    )
    ticks = {"tickvals": list(range(len(names))), "ticktext": shown, "showgrid": False}
    figure.update_xaxes(**ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure
