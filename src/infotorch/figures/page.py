"""Figures in a page of their own, with plotly's script a third as long: gzip in base64, which the browser unpacks."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from infotorch.numerics.extras import require

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

#: A line for a terminal where `can_draw` is False.
CANNOT_DRAW = "figures need plotly: pip install 'infotorch[report]'"

_SCRIPT = """
const packed = atob(document.getElementById("plotly").textContent);
const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
new Response(stream).text().then((text) => {
  const script = document.createElement("script");
  script.textContent = text;
  document.head.append(script);
  const spec = JSON.parse(document.getElementById("figure").textContent);
  Plotly.newPlot("plot", spec.data, spec.layout, { responsive: true, displaylogo: false });
});
"""


def can_draw() -> bool:
    """Whether plotly is installed.

    Example:
        >>> can_draw()
        True
    """
    return find_spec("plotly") is not None


@cache
def packed_plotly() -> str:
    """The script of plotly as gzip in base64.

    Raises:
        ModuleNotFoundError: plotly is not installed.
    """
    require("report", "plotly", "a page with figures")
    from plotly.offline import get_plotlyjs

    return packed(get_plotlyjs())


def packed(text: str) -> str:
    """A text as gzip in base64, which a script element can hold whatever the text is.

    Example:
        >>> gzip.decompress(base64.b64decode(packed("</script>"))).decode()
        '</script>'
    """
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def figure_page(figure: Figure) -> str:
    """One figure as an HTML page that needs nothing else; of browsers since 2023.

    Args:
        figure: of plotly; it fills the page's width.

    Example:
        >>> from infotorch.figures.style import new_figure
        >>> len(figure_page(new_figure())) < 2_500_000
        True
    """
    # "<" as an escape: a name in the figure cannot close the script element.
    content = (figure.to_json() or "").replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>infotorch</title></head>\n'
        '<body><div id="plot"></div>'
        f'<script type="text/plain" id="plotly">{packed_plotly()}</script>'
        f'<script type="application/json" id="figure">{content}</script><script>{_SCRIPT}</script></body></html>\n'
    )
