"""Units and scales: every estimator, law and scaling. What changes with them says so; no error bar says certain.

A trial draws a law with a known answer, measures it, gives its columns other units and measures again. The value must
be the same, or `reason` must speak of units or scales; of a plain tensor a warning must, where the factors lie more
than five times apart. Where the answer is Shannon's, an error of next to nothing beside a wrong value fails too.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import infotorch
from campaign.part import Part
from infotorch import estimators
from infotorch.distributions import CorrelatedGaussian, LabelledClusters, StudentT

FACTORS = (1e-6, 1e-3, 0.1, 1 / 3, 3.0, 10.0, 1e3, 1e6)
_SAME = 1e-6
# An error below, of a value that is further than this from the answer, says certain.
_CERTAIN, _WRONG = 1e-6, 0.02
# Factors of a plain tensor's columns nearer to each other are told by the documentation alone; scales of samples
# lie a little nearer or farther than their factors.
_TOLD_BEYOND = 6.0


@dataclass(frozen=True)
class Law:
    """Samples and, for what measures Shannon's information, the answer in nats."""

    draw: Callable[[torch.Generator], tuple[Tensor, ...]]
    truth: float | None


@dataclass(frozen=True)
class Measured:
    """An estimator with its settings, and the laws for which it is made.

    Args:
        call: takes the law's samples.
        laws: their names.
        fixed: arguments that have no units.
        adds_logs: whether a factor of a column adds its log (entropies of densities).
        shannon: whether its answer is the law's.
        seeded: whether it takes a generator.
    """

    call: Callable[..., Any]
    laws: tuple[str, ...]
    fixed: tuple[int, ...] = ()
    adds_logs: bool = False
    shannon: bool = True
    seeded: bool = False


def laws(n: int) -> dict[str, Law]:
    """All with n samples."""
    one, two = CorrelatedGaussian(0.7), CorrelatedGaussian.sparse(2, 1, correlations=(0.7,))
    heavy, clusters = StudentT(0.7, dof=1), LabelledClusters([[-1.5, 0.0], [1.5, 0.0]], noise_std=1.0)

    def of(law: Any) -> Law:
        return Law(lambda generator: law.sample(n, generator), law.mutual_information())

    def given(generator: torch.Generator) -> tuple[Tensor, ...]:
        x, y = one.sample(n, generator)
        z = torch.randn(n, 1, generator=generator, dtype=torch.float64)
        return x + z, y, z

    def alone(generator: torch.Generator) -> tuple[Tensor, ...]:
        return (two.sample(n, generator)[0],)

    return {
        "normal 1x1": of(one),
        "normal 2x1": of(two),
        "student 1x1": of(heavy),
        "clusters": of(clusters),
        "given z": Law(given, one.mutual_information()),
        "alone": Law(alone, math.log(2 * math.pi * math.e)),
    }


_NUMBERS = ("normal 1x1", "normal 2x1", "student 1x1")
_GAUSSIAN = ("normal 1x1", "normal 2x1")
_RELATIVE = {"kernel": "exp(-d2/2s2)"}

MEASURED = {
    "mutual_information": Measured(infotorch.mutual_information, _NUMBERS),
    "mutual_information, labels": Measured(infotorch.mutual_information, ("clusters",), fixed=(1,)),
    "ksg": Measured(infotorch.ksg, _NUMBERS),
    "ksg variant 2": Measured(partial(infotorch.ksg, variant=2), _NUMBERS),
    "ksg euclidean": Measured(partial(infotorch.ksg, metric="euclidean"), _NUMBERS),
    "ksg_ensemble": Measured(estimators.ksg_ensemble, _NUMBERS),
    "gaussianised_mi": Measured(estimators.gaussianised_mi, _NUMBERS),
    "amortised_mi": Measured(estimators.amortised_mi, _NUMBERS),
    "mixed_ksg": Measured(infotorch.mixed_ksg, _NUMBERS),
    "mixed_ksg, labels": Measured(infotorch.mixed_ksg, ("clusters",), fixed=(1,)),
    "ross": Measured(infotorch.ross, ("clusters",), fixed=(1,)),
    "kozachenko_leonenko_entropy": Measured(estimators.kozachenko_leonenko_entropy, ("alone",), adds_logs=True),
    "conditional_ksg": Measured(estimators.conditional_ksg, ("given z",)),
    "conditional_mixed_ksg": Measured(estimators.conditional_mixed_ksg, ("given z",)),
    "conditional_gaussian_mi": Measured(estimators.conditional_gaussian_mi, ("given z",)),
    "gaussian_mi": Measured(infotorch.gaussian_mi, _GAUSSIAN),
    "gaussian_mi_cca": Measured(estimators.gaussian_mi_cca, _GAUSSIAN),
    "gaussian_copula_mi": Measured(estimators.gaussian_copula_mi, _GAUSSIAN),
    "canonical_correlations": Measured(lambda x, y: estimators.canonical_correlations(x, y)[0], _NUMBERS),
    "binned_mi num_bins": Measured(partial(infotorch.binned_mi, num_bins=5), _NUMBERS, shannon=False),
    "binned_mi num_quantiles": Measured(partial(infotorch.binned_mi, num_quantiles=5), _NUMBERS, shannon=False),
    "binned_mi bin_width": Measured(partial(infotorch.binned_mi, bin_width=0.5), _NUMBERS, shannon=False),
    "binned_mi edges": Measured(partial(infotorch.binned_mi, edges=[-1.0, 0.2, 1.0]), _NUMBERS, shannon=False),
    "neural_mi": Measured(
        partial(infotorch.neural_mi, hidden=(8,), max_steps=20), ("normal 2x1",), shannon=False, seeded=True
    ),
    "renyi_entropy": Measured(infotorch.renyi_entropy, ("alone",), shannon=False),
    "renyi_entropy relative": Measured(partial(infotorch.renyi_entropy, **_RELATIVE), ("alone",), shannon=False),
    "renyi_mi": Measured(infotorch.renyi_mi, _NUMBERS, shannon=False),
    "renyi_mi relative": Measured(partial(infotorch.renyi_mi, **_RELATIVE), _NUMBERS, shannon=False),
    "renyi_joint_entropy": Measured(estimators.renyi_joint_entropy, _NUMBERS, shannon=False),
    "renyi_total_correlation": Measured(estimators.renyi_total_correlation, ("given z",), shannon=False),
    "renyi_multivariate_mi": Measured(
        lambda x, y: estimators.renyi_multivariate_mi([x], y), ("normal 2x1",), shannon=False
    ),
    "renyi_entropy_randomised": Measured(estimators.renyi_entropy_randomised, ("alone",), shannon=False, seeded=True),
    "renyi_mi_randomised": Measured(estimators.renyi_mi_randomised, ("normal 2x1",), shannon=False, seeded=True),
    "hsic": Measured(infotorch.hsic, _NUMBERS, shannon=False),
    "cka": Measured(infotorch.cka, _NUMBERS, shannon=False),
    "cka rbf": Measured(partial(infotorch.cka, kernel="rbf"), _NUMBERS, shannon=False),
}


