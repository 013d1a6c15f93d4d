"""Total correlation as a penalty: closed forms, identities, gradients, and what it does to a layer."""

import math

import pytest
import torch
from torch import nn

import infotorch
from infotorch.estimators import gaussian_mi, renyi_total_correlation
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives import (
    LocalBatch,
    ReadoutInformation,
    RenyiTotalCorrelation,
    SumOfObjectives,
    TotalCorrelation,
    objective_from_name,
)

BOTH = [TotalCorrelation, RenyiTotalCorrelation]
#: Correlations of the tests, all of full rank: none, one pair, equal ones, and a chain.
MATRICES = {
    "independent": torch.eye(3),
    "a pair": torch.tensor([[1.0, 0.6, 0], [0.6, 1, 0], [0, 0, 1]]),
    "all alike": torch.full((3, 3), 0.5) + 0.5 * torch.eye(3),
    "a chain": torch.tensor([[1.0, 0.8, 0.64], [0.8, 1, 0.8], [0.64, 0.8, 1]]),
}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rows_with(correlation, n=50, seed=0):
    """Rows of mean 0 whose correlations are exactly these."""
    columns = torch.linalg.qr(draw(n, len(correlation), seed=seed) - draw(n, len(correlation), seed=seed).mean(0))[0]
    return columns @ torch.linalg.cholesky(correlation.double()).T


def batch_of(output):
    x = torch.zeros(len(output), 2)
    return LocalBatch(x, x, output, None, seed_streams(0))


def value(objective, output):
    return objective(batch_of(output)).total.item()


class TestGaussian:
    @pytest.mark.parametrize("name", MATRICES)
    @pytest.mark.parametrize("noise_std", [1e-4, 0.1, 1.0])
    def test_it_is_minus_half_the_log_determinant_of_the_correlations(self, name, noise_std):
        noise = noise_std**2
        blurred = (MATRICES[name].double() + noise * torch.eye(3).double()) / (1 + noise)
        wanted = -0.5 * math.log(torch.linalg.det(blurred).item())
        assert value(TotalCorrelation(noise_std=noise_std), rows_with(MATRICES[name])) == pytest.approx(
            wanted, abs=1e-10
        )

    def test_without_much_noise_the_closed_forms_by_hand(self):
        # -1/2 log(1 - rho^2); (1 - rho)^2 (1 + 2 rho); a chain: two steps of rho.
        by_hand = {"a pair": 1 - 0.36, "all alike": 0.25 * 2, "a chain": (1 - 0.64) ** 2}
        for name, determinant in by_hand.items():
            found = value(TotalCorrelation(noise_std=1e-4), rows_with(MATRICES[name]))
            assert found == pytest.approx(-0.5 * math.log(determinant), abs=1e-7)

    def test_uncorrelated_columns_have_none(self):
        for noise_std in (1e-4, 0.1, 3.0):
            assert value(TotalCorrelation(noise_std=noise_std), rows_with(torch.eye(4))) == pytest.approx(0, abs=1e-12)

    def test_of_two_columns_it_is_their_gaussian_information(self):
        rows = draw(200, 2) @ draw(2, 2, seed=1)
        wanted = float(gaussian_mi(rows[:, 0], rows[:, 1]))
        assert value(TotalCorrelation(noise_std=1e-4), rows) == pytest.approx(wanted, rel=1e-6)

    def test_it_adds_up_over_groups_by_the_chain_rule(self):
        rows = draw(300, 4) @ draw(4, 4, seed=1)
        objective = TotalCorrelation(noise_std=1e-4)
        halves = value(objective, rows[:, :2]) + value(objective, rows[:, 2:])
        between = float(gaussian_mi(rows[:, :2], rows[:, 2:]))
        assert value(objective, rows) == pytest.approx(halves + between, rel=1e-6)

    def test_more_columns_than_samples_agree_with_the_wide_matrix(self):
        rows, noise = draw(6, 9), 0.09
        correlation = torch.corrcoef(rows.T)
        wanted = -0.5 * torch.linalg.slogdet((correlation + noise * torch.eye(9).double()) / (1 + noise))[1].item()
        assert value(TotalCorrelation(noise_std=0.3), rows) == pytest.approx(wanted, rel=1e-9)

    def test_a_column_twice_is_finite_and_grows_as_the_noise_falls(self):
        rows = draw(40, 1).repeat(1, 2)
        values = {noise: value(TotalCorrelation(noise_std=noise), rows) for noise in (1.0, 0.1, 0.01)}
        for noise, found in values.items():
            assert found == pytest.approx(-0.5 * math.log(1 - (1 + noise**2) ** -2), rel=1e-9)

    def test_noise_that_is_added_gives_what_the_term_says(self):
        rows = draw(100_000, 3) @ torch.linalg.cholesky(MATRICES["a chain"].double()).T
        noisy = rows + 0.5 * rows.std(dim=0) * draw(100_000, 3, seed=1)
        # Five standard errors of a log-determinant at n = 100,000.
        assert value(TotalCorrelation(noise_std=1e-4), noisy) == pytest.approx(
            value(TotalCorrelation(noise_std=0.5), rows), abs=0.015
        )


