"""One-to-one maps that make samples look normal."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn.decomposition import fastica

from infotorch.estimators.normal_maps import NormalMap, independent_directions, normal_margins, whitened


def drawn(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "law", [scipy.stats.norm(3, 2), scipy.stats.expon(), scipy.stats.uniform(-1, 5), scipy.stats.t(df=2)]
)
def test_a_column_becomes_normal_and_the_slope_is_its_density(law):
    """The slope is f(x) / phi(mapped), so that E log f is the mean log slope plus E log phi: minus the entropy."""
    column = law.rvs(5000, random_state=1)
    mapped, log_slope = NormalMap.of(column)(column)
    assert scipy.stats.kstest(mapped, "norm").statistic < 0.02  # 0.019 is the 5 % point of samples of N(0, 1)
    entropy = -(log_slope + scipy.stats.norm.logpdf(mapped)).mean()
    assert entropy == pytest.approx(law.entropy(), abs=0.04)  # spread 0.015; 0.02 of it by the Cauchy-like tails


def test_it_increases_and_its_slope_is_its_derivative():
    column = drawn().standard_t(3, 2000)
    map = NormalMap.of(column)
    grid = np.linspace(map.knots[0] - 5, map.knots[-1] + 5, 40_001)  # beyond the samples too
    values, log_slope = map(grid)
    assert (np.diff(values) > 0).all()
    middle = (values[2:] - values[:-2]) / (grid[2:] - grid[:-2])
    # At the outermost knots the slope jumps to that of the line.
    inside = (np.abs(grid[1:-1, None] - map.knots[[0, -1]]) > grid[1] - grid[0]).all(axis=1)
    assert np.allclose(middle[inside], np.exp(log_slope[1:-1][inside]), atol=2e-3)


def test_three_values_leave_nothing_to_interpolate():
    column = np.repeat([0.0, 1.0, 5.0], 100)
    assert NormalMap.of(column) is None
    assert np.array_equal(normal_margins(column[:, None]), column[:, None])


def test_whitened_and_the_log_determinant_without_bias():
    """The mean over samples of 60 rows in 5 columns is the truth, where the plain one lies 0.33 below."""
    mix = np.tril(drawn(1).standard_normal((5, 5))) + 3 * np.eye(5)
    found = []
    for seed in range(400):
        white, terms = whitened(drawn(seed).standard_normal((60, 5)) @ mix.T)
        assert np.allclose(white.T @ white / 60, np.eye(5), atol=1e-9)
        found.append((terms.mean(), terms.std() / math.sqrt(60)))
    values, errors = np.array(found).T
    truth = np.linalg.slogdet(mix)[1]
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / 20)
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)  # influence: sqrt(5 / 2 / 60) = 0.204


def test_columns_that_follow_from_others_have_no_inverse():
    rows = drawn().standard_normal((100, 2))
    with pytest.raises(np.linalg.LinAlgError):
        whitened(np.concatenate([rows, rows[:, :1]], axis=1))


@pytest.mark.parametrize("columns", [2, 5])
def test_mixed_sources_are_found_again(columns):
    sources = drawn(2).uniform(-1, 1, (3000, columns))
    mix = np.linalg.qr(drawn(3).standard_normal((columns, columns)))[0]
    white, _ = whitened(sources @ mix.T)
    rotation = independent_directions(white)
    assert np.allclose(rotation @ rotation.T, np.eye(columns), atol=1e-6)
    likeness = np.abs(np.corrcoef((white @ rotation.T).T, sources.T)[:columns, columns:])
    assert (likeness.max(axis=1) > 0.99).all()
    assert sorted(likeness.argmax(axis=1)) == list(range(columns))


def test_the_rotation_is_scikit_learns():
    white, _ = whitened(drawn(4).uniform(-1, 1, (2000, 3)) @ drawn(5).standard_normal((3, 3)))
    start = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    _, wanted, _ = fastica(white, whiten=False, max_iter=50, tol=1e-4, w_init=start)  # pyright: ignore[reportArgumentType]
    assert np.allclose(independent_directions(white), wanted, atol=1e-6)
