"""Embeddings as one small SVG that a page can show: a line a variant, a panel a place of its network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from infotorch.records.embedding import Embedding
from infotorch.report.embeddings import CLASS_COLOURS

_PANEL, _MARGIN, _TITLE = 190, 12, 34
_OTHER = "#b8bfc8"
#: A panel has no more points than this: every second or third sample shows the clusters as well, in a smaller file.
_MOST = 400


def draw_points(shown: Mapping[str, Sequence[Embedding]]) -> str:
    """The drawing's text, the same for the same points.

    Args:
        shown: variant -> the embeddings of one of its runs, in the order of the network.

    Example:
        >>> import numpy as np
        >>> points, labels = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32), np.array([0, 1])
        >>> text = draw_points({"bp": [Embedding("fc1", "t-SNE", points, labels, np.array(["test", "test"]))]})
        >>> text.count("<path"), "bp: fc1" in text
        (2, True)
    """
    width = max(map(len, shown.values())) * (_PANEL + _MARGIN) + _MARGIN
    height = len(shown) * (_PANEL + _TITLE) + _MARGIN
    parts = [
        panel
        for line, (variant, embeddings) in enumerate(shown.items())
        for column, embedding in enumerate(embeddings)
        for panel in _panel(
            variant, embedding, _MARGIN + column * (_PANEL + _MARGIN), line * (_PANEL + _TITLE) + _TITLE
        )
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" '
        f'font-size="12">\n<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(variant: str, embedding: Embedding, left: int, top: int) -> list[str]:
    """A title, a frame and a path of dots for every class."""
    parts = [
        f'<text x="{left}" y="{top - 8}" fill="#1b2430">{escape(f"{variant}: {embedding.place}")}</text>',
        f'<rect x="{left}" y="{top}" width="{_PANEL}" height="{_PANEL}" fill="none" stroke="#e3e7ec"/>',
    ]
    step = math.ceil(len(embedding.labels) / _MOST)
    points, labels = embedding.points[::step].tolist(), embedding.labels[::step].tolist()
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not finite:
        return parts
    low = [min(axis) for axis in zip(*finite, strict=True)]
    span = max(max(axis) - least for axis, least in zip(zip(*finite, strict=True), low, strict=True)) or 1.0
    scale = (_PANEL - 2 * _MARGIN) / span
    classes = sorted({label for label in labels if label >= 0})
    colours = dict(zip(classes, CLASS_COLOURS, strict=False))
    for label in sorted(set(labels)):
        dots = "".join(
            f"M{left + _MARGIN + (x - low[0]) * scale:.1f} {top + _PANEL - _MARGIN - (y - low[1]) * scale:.1f}h0"
            for (x, y), own in zip(points, labels, strict=True)
            if own == label and math.isfinite(x) and math.isfinite(y)
        )
        if dots:
            colour = colours.get(label, _OTHER)
            parts.append(f'<path d="{dots}" stroke="{colour}" stroke-width="2.6" stroke-linecap="round"/>')
    return parts
