import math

import pytest
import torch
from tests.reference import kernels as slow
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.estimators.renyi import renyi_mi, renyi_normalised_mi
from infotorch.estimators.renyi_multivariate import channel_views, renyi_multivariate_mi
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.renyi import RenyiInformation
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

LABELS = torch.arange(24) % 3


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(24, 4, generator=generator, dtype=torch.float64)
    return x, torch.tanh(x @ torch.randn(4, 5, generator=generator, dtype=torch.float64))


@pytest.fixture
def grid():
    return torch.randn(24, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def loss_of(t, x, y=LABELS, **settings):
    objective = RenyiInformation(**settings)
    batch = LocalBatch(x, x, t, y)
    objective.build(batch, LABELS)
    return objective(batch)


class TestValues:
    @pytest.mark.parametrize("alpha", [0.5, 1.0, 1.01, 2.0, 3.0])
    @pytest.mark.parametrize("kernel", ["exp(-d2/s)", "exp(-d2/2s2)"])
    @pytest.mark.parametrize("bandwidth", ["knn", "median", 1.5])
    def test_vectors_are_read_as_the_estimator_reads_them(self, rows, alpha, kernel, bandwidth):
        x, t = rows
        settings = {"alpha": alpha, "kernel": kernel, "bandwidth": bandwidth}
        for of, name, other in (("x", "renyi_xt_nats", x), ("y", "renyi_ty_nats", LABELS)):
            loss = loss_of(t, x, of=of, **settings)
            # Orders below 1 lift the rounding of zero eigenvalues: sqrt(24 * 1e-17) at order 1/2.
            wanted = float(renyi_mi(t, other, **settings))
            assert loss.total.item() == pytest.approx(-wanted, abs=1e-6 if alpha < 1 else 1e-10)
            assert float(loss.terms[name]) == -loss.total.item()

    def test_the_channels_of_a_grid_are_variables_of_their_own(self, rows, grid):
        loss = loss_of(grid, rows[0], of="x")
        wanted = renyi_multivariate_mi(channel_views(grid), rows[0])
        assert loss.total.item() == pytest.approx(-float(wanted), abs=1e-10)

    def test_the_mean_averages_the_exponents_of_the_channels(self, grid):
        grams = []
        for view in channel_views(grid):
            flat = view.flatten(1).numpy()
            grams.append(slow.gram(flat, slow.knn_bandwidth(flat, 10), "exp(-d2/s)"))
        mean = slow.joint(*grams) ** (1 / 3)
        labels = slow.gram(LABELS[:, None].numpy(), "symbols", "")
        wanted = slow.mutual_information(mean, labels, 1.01)
        loss = loss_of(grid, grid, of="y", grids="mean")
        assert float(loss.terms["renyi_ty_nats"]) == pytest.approx(wanted, abs=1e-9)

    def test_repeated_channels_say_no_more_than_one(self, grid):
        once = loss_of(grid[:, :1], grid, of="y", grids="product").total.item()
        repeated = grid[:, :1].expand(-1, 5, -1, -1)
        assert loss_of(repeated, grid, of="y", grids="mean").total.item() == pytest.approx(once, abs=1e-10)
        assert abs(loss_of(repeated, grid, of="y", grids="product").total.item() - once) > 0.05

    def test_a_whole_grid_is_one_flat_variable(self, grid):
        whole = loss_of(grid, grid, of="x", grids="whole").total
        assert torch.equal(whole, loss_of(grid.flatten(1), grid.flatten(1), of="x").total)

    def test_normalised_is_the_share_of_the_smaller_entropy(self, rows):
        x, t = rows
        loss = loss_of(t, x, of="x", normalised=True)
        assert loss.total.item() == pytest.approx(-float(renyi_normalised_mi(t, x)), abs=1e-10)
        assert float(loss.terms["renyi_xt_normalised"]) == -loss.total.item()
        assert float(loss.terms["renyi_xt_nats"]) == pytest.approx(float(renyi_mi(t, x)), abs=1e-10)

    def test_features_that_separate_the_classes_hold_their_whole_entropy(self, rows):
        t = 100.0 * torch.nn.functional.one_hot(LABELS, 3).double()
        loss = loss_of(t, rows[0], of="y", bandwidth=1.0, normalised=True)
        assert float(loss.terms["renyi_ty_nats"]) == pytest.approx(math.log(3), abs=1e-9)
        assert float(loss.terms["renyi_ty_normalised"]) == pytest.approx(1.0, abs=1e-9)

    def test_the_target_says_which_x(self, rows):
        x, t = rows
        batch = LocalBatch(x, t, t, None)
        of_x = RenyiInformation(of="x")(batch).total.item()
        of_input = RenyiInformation(of="x", target="module_input")(batch).total.item()
        assert of_x == pytest.approx(-float(renyi_mi(t, x)))
        assert of_input == pytest.approx(-float(renyi_mi(t, t)))

    def test_nothing_is_called_a_bound(self):
        assert dict(RenyiInformation(of="x").sides) == {}


class TestGradient:
    @pytest.mark.parametrize("alpha", [1.0, 1.01, 2.0])
    @pytest.mark.parametrize("of", ["x", "y"])
    @pytest.mark.parametrize("normalised", [False, True])
    def test_it_is_that_of_finite_differences(self, rows, alpha, of, normalised):
        x, t = rows[0][:8], rows[1][:8].clone().requires_grad_()
        # A rule would follow the moved rows in the differences; its gradient is left out by definition.
        settings = {"of": of, "alpha": alpha, "bandwidth": 2.0, "normalised": normalised}
        assert torch.autograd.gradcheck(lambda t: loss_of(t, x, LABELS[:8], **settings).total, t)

    def test_repeated_eigenvalues_leave_it_right(self):
        # Four groups of equal rows, all equally far: the spectrum is (1/4, 1/4, 1/4, 1/4) and zeros but for the kernel.
        t = torch.eye(4, dtype=torch.float64).repeat(2, 1).requires_grad_()
        y = torch.arange(8) % 4
        assert torch.autograd.gradcheck(lambda t: loss_of(t, t, y, of="y", bandwidth=1.0, alpha=2.0).total, t)
        (gradient,) = torch.autograd.grad(loss_of(t, t, y, of="y", bandwidth=1.0).total, t)
        (nearby,) = torch.autograd.grad(loss_of(t, t, y, of="y", bandwidth=1.0, alpha=1.0).total, t)
        assert gradient.isfinite().all()
        torch.testing.assert_close(gradient, nearby, rtol=0.05, atol=1e-3)

    @pytest.mark.parametrize("normalised", [False, True])
    @pytest.mark.parametrize("of", ["x", "y"])
    def test_a_dead_layer_says_nothing_and_has_a_finite_gradient(self, rows, of, normalised):
        t = torch.ones(24, 5, requires_grad=True)
        loss = loss_of(t, rows[0].float(), of=of, normalised=normalised)
        (gradient,) = torch.autograd.grad(loss.total, t)
        assert [float(value) for value in loss.terms.values()] == pytest.approx([0.0] * len(loss.terms), abs=1e-4)
        assert gradient.isfinite().all()

    def test_many_channels_saturate_the_product_and_not_the_mean(self):
        generator = torch.Generator().manual_seed(0)
        t = torch.randn(64, 32, 4, 4, generator=generator, requires_grad=True)
        x = torch.randn(64, 1, 4, 4, generator=generator)
        sizes = {}
        for grids in ("product", "mean", "whole"):
            loss = loss_of(t, x, of="x", grids=grids, kernel="exp(-d2/2s2)")
            (gradient,) = torch.autograd.grad(loss.total, t)
            sizes[grids] = float(gradient.norm())
        assert sizes["product"] < 1e-4 * min(sizes["mean"], sizes["whole"])

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, rows, value):
        t = rows[1].clone()
        t[3, 2] = value
        assert loss_of(t, rows[0], of="x").total.isnan()


