from dataclasses import replace

import pytest
from torch import nn

from infotorch.data.sets import Split
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.assess import assess_run, load_outliers
from infotorch.runs.runner import run
from infotorch.runs.session import Session
from infotorch.runs.setup import Setup, load_samples

SMALL = {"epochs": 1, "data.limit": 100, "assessment.num_samples": 60, "assessment.steps": 2, "assessment.layer": "fc1"}


class TestOfARun:
    def recipe(self, **settings):
        return change(find_recipe("demo", "bp"), SMALL | {"assessment.outliers": "digits"} | settings)

    def test_its_numbers_stand_beside_the_accuracy(self, tmp_path):
        metrics = run(self.recipe(), tmp_path / "run", device="cpu").metrics
        plain = run(self.recipe(**{"assessment.outliers": ""}), tmp_path / "plain", device="cpu").metrics
        assert {name: metrics[name] for name in plain} == plain  # the assessment changes no other number
        assert metrics["outlier_auroc_probability"] == 0.5  # the strangers are the test rows themselves
        assert {"test_nll_nats", "pgd_0.2_accuracy", "affine_accuracy", "layer_mi_ty_nats"} <= set(metrics)
        assert set(plain) & {"test_nll_nats", "pgd_0.2_accuracy"} == set()

    def test_a_trial_of_a_search_looks_at_no_test_row(self, tmp_path):
        recipe = self.recipe(**{"assessment.outliers": "no-such-set"})
        session = Session(Setup(recipe, 0, "cpu"), RunRecord(tmp_path / "trial"), is_trial=True)
        assert list(session.run(resume=False).metrics) == ["validation_accuracy"]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"assessment.outliers": "digts"}, "there is no data set 'digts'"),
            ({"data.scaling": "standard"}, "demo: assessment.outliers needs pixels with a range"),
            ({"assessment.layer": "nope"}, "demo: assessment.layer: layers: the network has no layer 'nope'"),
        ],
    )
    def test_outliers_that_do_not_fit_are_refused_before_training(self, settings, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            run(self.recipe(**settings), tmp_path / "run", device="cpu")
        assert not (tmp_path / "run" / "metrics.jsonl").exists()

    def test_outliers_of_another_shape_are_refused(self, monkeypatch):
        recipe = self.recipe()
        dataset = load_samples(recipe, 0)
        wide = replace(dataset, test=Split(dataset.test.x.expand(-1, 3, -1, -1), dataset.test.y))
        monkeypatch.setattr("infotorch.runs.assess.load", lambda *_, **__: wide)
        with pytest.raises(ValueError, match=r"must have images of shape \(1, 8, 8\), as digits has; digits has not"):
            load_outliers(recipe, nn.ModuleDict({"fc1": nn.Identity()}), dataset, 0)
        with pytest.raises(ValueError, match="needs a network that classifies images, digits has vectors"):
            load_outliers(recipe, nn.Identity(), replace(dataset, kind="vectors"), 0)

    def test_without_outliers_nothing_is_loaded(self):
        recipe = self.recipe(**{"assessment.outliers": ""})
        assert load_outliers(recipe, nn.Identity(), load_samples(recipe, 0), 0) is None

    def test_an_unknown_layer_is_refused(self):
        recipe = self.recipe(**{"assessment.layer": "bottlneck"})
        dataset = load_samples(recipe, 0)
        with pytest.raises(ValueError, match="assess: layers: the network has no layer 'bottlneck'"):
            assess_run(recipe, nn.Linear(2, 2), dataset, dataset.test.x, seed=0)
