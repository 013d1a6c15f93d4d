"""Equations as MathML, written at the build: a browser draws them without a script and without a network."""

from __future__ import annotations

from typing import Literal

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def drawn(node: nodes.math | nodes.math_block, display: Literal["inline", "block"]) -> str:
    """The MathML of an equation; a warning where it has a command that the converter does not know."""
    mathml = convert(node.astext(), display=display)
    if "\\" in mathml:  # an unknown command stays as it is
        logger.warning("no MathML for %s", node.astext(), location=node)
    return mathml


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(drawn(node, "inline"))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{drawn(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
