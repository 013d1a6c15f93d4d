import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.names import parse_objectives
from infotorch.objectives.squared_error import SquaredError, psnr_db
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

CLASSES = torch.tensor([2, 0, 1, 2, 2])


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def batch_of(output, y=None, x=None):
    x = torch.zeros(len(output), 2) if x is None else x
    return LocalBatch(x, x, output, y)


def built(batch, target="y", labels=None):
    objective = SquaredError(target=target)
    objective.build(batch, batch.y if labels is None else labels)
    return objective


class TestValue:
    def test_classes_are_one_hot(self):
        output = draw(5, 3)
        by_hand = sum((float(output[i, j]) - float(j == CLASSES[i])) ** 2 for i in range(5) for j in range(3)) / 15
        batch = batch_of(output, CLASSES)
        assert built(batch)(batch).total.item() == pytest.approx(by_hand, rel=1e-12)

    def test_spare_columns_count_as_classes_that_nobody_has(self):
        output = draw(5, 6)
        batch = batch_of(output, CLASSES)
        assert torch.equal(built(batch)(batch).total, F.mse_loss(output, F.one_hot(CLASSES, 6).double()))

    @pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3), (5, 2, 4)])
    def test_real_targets_are_taken_as_they_are(self, shape):
        y = draw(*shape)
        output = draw(5, y[0].numel()) + 1
        batch = batch_of(output, y)
        loss = built(batch)(batch)
        assert loss.total.item() == pytest.approx(F.mse_loss(output, y.reshape(5, -1)).item(), rel=1e-12)
        assert loss.terms["squared_error"].item() == loss.total.item()
        assert not loss.terms["squared_error"].requires_grad

    def test_the_raw_input_is_the_target_and_not_what_the_module_saw(self):
        x, output = draw(4, 1, 3, 3), draw(4, 1, 3, 3).flip(0)
        batch = LocalBatch(x, x + 1, output, None)
        assert torch.equal(built(batch, "x")(batch).total, F.mse_loss(output, x))

    def test_it_vanishes_where_the_output_is_the_target_alone(self):
        batch = batch_of(F.one_hot(CLASSES, 3).double(), CLASSES)
        assert built(batch)(batch).total.item() == 0

    def test_bfloat16_is_compared_in_float32(self):
        output = draw(5, 3).bfloat16()
        batch = batch_of(output, CLASSES)
        assert torch.equal(built(batch)(batch).total, F.mse_loss(output.float(), F.one_hot(CLASSES, 3).float()))

    @pytest.mark.parametrize("target", ["x", "y"])
    def test_its_first_and_second_derivatives_are_those_of_a_square(self, target):
        output = draw(5, 3).requires_grad_()
        batch = batch_of(output, CLASSES, x=draw(5, 3) + 1)
        objective = built(batch, target)
        wanted = batch.x if target == "x" else F.one_hot(CLASSES, 3)
        (slope,) = torch.autograd.grad(objective(batch).total, output, create_graph=True)
        torch.testing.assert_close(slope, 2 * (output - wanted) / 15)
        direction = draw(3, 5).T
        (product,) = torch.autograd.grad(slope, output, direction)
        torch.testing.assert_close(product, 2 * direction / 15)


class TestPsnr:
    def test_a_tenth_of_the_error_is_20_db_more_and_noise_has_its_deviation(self):
        target, noise = draw(3, 20, 30), draw(3, 20, 31)[..., :30]
        near, far = (psnr_db(target + scale * noise, target, peak=2.0) for scale in (0.1, 1.0))
        torch.testing.assert_close(near - far, torch.full((3,), 20.0, dtype=torch.float64))
        assert far.mean().item() == pytest.approx(10 * math.log10(4), abs=0.4)  # 3 s.e. of 600 squares

    def test_the_peak_is_a_shift(self):
        target, output = draw(4, 7), draw(4, 8)[:, :7]
        shift = psnr_db(output, target, peak=2.0) - psnr_db(output, target, peak=1.0)
        torch.testing.assert_close(shift, torch.full((4,), 20 * math.log10(2), dtype=torch.float64))

    def test_against_another_library(self):
        metrics = pytest.importorskip("torchmetrics.functional.image")
        target, output = draw(2, 9), draw(2, 10)[:, :9]
        wanted = [metrics.peak_signal_noise_ratio(o, t, data_range=2.0) for o, t in zip(output, target, strict=True)]
        # torchmetrics takes the logarithm of 10 in float32
        torch.testing.assert_close(psnr_db(output, target, peak=2.0), torch.stack(wanted), rtol=1e-7, atol=0)

    def test_a_row_that_is_met_has_no_end(self):
        assert psnr_db(torch.ones(1, 2), torch.ones(1, 2), peak=1.0).item() == math.inf

    def test_the_objective_reports_the_mean_over_rows_and_not_that_of_the_mean_error(self):
        output, x = torch.tensor([[0.2, -0.2], [0.02, 0.02]]), torch.zeros(2, 2)
        objective = SquaredError(target="x", peak=2.0)
        objective.build(batch_of(output, x=x), None)
        loss = objective(batch_of(output.requires_grad_(), x=x))
        assert loss.terms["psnr_db"].item() == pytest.approx((20 + 40) / 2, abs=1e-5)
        assert not loss.terms["psnr_db"].requires_grad
        assert "psnr_db" not in built(batch_of(output, x=x), "x")(batch_of(output, x=x)).terms

    def test_shapes_and_peaks_that_cannot_be(self):
        with pytest.raises(ValueError, match=r"psnr_db: output and target must have one shape, got \(2,\) and \(3,\)"):
            psnr_db(torch.ones(2), torch.ones(3), peak=1.0)
        with pytest.raises(ValueError, match="psnr_db: peak must be positive and finite, got 0"):
            psnr_db(torch.ones(2), torch.ones(2), peak=0)
        with pytest.raises(ValueError, match="SquaredError: peak must be positive and finite, got -1"):
            SquaredError(peak=-1)


