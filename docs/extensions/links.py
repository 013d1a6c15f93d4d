"""Parts of other files in a page, and links to files of the repository, which the site does not hold.

An `{include}` is put in before the page is read, so that the links in it can be set right. A link to a page leads
there; to an example, to its place in the gallery; to any other file, the page names its path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_INCLUDE = re.compile(r"^```\{include\} (\S+)\n((?::[\w-]+: .+\n)*)```$", flags=re.MULTILINE)
_OPTION = re.compile(r"^:([\w-]+): (.+)$", flags=re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")
_COMMENT = re.compile(r"<!--.*?-->")  # marks of what is generated; before a number one would end the Markdown
_PAGES = {"RESULTS.md": "docs/tables.md", "CONTRIBUTING.md": "docs/extending.md", "README.md": "docs/index.md"}


def expanded(text: str, page: str, root: Path) -> str:
    """The text of a page (its path in the repository) with what it includes, and links that the site can follow."""

    def included(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), found.group(1)))
        part = cut(root.joinpath(path).read_text(encoding="utf-8"), dict(_OPTION.findall(found.group(2))), path)
        return followed(part, path, page)

    return _COMMENT.sub("", _INCLUDE.sub(included, followed(text, page, page)))


def cut(text: str, options: dict[str, str], path: str) -> str:
    """What stands after `start-after` and before `end-before`, each the beginning of a line."""
    text = "\n" + text
    for option in ("start-after", "end-before"):
        mark = "\n" + options.get(option, "")
        if option not in options:
            continue
        if mark not in text:
            raise ValueError(f"{path} has no line that begins with {mark[1:]!r}")
        before, _, after = text.partition(mark)
        text = after.partition("\n")[2] if option == "start-after" else before
    return text


def followed(text: str, source: str, page: str) -> str:
    """The links of `source` as they must be on `page`."""

    def link(found: re.Match[str]) -> str:
        picture, words, path, anchor = found.groups()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        target = _PAGES.get(target, target)
        if target.startswith("examples/") and target.endswith(".py"):
            target, anchor = "docs/gallery.md", "#" + posixpath.basename(target)[:-3].replace("_", "-")
        if target.startswith("docs/"):
            path = posixpath.relpath(target, posixpath.dirname(page))
            return f"{picture}[{words}]({path}{anchor or ''})"
        return f"`{target}`" if words.strip("`") == target else f"{words} (`{target}`)"

    return _LINK.sub(link, text)


def _rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    path = Path(app.env.doc2path(page))
    if path.suffix == ".md":
        root = Path(app.srcdir).parent
        source[0] = expanded(source[0], path.relative_to(root).as_posix(), root)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.connect("source-read", _rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