class TestRenyi:
    def test_it_is_the_estimator_on_standardised_columns(self):
        rows = draw(30, 3) @ draw(3, 3, seed=1)
        columns = (rows - rows.mean(0)) / rows.std(dim=0, correction=0)
        wanted = renyi_total_correlation(*columns.T, alpha=2, bandwidth=0.7, kernel="exp(-d2/2s2)")
        assert value(RenyiTotalCorrelation(bandwidth=0.7), rows) == pytest.approx(float(wanted), rel=1e-9)

    def test_many_columns_are_taken_some_at_a_time(self, monkeypatch):
        rows = draw(20, 7).requires_grad_()
        found = []
        for entries in (2**22, 800, 1):
            monkeypatch.setattr("infotorch.objectives.total_correlation._ENTRIES", entries)
            total = RenyiTotalCorrelation()(batch_of(rows)).total
            found.append([total.item(), *torch.autograd.grad(total, rows)[0].flatten().tolist()])
        assert found[0] == pytest.approx(found[1], rel=1e-10)
        assert found[0] == pytest.approx(found[2], rel=1e-10)

    @pytest.mark.parametrize("name", MATRICES)
    def test_of_gaussian_columns_it_is_the_gaussian_one_with_noise_of_half_the_bandwidth(self, name):
        rows = draw(4000, 3) @ torch.linalg.cholesky(MATRICES[name].double()).T
        noise = (1.5 / 2) ** 2
        blurred = (MATRICES[name].double() + noise * torch.eye(3).double()) / (1 + noise)
        wanted = -0.5 * math.log(torch.linalg.det(blurred).item())
        # Three standard errors at n = 4000.
        assert value(RenyiTotalCorrelation(bandwidth=1.5), rows) == pytest.approx(wanted, abs=0.03)

    def test_bits_by_hand(self):
        bits = torch.tensor([[a, b, a ^ b] for a in (0, 1) for b in (0, 1)]).double().repeat(10, 1)
        objective = RenyiTotalCorrelation(bandwidth=0.05)
        # Any two of (a, b, a xor b) are independent; the three have 3 log 2 - 2 log 2.
        assert value(objective, bits[:, :2]) == pytest.approx(0, abs=1e-9)
        assert value(objective, bits) == pytest.approx(math.log(2), abs=1e-9)
        # The Gaussian one sees correlations alone, and there are none.
        assert value(TotalCorrelation(), bits) == pytest.approx(0, abs=1e-9)

    def test_many_independent_columns_have_little_at_the_default_bandwidth(self):
        # A narrow kernel tells all samples apart: log b less than the sum of the parts.
        rows = draw(256, 64)
        assert abs(value(RenyiTotalCorrelation(), rows)) < 0.15
        assert value(RenyiTotalCorrelation(bandwidth=0.5), rows) > 10


