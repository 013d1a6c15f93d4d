"""The figures of Amjad & Geiger 2019 against independent values, and every sentence of the paper about them."""

import math
from fractions import Fraction

import pytest
import torch
from tests.reference.theory import estimated, even_rows, figure_1_entropy, relu_network

from infotorch import LocalBatch, diagnose, ksg, pairwise_bounds, ross
from infotorch.estimators import discrete_entropy, infonce_known_channel
from infotorch.networks import Quantiser
from infotorch.objectives import QuantisedBottleneck, SoftDecisionInformation
from infotorch.theory.demonstration import in_bits
from infotorch.theory.figure1 import DATA, HALF_WIDTH, POINTS, figure_1, information, inputs
from infotorch.theory.figure2 import INTERVALS, LABELS, decision_error, figure_2, functions, output
from infotorch.theory.figure3 import THRESHOLDS, errors, figure_3, precisions, sum_below
from infotorch.theory.pieces import PiecewiseLinear

GRID = [n * 0.05 for n in range(21)]
FIGURE_1, FIGURE_2 = figure_1(), figure_2()


class TestFigure1:
    @pytest.mark.parametrize("name", ["a", "b"])
    def test_points_agree_with_the_network_in_exact_fractions(self, name):
        points = POINTS if name == "a" else tuple((at, 1 / len(DATA)) for at in DATA)
        weighted = [(Fraction(str(at)), mass) for at, mass in points]
        law = inputs()[name]
        for i in range(0, 21, 2):
            for j in range(21):
                twin = figure_1_entropy(weighted, Fraction(i, 20), Fraction(j, 20))
                assert information(law, i * 0.05, j * 0.05) == pytest.approx(twin, abs=1e-12)

    def test_intervals_cut_ever_finer_gain_information_just_where_it_is_infinite(self):
        law = inputs()["c"]

        def twin(a, b, parts):
            places = [Fraction(2 * n + 1 - parts, parts) * Fraction(str(HALF_WIDTH)) for n in range(parts)]
            weighted = [(Fraction(str(at)) + place, mass / parts) for at, mass in POINTS for place in places]
            return figure_1_entropy(weighted, a, b)

        infinite = 0
        for i in range(0, 21, 4):
            for j in range(0, 21, 2):
                coarse, fine = (twin(Fraction(i, 20), Fraction(j, 20), parts) for parts in (40, 80))
                value = information(law, i * 0.05, j * 0.05)
                infinite += math.isinf(value)
                if math.isinf(value):
                    assert fine > coarse + 0.01
                else:
                    assert value == pytest.approx(fine, abs=1e-9)
        assert 0 < infinite < 66

    def test_the_maps_are_piecewise_constant_and_the_third_has_infinite_cells(self):
        assert all(claim.holds for claim in FIGURE_1.claims)
        assert len(FIGURE_1.claims) == 3
        values = [[cell for row in figure.values for cell in row] for figure in FIGURE_1.figures]
        assert [sum(map(math.isinf, cells)) for cells in values] == [0, 0, FIGURE_1.metrics["c_infinite_cells"]]
        assert FIGURE_1.metrics["b_highest_bits"] == pytest.approx(math.log2(len(DATA)))

    def test_masses_of_intervals_are_those_of_points_and_finite_cells_agree(self):
        a, c = inputs()["a"], inputs()["c"]
        cells = [(information(a, x, y), information(c, x, y)) for x in GRID for y in GRID]
        # Where no interval lies between the borders, points and intervals are grouped alike.
        assert all(first == pytest.approx(second, abs=1e-12) for first, second in cells if math.isfinite(second))

    def test_the_data_set_agrees_with_the_estimator_on_the_network(self):
        thousandths = torch.tensor([round(1000 * at) for at in DATA])  # integers, as floats would split ties
        for a, b in ((100, 300), (300, 350), (600, 50), (0, 1000)):
            out = (thousandths - a).relu() - (thousandths - a - b).relu()
            assert float(discrete_entropy(out)) == pytest.approx(information(inputs()["b"], a / 1000, b / 1000))

    def test_diagnose_agrees_on_a_cell_of_either_kind(self):
        generator = torch.Generator().manual_seed(0)
        draw = torch.multinomial(torch.tensor([mass for _, mass in POINTS]), 600, replacement=True, generator=generator)
        x = torch.tensor([at for at, _ in POINTS])[draw] + HALF_WIDTH * (2 * torch.rand(600, generator=generator) - 1)
        for a, b, verdict in ((0.1, 0.3, "infinite"), (0.42, 0.1, "piecewise-constant")):
            network = relu_network(PiecewiseLinear([a, a + b], [0.0, b])).float()
            found = diagnose(network, (x[:, None], draw % 2), properties=False)
            assert math.isinf(information(inputs()["c"], a, b)) is (verdict == "infinite")
            assert found["2"].verdict == verdict

    @pytest.mark.parametrize("step", [0.0, -1.0, 2.0])
    def test_a_bad_step_is_refused(self, step):
        with pytest.raises(ValueError, match="figure_1: step must be"):
            figure_1(step=step)


