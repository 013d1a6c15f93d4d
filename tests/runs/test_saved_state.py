"""What is wrong with a checkpoint is one sentence that names it, and never a run with other numbers."""

import copy
import hashlib
import os
import re
import shutil
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records import files
from infotorch.records.run_record import RunRecord
from infotorch.runs.diagnose import diagnose_run
from infotorch.runs.runner import run
from infotorch.training.checkpoint import load_checkpoint, save_checkpoint
from infotorch.training.loop import train
from infotorch.training.plan import Plan
from infotorch.training.position import Position

RECIPE = change(find_recipe("demo", "full-bound"), {"epochs": 2, "data.limit": 100})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "run"
    assert run(RECIPE, directory, device="cpu").status == "completed"
    return directory


@pytest.fixture
def unfinished(finished, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(finished, directory)
    (directory / "outcome.json").unlink()
    return directory


def refused(directory, words):
    with pytest.raises(ValueError, match=words) as error:
        run(RECIPE, directory, device="cpu", resume=True)
    message = str(error.value)
    assert str(directory / "checkpoint" / "state.pt") in message
    assert "--out" in message
    assert "\n" not in message
    assert "weights_only" not in message
    assert not (directory / "outcome.json").exists()


@pytest.mark.parametrize("share", [0.3, 0.9999])
def test_a_flipped_bit_is_refused(unfinished, share):
    path = unfinished / "checkpoint" / "state.pt"
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 16
    path.write_bytes(content)
    refused(unfinished, "its checksum does not match")


@pytest.mark.timeout(60)  # to hash what takes no room on the disk takes an hour
def test_a_terabyte_of_nothing_is_refused_at_once(unfinished):
    os.truncate(unfinished / "checkpoint" / "state.pt", 2**40)
    refused(unfinished, "its checksum does not match")


@pytest.mark.parametrize("content", [b"", b"x" * 1000])
def test_another_file_is_refused(unfinished, content):
    (unfinished / "checkpoint" / "state.pt").write_bytes(content)
    refused(unfinished, "its checksum does not match")


def test_what_is_no_file_is_refused(unfinished):
    path = unfinished / "checkpoint" / "state.pt"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"state\.pt is damaged: it is no regular file"):
        run(RECIPE, unfinished, device="cpu", resume=True)


def half(state):
    body = state["plan"]["fc2"]["body"]
    state["plan"]["fc2"]["body"] = {name: tensor.half() for name, tensor in body.items()}


def reshape(state):
    body = state["plan"]["fc2"]["body"]
    state["plan"]["fc2"]["body"] = {name: tensor[..., :1] for name, tensor in body.items()}


def moments(state):
    for entry in state["plan"]["fc1"]["update"]["optimizer"]["state"].values():
        entry["exp_avg"] = entry["exp_avg"].half()


