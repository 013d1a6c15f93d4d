"""Read-outs of real targets and of several labels: closed forms, identities, slow twins."""

import math

import pytest
import torch
from tests.reference.likelihoods import bernoulli_terms, gaussian_terms
from torch import nn

from infotorch.objectives.base import LocalBatch
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation
from infotorch.objectives.likelihoods import BernoulliLikelihood, GaussianLikelihood, column_means
from infotorch.objectives.names import objective_from_name

NAN = math.nan


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(t, y):
    return LocalBatch(t, t, t, y)


def built(objective, t, y, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        objective.build(batch_of(t, y), y)
    return objective.to(t.device)


def trained(objective, t, y, steps=250, lr=0.05):
    built(objective, t, y)
    optimizer = torch.optim.Adam(objective.parameters(), lr=lr)
    for step in range(steps):
        rows = torch.randint(len(t), (100,), generator=generator(step))
        if step == steps // 2:
            optimizer.param_groups[0]["lr"] = lr / 10
        optimizer.zero_grad()
        objective(batch_of(t[rows], y[rows])).total.backward()
        optimizer.step()
    return objective.eval()


def linear_gaussian(n, *, signal, seed=0, columns=1):
    """T standard normal (n, columns), Y = T + noise; I(Y; T) = columns / 2 log(1 + signal^2)."""
    t = torch.randn(n, columns, generator=generator(seed))
    return t, signal * t + torch.randn(n, columns, generator=generator(seed + 1))


@pytest.mark.parametrize("signal", [0.0, 1.0, 3.0])
def test_the_gaussian_bound_meets_the_information_of_a_linear_gaussian_law(signal):
    t, y = linear_gaussian(4000, signal=signal)
    objective = trained(ReadoutInformation(), t, y)
    fresh = linear_gaussian(2000, signal=signal, seed=7)
    terms = objective(batch_of(*fresh)).terms
    truth = math.log1p(signal**2) / 2
    # Three standard errors of a mean of log-ratios, whose spread is about the correlation, at n = 2000.
    assert terms["gain_nats"].item() == pytest.approx(truth, abs=0.05)
    assert terms["mi_ty_nats"].item() == pytest.approx(truth, abs=0.05)


def test_two_independent_columns_add_up():
    t, y = linear_gaussian(2000, signal=1.0, columns=2)
    terms = trained(ReadoutInformation(), t, y)(batch_of(t, y)).terms
    assert terms["gain_nats"].item() == pytest.approx(math.log(2), abs=0.06)
    assert terms["mi_ty_nats"].item() == pytest.approx(math.log(2), abs=0.06)


def test_the_bound_stays_below_where_the_gain_overstates():
    """Y is 1 or -1 and a little noise, told by T: I(Y; T) = log 2, and a Gaussian h(Y) lies far above Y's own."""
    sign = torch.randint(2, (4000, 1), generator=generator()) * 2.0 - 1
    y = sign + 0.05 * torch.randn(4000, 1, generator=generator(1))
    terms = trained(ReadoutInformation(), sign, y)(batch_of(sign[:1000], y[:1000])).terms
    assert terms["gain_nats"] > 2.5
    assert math.log(2) - 0.05 < terms["mi_ty_nats"] < math.log(2) + 0.01


def test_repeated_values_have_a_bound_too():
    """Counts 0 ... 3 known by T: I(Y; T) = log 4, and a density has no limit there."""
    y = torch.arange(4.0).repeat(500)[:, None]
    terms = trained(ReadoutInformation(), y.clone(), y)(batch_of(y[:400], y[:400])).terms
    assert math.log(4) - 0.05 < terms["mi_ty_nats"] < math.log(4) + 1e-4


@pytest.mark.parametrize("flip", [0.02, 0.2, 0.5])
def test_the_bernoulli_bound_meets_the_information_of_binary_symmetric_channels(flip):
    t = torch.randint(2, (4000, 2), generator=generator()).float()
    noise = torch.rand(4000, 2, generator=generator(1)) < flip
    y = (t.bool() ^ noise).long()
    terms = trained(ReadoutInformation(), t, y, lr=0.5)(batch_of(t, y)).terms
    entropy = -flip * math.log(flip) - (1 - flip) * math.log1p(-flip)
    truth = 2 * (math.log(2) - entropy)
    # 3 s.e. at n = 4000: the log-loss has a spread of at most 0.7 nats.
    assert terms["mi_ty_nats"].item() == pytest.approx(truth, abs=0.02)
    assert terms["gain_nats"].item() == pytest.approx(truth, abs=0.02)


def test_labels_that_agree_are_counted_once_in_the_bound():
    y = torch.randint(2, (2000, 1), generator=generator()).repeat(1, 3)
    terms = trained(ReadoutInformation(), 10.0 * y, y, lr=0.5)(batch_of(10.0 * y, y)).terms
    assert terms["gain_nats"].item() == pytest.approx(3 * math.log(2), abs=0.05)
    assert math.log(2) - 0.05 < terms["mi_ty_nats"] < math.log(2) + 1e-4


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_one_label_is_a_cross_entropy_of_two_classes(smoothing):
    y = torch.randint(2, (30,), generator=generator())
    logit = torch.randn(30, 1, generator=generator(1))
    scores = torch.cat([torch.zeros(30, 1), logit], dim=1)
    single, pair = CrossEntropy(label_smoothing=smoothing), CrossEntropy(label_smoothing=smoothing)
    one = built(single, logit, y[:, None])(batch_of(logit, y[:, None]))
    two = built(pair, scores, y)(batch_of(scores, y))
    torch.testing.assert_close(one.total, two.total)
    assert one.terms.keys() == two.terms.keys()
    readouts = []
    for rows, targets in ((logit, y[:, None]), (scores, y)):
        objective = built(ReadoutInformation(label_smoothing=smoothing), rows, targets)
        objective.readout = nn.Identity()
        readouts.append(objective(batch_of(rows, targets)))
    torch.testing.assert_close(readouts[0].total, readouts[1].total)
    torch.testing.assert_close(readouts[0].terms["mi_ty_nats"], readouts[1].terms["mi_ty_nats"])


def test_terms_are_those_of_the_twins():
    scores = torch.randn(12, 2, generator=generator(), dtype=torch.float64)
    y = torch.randn(12, 2, generator=generator(1), dtype=torch.float64) * 3 + 5
    y[[1, 4], [0, 1]] = NAN
    likelihood = GaussianLikelihood(y).eval()
    likelihood.variance = torch.tensor([0.5, 2.0], dtype=torch.float64)
    loss = likelihood.loss(scores, y)
    gain, bound = gaussian_terms(scores.tolist(), y.tolist(), [0.5, 2.0])
    assert (-loss.total.item(), loss.terms["mi_ty_nats"].item()) == (pytest.approx(gain), pytest.approx(bound))
    labels = torch.randint(-1, 2, (12, 2), generator=generator(2))
    loss = BernoulliLikelihood(labels).loss(scores, labels)
    gain, bound = bernoulli_terms(scores.tolist(), labels.tolist())
    assert (-loss.total.item(), loss.terms["mi_ty_nats"].item()) == (pytest.approx(gain), pytest.approx(bound))


def real(n=10):
    return torch.randn(n, 2, generator=generator(3), dtype=torch.float64)


def labels(n=10):
    return torch.randint(2, (n, 2), generator=generator(3))


@pytest.mark.parametrize("y", [real(), labels()])
def test_gradients_are_those_of_the_loss(y):
    t = torch.randn(10, 3, generator=generator(), dtype=torch.float64, requires_grad=True)
    objective = built(ReadoutInformation(), t.detach(), y).eval()
    assert torch.autograd.gradcheck(lambda rows: objective(batch_of(rows, y)).total, (t,))


@pytest.mark.parametrize("name", ["Y", "Y:infonce", "Y:hsic", "output"])
@pytest.mark.parametrize("y", [real(), labels()])
def test_missing_targets_give_the_gradient_of_rows_left_out(name, y):

    name = ("MSE" if y.is_floating_point() else "CE") if name == "output" else name
    t = torch.randn(10, 2, generator=generator(), dtype=torch.float64)
    gone = torch.arange(10) % 3 == 0
    holed = torch.where(gone[:, None], torch.tensor(NAN) if y.is_floating_point() else torch.tensor(-1), y)
    gradients, losses = [], []
    for kept, targets in ((torch.full((10,), True), holed), (~gone, y)):
        objective = objective_from_name(name)
        built(objective, t, y)
        rows = t.clone().requires_grad_()
        loss = objective(batch_of(rows[kept], targets[kept]))
        loss.total.backward()
        gradients.append(rows.grad)
        losses.append(loss)
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(losses[0].total, losses[1].total)
    assert not gradients[0][gone].any()


@pytest.mark.parametrize("y", [real(), labels()])
def test_one_missing_target_of_several_leaves_the_others(y):
    t = torch.randn(10, 2, generator=generator(), dtype=torch.float64, requires_grad=True)
    holed = y.clone()
    holed[0, 1] = NAN if y.is_floating_point() else -1
    objective = built(ReadoutInformation(), t.detach(), y)
    objective.readout = nn.Identity()
    objective(batch_of(t, holed)).total.backward()
    assert t.grad is not None
    assert t.grad[0, 0] != 0
    assert t.grad[0, 1] == 0


@pytest.mark.parametrize("name", ["Y", "Y:infonce", "Y:hsic", "MSE"])
def test_rows_without_any_target_teach_nothing(name):

    t, y = torch.randn(10, 2, generator=generator(), requires_grad=True), real().float()
    objective = objective_from_name(name)
    built(objective, t.detach(), y)
    loss = objective(batch_of(t, torch.full_like(y, NAN)))
    loss.total.backward()
    assert loss.terms == {}
    assert not t.grad.any()


def test_the_unit_of_y_does_not_matter():
    t, y = linear_gaussian(50, signal=1.0)
    for name in ("Y", "Y:infonce", "Y:hsic"):
        values = []
        for targets in (y, 1000 * y + 5e4):
            objective = objective_from_name(name)
            values.append(built(objective, t, targets)(batch_of(t, targets)).total)
        torch.testing.assert_close(*values, rtol=1e-3, atol=1e-3)


def test_predictions_are_in_the_unit_of_y():
    t, y = linear_gaussian(2000, signal=3.0)
    objective = trained(ReadoutInformation(), t, 100 * y + 7)
    assert (objective.scores(t) - (300 * t + 7)).abs().mean() < 20


def test_means_of_columns():
    values = torch.tensor([[1.0, NAN], [3.0, NAN]])
    assert column_means(values, torch.tensor([[True, False], [True, False]])).tolist() == [2.0, 0.0]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.full((4, 1), NAN), "every target is missing"),
        (torch.tensor([[1.0, NAN]] * 4), "every column of y needs a known target"),
        (torch.full((4, 1), math.inf), "y must be finite, or NaN where a target is missing"),
        (torch.full((4, 2), 3), "labels must be 0 or 1, and -1 where one is missing, got 3"),
    ],
)
def test_targets_that_cannot_be_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        built(ReadoutInformation(), torch.ones(4, 2), y)


def test_targets_unlike_those_it_was_built_on_are_refused():
    t = torch.ones(4, 2)
    objective = built(ReadoutInformation(), t, torch.randn(4, 2, generator=generator()))
    for y in (torch.randn(4), torch.tensor([0, 1, 0, 1]), torch.randn(4, 3)):
        with pytest.raises(TypeError, match=r"y must be real of shape \(n, 2\), as it was built on, got"):
            objective(batch_of(t, y))
