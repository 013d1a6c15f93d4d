"""Effective rank, alignment and uniformity: closed forms, and loops over pairs."""

import math

import pytest
import torch
from scipy.special import iv

from infotorch import cka
from infotorch.diagnostics import alignment, effective_rank, uniformity


def rows(n=40, columns=5, seed=0):
    return torch.randn(n, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestEffectiveRank:
    @pytest.mark.parametrize("columns", [1, 3, 8])
    def test_directions_that_are_all_alike_count_one_each(self, columns):
        q, _ = torch.linalg.qr(rows(20, columns))
        assert effective_rank(7 * q) == pytest.approx(columns, abs=1e-9)

    def test_two_directions_of_known_strength(self):
        q, _ = torch.linalg.qr(rows(20, 2))
        entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
        assert effective_rank(q @ torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))) == pytest.approx(
            math.exp(entropy), abs=1e-9
        )

    def test_rotations_scales_and_columns_without_anything_change_nothing(self):
        t, (q, _) = rows(), torch.linalg.qr(rows(5, 5, seed=1))
        wanted = effective_rank(t)
        for same in (t @ q, 1e6 * t, torch.cat([t, torch.zeros(40, 3)], dim=1), t.T.contiguous(), t.reshape(40, 5, 1)):
            assert effective_rank(same) == pytest.approx(wanted, abs=1e-9)
        assert 1 < wanted < 5

    def test_it_is_at_most_the_matrix_rank(self):
        t = rows(40, 2) @ rows(2, 6, seed=1)
        assert effective_rank(t) <= int(torch.linalg.matrix_rank(t)) + 1e-9

    def test_nothing_has_no_rank(self):
        with pytest.raises(ValueError, match="effective_rank: t must not be zero throughout"):
            effective_rank(torch.zeros(5, 3))


class TestAlignment:
    def test_pairs_one_by_one(self):
        t, y = rows(), torch.arange(40) % 7
        distances = []
        for i in range(40):
            for j in range(40):
                if i != j and y[i] == y[j]:
                    a, b = t[i] / t[i].norm(), t[j] / t[j].norm()
                    distances.append(float((a - b).square().sum()))
        assert alignment(t, y) == pytest.approx(sum(distances) / len(distances), abs=1e-12)

    def test_one_direction_a_class_opposite_ones_and_none(self):
        y = torch.arange(6) // 2
        assert alignment(torch.eye(3)[y] * torch.arange(1.0, 7.0)[:, None], y) == pytest.approx(0, abs=1e-12)
        assert alignment(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]), torch.tensor([4, 4])) == pytest.approx(4, abs=1e-12)
        many = alignment(rows(4000, 20), torch.arange(4000) % 4)
        assert many == pytest.approx(2, abs=0.01)  # four standard errors of the classes' mean likeness

    def test_labels_of_their_own_make_no_pair(self):
        t, y = rows(6), torch.tensor([0, 0, 1, 2, 3, 4])
        assert alignment(t, y) == pytest.approx(alignment(t[:2], y[:2]), abs=1e-12)

    @pytest.mark.parametrize(
        ("y", "error", "message"),
        [
            (torch.arange(6), ValueError, "y must give one label to two rows at least"),
            (torch.zeros(5, dtype=torch.long), ValueError, "got 6 and 5 rows"),
            (torch.zeros(6), TypeError, r"y must be integer labels, got torch\.float32"),
            (torch.zeros(6, 2, dtype=torch.long), ValueError, r"y must have shape \(n,\), got \(6, 2\)"),
        ],
    )
    def test_labels_that_tell_no_pairs_are_refused(self, y, error, message):
        with pytest.raises(error, match=f"alignment: .*{message}"):
            alignment(rows(6), y)


class TestUniformity:
    def test_pairs_one_by_one_in_more_rows_than_a_block(self, monkeypatch):
        monkeypatch.setattr("infotorch.diagnostics.representation._BLOCK", 16)
        t, total = rows(), 0.0
        for i in range(40):
            for j in range(40):
                if i != j:
                    a, b = t[i] / t[i].norm(), t[j] / t[j].norm()
                    total += math.exp(-2 * float((a - b).square().sum()))
        assert uniformity(t) == pytest.approx(math.log(total / (40 * 39)), abs=1e-12)

    def test_an_even_circle(self):
        """The mean over all angles is exp(-4) I_0(4); evenly spaced points give it to rounding but for i = j."""
        n = 500
        angles = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
        whole = math.exp(-4) * iv(0, 4)
        wanted = math.log((n * whole - 1) / (n - 1))
        assert uniformity(torch.stack([angles.cos(), angles.sin()], dim=1)) == pytest.approx(wanted, abs=1e-9)

    def test_one_direction_is_the_least_even(self):
        assert uniformity(torch.ones(10, 3) * torch.arange(1.0, 11.0)[:, None]) == pytest.approx(0, abs=1e-9)
        assert uniformity(rows(300, 50)) < uniformity(rows(300, 2)) < 0


@pytest.mark.parametrize("measure", [lambda t: alignment(t, torch.zeros(len(t), dtype=torch.long)), uniformity])
def test_a_row_of_zeros_and_a_single_row_are_refused(measure):
    with pytest.raises(ValueError, match="every row of t must have a direction, got 1 of zeros"):
        measure(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="t must have at least 2 rows"):
        measure(torch.ones(1, 3))


def test_linear_cka_of_features_by_its_formula():
    """Kornblith et al. 2019, Sec. 3: the biased form from Frobenius norms of centred features."""
    x, y = rows(), rows(seed=2) + rows()
    a, b = x - x.mean(0), y - y.mean(0)
    wanted = (b.T @ a).norm() ** 2 / ((a.T @ a).norm() * (b.T @ b).norm())
    assert float(cka(x, y, unbiased=False)) == pytest.approx(float(wanted), abs=1e-10)
