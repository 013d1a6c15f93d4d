import math

import pytest
import torch
import torch.nn.functional as F
from tests.reference import nhsic as slow
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.estimators.dependence import cka, hsic
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.hsic import MEASURES, HSICBottleneck
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

LABELS = torch.arange(24) % 3


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(24, 4, generator=generator, dtype=torch.float64)
    return x, torch.tanh(x @ torch.randn(4, 5, generator=generator, dtype=torch.float64))


def loss_of(t, x, y=LABELS, **settings):
    objective = HSICBottleneck(**settings)
    batch = LocalBatch(x, x, t, y)
    objective.build(batch, LABELS)
    return objective(batch)


class TestValues:
    @pytest.mark.parametrize(("bandwidth", "epsilon"), [(5.0, 1e-5), (0.7, 1e-2)])
    def test_nhsic_is_that_of_the_paper(self, rows, bandwidth, epsilon):
        x, t = rows
        terms = loss_of(t, x, bandwidth=bandwidth, epsilon=epsilon).terms
        one_hot = F.one_hot(LABELS, 3).double()
        for name, other in (("hsic_xt", x), ("hsic_ty", one_hot)):
            wanted = slow.nhsic(t.numpy(), other.numpy(), bandwidth=bandwidth, epsilon=epsilon)
            assert float(terms[name]) == pytest.approx(wanted, rel=1e-8)

    @pytest.mark.parametrize(("measure", "estimator"), [("hsic", hsic), ("cka", cka)])
    def test_the_other_measures_are_the_estimators_of_that_name(self, rows, measure, estimator):
        x, t = rows
        terms = loss_of(t, x, measure=measure, bandwidth=2.0).terms
        one_hot = F.one_hot(LABELS, 3).double()
        for name, other in (("hsic_xt", x), ("hsic_ty", one_hot)):
            widths = tuple(2.0 * math.sqrt(side.shape[1]) for side in (t, other))
            wanted = estimator(t, other, kernel="rbf", bandwidth=widths, unbiased=False)
            assert float(terms[name]) == pytest.approx(float(wanted), rel=1e-9)

    def test_well_separated_classes_reach_one_direction_less_than_there_are_classes(self, rows):
        # Centred, the one-hot labels of c classes span c - 1 directions, each counted 1 as epsilon goes to 0.
        t = 100.0 * F.one_hot(LABELS, 3).double()
        assert float(loss_of(t, rows[0], epsilon=1e-9).terms["hsic_ty"]) == pytest.approx(2.0, abs=1e-4)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_the_loss_is_dependence_on_x_less_beta_times_dependence_on_y(self, rows, measure):
        loss = loss_of(rows[1], rows[0], measure=measure, label_weight=3.0)
        assert loss.total.item() == pytest.approx(float(loss.terms["hsic_xt"] - 3.0 * loss.terms["hsic_ty"]))

    @pytest.mark.parametrize("measure", MEASURES)
    def test_the_order_of_the_rows_and_of_the_classes_does_not_matter(self, rows, measure):
        x, t = rows
        order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
        plain = loss_of(t, x, measure=measure).total.item()
        assert loss_of(t[order], x[order], LABELS[order], measure=measure).total.item() == pytest.approx(plain)
        assert loss_of(t, x, 2 - LABELS, measure=measure).total.item() == pytest.approx(plain)

    def test_the_target_says_which_x(self, rows):
        x, t = rows
        batch = LocalBatch(x, t, t, LABELS)
        values = {}
        for target in ("x", "module_input"):
            objective = HSICBottleneck(target=target, measure="cka")
            objective.build(batch, LABELS)
            values[target] = float(objective(batch).terms["hsic_xt"])
        assert values["module_input"] == pytest.approx(1.0)  # T with itself
        assert values["x"] < 0.99

    def test_grids_are_read_flattened(self, rows):
        x, _ = rows
        t = torch.randn(24, 2, 3, 3, generator=torch.Generator().manual_seed(0))
        flat = loss_of(t.flatten(1), x)
        assert loss_of(t, x.reshape(24, 1, 2, 2)).total.item() == flat.total.item()
        assert loss_of(t, x[:, 0]).total.item() == loss_of(t, x[:, :1]).total.item()


