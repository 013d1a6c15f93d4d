"""Write the tables of docs/choosing-an-estimator.md from the registry of estimators: `make stubs`.

With --check nothing is written, and a page that differs is an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from infotorch.estimators.registry import DEPENDENCE, INFORMATION, Entry

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "choosing-an-estimator.md"
#: what benchmarks/estimator_cost.py measured
COSTS = ROOT / "benchmarks" / "results" / "estimator_cost.json"
HEAD = "| function | takes | gives | costs |\n|---|---|---|---|"


def table(name: str, entries: tuple[Entry, ...]) -> str:
    """One of the page's tables between its markers: a line for each function."""
    lines: dict[str, str] = {}
    measured = json.loads(COSTS.read_text(encoding="utf-8"))["rows"]
    for entry in entries:
        lines.setdefault(entry.function, _line(entry, seconds(measured.get(entry.function, []))))
    shown = ['<div class="long-table">', "", HEAD, *lines.values(), "", "</div>"]
    return "\n".join([f"<!-- {name}: `make stubs` -->", *shown, f"<!-- /{name} -->"])


def seconds(cells: list[dict[str, Any]]) -> str:
    """What the page says of three sizes; "~" is not measured but told by the cost, and "–" not at all.

    Example:
        >>> seconds([{"n": 1000, "seconds": 0.25, "measured": True}, {"n": 10000, "bytes": 8e10}])
        '0.25 · 80 GB'
    """
    return " · ".join(_cell(cell) for cell in cells) or "–"


def _cell(cell: dict[str, Any]) -> str:
    if "bytes" in cell:
        return f"{cell['bytes'] / 1e9:.0f} GB"
    return f"{'' if cell['measured'] else '~'}{cell['seconds']:g}"


def _line(entry: Entry, measured: str) -> str:
    takes = {"x": entry.x, "y": entry.y, "size": entry.size}
    values = {"side": entry.side, "ceiling": entry.ceiling} if entry.side else {"range": entry.ceiling}
    gives = values | {"error": entry.error, "gradient": "yes" if entry.gradient else "no"}
    cells = [_facts(takes), _facts(gives), _facts({"cost": entry.cost, "seconds": measured})]
    return f"| `{entry.function}` | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _facts(facts: dict[str, str]) -> str:
    return "<br>".join(f"*{name}:* {value}" for name, value in facts.items())


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
