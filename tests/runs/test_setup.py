"""What runs start from: everything is loaded and built once, and sharing it changes no number."""

import sys
from collections import Counter

import pytest
import torch

from infotorch.commands.main import main
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.runs import setup as module
from infotorch.runs.runner import run
from infotorch.runs.setup import Setup, Setups, load_samples

SMALL = ("--set", "epochs=1", "--set", "data.limit=100", "--device", "cpu")
TWO = ("--variant", "bp", "--variant", "random")


def small(variant="bp", **settings):
    return change(find_recipe("demo", variant), {"epochs": 1, "data.limit": 100, **settings})


@pytest.fixture
def calls(monkeypatch):
    """How often data were loaded and models built, by what is done."""
    counts = Counter()

    def counted(name, function):
        def calling(*arguments, **options):
            counts[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, calling)

    counted("load", module.load)
    counted("build_network", module.build_network)
    return counts


class TestNothingIsLoadedOrBuiltTwice:
    @pytest.fixture
    def done(self, calls, monkeypatch, tmp_path):
        """Call the command line: (loaded, built)."""
        monkeypatch.chdir(tmp_path)

        def calling(*words):
            calls.clear()
            monkeypatch.setattr(sys, "argv", ["infotorch", *map(str, words)])
            with pytest.raises(SystemExit) as left:
                main()
            assert left.value.code == 0
            return calls["load"], calls["build_network"]

        return calling

    def test_a_run_and_its_diagnosis_load_and_build_once_each(self, done):
        assert done("run", "demo", "--variant", "bp", *SMALL, "--out", "here") == (1, 1)
        assert done("diagnose", "here", "--layer", "fc1", "--device", "cpu") == (1, 1)
        assert done("diagnose", "demo", "--variant", "bp", *SMALL, "--layer", "fc1") == (1, 1)

    def test_a_table_loads_once_a_seed_and_builds_once_a_run_and_once_an_audit(self, done):
        table = ("table", "demo", *TWO, *SMALL, "--out", "t")  # two runs a seed, one of them isolated
        assert done(*table, "--seeds", 2) == (2, 6)
        assert done(*table, "--seeds", 3, "--resume") == (1, 3)  # the third seed alone
        assert done(*table, "--seeds", 3, "--resume") == (0, 0)

    def test_the_trials_of_a_search_share_their_rows(self, done):
        objectives = ("--set", "plan.objectives=auto", "--set", "plan.cuts=fc3", "--set", "search.seeds=1000")
        loaded, built = done("run", "demo", "--variant", "bp", *SMALL, *objectives, "--out", "here")
        assert loaded == 2  # one for all trials, one for the run
        assert built <= 4  # two trials, the check, and the run unless it takes what was checked


class TestSetups:
    def test_a_run_that_takes_over_what_was_checked_is_the_same_run(self, tmp_path):
        recipe, setups = small("full-bound"), Setups()
        for variant in ("full-bound", "bp"):
            setups.check(small(variant), 0, "cpu")
        run(small(), tmp_path / "before", device="cpu", setups=setups)  # on the same rows
        run(recipe, tmp_path / "shared", device="cpu", setups=setups)
        run(recipe, tmp_path / "alone", device="cpu")
        shared, alone = ((tmp_path / name / "metrics.jsonl").read_bytes() for name in ("shared", "alone"))
        assert shared == alone

    def test_it_is_handed_out_once_and_to_the_same_settings_alone(self, calls):
        setups = Setups()
        setups.check(small(), 0, "cpu")
        assert setups.take(small(epochs=2), 0, "cpu").recipe.epochs == 2
        first, second = setups.take(small(), 0, "cpu"), setups.take(small(), 0, "cpu")
        assert first.model is not second.model
        assert all(map(torch.equal, first.model.parameters(), second.model.parameters()))
        assert calls == {"load": 1, "build_network": 3}

    @pytest.mark.parametrize(
        ("settings", "seed"),
        [({"data.limit": 120}, 0), ({"precision": "64-true"}, 0), ({"data.labels": 50}, 0), ({}, 1)],
    )
    def test_other_rows_are_other_rows(self, settings, seed):
        setups = Setups()
        setups.take(small(), 0, "cpu")
        found, alone = setups.take(small(**settings), seed, "cpu").dataset, load_samples(small(**settings), seed)
        for split in ("train", "validation", "test"):
            for part in ("x", "y"):
                assert torch.equal(getattr(getattr(found, split), part), getattr(getattr(alone, split), part))

    def test_what_does_not_fit_is_loaded_again(self, calls):
        setups = Setups(most_bytes=1000)
        setups.check(small(), 0, "cpu")
        setups.take(small(), 0, "cpu")
        assert calls == {"load": 2, "build_network": 2}

    def test_objectives_still_to_be_searched_can_be_checked(self):
        auto = small(**{"plan.objectives": "auto", "plan.cuts": ("fc3",)})
        Setups().check(auto, 0, "cpu")
        with pytest.raises(ValueError, match="auto"):
            Setup(auto, 0, "cpu")


def test_it_writes_nothing_and_leaves_the_random_state_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    Setup(small("full-bound"), 0, "cpu").prepare()
    assert torch.equal(torch.get_rng_state(), before)
    assert list(tmp_path.iterdir()) == []