def scalings(
    samples: tuple[Tensor, ...], fixed: tuple[int, ...], generator: torch.Generator
) -> Iterator[tuple[str, list[Tensor]]]:
    """(what was done, the factors of each argument's columns): one argument, one column, all together, at random."""
    free = [i for i in range(len(samples)) if i not in fixed]
    ones = [torch.ones(rows.reshape(len(rows), -1).shape[1], dtype=torch.float64) for rows in samples]
    for factor in FACTORS:
        for chosen in [*([i] for i in free), *([free] if len(free) > 1 else [])]:
            names = "all" if len(chosen) > 1 else f"argument {chosen[0]}"
            yield f"{names} x {factor:g}", [own * factor if i in chosen else own for i, own in enumerate(ones)]
        widest = max(free, key=lambda i: len(ones[i]))
        if len(ones[widest]) > 1:
            single = [own.clone() for own in ones]
            single[widest][-1] = factor
            yield f"a column of argument {widest} x {factor:g}", single
    drawn = [10 ** (6 * torch.rand(len(own), generator=generator, dtype=torch.float64) - 3) for own in ones]
    yield "every column by its own factor", [own if i in free else ones[i] for i, own in enumerate(drawn)]


def measured(what: Measured, samples: tuple[Tensor, ...]) -> tuple[float, float, str]:
    """(value, standard error, what was said of it): `reason` and warnings; the error of a plain tensor is NaN."""
    more = {"generator": torch.Generator().manual_seed(0)} if what.seeded else {}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = what.call(*samples, **more)
    said = " ".join(str(warning.message) for warning in told)
    if isinstance(found, Tensor):
        return float(found), math.nan, said
    return float(found), found.std_error if what.shannon else math.nan, f"{found.reason} {said}"


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Every estimator with every law; `scale` is the share of the scalings of each that is tried."""
    part, known = Part(), laws(300)
    chance = torch.Generator().manual_seed(seed)
    for name, what in MEASURED.items():
        for law_name in what.laws:
            law = known[law_name]
            samples = tuple(law.draw(torch.Generator().manual_seed(seed)))
            value, error, _ = measured(what, samples)
            _check_error(part, f"{name}, {law_name}", what, law, value, error)
            for done, factors in scalings(samples, what.fixed, chance):
                if float(torch.rand((), generator=chance)) < scale:
                    trial = f"{name}, {law_name}, {done} (seed {seed})"
                    _try(part, trial, what, law, samples, factors, value)
    part.figures["estimators"] = len(MEASURED)
    return part


def _try(
    part: Part,
    trial: str,
    what: Measured,
    law: Law,
    samples: tuple[Tensor, ...],
    factors: list[Tensor],
    value: float,
) -> None:
    scaled = tuple(
        rows if i in what.fixed else rows.reshape(len(rows), -1) * own
        for i, (rows, own) in enumerate(zip(samples, factors, strict=True))
    )
    try:
        found, error, said = measured(what, scaled)
    except ValueError as refused:
        part.count("refused")
        part.check("vary" in str(refused) or "constant" in str(refused), f"{trial}: {refused}")
        return
    logs = sum(float(own.log().sum()) for own in factors) if what.adds_logs else 0.0
    same = abs(found - logs - value) <= _SAME * max(1.0, abs(value))
    part.count("the same value" if same else "another value")
    apart = max(float(own.max() / own.min()) for own in factors)
    plain = not said and apart < _TOLD_BEYOND
    speaks = plain or any(word in said for word in ("unit", "scale", "log"))
    part.check(same or speaks, f"{trial}: {value:.6g} became {found:.6g} and nothing says so: {said!r}")
    expected = Law(law.draw, None if law.truth is None else law.truth + logs)
    _check_error(part, trial, what, expected, found, error)


def _check_error(part: Part, trial: str, what: Measured, law: Law, value: float, error: float) -> None:
    if not what.shannon or law.truth is None or math.isnan(error):
        return
    part.count("an error bar of a known answer")
    wrong = abs(value - law.truth) > _WRONG
    part.check(not wrong or error > _CERTAIN, f"{trial}: {value:.6g} ± {error:.2g} of {law.truth:.3g}")