@pytest.mark.parametrize("made", BOTH)
class TestBoth:
    def test_gradients(self, made):
        for rows in (draw(12, 3), draw(4, 6)):
            assert torch.autograd.gradcheck(lambda r: made()(batch_of(r)).total, (rows.requires_grad_(),))

    def test_scaling_moving_and_turning_over_columns_changes_nothing(self, made):
        rows = draw(20, 3) @ draw(3, 3, seed=1)
        wanted = value(made(), rows)
        for moved in (rows * torch.tensor([1e-6, 50.0, -1.0]), rows + 30, rows[:, [2, 0, 1]], rows * 1e160):
            assert value(made(), moved) == pytest.approx(wanted, rel=1e-8)

    def test_the_weight_is_a_factor_and_the_term_has_none(self, made):
        rows = draw(20, 3) @ draw(3, 3, seed=1)
        loss = made(weight=0.25)(batch_of(rows))
        (term,) = loss.terms.values()
        assert loss.total.item() == pytest.approx(0.25 * term.item(), rel=1e-12)
        assert term.item() == pytest.approx(value(made(), rows), rel=1e-12)

    def test_columns_that_do_not_vary_play_no_part(self, made):
        rows = draw(20, 2) @ draw(2, 2, seed=1)
        dead = torch.cat([rows, torch.full((20, 1), 0.1)], dim=1).requires_grad_()
        loss = made(**({"bandwidth": 1.0} if made is RenyiTotalCorrelation else {}))(batch_of(dead))
        alone = made(**({"bandwidth": 1.0} if made is RenyiTotalCorrelation else {}))
        assert loss.total.item() == pytest.approx(value(alone, rows), rel=1e-12)
        loss.total.backward()
        assert torch.isfinite(dead.grad).all()
        assert torch.count_nonzero(dead.grad[:, 2]) == 0

    def test_nothing_to_compare_teaches_nothing(self, made):
        for rows in (draw(1, 3), draw(8, 1), torch.ones(8, 3), torch.zeros(8, 3)):
            loss = made()(batch_of(rows.requires_grad_()))
            loss.total.backward()
            assert loss.terms == {}
            assert torch.count_nonzero(rows.grad) == 0

    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, made):
        rows = draw(8, 3)
        rows[3, 1] = math.inf
        assert made()(batch_of(rows)).total.isnan()

    def test_wrong_settings_are_refused(self, made):
        with pytest.raises(ValueError, match=f"{made.__name__}: weight must be positive"):
            made(weight=0.0)
        with pytest.raises(TypeError, match=f"{made.__name__}: layer must be a layer of the network, got str"):
            made(layer="fc1")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TotalCorrelation(noise_std=0.0), "TotalCorrelation: noise_std must be positive"),
        (lambda: TotalCorrelation(noise_std=1e-5), "TotalCorrelation: noise_std must be from 1e-4 to 1e4, got 1e-05"),
        (lambda: RenyiTotalCorrelation(bandwidth=-1.0), "RenyiTotalCorrelation: bandwidth must be positive"),
    ],
)
def test_values_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("made", BOTH)
def test_beside_a_read_out_it_makes_a_layer_less_dependent_and_leaves_the_class_in_it(made):
    data = infotorch.load("digits", seed=0)
    found = {}
    strong = {TotalCorrelation: 0.3, RenyiTotalCorrelation: 3.0}[made]
    for weight in (1e-9, strong):
        torch.manual_seed(0)
        hidden = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh())
        local = SumOfObjectives([ReadoutInformation(), made(weight=weight)])
        model = nn.Sequential(hidden, nn.Linear(8, 10))
        samples = (data.train.x, data.train.y)
        result = infotorch.fit(model, samples, plan=[local, "CE"], cuts=["1"], epochs=8, batch_size=128, lr=1e-2)
        with torch.no_grad():
            found[weight] = value(made(), hidden(data.test.x)), result.metrics["train_accuracy"]
    assert found[strong][0] < 0.8 * found[1e-9][0]
    assert found[strong][1] > 0.8


def test_the_gaussian_one_has_a_name_for_plans():
    objective = objective_from_name("Y+X:total-correlation", {"X:total-correlation": {"weight": 0.1, "noise_std": 0.5}})
    _, penalty = objective.parts
    assert type(penalty) is TotalCorrelation
    assert (penalty.weight, penalty.noise_std) == (0.1, 0.5)
