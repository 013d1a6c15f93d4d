"""A run whose modules are in processes of their own is the run of one process, whatever interrupts it."""

import json
from pathlib import Path

import pytest
import torch
from tests.runs.in_pipelined_run import main, recipe
from tests.training.in_pipeline import launched

from infotorch.records.run_record import RunRecord
from infotorch.runs.runner import run
from infotorch.training.checkpoint import load_checkpoint

PROGRAM = Path(__file__).with_name("in_pipelined_run.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "run"
    run(recipe(), directory, device="cpu")
    return directory


def check_same(directory, whole):
    """The same lines and final numbers, and the same state in the last checkpoint."""
    assert (directory / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    found, wanted = (RunRecord(one).outcome() for one in (directory, whole))
    assert (found.status, found.metrics, found.isolation) == ("completed", wanted.metrics, "certified")
    assert found.memory == wanted.memory
    plans = [load_checkpoint(one / "checkpoint")["plan"] for one in (directory, whole)]
    assert str(plans[0]) == str(plans[1])
    assert leaves(plans[0]) == leaves(plans[1])


def leaves(value):
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, list | tuple):
        return [leaf for one in value for leaf in leaves(one)]
    return [value.tolist() if isinstance(value, torch.Tensor) else value]


def position(directory):
    return load_checkpoint(directory / "checkpoint")["position"]


def test_two_processes_begin_and_one_goes_on(tmp_path, whole):
    assert launched(PROGRAM, tmp_path, "stop", 1, 14, count=2)[0] == [0, 0]
    outcome = RunRecord(tmp_path).outcome()
    assert outcome.status == "interrupted"
    assert 15 <= position(tmp_path)["steps"] < 24  # in the midst of the second epoch
    main(tmp_path)
    check_same(tmp_path, whole)
    told = json.loads((tmp_path / "environment.json").read_text())
    assert told["processes"] == 2
    assert [name for names in told["modules"] for name in names] == ["fc1", "fc2", "fc3"]


def test_one_process_begins_and_two_go_on(tmp_path, whole):
    main(tmp_path, "stop", "0", "16")
    assert position(tmp_path)["steps"] == 17
    assert launched(PROGRAM, tmp_path, count=2)[0] == [0, 0]
    check_same(tmp_path, whole)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_run_and_it_goes_on(tmp_path, whole, killed):
    codes, seconds = launched(PROGRAM, tmp_path, "kill", killed, 20, count=2)
    assert codes[killed] == -9
    assert seconds < 15
    if killed:
        outcome = RunRecord(tmp_path).outcome()
        assert (outcome.status, "another process of this run has ended" in outcome.message) == ("failed", True)
    assert 0 < position(tmp_path)["steps"] <= 20
    assert launched(PROGRAM, tmp_path, count=2)[0] == [0, 0]
    check_same(tmp_path, whole)


def test_an_error_beside_the_training_ends_the_run(tmp_path):
    codes, seconds = launched(PROGRAM, tmp_path, "raise", 1, 14, count=2)
    assert codes == [0, 0]
    assert seconds < 15
    outcome = RunRecord(tmp_path).outcome()
    assert outcome.status == "failed"
    assert "process 1 of 2 has failed: ValueError: nobody may go on" in outcome.message


def test_what_is_passed_over_stands_in_the_records(tmp_path):
    codes, _ = launched(PROGRAM, tmp_path, "", 0, 0, 3, count=2)
    assert codes == [0, 0]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    first, _ = json.loads((tmp_path / "environment.json").read_text())["modules"]
    for line in lines:
        behind = line["module"] not in first
        assert ("train_staleness_steps" in line, "train_skipped_batches" in line) == (behind, behind)
        assert not behind or 0 <= line["train_staleness_steps"] <= 3
    assert RunRecord(tmp_path).outcome().status == "completed"
