"""A run that stops early by validation samples: where it stops, what is left, and that it can be resumed."""

import pytest
import torch

from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.runner import run
from infotorch.runs.session import Session
from infotorch.runs.setup import Setup

SETTINGS = {"data.limit": 60, "network.hidden": (32,), "optimizer.lr": 0.02, "epochs": 60, "batch_size": 30}


def small(**settings):
    """A hundred weights for each of 60 digits: held-out digits get no better for long."""
    recipe = change(find_recipe("demo", "bp"), {**SETTINGS, "optimizer.schedule": "constant"})
    return change(recipe, {"schedule.stop_after": 3, **settings})


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    directory = tmp_path_factory.mktemp("early") / "run"
    assert run(small(), directory, device="cpu").status == "completed"
    return RunRecord(directory)


def scores(record):
    return [line["validation_accuracy"] for line in record.metrics()]


def test_it_ends_after_so_many_looks_that_were_worse_than_the_best(record):
    told = scores(record)
    assert len(told) < SETTINGS["epochs"]
    assert told[-4] == max(told) > max(told[-3:-1])  # the third look behind it found the best weights again
    outcome = record.outcome()
    assert outcome.message.startswith(f"stopped after epoch {len(told)} of 60: the last looks at validation samples")
    assert outcome.metrics["validation_accuracy"] == pytest.approx(max(told), abs=1e-6)
    assert told[-1] == max(told)


def test_until_then_it_is_the_run_that_does_not_stop(record, tmp_path):
    run(small(**{"schedule.stop_after": None}), tmp_path / "r", device="cpu")
    whole = RunRecord(tmp_path / "r")
    assert scores(whole)[: len(scores(record)) - 1] == scores(record)[:-1]
    assert whole.outcome().message == "all stages trained"


def test_the_best_weights_are_kept_where_the_epochs_end_first(tmp_path):
    run(small(epochs=20, **{"schedule.stop_after": 50}), tmp_path / "r", device="cpu")
    kept = RunRecord(tmp_path / "r")
    assert kept.outcome().metrics["validation_accuracy"] == pytest.approx(max(scores(kept)), abs=1e-6)


def test_a_run_that_goes_on_repeats_the_uninterrupted_one(record, tmp_path):
    def kill(what, done, total):
        if done == 7:
            raise KeyboardInterrupt

    assert run(small(), tmp_path / "r", device="cpu", checkpoint_seconds=0, progress=kill).status == "interrupted"
    assert run(small(), tmp_path / "r", device="cpu", resume=True).status == "completed"
    assert RunRecord(tmp_path / "r").metrics() == record.metrics()
    assert RunRecord(tmp_path / "r").outcome().message == record.outcome().message


def test_no_test_sample_decides_when(record, tmp_path):
    setup = Setup(small(), 0, "cpu")
    setup.dataset.test.y.copy_(torch.zeros_like(setup.dataset.test.y))
    session = Session(setup, RunRecord(tmp_path / "r"))
    assert session.run(resume=False).message == record.outcome().message
