"""Figures 1 and 2 of Amjad & Geiger 2019, derived from the paper's text alone, against the package's values.

The figures' coordinates stand in no text: those of Figure 1 are the package's inputs, and others; all values are not.
"""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from tests.reference.paper_figures import (
    OUTPUTS,
    drawn,
    exact,
    intervals_information,
    noisy_information,
    points_information,
    soft_information,
    symbols_information,
)

from infotorch.theory.figure1 import DATA, HALF_WIDTH, POINTS, figure_1, information
from infotorch.theory.figure2 import figure_2
from infotorch.theory.pieces import Piece, Pieces

#: "in steps of 0.05"
GRID = [Fraction(n, 20) for n in range(21)]
TINY = Fraction(1, 10**6)


def own_values(points, data, half_width):
    """name -> (a, b) -> bits, for inputs (a), (b) and (c)."""
    weighted = [(exact(at), exact(mass)) for at, mass in points]
    crosses = [(exact(at), Fraction(1, len(data))) for at in data]
    half = exact(half_width)
    lines = [(at - half, at + half, mass) for at, mass in weighted]
    return {
        "a": lambda a, b: points_information(weighted, a, b),
        "b": lambda a, b: points_information(crosses, a, b),
        "c": lambda a, b: intervals_information(lines, a, b),
    }


OWN = own_values(POINTS, DATA, HALF_WIDTH)


class TestFigure1:
    @pytest.mark.parametrize(("place", "name"), list(enumerate("abc")))
    def test_every_cell_of_every_map(self, place, name):
        theirs = figure_1().figures[place].values
        own = [[OWN[name](a, b) for a in GRID] for b in GRID]
        assert np.array(theirs) == pytest.approx(np.array(own), abs=1e-12)

    def test_counts_of_the_caption(self):
        metrics = figure_1().metrics
        values = {name: [OWN[name](a, b) for a in GRID for b in GRID] for name in "abc"}
        for name, found in values.items():
            levels = {round(value, 9) for value in found if math.isfinite(value)}
            assert metrics[f"{name}_levels"] == len(levels)
            assert metrics[f"{name}_highest_bits"] == pytest.approx(max(levels), abs=1e-9)
        # "The missing values in (g) indicate that the mutual information is infinite."
        assert metrics["c_infinite_cells"] == sum(map(math.isinf, values["c"]))
        assert max(values["b"]) == pytest.approx(math.log2(len(DATA)))  # log |D|, with all data points apart

    @pytest.mark.parametrize("name", ["a", "b", "c"])
    def test_where_it_is_finite_its_gradient_is_zero(self, name):
        for a in GRID[::4]:
            for b in GRID[1::4]:
                here = OWN[name](a, b)
                moves = [(a + TINY, b), (a - TINY, b), (a, b + TINY), (a, b - TINY)]
                assert math.isinf(here) or {OWN[name](*to) for to in moves} == {here}

    @pytest.mark.parametrize("seed", range(3))
    def test_other_coordinates_than_the_packages_have_the_same_values(self, seed):
        draws = random.Random(seed)
        # Between steps of the grid, and apart by more than the intervals are wide.
        points = [(0.0125 + 0.05 * n, 0.25) for n in sorted(draws.sample(range(1, 19, 2), 4))]
        own = own_values(points, [at for at, _ in points], 0.01)
        laws = {
            "a": Pieces(Piece(mass, at, at, 0) for at, mass in points),
            "c": Pieces(Piece(mass, at - 0.01, at + 0.01, 0) for at, mass in points),
        }
        for a in GRID[::2]:
            for b in GRID[::2]:
                for name, law in laws.items():
                    theirs = information(law, float(a), float(b)) / math.log(2)
                    assert theirs == pytest.approx(own[name](a, b), abs=1e-12)