class TestGradient:
    @pytest.mark.parametrize("measure", MEASURES)
    def test_it_is_that_of_finite_differences(self, rows, measure):
        x, t = rows
        x, t, y = x[:8], t[:8].clone().requires_grad_(), LABELS[:8]
        settings = {"measure": measure, "bandwidth": 1.0, "epsilon": 1e-2, "label_weight": 2.0}
        assert torch.autograd.gradcheck(lambda t: loss_of(t, x, y, **settings).total, t)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_a_dead_layer_has_no_dependence_and_a_finite_gradient(self, rows, measure):
        t = torch.ones(24, 5, requires_grad=True)
        loss = loss_of(t, rows[0], measure=measure)
        (gradient,) = torch.autograd.grad(loss.total, t)
        assert [float(value) for value in loss.terms.values()] == pytest.approx([0.0, 0.0], abs=1e-9)
        assert gradient.isfinite().all()

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, rows, value):
        t = rows[1].clone()
        t[3, 2] = value
        assert not loss_of(t, rows[0]).total.isfinite()


class TestRows:
    def test_unlabelled_rows_do_not_count(self, rows):
        x, t = rows
        y = torch.where(torch.arange(24) < 12, LABELS, -1)
        assert torch.equal(loss_of(t, x, y).total, loss_of(t[:12], x[:12], LABELS[:12]).total)

    @pytest.mark.parametrize("y", [None, torch.full((24,), -1), torch.where(torch.arange(24) == 5, 1, -1)])
    def test_fewer_than_two_labels_measure_nothing(self, rows, y):
        t = rows[1].clone().requires_grad_()
        loss = loss_of(t, rows[0], y)
        (gradient,) = torch.autograd.grad(loss.total, t)
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}

    def test_nothing_of_the_caller_changes(self, rows):
        x, t = rows
        before, state = (x.clone(), t.clone()), torch.get_rng_state()
        loss_of(t, x)
        assert torch.equal(x, before[0])
        assert torch.equal(t, before[1])
        assert torch.equal(torch.get_rng_state(), state)

    def test_half_precision_outputs_give_losses_in_float32(self, rows):
        x, t = rows
        assert loss_of(t.bfloat16(), x.float()).total.dtype == torch.float32


@pytest.mark.parametrize("measure", ["nhsic", "cka"])
def test_a_layer_of_two_units_learns_to_tell_the_classes(measure):
    # Classes differ in two of 20 columns: a random layer of two units hardly sees them.
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(600) % 3
    x = torch.randn(600, 20, generator=generator)
    x[:, 0] += 3.0 * y
    accuracies = {}
    for name in ("frozen", "hsic"):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 2), nn.Tanh(), nn.Linear(2, 3))
        objective = HSICBottleneck(measure=measure) if name == "hsic" else "frozen"
        plan = Plan.layerwise(model, objectives=[objective, "CE"], optimizer=lambda p: torch.optim.Adam(p, lr=2e-2))
        for _ in train(plan, TensorBatches(x[:300], y[:300], batch_size=100, seed=0), epochs=15):
            pass
        accuracies[name] = plan_accuracy(plan, x[300:], y[300:])
    assert accuracies["hsic"] > accuracies["frozen"] + 0.2  # standard error of each: 0.03 at most


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_weight": -1.0}, "label_weight must be at least 0 and finite, got -1.0"),
        ({"label_weight": math.nan}, "label_weight must be at least 0 and finite, got nan"),
        ({"bandwidth": 0.0}, "bandwidth must be positive and finite, got 0.0"),
        ({"epsilon": -1e-5}, "epsilon must be positive and finite, got -1e-05"),
        ({"measure": "mi"}, "measure must be one of nhsic, hsic, cka, got 'mi'"),
        ({"target": "y"}, "target must be one of x, module_input, got 'y'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        HSICBottleneck(**settings)


def test_labels_are_needed(rows):
    x, t = rows
    with pytest.raises(TypeError, match="needs class labels, got y=None"):
        HSICBottleneck().build(LocalBatch(x, x, t, None), None)
