"""Every objective says which targets it takes, and refuses others before training, with names that work."""

import math
import re

import pytest
import torch
from sklearn.datasets import load_diabetes
from torch import nn

from infotorch import fit
from infotorch.objectives.base import LocalBatch, Objective
from infotorch.objectives.checks import SUGGESTED
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.inputs import Reconstruction
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation, masked_cross_entropy
from infotorch.objectives.loss_function import LossFunction
from infotorch.objectives.names import OUTPUT_NAMES, objective_from_name
from infotorch.objectives.registry import REGISTRY, SHORT

KINDS = ("classes", "real", "multilabel")
LABELLED = [name for name in REGISTRY if (made := objective_from_name(name)) is not None and made.reads_targets]
ON_ROWS = [name for name in LABELLED if REGISTRY[name].needs == "rows" and "forward" not in name]
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(60, 4, generator=GENERATOR)
TARGETS = {
    "classes": (X[:, 0] > 0).long(),
    "real": X[:, :2] + 0.1,
    "multilabel": (X[:, :2] > 0).long(),
}


def network(outputs=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, outputs))


@pytest.mark.parametrize("name", LABELLED)
def test_every_registered_objective_that_reads_targets_says_which(name):
    objective = objective_from_name(name)
    assert objective is not None
    assert objective.target_kinds
    assert set(objective.target_kinds) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_a_refusal_suggests_take_the_kind(kind):
    for name in re.findall(r"[A-Z]+(?::[a-z]+)?", SUGGESTED[kind]):
        assert kind in objective_from_name(name).target_kinds, name
    assert kind in objective_from_name(OUTPUT_NAMES[kind]).target_kinds
    assert OUTPUT_NAMES[kind] in {*SHORT, *REGISTRY}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ON_ROWS)
def test_hidden_modules_learn_from_kinds_that_are_taken_and_others_are_refused_before(name, kind):
    net, y = network(), TARGETS[kind]
    before = [weight.clone() for weight in net.parameters()]
    last = OUTPUT_NAMES[kind]
    taken = kind in objective_from_name(name).target_kinds
    if taken and name not in {"CE", "Y:squared-error"}:
        result = fit(net, (X, y), plan=[name, last], epochs=2, batch_size=20)
        assert result.diverged is None
        assert all(math.isfinite(value) for value in result.metrics.values())
        assert not all(map(torch.equal, before, net.parameters()))
    elif not taken:
        with pytest.raises(TypeError, match="Y:infonce") as caught:
            fit(net, (X, y), plan=[name, last], epochs=2)
        assert "\n" not in str(caught.value)
        assert all(map(torch.equal, before, net.parameters()))


def test_a_sum_takes_what_all_its_parts_take():
    assert SumOfObjectives([ReadoutInformation(), CrossEntropy()]).target_kinds == ("classes", "multilabel")
    assert SumOfObjectives([Reconstruction(), Reconstruction()]).target_kinds is None


def test_an_objective_of_ones_own_that_says_nothing_sees_targets_of_any_kind():
    class Own(Objective):
        needs_labels = True

        def build(self, example, labels):
            self.seen = labels

    for y in TARGETS.values():
        own = Own()
        own.build(LocalBatch(X, X, X, y), y)
        assert own.seen is y


