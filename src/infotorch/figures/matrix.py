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
    cells: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str] | None = None,
    *,
    told: Sequence[Sequence[str]],
    title: str,
    most: float | None = None,
) -> Figure:
    """Darker where a cell holds more, from 0; a cell without a finite value is blank.

    Args:
        cells: (rows, columns).
        rows: their names.
        columns: their names; None: the same.
        told: what pointing at a cell shows, below the two names.
        title: what the numbers are.
        most: of the darkest; None: the largest finite cell.

    Example:
        >>> cells = np.array([[np.inf, 0.25], [0.25, np.inf]])
        >>> matrix_figure(cells, ["a", "b"], told=[["", ""], ["", ""]], title="nats").data[0].z
        ([None, 0.25], [0.25, None])
    """
    finite = np.isfinite(cells)
    figure = blank_figure(height=max(300, 120 + 26 * len(rows)))
    down, across = ([plain(name) for name in names] for names in (rows, rows if columns is None else columns))
    figure.add_heatmap(
        z=[
            [short(value) if there else None for value, there in zip(*row, strict=True)]
            for row in zip(cells, finite, strict=True)
        ],
        x=list(range(len(across))),
        y=list(range(len(down))),
        customdata=[
            [f"{y} ~ {x}<br>{plain(text)}" for x, text in zip(across, row, strict=True)]
            for y, row in zip(down, told, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        texttemplate="%{z:.2f}" if max(len(down), len(across)) <= _MOST_NUMBERS else None,
        colorscale=[[0.0, "#ffffff"], [1.0, "#0072B2"]],
        zmin=0.0,
        zmax=float(cells[finite].max(initial=0.0)) or 1.0 if most is None else most,
        colorbar={"title": {"text": plain(title)}, "outlinewidth": 0},
        hoverongaps=False,
    )
    figure.update_xaxes(tickvals=list(range(len(across))), ticktext=across, showgrid=False)
    figure.update_yaxes(tickvals=list(range(len(down))), ticktext=down, showgrid=False, autorange="reversed")
    return figure