class TestFigure2:
    bits = FIGURE_2.metrics

    def test_every_sentence_of_the_paper_holds(self):
        assert [claim.text for claim in FIGURE_2.claims if not claim.holds] == []
        assert len(FIGURE_2.claims) == 12

    def test_the_hard_rule_has_the_papers_values(self):
        for kind in ("disc", "cont"):
            assert self.bits[f"{kind}1_hard_mi_xt_bits"] == pytest.approx(1, abs=1e-12)
            assert self.bits[f"{kind}2_hard_mi_xt_bits"] == pytest.approx(1, abs=1e-12)
            assert self.bits[f"{kind}1_hard_mi_ty_bits"] == pytest.approx(self.bits["label_entropy_bits"], abs=1e-12)
            assert self.bits[f"{kind}2_hard_mi_ty_bits"] == pytest.approx(0, abs=1e-12)

    def test_the_soft_rule_by_hand(self):
        def h(p):
            return -p * math.log2(p) - (1 - p) * math.log2(1 - p)

        # E[L | Y = 0] is 1/4, 3/8 and 1/8.
        for name, p in (("cont1", 1 / 4), ("cont2", 3 / 8), ("cont3", 1 / 8)):
            assert self.bits[f"{name}_soft_mi_ty_bits"] == pytest.approx(1 - h(p), abs=1e-12)
        # L even on [0, 1]: the mean entropy of the coin is half a nat.
        assert self.bits["cont1_soft_mi_xt_bits"] == pytest.approx(1 - in_bits(0.5), abs=1e-12)
        assert self.bits["disc1_soft_mi_xt_bits"] == pytest.approx(1 - h(1 / 3) / 2, abs=1e-12)

    def test_noise_by_hand(self):
        h = 0.05
        # cont' and cont'' are even on [0, 1]; cont''' on two quarters that the noise does not join.
        assert self.bits["cont1_noisy_mi_xt_bits"] == pytest.approx(in_bits(h - math.log(2 * h)), abs=1e-12)
        assert self.bits["cont2_noisy_mi_xt_bits"] == pytest.approx(self.bits["cont1_noisy_mi_xt_bits"], abs=1e-12)
        assert self.bits["cont3_noisy_mi_xt_bits"] == pytest.approx(1 + in_bits(4 * h - math.log(8 * h)), abs=1e-12)
        # A border of two classes costs half a nat on a stretch of the noise's width; cont'' has three of them.
        assert self.bits["cont1_noisy_mi_ty_bits"] == pytest.approx(1 - in_bits(h), abs=1e-12)
        assert self.bits["cont2_noisy_mi_ty_bits"] == pytest.approx(1 - in_bits(3 * h), abs=1e-12)

    @pytest.mark.parametrize("noise", [0.001, 0.01, 0.05, 0.1, 0.12])
    def test_the_orderings_hold_for_every_little_noise(self, noise):
        assert all(claim.holds for claim in figure_2(noise=noise, input_noise=0.03).claims)

    def test_with_much_noise_they_need_not(self):
        [wrong] = [claim for claim in figure_2(noise=0.5).claims if not claim.holds]
        assert wrong.text.startswith("a little uniform noise: it prefers cont''' to cont'")

    @pytest.mark.parametrize("name", list(functions()))
    def test_the_estimators_that_serve_any_network_agree(self, name):
        law = output(functions()[name])
        exact = {
            "hard_mi_xt": law.cell_information([0.5]),
            "hard_mi_ty": law.cell_label_information([0.5]),
            "soft_mi_xt": law.soft_information(),
            "soft_mi_ty": law.soft_label_information(),
            "four_cells_mi_xt": law.cell_information([0.25, 0.5, 0.75]),
            "four_cells_mi_ty": law.cell_label_information([0.25, 0.5, 0.75]),
        }
        assert estimated(functions()[name]) == pytest.approx(exact, abs=1e-6)

    def test_the_objectives_have_the_same_terms_and_the_same_order(self):
        losses = {}
        for name in ("cont1", "cont2", "cont3"):
            x, y = even_rows(50)
            with torch.no_grad():
                out = relu_network(functions()[name])(x)
            quantised = QuantisedBottleneck(
                beta=0.1, compression=Quantiser(4, limits=(0.0, 1.0)), precision=Quantiser(2, limits=(0.0, 1.0))
            )
            batch = LocalBatch(x, x, out, y)
            quantised.build(batch, y)
            soft = SoftDecisionInformation(output="own")
            scores = LocalBatch(x, x, torch.cat([1 - out, out], dim=1).log(), y)
            soft.build(scores, y)
            losses[name] = quantised(batch), soft(scores)
            assert in_bits(float(losses[name][0].terms["mi_xt_nats"])) == pytest.approx(
                2.0 - (name == "cont3"), abs=1e-6
            )
            assert in_bits(float(losses[name][1].terms["mi_ty_nats"])) == pytest.approx(
                self.bits[f"{name}_soft_mi_ty_bits"], abs=1e-3
            )
        quantised_order = sorted(losses, key=lambda name: float(losses[name][0].total))
        soft_order = sorted(losses, key=lambda name: float(losses[name][1].total))
        assert quantised_order == soft_order == ["cont3", "cont1", "cont2"]

    def test_neighbours_on_drawn_rows_find_the_noisy_values(self):
        generator = torch.Generator().manual_seed(0)
        x, y = even_rows(500)
        noise = 0.05 * (2 * torch.rand(len(x), 1, generator=generator, dtype=torch.float64) - 1)
        for name in ("cont1", "cont2", "cont3"):
            with torch.no_grad():
                out = relu_network(functions()[name])(x)
            # Some four standard errors at n = 2000.
            assert ross(out + noise, y).bits == pytest.approx(self.bits[f"{name}_noisy_mi_ty_bits"], abs=0.06)
            assert ksg(out, out + noise).bits == pytest.approx(self.bits[f"{name}_noisy_mi_xt_bits"], abs=0.15)

    def test_gaussian_noise_orders_the_functions_alike(self):
        found = {}
        for name in ("cont1", "cont2", "cont3"):
            x, _ = even_rows(250)
            with torch.no_grad():
                out = relu_network(functions()[name])(x)
            told = infonce_known_channel(out, 0.03, generator=torch.Generator().manual_seed(0))
            lower, upper = pairwise_bounds(out, 0.03)
            assert float(lower) < float(told) < float(upper)
            found[name] = float(told)
        # One standard error is 0.02: compression prefers cont''', and cannot tell the others apart.
        assert found["cont1"] > found["cont3"] + 0.4
        assert found["cont1"] == pytest.approx(found["cont2"], abs=0.06)

    def test_wrong_decisions_agree_with_drawn_ones(self):
        generator = torch.Generator().manual_seed(0)
        count = 40_000
        draw = torch.rand(4, count, generator=generator, dtype=torch.float64)
        lows, highs = (torch.tensor(ends, dtype=torch.float64)[:, None] for ends in zip(*INTERVALS, strict=True))
        x = (lows + (highs - lows) * draw).flatten()
        y = torch.tensor(LABELS).repeat_interleave(count)
        for name, noise in (("disc1", 0.08), ("disc3", 0.03), ("disc3", 0.15), ("cont2", 0.02), ("disc2", 0.3)):
            moved = x + noise * (2 * torch.rand(len(x), generator=generator, dtype=torch.float64) - 1)
            with torch.no_grad():
                wrong = ((relu_network(functions()[name])(moved[:, None])[:, 0] > 0.5) != y.bool()).double().mean()
            assert decision_error(functions()[name], noise) == pytest.approx(float(wrong), abs=0.004)  # 3 s.e.

    def test_on_the_support_the_third_function_is_the_first(self):
        x, _ = even_rows(100)
        with torch.no_grad():
            first, third = (relu_network(functions()[name])(x) for name in ("disc1", "disc3"))
        torch.testing.assert_close(first, third, atol=1e-12, rtol=0)

    @pytest.mark.parametrize("name", ["noise", "input_noise"])
    def test_a_noise_must_be_positive(self, name):
        with pytest.raises(ValueError, match=f"figure_2: {name} must be positive"):
            figure_2(**{name: 0.0})


