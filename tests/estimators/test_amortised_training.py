import math

import numpy as np
import pytest
import scipy.integrate
import torch

from amortised import pairs
from amortised.examples import example, normal_scores
from amortised.families import FAMILIES, _ellipsoid, _entropy_inside, _of_components, _twisted, draw
from amortised.training import _as_well, batch_of, loss_of
from infotorch.estimators.amortised_inputs import inputs_of, swapped
from infotorch.estimators.amortised_network import LEVELS, AmortisedNetwork
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.ensemble import ksg_ensemble
from infotorch.estimators.kraskov import ksg


@pytest.fixture(scope="module")
def pool():
    return pairs.pool(20, np.random.default_rng(0))


@pytest.mark.parametrize("make", [pairs._clayton, pairs._frank, pairs._plackett])
def test_a_copula_has_the_density_that_its_samples_have(make):
    sample, log_density = make(np.random.default_rng(3))
    whole, _ = scipy.integrate.dblquad(lambda v, u: math.exp(log_density(u, v)), 1e-6, 1 - 1e-6, 1e-6, 1 - 1e-6)
    assert whole == pytest.approx(1, abs=2e-3)
    u, v = sample(20_000, np.random.default_rng(4))
    mi = float(log_density(u, v).mean())
    found = ksg(*(torch.from_numpy(normal_scores(side[:, None])) for side in (u, v)))
    assert float(found) == pytest.approx(mi, abs=0.03)


def test_pairs_carry_what_is_said_of_them(pool):
    for pair in pool:
        x, y = pair.sample(6000, np.random.default_rng(1))
        found = float(ksg(*(torch.from_numpy(normal_scores(side[:, None])) for side in (x, y))))
        assert found == pytest.approx(pair.mi, abs=0.06 + 0.03 * pair.mi)


def test_a_mixture_of_one_law_is_that_law():
    root = np.linalg.cholesky(np.array([[1.0, 0.8], [0.8, 1.0]]))
    rng = np.random.default_rng(0)
    for roots in (root[None], np.stack([root, root])):
        _, _, mi = _of_components(10, 1, np.zeros((2, 2)), roots, np.array([0.4, 0.6]), rng)
        assert mi == pytest.approx(-0.5 * math.log(1 - 0.64), abs=0.04)  # 4,000 terms of spread 0.8


def test_what_an_edge_tells_is_that_of_a_disc():
    def term(x):
        density = 2 * math.sqrt(1 - x * x) / math.pi
        return -density * math.log(density)

    disc = 2 * scipy.integrate.quad(term, -1, 1)[0] - math.log(math.pi)
    assert 2 * _entropy_inside(1, 0.5) - _entropy_inside(2, 0) == pytest.approx(disc, abs=1e-9)
    assert _entropy_inside(3, 0) == pytest.approx(math.log(4 / 3 * math.pi))


def test_an_ellipsoid_tells_what_neighbours_find_of_it():
    rng = np.random.default_rng(6)
    for d in (1, 2):
        x, y, mi = _ellipsoid(20_000, d, [], rng)
        found = float(ksg(torch.from_numpy(x), torch.from_numpy(y)))
        assert found == pytest.approx(mi, abs=0.05 + 0.03 * mi)


def test_a_twist_is_undone_by_the_opposite_twist():
    rows = np.random.default_rng(7).normal(size=(200, 3))
    score = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    turned = _twisted(rows, np.random.default_rng(8))
    drawn = np.random.default_rng(8)
    i, j, third = drawn.permutation(3)[:3]
    plane = (turned[:, i] + 1j * turned[:, j]) * np.exp(-1j * drawn.uniform(0.2, 1.2) * score[:, third])
    assert np.allclose(plane, score[:, i] + 1j * score[:, j])
    assert np.array_equal(turned[:, third], score[:, third])


@pytest.mark.parametrize("family", FAMILIES)
def test_no_map_of_one_side_changes_what_a_law_tells(family, pool):
    rng = np.random.default_rng(2)
    for _ in range(3):
        law = draw(4000, 1, 1, pool, rng, family=family)
        with unexamined():
            found = float(ksg_ensemble(*(torch.from_numpy(normal_scores(side)) for side in (law.x, law.y))))
        assert found == pytest.approx(law.mi, abs=0.08 + 0.05 * law.mi)


def test_a_step_of_training_lowers_the_loss(pool):
    torch.manual_seed(0)
    rng = np.random.default_rng(5)
    made = [example(rng, pool) for _ in range(6)]
    parts = {key: np.stack([one[key] for one in made]) for key in made[0]}
    batch, mi = batch_of(parts, 64), torch.from_numpy(parts["mi"])
    network = AmortisedNetwork(batch.candidates.shape[1], batch.shapes.shape[1], batch.rows.shape[2])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = loss_of(network(batch), mi).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_sets_that_are_swapped_or_turned_are_those_of_other_samples():
    # y as x, and canonical columns of the opposite sign: what a network is shown of them must be what it would read
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 200, 2))
    y += x
    found = inputs_of(x, y)
    parts = {
        name: getattr(found, name)[None].repeat(40, axis=0)
        for name in ("candidates", "shapes", "scores", "columns", "rows")
    }
    shown = _as_well(parts | {"mi": np.zeros(40)}, rng)
    for name, other in (("rows", swapped(found).rows), ("shapes", swapped(found).shapes)):
        as_given = [np.array_equal(values, getattr(found, name)) for values in shown[name]]
        turned = [np.array_equal(values, other) for values in shown[name]]
        assert all(one != two for one, two in zip(as_given, turned, strict=True))
        assert 8 < sum(turned) < 32  # 20 on average, of standard deviation 3.2
    signs = shown["scores"][:, 0] / found.scores[0]
    assert np.allclose(np.abs(signs), 1)
    assert np.allclose(signs[:, :2], signs[:, 2:])  # both of a pair
    assert abs(signs[:, :2].mean()) < 0.4  # 80 signs, of standard deviation 0.11


def test_the_loss_rests_at_the_true_quantiles_and_pulls_back_to_them():
    draws = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).exp()
    true = torch.quantile(draws, torch.tensor(LEVELS))

    def slope(quantiles):
        told = quantiles.clone().requires_grad_()
        loss_of(told.expand(len(draws), -1), draws).mean().backward()
        assert told.grad is not None
        return told.grad

    scale = slope(true + 10).abs()  # all samples on one side
    assert (slope(true).abs() < 0.02 * scale).all()
    assert (slope(true + 0.2) > 0).all()
    assert (slope(true - 0.2) < 0).all()
