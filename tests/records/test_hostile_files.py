"""What stands in place of a file of a run, and what a file says that is of another kind: one error that names it."""

import gzip
import hashlib
import json
import os

import pytest

from infotorch.records.collecting import collect
from infotorch.records.files import DEEPEST, LARGEST, parse_json, read_json, read_regular
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import TableFile
from infotorch.report.page import write_report
from infotorch.report.runs import load_run


@pytest.fixture
def record(tmp_path):
    record = RunRecord(tmp_path / "run")
    record.begin({"name": "demo", "variant": "bp", "seed": 0}, {"started": "2026-01-01"})
    record.append({"epoch": 1, "step": 5, "module": "fc1", "train_loss": 0.5})
    record.finish(Outcome("completed", "", "demo", "bp", 0, {"test_accuracy": 0.9}))
    return record


NAMES = ("recipe.json", "environment.json", "metrics.jsonl", "outcome.json")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "gigantic"])
def test_only_regular_files_of_a_bounded_size_are_opened(record, name, kind):
    path = record.directory / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.touch()
        os.truncate(path, LARGEST + 1)
    with pytest.raises(ValueError, match=rf"{name} is (damaged: it is (a folder|no regular file)|too large)"):
        load_run(record)


def test_nothing_is_no_file_and_a_link_to_itself_is_named(tmp_path):
    assert read_regular(tmp_path / "missing") is None
    assert read_regular(tmp_path / "missing" / "below") is None
    with pytest.raises(FileNotFoundError, match="missing is missing"):
        read_json(tmp_path / "missing")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        read_regular(tmp_path / "loop")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":' * 100_000 + "1" + "}" * 100_000, f"nested deeper than {DEEPEST} levels"),
        ('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), f"nested deeper than {DEEPEST} levels"),
        ('{"a": NaN}', "a number must be finite, got NaN"),
        ('{"a": -Infinity}', "a number must be finite"),
        ('{"a": 1e999}', "a number must be finite, got 1e999"),
        (f'{{"a": {10**400}}}', "a whole number must have at most 20 digits, got 401"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"a": "\xff"}', "invalid start byte"),
    ],
)
def test_json_that_no_writer_of_ours_makes_is_refused(tmp_path, text, words):
    with pytest.raises(ValueError, match=rf"outcome\.json is damaged: .*{words}"):
        parse_json(text.encode() if isinstance(text, str) else text, where=tmp_path / "outcome.json")


def test_json_as_deep_as_is_allowed_is_read(tmp_path):
    text = '{"a":' * DEEPEST + "1" + "}" * DEEPEST
    assert set(parse_json(text.encode(), where=tmp_path)) == {"a"}
    assert parse_json(f'{{"seed": {2**64 - 1}}}'.encode(), where=tmp_path) == {"seed": 2**64 - 1}


def test_an_outcome_of_another_run_is_refused(record):
    record.finish(Outcome("completed", "", "demo", "bp", 1, {"test_accuracy": 0.9}))
    for read in (record.outcome, lambda: load_run(record), lambda: collect([record.directory], out=record.directory)):
        with pytest.raises(
            ValueError, match=r"outcome\.json is of another run: its seed is 1, and recipe\.json says 0"
        ):
            read()


@pytest.mark.parametrize("line", ['{"epoch": [1]}', '{"module": {"a": 1}}'])
def test_lines_of_metrics_are_flat(record, line):
    (record.directory / "metrics.jsonl").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 1, is damaged: \w+ must be a text, a number"):
        record.metrics()


def test_a_name_that_is_a_path_makes_no_file_elsewhere(record):
    content = record.recipe() | {"name": "../elsewhere"}
    (record.directory / "recipe.json").write_text(json.dumps(content))
    (record.directory / "outcome.json").unlink()
    record.finish(Outcome("completed", "", "../elsewhere", "bp", 0))
    with pytest.raises(ValueError, match=r"recipe\.json is damaged: name must be"):
        collect([record.directory], out=record.directory / "tables")
    assert not (record.directory / "elsewhere.json").exists()


@pytest.fixture
def table(record):
    collect([record.directory], out=record.directory.parent / "tables")
    return record.directory.parent / "tables" / "demo.json"


def with_curves(table, text):
    """Other curves, of which the table has the checksum."""
    path = table.with_name("demo.curves.jsonl.gz")
    before = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    table.write_text(table.read_text().replace(before, hashlib.sha256(text).hexdigest()))
    path.write_bytes(gzip.compress(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"run": 3, "file": "metrics.jsonl", "lines": 1}\n{}\n', "run must be a text, got 3"),
        (b'{"run": "bp/seed-0", "file": "metrics.jsonl"}\n', "lines is missing"),
        (
            b'{"run": "bp/seed-0", "file": "metrics.jsonl", "lines": -2}\n',
            "lines must be a whole number that is not neg",
        ),
        (b"[" * 100_000 + b"\n", "nested deeper"),
    ],
)
def test_curves_of_another_form_are_refused(table, text, words):
    with_curves(table, text)
    with pytest.raises(ValueError, match=rf"curves\.jsonl\.gz.* is damaged: .*{words}"):
        TableFile(table).runs()[0].metrics()


def test_curves_that_unpack_to_more_than_is_read_are_refused(table, monkeypatch):
    monkeypatch.setattr("infotorch.records.table_file.LARGEST", 1000)
    with_curves(table, bytes(1001))
    with pytest.raises(ValueError, match=r"curves\.jsonl\.gz is too large: it must hold at most 1,000 bytes"):
        write_report([table], table.with_name("report.html"))
