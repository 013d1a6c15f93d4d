"""Docstrings as they are written here, read as reStructuredText: backticks are code, and `*`, `|`, `_` are signs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
_SIGN = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")
# A colon in the first sentence of what is returned ends no type.
_RETURNS = re.compile(r"^(\s*(?:Returns|Yields):\n\s+)(?=\S)", flags=re.MULTILINE)


def read(lines: list[str]) -> list[str]:
    """The lines with signs escaped and code marked; examples, which begin with `>>>`, stay as they are.

    Example:
        >>> read(["`ksg` of n_x rows, `k + 1` times"])
        [':py:obj:`ksg` of n_x rows, ``k + 1`` times']
    """
    text, paragraphs = _RETURNS.sub(r"\1: ", "\n".join(lines)), []
    for paragraph in re.split(r"(\n[ \t]*\n)", text):
        example = re.search(r"^\s*>>> ", paragraph, flags=re.MULTILINE)
        head, tail = (paragraph[: example.start()], paragraph[example.start() :]) if example else (paragraph, "")
        paragraphs.append(_marked(head) + tail)
    return "".join(paragraphs).split("\n")


def _marked(text: str) -> str:
    parts = _CODE.split(text)
    for index, part in enumerate(parts):
        if index % 2:
            role = ":py:obj:`{}`" if _NAME.fullmatch(part) else "``{}``"
            follows = "\\ " if re.match(r"\w", parts[index + 1]) else ""  # as in `Objective`s
            parts[index] = role.format(" ".join(part.split())) + follows
        else:
            parts[index] = _SIGN.sub(r"\\\1", part)
    return "".join(parts)


def _process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = read(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.connect("autodoc-process-docstring", _process, priority=100)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