class TestRows:
    def test_unlabelled_rows_do_not_count(self, rows):
        x, t = rows
        y = torch.where(torch.arange(24) < 12, LABELS, -1)
        alone = loss_of(t[:12], x[:12], LABELS[:12], of="y").total
        assert torch.equal(loss_of(t, x, y, of="y").total, alone)

    @pytest.mark.parametrize("y", [None, torch.full((24,), -1), torch.where(torch.arange(24) == 5, 1, -1)])
    def test_fewer_than_two_labels_measure_nothing(self, rows, y):
        t = rows[1].clone().requires_grad_()
        loss = loss_of(t, rows[0], y, of="y")
        (gradient,) = torch.autograd.grad(loss.total, t)
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}

    @pytest.mark.parametrize("count", [2, 5])
    def test_fewer_rows_than_neighbours_are_enough(self, rows, count):
        x, t = rows
        assert loss_of(t[:count], x[:count], of="x").total.item() == pytest.approx(
            -float(renyi_mi(t[:count], x[:count]))
        )

    def test_nothing_of_the_caller_changes(self, rows):
        x, t = rows
        before, state = (x.clone(), t.clone()), torch.get_rng_state()
        loss_of(t, x, of="x")
        assert torch.equal(x, before[0])
        assert torch.equal(t, before[1])
        assert torch.equal(torch.get_rng_state(), state)

    def test_half_precision_outputs_give_losses_in_float32(self, rows):
        x, t = rows
        assert loss_of(t.bfloat16(), x.float(), of="y").total.dtype == torch.float32


