"""Few kills and few pairs of starts; the campaign makes a hundred."""

import shutil

import pytest

from campaign import kills, starts
from campaign.commands import difference
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.runs.runner import run
from infotorch.training.checkpoint import load_checkpoint, save_checkpoint


def test_a_difference_is_seen_wherever_it_is(tmp_path):
    whole = tmp_path / "whole"
    run(change(find_recipe("demo", "random"), {"epochs": 1, "data.limit": 100}), whole, device="cpu")
    for name, told in (
        ("metrics.jsonl", "metrics.jsonl differs"),
        ("outcome.json", "outcome.json differs"),
        ("extra.json", "it holds"),
        (".lock", "it has left .lock"),
        ("checkpoint", "the checkpoint differs"),
    ):
        other = shutil.copytree(whole, tmp_path / name)
        assert difference(other, whole) is None
        if name == "checkpoint":
            state = load_checkpoint(other / name)
            body = list(state["plan"].values())[-1]["body"]
            next(iter(body.values())).flatten()[0] += 1
            save_checkpoint(other / name, state)
        elif name == "outcome.json":
            (other / name).write_text((other / name).read_text().replace('"test_accuracy": 0.', '"test_accuracy": 0.1'))
        else:
            with (other / name).open("a") as file:
                file.write('{"epoch": 9}\n')
        assert str(difference(other, whole)).startswith(told)


@pytest.mark.slow
def test_runs_that_are_killed_end_as_if_they_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "CASES", {name: kills.CASES[name] for name in ("demo full-bound", "demo bp")})
    part = kills.run(0, 0.04, tmp_path)
    assert part.failures == []
    assert sum(times for what, times in part.tried.items() if what.startswith("SIGKILL")) == 4


@pytest.mark.slow
def test_of_two_starts_one_runs(tmp_path):
    part = starts.run(0, 0.2, tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) == 4
