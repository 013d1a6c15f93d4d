import math
from itertools import pairwise

import pytest
from scipy.integrate import quad
from tests.reference.theory import channel_information

from infotorch.distributions import AdditiveUniformNoise
from infotorch.theory.pieces import Piece, Pieces, entropy

LOG2 = math.log(2)


def even(*ends, labels=(0, 1, 0, 1)):
    return Pieces(Piece(1 / len(ends), low, high, label) for (low, high), label in zip(ends, labels, strict=False))


QUARTERS = even((0, 0.25), (0.5, 0.75), (0.25, 0.5), (0.75, 1))
STEPS = even((0, 0), (2 / 3, 2 / 3), (1 / 3, 1 / 3), (1, 1))
MIXED = even((0, 0), (0.2, 0.9), (0.1, 0.4), (0.4, 0.4))


@pytest.mark.parametrize("half_width", [0.01, 0.3, 0.5, 0.8, 4.0])
def test_one_even_piece_is_the_published_channel(half_width):
    assert even((0.0, 1.0)).noisy_information(half_width) == pytest.approx(
        AdditiveUniformNoise(half_width).mutual_information(), abs=1e-12
    )


def test_points_farther_apart_than_the_noise_are_told_exactly():
    assert STEPS.noisy_information(0.1) == pytest.approx(math.log(4), abs=1e-12)
    assert STEPS.noisy_label_information(0.1) == pytest.approx(LOG2, abs=1e-12)


def test_two_points_under_wide_noise_overlap_by_hand():
    # At half width 1 and distance 1 the sum lies alone with probability 1/2, and else nothing is told.
    assert even((0, 0), (1, 1)).noisy_information(1.0) == pytest.approx(LOG2 / 2, abs=1e-12)


@pytest.mark.parametrize(("law", "half_width"), [(QUARTERS, 0.07), (QUARTERS, 0.4), (STEPS, 0.3), (MIXED, 0.15)])
def test_the_noisy_channel_agrees_with_its_discretised_twin(law, half_width):
    count = 60
    outputs = [
        (piece.low + (piece.high - piece.low) * (n + 0.5) / count, piece.label, piece.mass / count)
        for piece in law.pieces
        for n in range(count)
    ]
    xt, ty = channel_information(outputs, half_width)
    # Cells of a width of 1/1500 lose a little, the sixty places of a piece lose less.
    assert law.noisy_information(half_width) == pytest.approx(xt, abs=0.012)
    assert law.noisy_label_information(half_width) == pytest.approx(ty, abs=0.004)


def test_scaling_everything_changes_no_information():
    wide = Pieces(Piece(p.mass, 7 * p.low - 3, 7 * p.high - 3, p.label) for p in MIXED.pieces)
    for quantity in ("noisy_information", "noisy_label_information"):
        assert getattr(wide, quantity)(0.7) == pytest.approx(getattr(MIXED, quantity)(0.1), abs=1e-12)
    assert wide.label_information() == pytest.approx(MIXED.label_information(), abs=1e-12)


def test_more_noise_tells_less_and_the_class_never_more_than_the_input():
    told = [(MIXED.noisy_information(h), MIXED.noisy_label_information(h)) for h in (0.05, 0.1, 0.3, 1.0, 30.0)]
    assert all(ty <= xt for xt, ty in told)
    assert all(a[0] > b[0] and a[1] > b[1] for a, b in pairwise(told))
    assert told[-1][0] < 0.02
    assert told[0][1] < MIXED.label_information()


def test_information_is_infinite_as_soon_as_any_mass_is_spread():
    assert QUARTERS.information() == MIXED.information() == math.inf
    assert STEPS.information() == pytest.approx(math.log(4), abs=1e-12)
    assert even((0.5, 0.5), (0.5, 0.5)).information() == 0


def test_classes_that_overlap_leave_each_other_open():
    # Half of each class lies where the other one does too: half a bit is left.
    assert even((0, 1), (0.5, 1.5)).label_information() == pytest.approx(LOG2 / 2, abs=1e-12)
    assert even((0, 0), (0, 0)).label_information() == pytest.approx(0, abs=1e-12)
    assert even((0, 0), (0, 1)).label_information() == pytest.approx(LOG2, abs=1e-12)


def test_cells_by_hand():
    assert QUARTERS.cell_information([0.5]) == pytest.approx(LOG2)
    assert QUARTERS.cell_label_information([0.5]) == pytest.approx(LOG2)
    assert QUARTERS.cell_information([0.125]) == pytest.approx(entropy([1 / 8, 7 / 8]))
    assert STEPS.cell_information([1 / 3]) == pytest.approx(LOG2)  # a border belongs to the cell below
    assert STEPS.cell_label_information([0.1, 0.5]) == pytest.approx(LOG2)


@pytest.mark.parametrize("law", [QUARTERS, STEPS, MIXED])
def test_the_soft_decision_agrees_with_quadrature(law):
    def coin(p):
        return entropy([p, 1 - p])

    def mean(pieces, f):
        total = sum(p.mass for p in pieces)
        values = (f(p.low) if p.low == p.high else quad(f, p.low, p.high)[0] / (p.high - p.low) for p in pieces)
        return sum(p.mass * value for p, value in zip(pieces, values, strict=True)) / total

    marginal = coin(mean(law.pieces, lambda p: p))
    assert law.soft_information() == pytest.approx(marginal - mean(law.pieces, coin), abs=1e-8)
    within = sum(coin(mean([p for p in law.pieces if p.label == y], lambda p: p)) / 2 for y in (0, 1))
    assert law.soft_label_information() == pytest.approx(marginal - within, abs=1e-12)


def test_a_nearly_flat_density_loses_no_digits():
    # Two pieces of almost equal density side by side: the ends of a segment differ by a millionth.
    law = Pieces([Piece(0.5, 0.0, 1.0, 0), Piece(0.5, 1.0, 2.0 + 1e-6, 0)])
    assert law.noisy_information(0.5) == pytest.approx(0.25 + LOG2, abs=1e-6)  # even on [0, 2]: h/2 - log(2h/2)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Piece(0.0, 0, 1, 0), ValueError, "Piece: mass must be positive"),
        (lambda: Piece(0.5, 1, 0, 0), ValueError, "Piece: low and high must be finite and not fall, got 1 and 0"),
        (lambda: Piece(0.5, 0, math.nan, 0), ValueError, "Piece: low and high must be finite"),
        (lambda: Piece(0.5, "0", 1, 0), TypeError, "Piece: low must be a number, got str"),
        (lambda: Pieces([]), ValueError, "Pieces: the masses must add up to 1, got 0"),
        (lambda: Pieces([Piece(0.5, 0, 1, 0)]), ValueError, "Pieces: the masses must add up to 1, got 0.5"),
        (lambda: QUARTERS.noisy_information(0.0), ValueError, "Pieces: half_width must be positive"),
        (lambda: QUARTERS.noisy_label_information("a"), TypeError, "Pieces: half_width must be a number"),
        (lambda: even((0, 2)).soft_information(), ValueError, r"Pieces: a soft decision needs L in \[0, 1\]"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
