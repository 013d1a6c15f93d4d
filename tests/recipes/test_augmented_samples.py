"""data.augment as a setting: training batches alone change, a run resumes bit for bit, what does not fit is refused."""

import pytest
import torch
from pydantic import ValidationError

from infotorch.recipes.changes import change, change_from_text
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.runner import run
from infotorch.runs.session import Session
from infotorch.runs.setup import Setup, load_samples

SMALL = {"epochs": 2, "data.limit": 200, "data.augment": "crops-flips"}


def small(**settings):
    return change(find_recipe("demo", "bp"), {**SMALL, **settings})


def test_training_batches_change_and_the_rows_that_are_evaluated_do_not(tmp_path):
    plain, changed = (
        Session(Setup(small(**{"data.augment": kind}), 0, "cpu"), RunRecord(tmp_path / kind))
        for kind in ("none", "crops-flips")
    )
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(plain.dataset, part).x, getattr(changed.dataset, part).x)
    for before, after in zip(plain.batches.epoch(0), changed.batches.epoch(0), strict=True):
        assert torch.equal(before.rows, after.rows)
        assert torch.equal(before.y, after.y)
        assert not torch.equal(before.x, after.x)


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path):
    def stop(_what, done, _total):
        if done == 5:
            raise KeyboardInterrupt

    assert run(small(), tmp_path / "whole", device="cpu").status == "completed"
    broken = run(small(), tmp_path / "broken", device="cpu", progress=stop, checkpoint_seconds=0)
    assert broken.status == "interrupted"
    assert run(small(), tmp_path / "broken", device="cpu", resume=True).status == "completed"
    whole, resumed = RunRecord(tmp_path / "whole"), RunRecord(tmp_path / "broken")
    assert whole.metrics() == resumed.metrics()
    assert whole.outcome().metrics == resumed.outcome().metrics
    run(small(**{"data.augment": "none"}), tmp_path / "plain", device="cpu")
    assert RunRecord(tmp_path / "plain").metrics() != whole.metrics()


def test_a_cache_is_refused():
    with pytest.raises(ValueError, match=r"cache and data\.augment exclude each other"):
        small(cache="memory")
    with pytest.raises(ValidationError, match="augmented samples differ from epoch to epoch"):
        Recipe.model_validate({**small().model_dump(), "cache": "disk"})


def test_rows_that_are_no_images_are_refused():
    recipe = change(find_recipe("prox-binary", "sgd-bp"), {"data.augment": "crops-flips"})
    with pytest.raises(ValueError, match=r"prox-binary: augment='crops-flips' needs images .* got rows of shape"):
        load_samples(recipe, seed=0)


def test_on_the_command_line_it_is_a_setting_like_others():
    demo = find_recipe("demo", "bp")
    assert change_from_text(demo, ["data.augment=crops-flips"]).data.augment == "crops-flips"
    with pytest.raises(ValueError, match=r"data\.augment: there is no value 'cutout'; allowed: none, crops-flips"):
        change_from_text(demo, ["data.augment=cutout"])
