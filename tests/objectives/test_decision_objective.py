import math

import pytest
import torch
from torch import nn

import infotorch
from infotorch.estimators.decision import soft_decision_label_mi
from infotorch.estimators.labels import soft_decision_mi
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.beta import Ramp
from infotorch.objectives.decision import SoftDecisionInformation
from infotorch.training.fit import fit

STREAMS = seed_streams(0)
Y = torch.arange(12) % 3


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def batch_of(output, y=Y, **settings):
    return LocalBatch(output, output, output, y, STREAMS, **settings)


def built(rows, **settings):
    objective = SoftDecisionInformation(**settings)
    with STREAMS.as_global("objective"):
        objective.build(batch_of(rows), Y)
    return objective


class TestTerms:
    @pytest.mark.parametrize(("output", "columns"), [("own", 3), ("readout", 5)])
    def test_both_are_the_closed_forms_of_the_scores(self, output, columns):
        rows = draw(12, columns)
        objective = built(rows, beta=0.3, output=output)
        loss, scores = objective(batch_of(rows)), objective.scores(rows)
        assert scores.shape == (12, 3)
        assert loss.terms["mi_ty_nats"].item() == pytest.approx(float(soft_decision_label_mi(scores, Y)))
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(float(soft_decision_mi(scores)))
        wanted = 0.3 * loss.terms["mi_xt_nats"] - loss.terms["mi_ty_nats"]
        assert loss.total.item() == pytest.approx(wanted.item())

    def test_cross_entropy_cares_for_the_names_of_the_classes_and_the_decision_does_not(self):
        objectives = [built(draw(12, 3), output="own", precision=p) for p in ("cross-entropy", "decision")]
        assert [objective.sides for objective in objectives] == [{"mi_ty_nats": "lower"}, {}]
        for named, crossed in ((Y, math.log(3)), ((Y + 1) % 3, math.log(3) - 9)):
            output = 9.0 * torch.eye(3)[named].double()
            values = [objective(batch_of(output)).terms["mi_ty_nats"].item() for objective in objectives]
            assert values == pytest.approx([crossed, math.log(3)], abs=0.01)

    def test_gradient(self):
        for settings in ({"output": "own", "beta": 0.4}, {"beta": 0.4}):
            objective = built(draw(12, 3), **settings)
            assert torch.autograd.gradcheck(lambda o: objective(batch_of(o)).total, (draw(12, 3).requires_grad_(),))  # noqa: B023

    def test_unlabelled_rows_count_in_the_compression_alone(self):
        rows, some = draw(12, 3), torch.where(torch.arange(12) < 6, Y, -1)
        for precision in ("decision", "cross-entropy"):
            objective = built(rows, output="own", beta=1.0, precision=precision)
            mixed, labelled = objective(batch_of(rows, some)), objective(batch_of(rows[:6], Y[:6]))
            assert mixed.terms["mi_ty_nats"].item() == pytest.approx(labelled.terms["mi_ty_nats"].item())
            assert torch.equal(mixed.terms["mi_xt_nats"], objective(batch_of(rows)).terms["mi_xt_nats"])
            for y in (None, torch.full((12,), -1)):
                assert set(objective(batch_of(rows, y)).terms) == {"mi_xt_nats"}

    def test_beta_may_follow_the_epoch_and_a_diverged_layer_ends_the_run(self):
        rows = draw(12, 3)
        objective = built(rows, output="own", beta=Ramp(0.0, 1.0, epochs=2))
        loss = objective(batch_of(rows, position=(0, 1, 0, 0)))
        wanted = 0.5 * loss.terms["mi_xt_nats"] - loss.terms["mi_ty_nats"]
        assert loss.total.item() == pytest.approx(wanted.item())
        assert objective(batch_of(rows / 0)).total.isnan()


class TestTraining:
    def test_a_hidden_module_learns_by_it_and_compression_at_full_weight_undoes_it(self):
        data = infotorch.load("digits", seed=0)
        rows = data.train.x[:300], data.train.y[:300]
        found = []
        for beta in (0.0, 1.0):
            with STREAMS.as_global("init"):
                model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
            plan = [SoftDecisionInformation(beta=beta), "CE"]
            found.append(fit(model, rows, plan=plan, epochs=12, batch_size=100, lr=1e-2).metrics["1/mi_ty_nats"])
        assert found[0] > 1.0  # of log 10 = 2.3
        assert found[1] < 0.5 * found[0]


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"beta": -0.1}, ValueError, "SoftDecisionInformation: beta must be at least 0"),
        ({"output": "mine"}, ValueError, "output must be one of readout, own, got 'mine'"),
        ({"precision": "hard"}, ValueError, "precision must be one of decision, cross-entropy, got 'hard'"),
    ],
)
def test_refused(settings, kind, message):
    with pytest.raises(kind, match=message):
        SoftDecisionInformation(**settings)


def test_an_output_without_room_for_the_classes_is_refused():
    with pytest.raises(ValueError, match="the output must have a column for each class, 3 or more"):
        built(draw(12, 2), output="own")