class TestTraining:
    def accuracy(self, objective):
        # Classes differ in one of 20 columns: a random layer of two units hardly sees them.
        y = torch.arange(600) % 3
        x = torch.randn(600, 20, generator=torch.Generator().manual_seed(0))
        x[:, 0] += 3.0 * y
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 2), nn.BatchNorm1d(2), nn.Tanh(), nn.Linear(2, 3))
        plan = Plan.layerwise(
            model, ["3"], [objective, "CE"], optimizer=lambda parameters: torch.optim.Adam(parameters, lr=2e-2)
        )
        for _ in train(plan, TensorBatches(x[:300], y[:300], batch_size=100, seed=0), epochs=15):
            pass
        return plan_accuracy(plan, x[300:], y[300:]), plan

    @pytest.mark.parametrize(
        "settings", [{}, {"normalised": True}, {"alpha": 2.0}, {"kernel": "exp(-d2/2s2)"}], ids=lambda s: str(s)
    )
    def test_a_layer_of_two_units_learns_to_tell_the_classes(self, settings):
        learnt, _ = self.accuracy(RenyiInformation(of="y", **settings))
        base, _ = self.accuracy("frozen")
        assert learnt > base + 0.15  # standard error of each: 0.03 at most

    def test_a_layer_of_two_units_keeps_the_factors_of_x(self):
        generator = torch.Generator().manual_seed(0)
        factors = torch.randn(600, 2, generator=generator)
        x = 3 * factors @ torch.randn(2, 20, generator=generator) + 4 * torch.randn(600, 20, generator=generator)
        explained = {}
        for name in ("frozen", "renyi"):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(20, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
            objective = RenyiInformation(of="x", kernel="exp(-d2/2s2)") if name == "renyi" else "frozen"
            plan = Plan.layerwise(model, ["2"], [objective, "CE"], optimizer=lambda p: torch.optim.Adam(p, lr=2e-2))
            batches = TensorBatches(x[:300], torch.zeros(300, dtype=torch.int64), batch_size=100, seed=0)
            for _ in train(plan, batches, epochs=20):
                pass
            with torch.no_grad():
                t = torch.cat([model[0](x[300:]), torch.ones(300, 1)], dim=1)
            left = factors[300:] - t @ torch.linalg.lstsq(t, factors[300:]).solution
            explained[name] = 1 - float(left.square().sum() / factors[300:].square().sum())
        assert explained["renyi"] > explained["frozen"] + 0.2

    def test_a_run_is_a_function_of_its_seed(self):
        first, second = (self.accuracy(RenyiInformation(of="x"))[1][0].body.state_dict() for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"of": "z"}, "of must be one of x, y, got 'z'"),
            ({"of": "x", "alpha": 0.0}, "alpha must be positive and finite, got 0.0"),
            ({"of": "x", "bandwidth": -1.0}, "bandwidth must be positive and finite, got -1.0"),
            ({"of": "x", "bandwidth": "mean"}, "bandwidth must be one of knn, median, got 'mean'"),
            ({"of": "x", "kernel": "rbf"}, r"kernel must be one of exp\(-d2/s\), exp\(-d2/2s2\), got 'rbf'"),
            ({"of": "x", "grids": "sum"}, "grids must be one of product, mean, whole, got 'sum'"),
            ({"of": "x", "target": "t"}, "target must be one of x, module_input, got 't'"),
            ({"of": "y", "target": "module_input"}, "target says which X, and of='y' looks at none"),
        ],
    )
    def test_wrong_settings(self, settings, message):
        with pytest.raises(ValueError, match=message):
            RenyiInformation(**settings)

    def test_an_order_that_is_no_number(self):
        with pytest.raises(TypeError, match="alpha must be a number, got str"):
            RenyiInformation(of="x", alpha="two")

    def test_missing_labels(self, rows):
        x, t = rows
        with pytest.raises(TypeError, match="needs class labels, got y=None"):
            RenyiInformation(of="y").build(LocalBatch(x, x, t, None), None)
