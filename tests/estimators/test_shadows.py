import math
import warnings

import pytest
import torch

from infotorch import mutual_information
from infotorch.distributions import CorrelatedGaussian, high_information_suite, suite, tuning_suite
from infotorch.estimators.normal_scores import scores_of
from infotorch.estimators.shadows import _by_lengths, _by_nearest, copies, told_by_functions
from infotorch.estimators.weighed import Effort

EFFORTS: tuple[Effort, ...] = ("fast", "default", "thorough")


def noise(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def measured(x, y, effort: Effort = "default"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mutual_information(x, y, effort=effort)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_copies_of_samples_are_no_confident_information(effort, columns, share):
    """Of independent columns, 0 nats: of all twice and of a tenth twice, 0.68 and 1.3 nats were told without doubt."""
    x, y = noise(500, columns), noise(500, columns, seed=1)
    again = int(share * 500)
    found = measured(torch.cat([x, x[:again]]), torch.cat([y, y[:again]]), effort)
    assert not found.reliable
    assert "copies of samples" in found.reason


def test_copies_of_samples_with_labels_are_no_confident_information():
    x, labels = noise(200, 2), torch.arange(200) % 3
    with pytest.warns(UserWarning, match="may be copies of samples; leave out copies"):
        found = mutual_information(x.repeat(2, 1), labels.repeat(2))
    assert float(found) > 0.2  # of 0
    assert not found.reliable


def test_rounding_atoms_and_labels_that_follow_are_no_copies():
    x, y = (rows[:, 0] for rows in CorrelatedGaussian(0.8).sample(1000, torch.Generator().manual_seed(0)))
    rare = [torch.where(noise(1000, seed=seed) < 1.28, 0.0, noise(1000, seed=seed + 1)) for seed in (2, 4)]
    for a, b in ((x.round(decimals=1), y.round(decimals=1)), (x.relu(), y), (x.relu(), y.relu()), rare):
        found = measured(a, b)
        assert found.reliable, found.reason
    rounded = x.round(decimals=1)
    for labels in ((rounded > 0).long(), (y > 0).long()):
        assert measured(rounded, labels).reliable
    assert copies(noise(100, 1), noise(100, 1, seed=1)) == ""


def test_an_atom_that_several_columns_share_is_no_confident_information():
    """0.61 nats are those of the atom; 0.69 to 0.84 were told of three columns each, ± 0.08."""
    atom = torch.rand(1000, 1, generator=torch.Generator().manual_seed(2)) < 0.3
    x, y = (torch.where(atom, 0.0, noise(1000, 3, seed=seed)) for seed in (0, 1))
    found = measured(x, y)
    assert not found.reliable
    assert "32% of the samples are the same in all 6 columns" in found.reason
    single = measured(x[:, 0], y[:, 0])
    assert single.reliable
    assert float(single) == pytest.approx(0.61, abs=0.1)


@pytest.mark.parametrize(("effort", "n"), [("fast", 1000), ("default", 600)])
def test_functions_without_noise_that_no_estimate_reads_are_doubted(effort, n):
    x, several = noise(n), noise(n, 10)
    for a, b in ((x, (30 * x).sin()), ((30 * x).sin(), x), (several, several.norm(dim=1)), (x.relu(), x.relu())):
        assert not measured(a, b, effort).reliable


def test_what_functions_tell_is_a_lower_bound():
    """And no value that is near the truth is doubted."""
    for laws, n in ((suite(), 300), (tuning_suite(), 1000)):
        for name, law in laws.items():
            truth = law.mutual_information()
            x, y = scores_of(*law.sample(n, torch.Generator().manual_seed(1)))
            for bound in (_by_nearest(x, y), _by_nearest(y, x), _by_lengths(x, y)):
                assert bound < truth + 0.05, name
            assert told_by_functions(truth - 0.1, x, y) == "", name


@pytest.mark.parametrize("family", ["normal", "wiggly", "heavy-tailed", "uniform plus normal", "log-gamma"])
@pytest.mark.parametrize("nats", [3.0, 5.0])
def test_much_information_is_no_function_without_noise(family, nats):
    law = high_information_suite(nats)[f"{family} 1+0"]
    x, y = scores_of(*law.sample(10_000, torch.Generator().manual_seed(1)))
    for bound in (_by_nearest(x, y), _by_nearest(y, x), _by_lengths(x, y)):
        assert bound < nats + 0.05


def test_the_bound_of_nearest_samples_is_that_of_ranks_with_uniform_noise():
    """U and U + E, E uniform on (-w / 2, w / 2) and w small: differences of two such have entropy 1/2 + log w."""
    n, w = 20_000, 0.02
    generator = torch.Generator().manual_seed(0)
    u, e = torch.rand(2, n, 1, dtype=torch.float64, generator=generator)
    bound = _by_nearest(u, (u + w * e) % 1)
    # Differences beyond the ends are far ones: 1 % of them, about 0.06 nats.
    assert bound == pytest.approx(-0.5 - math.log(w), abs=0.08)


def test_the_bound_of_lengths_is_that_of_their_correlation():
    """Radii of a plane that are one function of the other but for normal noise: -log(1 - rho^2) / 2 of their scores."""
    n, rho = 50_000, 0.9
    z, e, turns = noise(n), noise(n, seed=1), 6.283185 * torch.rand(2, n, generator=torch.Generator().manual_seed(2))
    sides = []
    for radius, turn in zip((z, rho * z + math.sqrt(1 - rho**2) * e), turns, strict=True):
        sides.append(radius.exp()[:, None] * torch.stack([turn.cos(), turn.sin()], dim=1))
    assert _by_lengths(*sides) == pytest.approx(-0.5 * math.log1p(-(rho**2)), abs=0.08)  # less three standard errors
