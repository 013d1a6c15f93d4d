"""Write the tables of docs/choosing-an-estimator.md from the registry of estimators: `make stubs`.

With --check nothing is written, and a page that differs is an error.
"""

from __future__ import annotations

import sys
from pathlib import Path

from infotorch.estimators.registry import DEPENDENCE, INFORMATION, Entry

PAGE = Path(__file__).parents[1] / "docs" / "choosing-an-estimator.md"
COLUMNS = {
    "information": "x | y | size | function | side | ceiling | error | gradient | cost",
    "dependence": "x | y | size | function | range | error | gradient | cost",
}


def table(name: str, entries: tuple[Entry, ...]) -> str:
    """One of the page's tables between its markers: a line for each function."""
    lines: dict[str, str] = {}
    for entry in entries:
        lines.setdefault(entry.function, _line(entry))
    heading = f"| {COLUMNS[name]} |"
    rule = "|" + "---|" * (heading.count("|") - 1)
    return "\n".join([f"<!-- {name}: `make stubs` -->", heading, rule, *lines.values(), f"<!-- /{name} -->"])


def _line(entry: Entry) -> str:
    side = [entry.side] if entry.side else []
    gradient = "yes" if entry.gradient else "no"
    cells = [entry.x, entry.y, entry.size, f"`{entry.function}`", *side, entry.ceiling, entry.error, gradient]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in [*cells, entry.cost]) + " |"


def page_with_tables(page: str) -> str:
    """The page's text with both tables anew."""
    for name, entries in (("information", INFORMATION), ("dependence", DEPENDENCE)):
        before, rest = page.split(f"<!-- {name}:", 1)
        _, after = rest.split(f"<!-- /{name} -->", 1)
        page = before + table(name, entries) + after
    return page


def main(*arguments: str) -> int:
    """Write the page, or compare it."""
    found = PAGE.read_text(encoding="utf-8")
    wanted = page_with_tables(found)
    if "--check" in arguments and found != wanted:
        print(f"not what `make stubs` writes: {PAGE}", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
