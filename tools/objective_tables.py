"""Write the table of the guide to objectives from their registry, between its markers: `make stubs`.

With --check nothing is written, and a page that differs is an error.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from infotorch.objectives.names import objective_from_name
from infotorch.objectives.registry import REGISTRY

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "choosing-an-objective.md"
COSTS = ROOT / "benchmarks" / "results" / "objectives.json"
MARKED = re.compile(r"(<!-- objectives: .*? -->\n).*?(<!-- end -->)", flags=re.DOTALL)
HEAD = "| name | maximises | use it, and beware | facts |\n|---|---|---|---|\n"


def objectives_table() -> str:
    """A row for each registered objective that has words for the guide."""
    costs = json.loads(COSTS.read_text(encoding="utf-8"))["rows"]
    rows = []
    for name, entry in REGISTRY.items():
        if entry.guide is None:
            continue
        objective = objective_from_name(name)
        assert objective is not None
        side = next(iter(objective.sides.values()), "–")
        cost = " / ".join("–" if share is None else f"{share:.1f}" for share in costs[name].values())
        kinds = objective.target_kinds if objective.reads_targets else None
        labels = ", ".join(kinds or ()) or "–"
        guide = entry.guide
        advice = f"*use it:* {guide.use}<br>*beware:* {guide.beware}"
        facts = {"bound": side, "targets": labels, "takes": guide.takes, "cost": cost}
        told = "<br>".join(f"*{fact}:* {value}" for fact, value in facts.items())
        cells = (f"`{name}`", guide.makes_large, advice, told)
        rows.append(f"| {' | '.join(cells)} |\n")
    return f'<div class="long-table">\n\n{HEAD}{"".join(rows)}\n</div>\n'


def main(*arguments: str) -> int:
    """Write the page, or compare it."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = MARKED.sub(lambda found: found[1] + objectives_table() + found[2], page)
    if page == wanted:
        return 0
    if "--check" in arguments:
        print(f"not what `make stubs` writes: {PAGE}", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