class TestLabels:
    def test_unlabelled_rows_do_not_count(self):
        output = draw(5, 3)
        y = torch.where(torch.arange(5) < 3, CLASSES, -1)
        objective = built(batch_of(output, y))
        assert torch.equal(objective(batch_of(output, y)).total, objective(batch_of(output[:3], y[:3])).total)

    @pytest.mark.parametrize("y", [torch.full((5,), -1), None])
    def test_a_batch_without_any_label_has_a_gradient_of_zero_and_measures_nothing(self, y):
        output = draw(5, 3).requires_grad_()
        loss = built(batch_of(output, CLASSES))(batch_of(output, y))
        (gradient,) = torch.autograd.grad(loss.total, output)
        assert loss.total.item() == 0
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}

    def test_classes_have_scores_and_other_targets_none(self):
        output = draw(5, 3)
        classes, real = built(batch_of(output, CLASSES)), built(batch_of(output, draw(5, 3)))
        assert torch.equal(classes.scores(output), output)  # pyright: ignore[reportArgumentType]
        assert real.scores(output) is None
        assert built(batch_of(output, CLASSES, x=output), "x").scores(output) is None

    def test_only_targets_are_needed_where_they_are_the_target(self):
        made = parse_objectives("Y:squared-error,X:squared-error")
        assert [objective is not None and objective.needs_labels for objective in made] == [True, False]


class TestRefusals:
    @pytest.mark.parametrize(
        ("target", "x", "y", "error", "message"),
        [
            ("y", None, None, TypeError, r"SquaredError: this objective needs class labels, got y=None"),
            ("y", None, torch.full((5,), 3), ValueError, r"column for each class, 4 or more, got 3"),
            ("y", None, torch.full((5,), -1), ValueError, r"SquaredError: every row is unlabelled"),
            ("y", None, torch.zeros(5, 2), ValueError, r"must have as many entries a row as y, 2, got 3"),
            ("x", torch.zeros(5, 4), None, ValueError, r"must have as many entries a row as x, 4, got 3"),
            ("x", torch.zeros(5, 3).long(), None, TypeError, r"SquaredError: x must be real-valued, got torch.int64"),
        ],
    )
    def test_an_output_that_cannot_hold_the_target(self, target, x, y, error, message):
        with pytest.raises(error, match=message):
            built(batch_of(draw(5, 3), y, x), target)

    def test_an_unknown_target(self):
        with pytest.raises(ValueError, match=r"SquaredError: target must be one of y, x, got 'z'"):
            SquaredError(target="z")


class TestTraining:
    def test_classes_are_learnt_and_accuracy_is_told(self, two_blobs, make_mlp):
        x, y = two_blobs
        plan = Plan.end_to_end(make_mlp(), "Y:squared-error", optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
        list(train(plan, TensorBatches(x, y, batch_size=64), epochs=20))
        assert plan_accuracy(plan, x, y) > 0.95
        found = evaluate_modules(plan, x, y, [0])["network"]
        assert found["accuracy"] == plan_accuracy(plan, x, y)
        assert found["loss"] == found["squared_error"] < 0.1

    def test_a_linear_autoencoder_reaches_the_error_of_principal_components(self, two_blobs):
        x, _ = two_blobs
        x = x - x.mean(dim=0)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 4))
        plan = Plan.end_to_end(model, "X:squared-error", optimizer=lambda p: torch.optim.Adam(p, lr=3e-2))
        list(train(plan, TensorBatches(x, None, batch_size=256), epochs=400))
        best = torch.linalg.svdvals(x)[2:].square().sum().item() / x.numel()
        assert evaluate_modules(plan, x, None, [0])["network"]["loss"] == pytest.approx(best, rel=0.01)