class TestFigure3:
    def test_the_functionals_are_equal_in_the_limit_alone(self):
        assert all(claim.holds for claim in figure_3(epsilon=0.0).claims)
        assert [claim.holds for claim in figure_3().claims] == [False, False, True, True]
        assert figure_3().metrics["first_mi_ty_bits"] == pytest.approx(1 - 0.01 / (2 * math.log(2)), abs=1e-12)

    def test_the_precision_agrees_with_counting_on_a_fine_grid(self):
        epsilon, count = 0.2, 400
        places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        zero = (places[:, None] / 2 + epsilon * places).flatten()
        one = (epsilon * places[:, None] + (1 + places) / 2).flatten()
        counts = torch.stack([torch.histc(values, 140, 0.0, 1.4) for values in (zero, one)])
        mass = counts / counts.sum() / 1.0
        given = torch.special.entr(mass / mass.sum(dim=0)).nansum(dim=0)
        told = math.log(2) - float((mass.sum(dim=0) * given).nansum())
        # Cells of 0.01 lose the slope of the densities inside them.
        assert precisions(epsilon)[0] == pytest.approx(told, abs=2e-3)

    @pytest.mark.parametrize(("epsilon", "noise"), [(0.0, 0.1), (0.01, 0.1), (0.1, 0.3), (0.2, 0.5)])
    def test_errors_agree_with_drawn_ones(self, epsilon, noise):
        generator = torch.Generator().manual_seed(1)
        n = 200_000
        u, v, s, t = torch.rand(4, n, generator=generator, dtype=torch.float64)
        y = torch.arange(n) % 2
        x1 = torch.where(y == 0, u / 2, epsilon * u) + noise * (2 * s - 1)
        x2 = torch.where(y == 0, epsilon * v, (1 + v) / 2) + noise * (2 * t - 1)
        drawn = [
            float(((out.relu() > threshold) != y.bool()).double().mean())
            for out, threshold in zip((x1 + x2, x2), THRESHOLDS, strict=True)
        ]
        assert errors(epsilon, noise) == pytest.approx(drawn, abs=0.004)  # over 3 s.e.

    def test_sums_of_even_numbers_by_hand(self):
        unit = (0.0, 1.0)
        assert sum_below([unit, unit, unit], 1.0) == pytest.approx(1 / 6)
        assert sum_below([unit, unit, unit], 1.5) == pytest.approx(1 / 2)
        assert sum_below([(-1.0, 1.0), (2.0, 4.0)], 3.0) == pytest.approx(1 / 2)
        assert [sum_below([unit], t) for t in (-1.0, 0.25, 2.0)] == [0.0, 0.25, 1.0]
        assert [sum_below([(1.0, 1.0)], t) for t in (0.9, 1.0)] == [0.0, 1.0]

    def test_the_second_decision_stands_noise_up_to_its_margin(self):
        assert errors(0.01, 0.12)[1] == 0.0
        assert errors(0.01, 0.13)[1] > 0.0
        assert errors(0.01, 0.01)[0] > errors(0.01, 0.0)[0] > 0.0

    @pytest.mark.parametrize("epsilon", [-0.1, 0.3, math.nan])
    def test_a_bad_width_is_refused(self, epsilon):
        with pytest.raises(ValueError, match="figure_3: epsilon must be from 0 to 1/4"):
            figure_3(epsilon=epsilon)

    def test_bad_kinds_are_refused(self):
        with pytest.raises(TypeError, match="figure_3: epsilon must be a number, got str"):
            figure_3(epsilon="0")
        with pytest.raises(ValueError, match="figure_3: noise must be positive"):
            figure_3(noise=0.0)