class TestWeightsAndSmoothing:
    def test_the_loss_is_that_of_torch_and_the_terms_are_plain(self):
        y = torch.tensor([0, 1, 1, 2, -1, 1])
        scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
        batch = LocalBatch(scores, scores, scores, y)
        weights = [1.0, 2.0, 5.0]
        wanted = nn.CrossEntropyLoss(weight=torch.tensor(weights), label_smoothing=0.2, ignore_index=-1)(scores, y)
        objective = CrossEntropy(class_weights=weights, label_smoothing=0.2)
        objective.build(batch, y)
        loss = objective(batch)
        torch.testing.assert_close(loss.total, wanted)
        torch.testing.assert_close(loss.terms["cross_entropy_nats"], masked_cross_entropy(scores, y))
        readout, plain = ReadoutInformation(class_weights=weights, label_smoothing=0.2), ReadoutInformation()
        for each in (readout, plain):
            each.build(batch, y)
            each.readout = nn.Identity()
        torch.testing.assert_close(readout(batch).total, wanted - readout.label_entropy)
        torch.testing.assert_close(readout(batch).terms, plain(batch).terms)

    def test_a_temperature_divides_the_scores_of_classes_and_nothing_else(self):
        y = torch.tensor([0, 1, 1, 2, -1, 1])
        scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
        warm, plain = ReadoutInformation(temperature=4.0), ReadoutInformation()
        for each in (warm, plain):
            each.build(LocalBatch(scores, scores, scores, y), y)
            each.readout = nn.Identity()
        found, wanted = warm(LocalBatch(scores, scores, scores, y)), plain(LocalBatch(scores, scores, scores / 4, y))
        torch.testing.assert_close(found.total, wanted.total)
        torch.testing.assert_close(found.terms, wanted.terms)
        assert torch.equal(warm.scores(scores), scores / 4)
        with pytest.raises(ValueError, match=r"ReadoutInformation: temperature must be .*positive.*, got 0"):
            ReadoutInformation(temperature=0.0)

    def test_balanced_weights_give_each_class_the_same_weight(self):
        y = torch.tensor([0] * 6 + [1] * 2)
        scores = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))
        batch = LocalBatch(scores, scores, scores, y)
        objective = CrossEntropy(class_weights="balanced")
        objective.build(batch, y)
        errors = nn.functional.cross_entropy(scores, y, reduction="none")
        torch.testing.assert_close(objective(batch).total, (errors[:6].mean() + errors[6:].mean()) / 2)

    def test_smoothed_labels_are_those_of_two_classes(self):
        y, logits = TARGETS["multilabel"], X[:, 2:]
        objective = CrossEntropy(label_smoothing=0.4)
        objective.build(LocalBatch(X, X, logits, y), y)
        wanted = nn.functional.binary_cross_entropy_with_logits(logits, y * 0.6 + 0.2) * 2
        torch.testing.assert_close(objective(LocalBatch(X, X, logits, y)).total, wanted)

    @pytest.mark.parametrize(
        ("settings", "kind", "error", "message"),
        [
            (
                {"label_smoothing": 1.0},
                "classes",
                ValueError,
                "must be at least 0 and below 1, got 1.0",
            ),
            ({"class_weights": "even"}, "classes", TypeError, "a number for each class or .balanced., got 'even'"),
            ({"class_weights": [1.0, 0.0]}, "classes", ValueError, "every class weight must be .*positive"),
            ({"class_weights": [1.0] * 3}, "classes", ValueError, "a number for each of 2 classes, got 3"),
            (
                {"class_weights": "balanced"},
                "real",
                ValueError,
                "are of classes, and the targets are real",
            ),
            ({"class_weights": "balanced"}, "multilabel", ValueError, "of classes, and the targets are several labels"),
            ({"label_smoothing": 0.1}, "real", ValueError, "label_smoothing is of classes and labels, and the .* real"),
        ],
    )
    def test_what_means_nothing_is_refused(self, settings, kind, error, message):
        with pytest.raises(error, match=message):
            fit(network(), (X, TARGETS[kind]), plan=[ReadoutInformation(**settings), OUTPUT_NAMES[kind]])


class TestLossesOfOnesOwn:
    def test_samples_with_a_missing_target_are_left_out(self):
        y = TARGETS["real"].clone()
        y[::3, 0] = math.nan
        kept = torch.arange(60) % 3 != 0
        loss = LossFunction(nn.MSELoss())(LocalBatch(X, X, X[:, 2:], y))
        torch.testing.assert_close(loss.total, nn.functional.mse_loss(X[kept, 2:], y[kept]))

    def test_several_labels_come_as_binary_losses_want_them(self):
        y = TARGETS["multilabel"].clone()
        y[::3, 0] = -1
        kept = torch.arange(60) % 3 != 0
        loss = LossFunction(nn.BCEWithLogitsLoss())(LocalBatch(X, X, X[:, 2:], y))
        wanted = nn.functional.binary_cross_entropy_with_logits(X[kept, 2:], y[kept].float())
        torch.testing.assert_close(loss.total, wanted)


def test_real_targets_of_diabetes_are_learnt_module_by_module():
    data = load_diabetes()
    x, y = torch.tensor(data.data).float() * 20, torch.tensor(data.target)
    y[::5] = math.nan
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
    result = fit(net, (x, (y - 152) / 77), plan="Y,Y,MSE", epochs=20, batch_size=32, lr=3e-3)
    assert result.metrics["train_r2"] > 0.45  # least squares: 0.52 on all samples
    assert 0.2 < result.metrics["0/mi_ty_nats"] < 0.6


def test_class_numbers_stored_as_floats_are_classes_when_told_so():
    y = TARGETS["classes"].float()
    result = fit(network(), (X, y), plan="Y,CE", targets="classes", epochs=20, batch_size=20, lr=1e-2)
    assert result.metrics["train_accuracy"] > 0.9
    with pytest.raises(TypeError, match="MSE"):
        fit(network(), (X, y), plan="Y,CE")