NAMES = list(OUTPUTS)
NOISE = 0.05
FIGURE_2 = figure_2(noise=NOISE).metrics
#: The text's quantities, by counting and by sums.
SUMS = {}
for _name in NAMES:
    _outputs, _labels = drawn(_name, 3000)
    _cells = {"hard": _outputs > 0.5, "four_cells": np.ceil(4 * _outputs)}
    SUMS[_name] = {
        **{f"{kind}_mi_xt": symbols_information(cells) for kind, cells in _cells.items()},
        **{f"{kind}_mi_ty": symbols_information(cells, _labels) for kind, cells in _cells.items()},
        **dict(zip(("soft_mi_xt", "soft_mi_ty"), soft_information(_outputs, _labels), strict=True)),
        **dict(zip(("noisy_mi_xt", "noisy_mi_ty"), noisy_information(_name, NOISE), strict=True)),
    }


class TestFigure2:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("quantity", list(SUMS["disc1"]))
    def test_every_value(self, name, quantity):
        # Sums over 3,000 parts of an interval, and 20,000 cells, miss less than this.
        assert FIGURE_2[f"{name}_{quantity}_bits"] == pytest.approx(SUMS[name][quantity], abs=2e-4)

    @pytest.mark.parametrize("name", NAMES)
    def test_information_without_a_remedy(self, name):
        outputs, labels = drawn(name, 1000)
        assert FIGURE_2[f"{name}_mi_ty_bits"] == pytest.approx(symbols_information(outputs, labels), abs=1e-12)
        if name.startswith("disc"):
            assert FIGURE_2[f"{name}_mi_xt_bits"] == pytest.approx(symbols_information(outputs), abs=1e-12)
            return
        # Infinite: every halving of the parts tells one bit more.
        assert f"{name}_mi_xt_bits" not in FIGURE_2
        finer = [symbols_information(drawn(name, count)[0]) for count in (250, 500, 1000)]
        assert np.diff(finer) == pytest.approx([1, 1], abs=1e-9)

    def test_the_sentences_of_the_text_hold_of_the_sums(self):
        one, two, three = (SUMS[f"cont{n}"] for n in (1, 2, 3))
        # Sec. 5.1: I(X; Yhat') = I(X; Yhat'') = 1, I(Y; Yhat') = H(Y), I(Y; Yhat'') = 0.
        assert (one["hard_mi_xt"], two["hard_mi_xt"]) == pytest.approx((1, 1), abs=1e-9)
        assert (one["hard_mi_ty"], two["hard_mi_ty"]) == pytest.approx((1, 0), abs=1e-9)
        # Sec. 5.2: precision asks for simple and dense; compression prefers ' to '''.
        assert two["soft_mi_ty"] < one["soft_mi_ty"] < three["soft_mi_ty"]
        assert one["soft_mi_xt"] < three["soft_mi_xt"]
        # Sec. 5.3: a little noise prefers ' to '' and ''' to ', the latter for compression too.
        assert one["noisy_mi_ty"] > two["noisy_mi_ty"]
        assert one["noisy_mi_xt"] == pytest.approx(two["noisy_mi_xt"], abs=1e-9)
        assert three["noisy_mi_xt"] < one["noisy_mi_xt"]
        assert three["noisy_mi_ty"] > one["noisy_mi_ty"]
        # Sec. 5.4: a quantiser at 1/2 prefers ' to '', of disc and of cont; a finer one is less sensitive.
        for kind in ("disc", "cont"):
            first, second = SUMS[f"{kind}1"], SUMS[f"{kind}2"]
            assert first["hard_mi_ty"] > second["hard_mi_ty"] + 0.5
            assert first["four_cells_mi_ty"] == pytest.approx(second["four_cells_mi_ty"], abs=1e-9)
        assert one["hard_mi_ty"] == pytest.approx(three["hard_mi_ty"], abs=1e-9)
        assert one["four_cells_mi_xt"] > three["four_cells_mi_xt"] + 0.5
