"""What all figures share: colours, marks, an empty figure in the page's style, names and numbers as they show them."""

from __future__ import annotations

import colorsys
import html
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from infotorch.numerics.extras import require
from infotorch.numerics.process import alone

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe & Ito 2008, without the yellow and the black that vanish on white and on dark paper.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
# Tol 2021, "muted", those of its colours that are far from the seven.
_MORE = ("#332288", "#882255", "#999933", "#661100", "#AA4499", "#117733")
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon")
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
_GRID = "rgba(128,128,128,0.22)"
_INK = "#3b4252"


def look(index: int) -> tuple[str, str]:
    """Colour and mark of a line; no two lines of a hundred have the same colour.

    Example:
        >>> look(0), look(7)
        (('#0072B2', 'circle'), ('#332288', 'square'))
    """
    named = PALETTE + _MORE
    colour = named[index] if index < len(named) else _turned(index - len(named))
    return colour, MARKS[(index + index // len(PALETTE)) % len(MARKS)]


def _turned(index: int) -> str:
    """Hues a golden angle apart, which stay far from each other however many there are."""
    shades = colorsys.hls_to_rgb((0.08 + index * 0.381966) % 1, (0.35, 0.5, 0.62)[index % 3], 0.65)
    return "#" + "".join(f"{round(255 * shade):02X}" for shade in shades)


def places(names: Iterable[str], order: Sequence[str] = ()) -> dict[str, int]:
    """Which `look` each name has: its place in `order`, so that it is the same in every figure; others come behind.

    Example:
        >>> places(["fc2", "extra"], ["fc1", "fc2"])
        {'fc1': 0, 'fc2': 1, 'extra': 2}
    """
    return {name: place for place, name in enumerate(dict.fromkeys([*order, *names]))}


def new_figure() -> Figure:
    """A figure without style or data; plotly's first import, late as it is slow, leaves the warnings' filters alone.

    Raises:
        ModuleNotFoundError: plotly is not installed; the message holds the command that installs it.

    Example:
        >>> filters = list(warnings.filters)
        >>> len(new_figure().data), warnings.filters == filters
        (0, True)
    """
    with alone(), warnings.catch_warnings():
        require("report", "plotly", "a figure")
        from plotly.graph_objects import Figure

        figure = Figure()
    return figure


def blank_figure(height: int) -> Figure:
    """A figure in the page's style, without data.

    Args:
        height: in pixels.
    """
    figure = new_figure()
    axis = {
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": "rgba(128,128,128,0.5)",
        "automargin": True,
        "title_standoff": 8,
    }
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 14, "t": 14, "b": 8},
        font={"family": _FONT, "size": 12, "color": _INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 12}},
        hoverlabel={"font": {"family": _FONT, "size": 12}, "align": "left"},
        showlegend=True,
        xaxis={**axis, "showgrid": False, "ticks": "outside", "ticklen": 4, "showline": True},
        yaxis=axis,
    )
    return figure


def short(value: float) -> float:
    """A number with six significant digits."""
    return float(f"{value:.6g}")  # what a figure can show; the tables have the rest


def plain(text: str) -> str:
    """Text of a run for a figure, where no markup in it acts."""
    return html.escape(text, quote=False)  # plotly reads <b> and <a href> in labels
