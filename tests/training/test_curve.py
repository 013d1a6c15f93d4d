import math

import numpy as np
import pytest
import torch
from torch import nn

import infotorch
from infotorch.networks.noise import GaussianNoise
from infotorch.networks.stochastic import stochastic_mlp
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import Loss, Objective
from infotorch.objectives.labels import CrossEntropy
from infotorch.objectives.nonlinear import NonlinearBottleneck
from infotorch.objectives.variational import VariationalBottleneck
from infotorch.training.curve import CurvePoint, IBCurve, ib_curve

X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


class Told(Objective):
    """Reports what it was told, and diverges above a beta of 5."""

    def __init__(self, beta, offset):
        super().__init__()
        self.beta, self.offset = beta, offset

    def forward(self, batch):
        total = batch.output.sum() * (math.nan if self.beta > 5 else 0.0)
        terms = {"mi_xt_nats": self.beta + self.offset, "mi_ty_nats": self.beta * self.offset}
        return Loss(total, {name: torch.tensor(value) for name, value in terms.items()})


def told(beta):
    return nn.Linear(3, 2), Told(beta, torch.rand(()).item())


def offsets(seeds):
    for seed in seeds:
        with seed_streams(seed).as_global("init"):
            nn.Linear(3, 2)
            yield torch.rand(()).item()


def test_points_are_means_over_seeds_with_their_standard_errors():
    curve = ib_curve(told, (X, Y), (0.5, 2.0), validation=(X, Y), seeds=(3, 4, 5), epochs=1)
    drawn = torch.tensor(list(offsets((3, 4, 5))), dtype=torch.float64)
    assert [point.beta for point in curve.points] == [0.5, 2.0]
    for point in curve.points:
        assert point.mi_xt == pytest.approx((point.beta + drawn).mean().item(), rel=1e-6)
        assert point.mi_xt_error == pytest.approx((drawn.std() / 3**0.5).item(), rel=1e-4)
        assert point.mi_ty_error == pytest.approx((point.beta * drawn.std() / 3**0.5).item(), rel=1e-4)
        assert (point.seeds, point.diverged) == (3, 0)
    assert curve.table()[1]["beta"] == 2.0
    assert curve.label_entropy == pytest.approx(torch.special.entr(Y.bincount() / 64.0).sum().item(), rel=1e-6)


def test_betas_may_be_an_array():
    settings = {"validation": (X, Y), "seeds": (0,), "epochs": 1}
    betas = np.logspace(-2, 0, 3)
    array, listed = (ib_curve(told, (X, Y), values, **settings) for values in (betas, betas.tolist()))
    assert [point.beta for point in array.points] == pytest.approx([0.01, 0.1, 1.0])
    assert [point.mi_xt for point in array.points] == pytest.approx([point.mi_xt for point in listed.points])
    with pytest.raises(ValueError, match="betas and seeds must have one entry or more, got none"):
        ib_curve(told, (X, Y), betas[:0], **settings)


@pytest.mark.parametrize("seeds", [np.arange(2), torch.arange(2), range(2)])
def test_seeds_may_be_an_array(seeds):
    settings = {"validation": (X, Y), "epochs": 1}
    assert ib_curve(told, (X, Y), (0.5,), seeds=seeds, **settings) == ib_curve(
        told, (X, Y), (0.5,), seeds=(0, 1), **settings
    )


@pytest.mark.parametrize("seed", [0.5, True, "0"])
def test_a_seed_that_is_no_integer_is_refused(seed):
    with pytest.raises(TypeError, match=f"ib_curve: seeds must be integers, got {seed!r}"):
        ib_curve(told, (X, Y), (0.5,), validation=(X, Y), seeds=(seed,), epochs=1)


def test_a_run_that_diverged_is_counted_and_left_out_and_one_seed_has_no_error():
    curve = ib_curve(told, (X, Y), (1.0, 9.0), validation=(X.numpy(), Y.numpy()), seeds=(0,), epochs=1)
    kept, lost = curve.points
    assert math.isnan(kept.mi_xt_error)
    assert (kept.seeds, kept.diverged, lost.seeds, lost.diverged) == (1, 0, 0, 1)
    assert math.isnan(lost.mi_xt)
    assert curve.figure().data[1].x[2] == kept.mi_xt


