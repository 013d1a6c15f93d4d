"""Every isolated run is audited before it trains, and no number of it moves."""

import json

import pytest

from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.outcome import parse_outcome
from infotorch.records.run_record import RunRecord
from infotorch.report.table import markdown_table, summarise
from infotorch.runs import session
from infotorch.runs.runner import run

SMALL = {"data.limit": 100, "epochs": 1}


def small(variant="full-bound", **settings):
    return change(find_recipe("demo", variant), SMALL | settings)


def outcome_file(directory):
    return json.loads((directory / "outcome.json").read_text())


def test_an_isolated_run_says_certified_and_its_numbers_are_those_without_an_audit(tmp_path, monkeypatch):
    audited = run(small(), tmp_path / "audited", device="cpu")
    assert audited.isolation == outcome_file(tmp_path / "audited")["isolation"] == "certified"
    monkeypatch.setattr(session, "audit_run", lambda *_: None)
    plain = run(small(), tmp_path / "plain", device="cpu")
    assert "isolation" not in outcome_file(tmp_path / "plain")
    assert plain.metrics == audited.metrics
    lines = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("audited", "plain")]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("settings", [{}, {"plan.order": "simultaneous", "plan.isolated": False}])
def test_a_run_whose_gradients_are_to_cross_says_nothing(settings, tmp_path):
    recipe = small("bp") if not settings else small(**settings)
    assert run(recipe, tmp_path / "run", device="cpu").isolation is None
    assert "isolation" not in outcome_file(tmp_path / "run")


def test_what_cannot_be_audited_trains_all_the_same(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no such thing")

    monkeypatch.setattr("infotorch.runs.isolation.audit_step", broken)
    outcome = run(small(), tmp_path / "run", device="cpu")
    assert outcome.status == "completed"
    assert outcome.isolation == "not certified: the audit failed: RuntimeError: no such thing"
    (row,) = summarise([RunRecord(tmp_path / "run")])
    assert row.isolation == "not certified"
    assert row.notes == (f"Seed 0 is {outcome.isolation}.",)


def test_a_table_has_the_column_where_a_run_was_audited(tmp_path):
    run(small(), tmp_path / "one", device="cpu")
    run(small("bp"), tmp_path / "two", device="cpu")
    records = [RunRecord(tmp_path / name) for name in ("one", "two")]
    shown = markdown_table(summarise(records))
    assert "isolation" in shown
    assert "certified" in shown
    assert "isolation" not in markdown_table(summarise(records[1:]))


def test_a_file_of_before_the_audit_is_read(tmp_path):
    content = {"status": "completed", "message": "", "recipe": "demo", "variant": "best", "seed": 0}
    assert parse_outcome(content, where=tmp_path).isolation is None
    assert parse_outcome(content | {"isolation": "certified"}, where=tmp_path).isolation == "certified"
    with pytest.raises(ValueError, match="isolation must be"):
        parse_outcome(content | {"isolation": 1}, where=tmp_path)
