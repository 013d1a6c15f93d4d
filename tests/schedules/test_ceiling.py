import math

import pytest
import torch

from infotorch.estimators.kraskov import ksg
from infotorch.schedules.ceiling import MOST_COLUMNS, _predictions, _standardised, regression_ceiling
from infotorch.schedules.signal import InformationSignal


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear(n=1500, d=30):
    """y = one direction of x plus noise of the same size: I(X; Y) = 1/2 log 2."""
    x = normal(n, d)
    return x, x.sum(1) / d**0.5 + normal(n, seed=1)


def test_many_columns_do_not_hide_what_a_line_tells():
    x, y = linear()
    truth = 0.5 * math.log(2)
    assert float(ksg(x, y)) < truth - 0.15
    assert regression_ceiling(x, y) == pytest.approx(truth, abs=0.08)  # three s.e. of KSG at n = 1500


def test_bumps_see_what_no_line_does():
    x = normal(1500, 8)
    y = x[:, 0].square() + 0.3 * normal(1500, seed=1)
    line = float(ksg(_predictions(_standardised(x), y.double()[:, None], 1e-9), y))
    assert line < 0.2
    assert regression_ceiling(x, y) > max(line, float(ksg(x, y))) + 0.1


def test_noise_is_not_learnt_by_heart():
    assert regression_ceiling(normal(400, 300), normal(400, seed=1)) == pytest.approx(0.0, abs=0.15)  # three s.e.


def test_it_is_no_less_than_ksg_of_x():
    x = normal(500, 1)
    y = torch.sin(40 * x) + 0.01 * normal(500, 1, seed=1)
    assert regression_ceiling(x, y) >= float(ksg(x, y))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_x_do_not_move_the_predictions(scale):
    x, y = linear(600)
    assert regression_ceiling(x * scale + scale, y) == pytest.approx(regression_ceiling(x, y), abs=0.02)


def test_predictions_are_those_of_least_squares_on_the_other_folds():
    x, y = normal(53, 4), normal(53, 2, seed=1).double()
    columns = _standardised(x)
    found = _predictions(columns, y, 1e-12)
    for row in range(53):
        others = [other for other in range(53) if other % 5 != row % 5]
        weights = torch.linalg.lstsq(columns[others], y[others]).solution
        assert torch.allclose(found[row], columns[row] @ weights, atol=1e-8)


def test_dependent_constant_and_few_columns_are_solvable():
    x, y = linear(300, 5)
    assert regression_ceiling(torch.cat([x, x, torch.ones(300, 1)], 1), y) == pytest.approx(
        regression_ceiling(x, y), abs=0.1
    )
    assert regression_ceiling(torch.ones(300, 2), y) == pytest.approx(0.0, abs=0.15)
    assert math.isfinite(regression_ceiling(x[:8], y[:8]))


def test_beyond_so_many_columns_x_alone_is_read():
    x, y = normal(30, MOST_COLUMNS + 1), normal(30, seed=1)
    assert regression_ceiling(x, y) == float(ksg(x, y))


def test_what_ksg_refuses_is_refused():
    with pytest.raises(ValueError, match="ksg: needs more samples than neighbours, got 3"):
        regression_ceiling(normal(3, 1), normal(3))


def test_a_signal_of_a_fitted_line_stays_below_its_ceiling():
    """21 inputs, as of the temperatures: beside KSG of the inputs the best line would seem to know everything."""
    x, y = linear(2000, 21)
    line = torch.nn.Linear(21, 1)
    with torch.no_grad():
        line.weight.fill_(21**-0.5)
        line.bias.zero_()
    signal = InformationSignal(line, (x, y[:, None]), num_samples=1000)
    assert float(ksg(x, y)) < signal() < signal.ceiling + 0.05
