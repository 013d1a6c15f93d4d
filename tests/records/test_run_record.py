import json
import os

import pytest

from infotorch.records.files import read_json, write_atomic, write_json
from infotorch.records.finding import find_runs
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord


@pytest.fixture
def record(tmp_path):
    record = RunRecord(tmp_path / "run")
    record.begin({"name": "demo", "seed": 0}, {"python": "3.11"})
    return record


def test_a_run_directory_holds_what_the_design_names(record):
    record.append({"epoch": 1, "train_loss": 0.25})
    record.finish(Outcome("completed", "done", "demo", "bp", 0, {"test_accuracy": 0.5}))
    assert sorted(os.listdir(record.directory)) == ["environment.json", "metrics.jsonl", "outcome.json", "recipe.json"]
    assert record.recipe() == {"name": "demo", "seed": 0}
    assert record.environment() == {"python": "3.11"}
    assert record.metrics() == [{"epoch": 1, "train_loss": 0.25}]
    assert record.outcome().metrics == {"test_accuracy": 0.5}


def test_metrics_are_cut_back_to_a_checkpoint(record):
    record.append({"epoch": 1})
    length, sha256 = record.metrics_mark()
    record.append({"epoch": 2})
    record.reopen(length, sha256)
    record.append({"epoch": 3})
    assert [line["epoch"] for line in record.metrics()] == [1, 3]


@pytest.mark.parametrize(
    ("damage", "got"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-5]), r"expected 26 bytes, got 21"),
        (lambda file: file.write_bytes(file.read_bytes().replace(b"1", b"7")), r"expected 26 bytes, got others"),
        (lambda file: file.unlink(), r"expected 26 bytes, got 0"),
    ],
)
def test_metrics_that_a_checkpoint_does_not_remember_are_refused_as_they_are(record, damage, got):
    """A shorter file was extended by NUL bytes, and the run went on."""
    record.append({"epoch": 1})
    record.append({"epoch": 2})
    mark = record.metrics_mark()
    record.finish(Outcome("interrupted", "", "demo", "bp", 0))
    file = record.directory / "metrics.jsonl"
    damage(file)
    left = record.read(file.name)
    with pytest.raises(ValueError, match=rf"metrics\.jsonl is not as .* remembers it: {got}; put the"):
        record.reopen(*mark)
    assert record.read(file.name) == left
    assert record.outcome().status == "interrupted"


def test_metrics_are_on_the_disk_before_a_checkpoint_remembers_their_length(record, monkeypatch):
    kept = []
    monkeypatch.setattr(os, "fsync", lambda file: kept.append(os.fstat(file).st_size))
    record.append({"epoch": 1})
    length, _ = record.metrics_mark()
    assert kept == [length] == [13]


def test_a_line_cut_short_by_a_crash_is_left_out(record):
    record.append({"epoch": 1})
    with (record.directory / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "train')
    assert record.metrics() == [{"epoch": 1}]


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b'{"epoch": 2, "train\n', b"[3]\n", b"\xff\n"])
def test_a_damaged_line_of_metrics_is_named(record, damage):
    record.append({"epoch": 1})
    with (record.directory / "metrics.jsonl").open("ab") as file:
        file.write(damage)
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2, is damaged: "):
        record.metrics()


def test_numbers_that_json_lacks_become_null(record):
    record.append({"loss": float("nan"), "bound": float("inf"), "nested": [float("-inf"), 1.0]})
    text = (record.directory / "metrics.jsonl").read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name)) == {
        "loss": None,
        "bound": None,
        "nested": [None, 1.0],
    }


def test_floats_survive_to_the_last_bit(record):
    value = 0.1 + 0.2
    record.append({"loss": value})
    assert record.metrics()[0]["loss"] == value


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_written_files_are_readable_as_the_umask_says(tmp_path):
    write_atomic(tmp_path / "atomic", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_damaged_files_are_named(record):
    (record.directory / "outcome.json").write_text('{"status": "completed"')
    with pytest.raises(ValueError, match=r"outcome\.json is damaged"):
        record.outcome()
    (record.directory / "outcome.json").write_text('{"status": "completed", "colour": 3}')
    with pytest.raises(ValueError, match=r"outcome\.json is damaged: .*colour"):
        record.outcome()
    (record.directory / "recipe.json").write_text("[]")
    with pytest.raises(ValueError, match="expected a JSON object, got list"):
        read_json(record.directory / "recipe.json")


def test_runs_are_found_below_a_folder_and_trials_are_not(tmp_path):
    for name in ("b/seed-0", "a/seed-0", "a/seed-0/tuning/trial-000/seed-9"):
        RunRecord(tmp_path / name).begin({}, {})
    assert [str(run.directory.relative_to(tmp_path)) for run in find_runs(tmp_path)] == ["a/seed-0", "b/seed-0"]
    assert len(find_runs(tmp_path, tmp_path / "a")) == 2


def test_runs_come_in_the_order_in_which_they_were_started(tmp_path):
    for name, started in (("a", "2026-11-21T10:00:01"), ("b", "2026-11-21T10:00:00"), ("c", "2026-11-21T10:00:01")):
        RunRecord(tmp_path / name).begin({}, {"started": started})
    assert [run.directory.name for run in find_runs(tmp_path)] == ["b", "a", "c"]


def test_a_folder_without_runs_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        find_runs(tmp_path)
    with pytest.raises(FileNotFoundError, match="is not a directory"):
        find_runs(tmp_path / "absent")


def test_beginning_again_forgets_the_last_ending(record):
    record.append({"epoch": 1})
    record.finish(Outcome("failed", "", "demo", "bp", 0))
    (record.directory / "traceback.txt").write_text("oh")
    record.begin({"name": "demo"}, {})
    assert not (record.directory / "traceback.txt").exists()
    assert record.outcome() is None
    assert record.metrics() == []


def test_what_a_crash_left_of_a_write_is_replaced_by_the_next(tmp_path):
    path = tmp_path / "state"
    (tmp_path / ".state.partial").write_bytes(b"half")
    write_atomic(path, b"whole")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("state", b"whole")]


def test_json_is_written_for_people(tmp_path):
    write_json(tmp_path / "a.json", {"title": "Rényi"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "title": "Rényi"\n}\n'
