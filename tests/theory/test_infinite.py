import json
import math
from functools import cache, partial

import pytest
import torch

from infotorch.distributions.maps import Spiral
from infotorch.figures.demonstration import Curves, Heat
from infotorch.theory.demonstration import Claim, Demonstrated, in_bits, shown
from infotorch.theory.infinite import NEURONS, bars, bijection, neuron, noise_to_zero, saturation

to_zero = cache(noise_to_zero)
saturated = cache(partial(saturation, doublings=4))
turned = cache(partial(bijection, num_samples=1000))


class TestNoiseToZero:
    def test_every_claim_holds(self):
        assert [claim.text for claim in to_zero().claims if not claim.holds] == []

    def test_small_noise_by_hand(self):
        # Beside the noise's reach of its borders L has its own density: h(L) - log 2h, plus what the borders add.
        h = 2.0**-20
        leaky = -(math.log(10) / 2 + math.log(1) / 2)  # densities 10 and 1, of half the mass each
        assert NEURONS["leaky ReLU"].noisy_information(h) == pytest.approx(leaky - math.log(2 * h), abs=1e-4)
        # Half the mass is told whether it is at 0, the other half is even on [0, 1/2].
        assert NEURONS["ReLU"].noisy_information(h) == pytest.approx(
            math.log(2) + (math.log(0.5) - math.log(2 * h)) / 2, abs=1e-4
        )
        assert NEURONS["step"].noisy_information(h) == pytest.approx(math.log(2), abs=1e-12)

    def test_the_slope_is_the_information_dimension(self):
        slopes = [to_zero().metrics[f"{name}_bits_a_halving"] for name in ("leaky_relu", "relu", "step")]
        assert slopes == pytest.approx([1.0, 0.5, 0.0], abs=1e-4)

    def test_the_pieces_are_what_the_activations_make_of_x(self):
        x = torch.linspace(0, 1, 2001, dtype=torch.float64) - 0.5
        outs = {"leaky ReLU": torch.nn.functional.leaky_relu(x, 0.1), "ReLU": x.relu(), "step": (x > 0).double()}
        for name, out in outs.items():
            low, high = NEURONS[name].pieces
            assert (low.low, high.high) == pytest.approx((float(out.min()), float(out.max())))
            assert float((out <= low.high).double().mean()) == pytest.approx(low.mass, abs=1e-3)

    @pytest.mark.parametrize("halvings", [15, 41])
    def test_too_few_or_too_many_halvings_are_refused(self, halvings):
        with pytest.raises(ValueError, match=f"noise_to_zero: halvings must be from 16 to 40, got {halvings}"):
            noise_to_zero(halvings=halvings)


class TestSaturation:
    def test_every_claim_holds(self):
        assert [claim.text for claim in saturated().claims if not claim.holds] == []

    def test_what_saturates_stands_at_log_n_and_what_does_not_is_far_below(self):
        found = saturated().metrics
        assert found["log_n_bits"] == pytest.approx(math.log2(800))
        for name in ("plug_in", "binned", "tiny_noise"):
            assert found[f"{name}_bits"] == pytest.approx(found["log_n_bits"], abs=0.01)
        assert found["useful_noise_bits"] < 0.3 * found["log_n_bits"]

    def test_the_useful_value_is_that_of_a_fine_grid(self):
        # The pairwise bound for X even on [0, 1], by quadrature in place of drawn rows.
        rows = neuron((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000)
        noise = 0.3 * float(rows.std())
        kernel = (-((rows[:, None] - rows) ** 2) / (2 * noise**2)).exp().mean(dim=1)
        assert saturated().metrics["useful_noise_bits"] == pytest.approx(in_bits(float(-kernel.log().mean())), abs=0.05)

    def test_it_is_the_same_each_time_and_draws_nothing_from_the_caller(self):
        state = torch.get_rng_state()
        assert saturation(doublings=2).metrics == saturation(doublings=2).metrics
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("doublings", [1, 8])
    def test_another_number_of_doublings_is_refused(self, doublings):
        with pytest.raises(ValueError, match=f"saturation: doublings must be from 2 to 7, got {doublings}"):
            saturation(doublings=doublings)


class TestBijection:
    def test_the_claims_on_decisions_and_robustness_hold(self):
        assert [claim.text for claim in turned().claims if not claim.holds] == []

    def test_the_map_can_be_undone_and_keeps_every_volume(self):
        x, _ = bars(200, torch.Generator().manual_seed(3))
        torch.testing.assert_close(Spiral(-3.0)(Spiral(3.0)(x)), x)
        jacobian = torch.func.vmap(torch.func.jacrev(lambda row: Spiral(3.0)(row[None])[0]))(x)
        torch.testing.assert_close(torch.linalg.det(jacobian), torch.ones(200, dtype=torch.float64))

    def test_the_bars_are_told_apart_by_a_line(self):
        x, y = bars(500, torch.Generator().manual_seed(0))
        assert torch.equal((x[:, 1] > 0).long(), y)
        assert float(x[:, 1].abs().min()) >= 0.1
        assert turned().metrics["before_class_distance"] >= 0.2 > turned().metrics["after_class_distance"]

    def test_bad_settings_are_refused(self):
        with pytest.raises(ValueError, match="bijection: num_samples must be at least 100, got 99"):
            bijection(num_samples=99)
        with pytest.raises(ValueError, match="bijection: speed must be positive"):
            bijection(speed=0.0)


def test_what_is_infinite_is_null_in_json():
    heat = Heat("map", "a", "b", "bits", [0.0], [0.0, 1.0], [[math.inf], [1.0]])
    curves = Curves("lines", "x", "y", {"L": ([1.0], [2.0])})
    found = Demonstrated({"x_bits": 1.0}, [Claim("c", "Sec. 1", "f", True), Claim("d", "", "", False)], [heat, curves])
    assert found.counted() == {"claims_that_hold": 1.0, "x_bits": 1.0}
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [figure["kind"] for figure in content["figures"]] == ["heat", "curves"]
    assert content["figures"][0]["values"] == [[None], [1.0]]
    assert content["figures"][1]["lines"] == {"L": [[1.0], [2.0]]}
    assert content["claims"][0] == {"text": "c", "place": "Sec. 1", "found": "f", "holds": True}


def test_bits_are_shown_without_needless_digits():
    assert shown(-1e-17) == "0 bits"
    assert shown(2.0, math.inf) == "2 and ∞ bits"
