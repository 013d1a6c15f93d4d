"""What is known of a table beside its runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infotorch.records.about import About, about_table
from infotorch.records.collecting import collect
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import TableFile, is_table
from infotorch.report import markdown_table, summarise

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def table(tmp_path):
    """The file of a table of two variants and three seeds."""
    places = []
    for variant, values in {"bp": (0.90, 0.91, 0.92), "best": (0.93, 0.91, 0.95)}.items():
        for seed, value in enumerate(values):
            record = RunRecord(tmp_path / f"{variant}-{seed}")
            record.begin({"name": "demo", "variant": variant, "seed": seed}, {})
            published = {"test_accuracy": {"value": 0.94, "source": "A paper"}} if variant == "bp" else {}
            metrics = {"test_accuracy": value, "train_accuracy": value}
            record.finish(Outcome("completed", "", "demo", variant, seed, metrics, published))
            places.append(record.directory)
    [collected] = collect(places, out=tmp_path / "results")
    return collected.path


def write(table, **fields):
    table.with_name("about.json").write_text(json.dumps({"demo": fields}))
    return summarise(TableFile(table).runs())


def test_without_the_file_nothing_is_known(table, tmp_path):
    assert about_table(TableFile(table).runs()[0]) == About()
    assert about_table(RunRecord(tmp_path / "bp-0")) == About()


def test_a_mark_and_its_reason_stand_on_the_page(table):
    text = markdown_table(write(table, after_test={"best": "more views"}))
    assert "| best ‡ |" in text
    assert "| bp |" in text
    assert "- ‡ best: changed after a test score had been seen: more views." in text
    assert "all variants: changed" in markdown_table(write(table, after_test={"*": "fewer epochs"}))


def test_published_statistics_stand_beside_ours_of_the_same_kind(table):
    lines = markdown_table(write(table, statistic="the best of 3 seeds", best=True)).splitlines()
    assert "| best seed |" in lines[0]
    assert [line.split(" | ")[3] for line in lines[2:4]] == ["95.00", "92.00"]
    assert "- demo: a published number is the best of 3 seeds." in lines
    lines = markdown_table(write(table, deviation={"bp": 0.004}, train={"bp": 0.99})).splitlines()
    assert lines[3].startswith("| bp | 94.00 (s.d. 0.40) | 91.00 ± 0.58 (n = 3) | 1.00 | – | 99.00 | 91.00 ± 0.58 |")
    assert lines[2].startswith("| best | – | 93.00 ± 1.15 (n = 3) | 2.00 |")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"demo": {"best": "yes"}}, "demo.best must be true or false, got 'yes'"),
        ({"demo": {"train": {"bp": "high"}}}, "demo.train.bp must be a number, got 'high'"),
        ({"demo": {"trian": {}}}, "demo must have no other fields than .*, got trian"),
        ({"demo": []}, "demo must be an object"),
    ],
)
def test_damage_is_named(table, content, message):
    table.with_name("about.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"about.json is damaged: {message}"):
        about_table(TableFile(table).runs()[0])


def test_the_committed_file_names_tables_and_variants_that_are_there():
    content = json.loads((RESULTS / "about.json").read_text(encoding="utf-8"))
    for table, fields in content.items():
        assert is_table(RESULTS / f"{table}.json"), table
        variants = {run.recipe()["variant"] for run in TableFile(RESULTS / f"{table}.json").runs()}
        for field in ("train", "deviation", "after_test"):
            assert set(fields.get(field, {})) <= variants | {"*"}, (table, field)