def test_the_figure_has_the_points_their_errors_and_what_no_point_can_exceed():
    points = [CurvePoint(b, 3 - b, 2 - b, 0.9, 0.1 * b, 0.2 * b, 0.01, 3, 0) for b in (0.1, 1.0)]
    drawn, dashes = IBCurve(tuple(points), label_entropy=2.3).figure().data
    assert drawn.x == (2.9, 2.0)
    assert drawn.y == (1.9, 1.0)
    assert drawn.error_x.array == pytest.approx((0.01, 0.1))
    assert drawn.error_y.array == pytest.approx((0.02, 0.2))
    assert drawn.text == ("0.1", "1")
    assert dashes.x == (0, 2.3, 2.9)
    assert dashes.y == (0, 2.3, 2.3)


def test_seeds_decide_and_the_random_state_of_the_caller_stays():
    def make(beta):
        network = stochastic_mlp(3, (6,), 2, 2)
        return network, VariationalBottleneck(beta=beta, layer=network.bottleneck)

    state = torch.get_rng_state()
    first, second, other = (
        ib_curve(make, (X, Y), (0.01,), validation=(X, Y), seeds=seeds, epochs=2).points[0].mi_xt
        for seeds in ((0, 1), (0, 1), (2, 3))
    )
    assert first == second != other
    assert torch.equal(state, torch.get_rng_state())


def test_the_curve_of_a_deterministic_task_falls_and_stays_below_what_can_be():
    data = infotorch.load("digits", seed=0)

    def make(beta):
        noise = GaussianNoise(1.0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 4), noise, nn.Linear(4, 10))
        return network, NonlinearBottleneck(beta=beta, layer=noise, lagrangian="squared")

    rows, validation = (data.train.x[:400], data.train.y[:400]), (data.validation.x, data.validation.y)
    settings = {"seeds": (0, 1), "epochs": 10, "batch_size": 50, "lr": 1e-2}
    curve = ib_curve(make, rows, (0.02, 0.5), validation=validation, **settings)
    much, little = curve.points
    assert much.mi_xt > little.mi_xt + 3 * (much.mi_xt_error + little.mi_xt_error)
    assert much.mi_ty > little.mi_ty + 0.3
    for point in curve.points:
        assert point.mi_ty < min(point.mi_xt, curve.label_entropy)
    assert much.accuracy > 0.6


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"betas": ()}, ValueError, "ib_curve: betas and seeds must have one entry or more, got none"),
        ({"seeds": ()}, ValueError, "betas and seeds must have one entry or more"),
        ({"betas": 0.1}, TypeError, r"ib_curve: betas must be a sequence of numbers, such as betas=\(0.1,\), got 0.1"),
        ({"seeds": 3}, TypeError, r"ib_curve: seeds must be a sequence of integers, such as seeds=\(3,\), got 3"),
        ({"betas": np.array(0.1)}, TypeError, "ib_curve: betas must be a sequence of numbers"),
        ({"betas": "0.1"}, TypeError, "ib_curve: betas must be a sequence of numbers"),
        ({"make": lambda beta: nn.Linear(3, 2)}, TypeError, "make must give a model and an Objective, got Linear"),
        (
            {"make": lambda beta: (nn.Linear(3, 2), CrossEntropy())},
            ValueError,
            "the objective must have the term 'mi_xt_nats', got loss, cross_entropy_nats, accuracy",
        ),
    ],
)
def test_refused(settings, kind, message):
    given = {"make": told, "betas": (1.0,), "seeds": (0,), **settings}
    with pytest.raises(kind, match=message):
        ib_curve(given["make"], (X, Y), given["betas"], validation=(X, Y), seeds=given["seeds"], epochs=1)


@pytest.mark.parametrize(
    ("validation", "kind", "message"),
    [
        ((X, Y + 0.9), TypeError, r"validation must be rows x and classes y, .* got y of torch.float32 \(64,\)"),
        ((X, Y[:, None]), TypeError, r"validation must be rows .* got y of torch.int64 \(64, 1\)"),
        ((X, Y[:9]), ValueError, "validation: x and y must be paired row by row, got 64 and 9 rows"),
        ((X, 0 * Y - 1), ValueError, "validation must have samples with a label, got none of 64"),
        ((X[:0], Y[:0]), ValueError, "validation must have samples with a label, got none of 0"),
        ((X * math.nan, Y), ValueError, "validation x must be finite"),
    ],
)
def test_validation_samples_are_checked_before_a_model_is_made(validation, kind, message):
    """Real labels were cut to whole numbers, and NaN gave an accuracy."""
    with pytest.raises(kind, match=f"^ib_curve: {message}"):
        ib_curve(lambda beta: pytest.fail("made a model"), (X, Y), (0.5,), validation=validation)


def test_a_seed_counts_once():
    with pytest.raises(ValueError, match=r"ib_curve: seeds must differ, or errors are too small, got \[1, 1\]"):
        ib_curve(told, (X, Y), (0.5,), validation=(X, Y), seeds=(1, 1), epochs=1)