CHANGES = {
    "float16": (half, r"module 'fc2': body\.\S+ must be float32 of shape \(\S+, \S+\), got float16"),
    "shape": (reshape, r"module 'fc2': body\.\S+ must be float32 of shape"),
    "moments": (moments, r"module 'fc1': update\.optimizer\.state\[0\]\.exp_avg must be float32"),
    "seed": (lambda state: state.update(seed=7), "its seed is 7, and the run's 0"),
    "stage": (lambda state: state["position"].update(stage=9), "must lie within the run, of 4 stages"),
    "step": (lambda state: state["position"].update(step=-1), "position.step must be a whole number that is not neg"),
    "steps": (lambda state: state["position"].update(steps=3), r"steps must be \d+, those before its place, got 3"),
    "no seed": (lambda state: state.pop("seed"), "its state: seed is missing"),
    "no module": (lambda state: state["plan"].pop("fc2"), "the state holds the modules fc1, fc3, head"),
    "no weight": (lambda state: state["plan"]["head"]["body"].popitem(), r"module 'head': body: \S+ is missing"),
    "no update": (lambda state: state["plan"]["fc1"].update(update={}), "module 'fc1': update: optimizer is missing"),
    "peak": (lambda state: state.update(peak="high"), "peak must be a whole number that is not negative, got 'high'"),
    "seconds": (lambda state: state.update(seconds=-3.0), "seconds must be a number that is not negative"),
    "epoch": (lambda state: state.update(epoch={"fc1": {"loss": [1.0]}}), "the means of the epoch must be pairs"),
    "length": (lambda state: state.update(metrics_bytes=-5), "metrics_bytes must be a whole number that is not neg"),
    "lr": (
        lambda state: state["plan"]["fc1"]["update"]["optimizer"]["param_groups"][0].update(lr="high"),
        r"module 'fc1': update\.optimizer\.param_groups\[0\]\.lr must be a number, got 'high'",
    ),
    "schedule": (
        lambda state: state["plan"]["fc1"]["update"]["scheduler"].pop("last_epoch"),
        "module 'fc1': update.scheduler: last_epoch is missing",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_state_of_another_run_is_refused_though_its_checksum_is_right(unfinished, name):
    change_it, words = CHANGES[name]
    state = load_checkpoint(unfinished / "checkpoint")
    change_it(state)
    save_checkpoint(unfinished / "checkpoint", state)
    refused(unfinished, words)


def test_a_diagnosis_needs_the_runs_own_weights(unfinished):
    state = load_checkpoint(unfinished / "checkpoint")
    half(state)
    save_checkpoint(unfinished / "checkpoint", state)
    with pytest.raises(ValueError, match=r"state\.pt is not of this run: module 'fc2': body\.\S+ must be float32"):
        diagnose_run(unfinished, device="cpu")


def test_an_untouched_checkpoint_still_goes_on(unfinished, finished):
    assert run(RECIPE, unfinished, device="cpu", resume=True).status == "completed"
    assert (unfinished / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


@contextmanager
def files_of_at_most(size):
    """As a full disk, an error of the system that names no file."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("state.pt", lambda folder: save_checkpoint(folder, {"weights": torch.zeros(10_000)})),
        ("report.html", lambda folder: files.write_atomic(folder / "report.html", bytes(100_000))),
        ("metrics.jsonl", lambda folder: RunRecord(folder).append({"module": "x" * 100_000})),
    ],
)
def test_what_a_disk_has_no_room_for_is_named(tmp_path, name, write):
    with files_of_at_most(1000), pytest.raises(OSError, match=rf"\[Errno \d+\] .*: '{tmp_path / name}'"):
        write(tmp_path)
    assert set(os.listdir(tmp_path)) <= {"metrics.jsonl"}


def test_a_checkpoint_that_finds_no_room_ends_the_run_in_its_name_and_the_run_goes_on(tmp_path, finished):
    with files_of_at_most(20_000):
        outcome = run(RECIPE, tmp_path / "run", device="cpu")
    assert outcome.status == "failed"
    assert re.fullmatch(r"OSError: \[Errno \d+\] .*: '.*state\.pt'", outcome.message)
    assert run(RECIPE, tmp_path / "run", device="cpu", resume=True).status == "completed"
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("name", [".outcome.json.partial", "checkpoint/.state.pt.partial"])
def test_nothing_is_written_through_a_link_of_a_strangers_run(unfinished, tmp_path, name):
    theirs = tmp_path / "thesis"
    theirs.write_text("years of work")
    (unfinished / name).symlink_to(theirs)
    assert run(RECIPE, unfinished, device="cpu", resume=True).status == "completed"
    assert theirs.read_text() == "years of work"
    assert not (unfinished / name).is_symlink()


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl"])
def test_a_link_in_place_of_what_is_changed_is_refused(unfinished, tmp_path, name):
    theirs = tmp_path / "thesis"
    theirs.write_text("years of work")
    state = load_checkpoint(unfinished / "checkpoint")
    save_checkpoint(
        unfinished / "checkpoint", state | {"metrics_bytes": 0, "metrics_sha256": hashlib.sha256().hexdigest()}
    )
    (unfinished / name).unlink(missing_ok=True)
    (unfinished / name).symlink_to(theirs)
    with pytest.raises(ValueError, match=rf"run/{name} is a link, and what it leads to would be changed"):
        run(RECIPE, unfinished, device="cpu", resume=True)
    assert theirs.read_text() == "years of work"


def test_a_pipe_in_place_of_the_lock_is_refused(unfinished):
    os.mkfifo(unfinished / ".lock")
    with pytest.raises(ValueError, match=r"\.lock is damaged: it is no regular file"):
        run(RECIPE, unfinished, device="cpu", resume=True)


def test_the_old_checkpoint_stays_until_the_new_one_reads_as_it_was_written(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, {"step": 1})
    monkeypatch.setattr("infotorch.training.checkpoint.os.fsync", lambda handle: os.ftruncate(handle, 100))
    with pytest.raises(OSError, match=r"does not read as it was written.* was kept"):
        save_checkpoint(tmp_path, {"step": 2})
    assert load_checkpoint(tmp_path) == {"step": 1}
    assert os.listdir(tmp_path) == ["state.pt"]
    assert files.partial_file(tmp_path / "state.pt").name == ".state.pt.partial"


def small_plan():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return Plan.layerwise(model, objectives="Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))


def batches():
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    return TensorBatches(x, (x[:, 0] > 0).long(), batch_size=16)


@pytest.mark.parametrize(
    ("start", "error", "words"),
    [
        (3, TypeError, "train: start must be a Position, the `next` of a StepInfo, got int"),
        (Position(stage=0.5), TypeError, r"train: start: stage must be an integer, got 0\.5"),
        (Position(stage=3, steps=12), ValueError, "must lie within the run, of 2 stages, 2 epochs and 2 steps each"),
        (Position(epoch=2, steps=4), ValueError, "got epoch 2"),
        (Position(step=2, steps=2), ValueError, "got step 2"),
        (Position(stage=1, steps=3), ValueError, "steps must be 4, those before its place, got 3"),
    ],
)
def test_a_start_outside_the_run_is_refused(start, error, words):
    with pytest.raises(error, match=words):
        train(small_plan(), batches(), epochs=2, start=start)


def test_every_start_within_the_run_and_its_end_are_taken():
    for info in train(small_plan(), batches(), epochs=2):
        assert next(train(small_plan(), batches(), epochs=2, start=info.position)).position == info.position
    assert list(train(small_plan(), batches(), epochs=2, start=info.next)) == []


def test_a_plan_takes_all_of_a_state_or_nothing():
    plan = small_plan()
    plan.prepare(batches(), epochs=1, seed=0)
    state = copy.deepcopy(plan.state_dict())
    before = copy.deepcopy(state)
    state["0"]["body"] = {name: tensor + 1 for name, tensor in state["0"]["body"].items()}
    state["2"]["body"] = {name: tensor.double() for name, tensor in state["2"]["body"].items()}
    with pytest.raises(ValueError, match=r"module '2': body\.\S+ must be float32"):
        plan.load_state_dict(state)
    assert all(torch.equal(plan.state_dict()["0"]["body"][name], value) for name, value in before["0"]["body"].items())
    with pytest.raises(ValueError, match="the state holds the modules int"):
        plan.load_state_dict(3)
