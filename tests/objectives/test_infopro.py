"""InfoPro: its loss against loops, its weights by the place in the plan, and what it refuses."""

import math

import pytest
import torch
from tests.reference import infopro as twin
from torch import nn

from infotorch import Plan, train
from infotorch.objectives import InfoPro, LocalBatch, Place
from infotorch.objectives.infopro import ImageReconstruction
from infotorch.objectives.names import objective_from_name


def rows(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


X, OUTPUT, Y = rows(6, 2, 5, 4).double(), rows(6, 3, 2, 2, seed=1).double(), torch.tensor([0, 1, 1, 0, 1, 1])


def built(**settings):
    objective = InfoPro(**settings)
    batch = LocalBatch(X, X, OUTPUT.clone().requires_grad_(), Y)
    objective.build(batch, Y)
    return objective, batch


class TestTheLoss:
    def test_it_is_that_of_loops(self):
        objective, batch = built(reconstruction_weight=0.7, label_weight=1.3, decoder_channels=2)
        loss = objective(batch)
        first, _, _, second = objective.parts[0].decoder
        label = objective.parts[1]
        readout = label.objective.readout
        arrays = [p.detach().numpy() for p in (first.weight, second.weight, second.bias)]
        error = twin.reconstruction_error(X.numpy(), OUTPUT.numpy(), *arrays)
        arrays = [p.detach().numpy() for p in (label.network[0].weight, readout.weight, readout.bias)]
        of_label = twin.label_loss(OUTPUT.numpy(), Y.numpy(), *arrays)
        assert loss.terms["reconstruction_error"].item() == pytest.approx(error, rel=1e-9)
        assert loss.terms["mi_ty_nats"].item() == pytest.approx(-of_label, rel=1e-9)
        assert loss.total.item() == pytest.approx(0.7 * error + 1.3 * of_label, rel=1e-9)

    def test_cross_entropy_of_a_decoder_that_knows_nothing_is_log_2(self):
        x = X.sigmoid()
        objective = ImageReconstruction(error="cross-entropy")
        batch = LocalBatch(x, x, OUTPUT, None)
        objective.build(batch, None)
        nn.init.zeros_(objective.decoder[3].weight)
        nn.init.zeros_(objective.decoder[3].bias)
        assert objective(batch).total.item() == pytest.approx(math.log(2), rel=1e-12)

    def test_the_error_alone_needs_no_label_and_the_sum_reads_none_without_one(self):
        objective, batch = built()
        unlabelled = LocalBatch(X, X, batch.output, torch.full_like(Y, -1))
        assert list(objective(unlabelled).terms) == ["reconstruction_error"]
        assert objective.needs_labels
        assert dict(objective.sides) == {"mi_ty_nats": "lower"}

    def test_the_contrastive_form(self):
        objective, batch = built(labels="contrast")
        information = objective(batch).terms["mi_ty_nats"]
        assert information <= math.log(2)
        assert objective.parts[1].objective.temperature == 0.07
        assert objective.scores(OUTPUT) is None


class TestWeights:
    @pytest.mark.parametrize(("number", "weight"), [(0, 5.0), (1, 3.0), (2, 1.0), (3, 1.0)])
    def test_they_go_from_the_first_module_to_the_last_but_one(self, number, weight):
        objective = InfoPro(reconstruction_weight=(5.0, 1.0), label_weight=2.0)
        objective.stand_at(Place(number, 4))
        assert objective.weights == (weight, 2.0)

    def test_a_plan_sets_them_also_within_a_sum(self):
        model = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(3)))
        model.append(nn.Flatten()).append(nn.Linear(48, 2))
        plan = Plan.layerwise(
            model, ["1", "2", "3"], "Y:infopro,Y:supcon+Y:infopro,Y:infopro,CE",
            options={"Y:infopro": {"reconstruction_weight": (4.0, 0.0), "auxiliary": "following"}},
            order="simultaneous", optimizer=adam,
        )  # fmt: skip
        losses = [info.losses for info in train(plan, (rows(12, 3, 4, 4), torch.arange(12) % 2), epochs=15)]
        infopros = [part for module in plan for part in module.objective.modules() if isinstance(part, InfoPro)]
        assert [part.weights for part in infopros] == [(4.0, 1.0), (2.0, 1.0), (0.0, 1.0)]
        assert all(losses[-1][name].total < losses[0][name].total for name in losses[0])


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"reconstruction_weight": -1.0}, "reconstruction_weight must be at least 0"),
            ({"label_weight": (1.0, 2.0, 3.0)}, "label_weight must be one number, or one for each end of the plan"),
            ({"label_weight": "much"}, "label_weight must be a number"),
            ({"labels": "both"}, "labels must be"),
            ({"error": "absolute"}, "error must be"),
            ({"decoder_channels": 0}, "channels must be at least 1"),
            ({"auxiliary": "none"}, "auxiliary: there is no kind 'none'"),
        ],
    )
    def test_settings(self, settings, message):
        with pytest.raises((TypeError, ValueError), match=message) as raised:
            InfoPro(**settings)
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize(
        ("settings", "x", "output", "message"),
        [
            ({}, X, OUTPUT.flatten(1), "the output must be a grid"),
            ({}, X.flatten(1), OUTPUT, "x must be a grid"),
            (
                {"error": "cross-entropy"},
                X,
                OUTPUT,
                r"x must lie in \[0, 1\] for error='cross-entropy', got values from",
            ),
        ],
    )
    def test_what_it_cannot_read(self, settings, x, output, message):
        objective = objective_from_name("Y:infopro", {"Y:infopro": settings})
        with pytest.raises(ValueError, match=message) as raised:
            objective.build(LocalBatch(x, x, output, Y), Y)
        assert "\n" not in str(raised.value)
