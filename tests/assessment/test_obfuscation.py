"""The check of attacks: in order where a gradient leads somewhere, and signs where it is hidden."""

import math

import pytest
import torch

from infotorch.assessment.attacks import fgsm, pgd, pgd_restarts
from infotorch.assessment.obfuscation import obfuscation_check
from infotorch.numerics.seeds import seed_streams


def points(n=400, seed=0):
    """Points of a square, and the class by their sum; the margin of a point is half the distance to the line."""
    x = 2 * torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    return x, (x.sum(dim=1) > 0).long()


def line(x):
    return torch.stack([-x.sum(dim=1), x.sum(dim=1)], dim=1)


def steps_of_stairs(x):
    """The same decisions by a sum in steps: no gradient anywhere."""
    told = (20 * x.sum(dim=1)).floor() + 0.5
    return torch.stack([-told, told], dim=1)


def waves(x):
    """The same decisions, and a gradient that turns every 0.02: one step, or the nearest slope, leads astray."""
    told = x.sum(dim=1)
    wave = told + 0.6 * told.abs() * torch.sin(300 * told)
    return torch.stack([-wave, wave], dim=1)


def check(scores, surrogate=line, radius=0.2, **settings):
    x, y = points()
    found = obfuscation_check(scores, surrogate, x, y, {radius: radius}, streams=seed_streams(0), **settings)
    return {name.replace(f"_{radius:g}", ""): number for name, number in found.items()}


def truth(radius=0.2):
    """The share of points further from the line than the attack can go."""
    x, _ = points()
    return float((x.sum(dim=1).abs() > 2 * radius).double().mean())


def test_of_a_line_all_attacks_find_the_worst_point_and_there_is_no_sign():
    assert check(line) == {
        "pgd_restarts_accuracy": truth(),
        "pgd_transfer_accuracy": truth(),
        "obfuscation_signs": 0.0,
    }


def test_where_no_gradient_is_another_networks_attack_does_more_and_that_is_a_sign():
    found = check(steps_of_stairs)
    assert found["pgd_restarts_accuracy"] > truth() + 0.1
    assert found["pgd_transfer_accuracy"] == pytest.approx(truth(), abs=0.01)
    assert found["obfuscation_signs"] >= 1


def test_where_the_gradient_turns_the_surrogate_is_the_stronger_attack():
    found = check(waves, strong_steps=10, restarts=1)
    assert found["pgd_transfer_accuracy"] == pytest.approx(truth(), abs=0.02)
    assert found["pgd_restarts_accuracy"] > found["pgd_transfer_accuracy"] + 0.05
    assert found["obfuscation_signs"] >= 1


def test_a_robust_network_is_no_hidden_one():
    # Nothing within the radius reaches the line: attacks leave all right, and there is nothing to compare.
    assert check(line, radius=1e-9) == {
        "pgd_restarts_accuracy": 1.0,
        "pgd_transfer_accuracy": 1.0,
        "obfuscation_signs": 0.0,
    }


def test_a_few_samples_apart_are_chance():
    # Decisions that differ from draw to draw, whatever the attack.
    generator = torch.Generator().manual_seed(0)

    def noisy(x):
        return line(x) * torch.where(torch.rand(len(x), generator=generator) < 0.05, -1.0, 1.0)[:, None]

    assert check(noisy)["obfuscation_signs"] <= 1


class TestRestarts:
    def attack(self, scores, radius=0.3, seed=0, **settings):
        x, y = points()
        found = pgd_restarts(scores, x, y, radius, generator=torch.Generator().manual_seed(seed), **settings)
        return x, y, found

    def test_it_stays_within_the_radius_and_the_range(self):
        x, _, found = self.attack(waves, limits=(-1.0, 1.0), steps=7)
        assert float((found - x).abs().max()) <= 0.3 + 1e-12
        assert float(found.abs().max()) <= 1

    def test_more_starts_never_do_less_harm(self):
        def margin(restarts):
            _, y, found = self.attack(waves, restarts=restarts, steps=5)
            scores = waves(found)
            return scores.gather(1, 1 - y[:, None]) - scores.gather(1, y[:, None])

        one, five = margin(1), margin(5)
        assert bool((five >= one - 1e-12).all())
        assert float((five > 0).double().mean()) > float((one > 0).double().mean())

    def test_random_starts_get_out_of_a_flat_place(self):
        # Around every sample the scores are flat for 0.1: the gradient at the sample itself is 0.
        x, y = points()

        def flat(moved):
            away = (moved - x[: len(moved)]).abs().amax(dim=1) > 0.05
            return torch.where(away[:, None], line(moved), line(x[: len(moved)]).detach())

        x, y = x[:50], y[:50]
        assert torch.equal(pgd(flat, x, y, 0.3), x)
        found = pgd_restarts(flat, x, y, 0.3, generator=torch.Generator().manual_seed(0), restarts=1)
        assert not torch.equal(found, x)

    def test_a_generator_decides_and_the_callers_samples_stay(self):
        x, _, first = self.attack(waves, steps=3)
        assert torch.equal(first, self.attack(waves, steps=3)[2])
        assert not torch.equal(first, self.attack(waves, steps=3, seed=1)[2])
        assert torch.equal(x, points()[0])

    def test_what_cannot_be_is_refused(self):
        x, y = points(4)
        generator = torch.Generator()
        with pytest.raises(ValueError, match="pgd_restarts: radius must be at least 0 and finite, got nan"):
            pgd_restarts(line, x, y, math.nan, generator=generator)
        with pytest.raises(ValueError, match="pgd_restarts: restarts must be at least 1, got 0"):
            pgd_restarts(line, x, y, 0.1, generator=generator, restarts=0)
        with pytest.raises(TypeError, match=r"pgd_restarts: steps must be an integer, got 2\.5"):
            pgd_restarts(line, x, y, 0.1, generator=generator, steps=2.5)


def test_a_start_of_ones_own():
    x, y = points(20)
    assert torch.equal(pgd(line, x, y, 0.2, start=x), pgd(line, x, y, 0.2))
    start = x + 0.1
    moved = pgd(line, x, y, 0.2, steps=1, start=start)
    torch.testing.assert_close(moved, torch.minimum(torch.maximum(fgsm(line, start, y, 0.5), x - 0.2), x + 0.2))
