"""The seconds in docs/choosing-an-estimator.md are those that benchmarks/estimator_cost.py wrote."""

import json
import re
from pathlib import Path

import pytest

import estimator_cost
import infotorch.estimators
from estimator_cost import COSTS, RESULT, SIZES, Cost, Samples, measure, samples
from infotorch.estimators.registry import HOMES

PAGE = Path(__file__).parents[2] / "docs" / "choosing-an-estimator.md"


def shown(cell):
    if "bytes" in cell:
        return f"{cell['bytes'] / 1e9:.0f} GB"
    return ("" if cell["measured"] else "~") + f"{cell['seconds']:g}"


def test_the_page_shows_the_committed_seconds():
    rows = json.loads(RESULT.read_text())["rows"]
    assert rows.keys() == COSTS.keys() <= set(HOMES)
    told = dict(re.findall(r"^\| `(\w+)` \|.*\*seconds:\* (.*) \|$", PAGE.read_text(), flags=re.MULTILINE))
    assert set(HOMES) & set(rows) <= set(told)
    for name, cell in told.items():
        assert cell == (" · ".join(map(shown, rows[name])) if name in rows else "–"), name
    assert all([cell["n"] for cell in row] == list(SIZES) for row in rows.values())


def test_what_takes_long_is_foreseen_and_what_needs_much_memory_is_not_run(monkeypatch):
    calls = []
    monkeypatch.setattr(estimator_cost, "_seconds", lambda call, own: (call(own), 2.0)[1])
    data = dict.fromkeys(SIZES, samples(10))
    found = measure(Cost(calls.append, 2), data)
    assert [cell.get("seconds") for cell in found] == [2.0, 200.0, 20_000.0]
    assert [cell.get("measured") for cell in found] == [True, False, False]
    assert len(calls) == 2  # the first compiles
    assert measure(Cost(calls.append, 0, bytes=8.0), data)[-1] == {"n": 10**5, "bytes": 8e10}


@pytest.mark.parametrize("name", COSTS)
def test_every_call_is_the_function_it_stands_for(name, monkeypatch):
    seen, own = [], samples(40)
    monkeypatch.setattr(infotorch.estimators, name, lambda *given, **_: seen.append(given))
    COSTS[name].call(own)
    assert len(seen) == 1
    assert isinstance(own, Samples)
