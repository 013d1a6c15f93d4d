"""Numbers against numbers: several estimates of the same information, and how far each is believed.

Every one of them errs low where it errs: neighbours in many columns and at high values, Gaussianisation where
relations bend, a critic where it learns too little. A network that was trained on laws of known information weighs and
moves them. What it was not trained on (ties, many columns, few samples) is weighed by a soft maximum, as wide as the
chance of so many samples: where estimates agree their mean scatters least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from infotorch.estimators.amortised import (
    LEAST_SAMPLES,
    MOST_SAMPLES,
    Beside,
    middle,
    paired_with_levels,
    quantiles_of,
    raised_to,
    shuffled,
    trained_for,
    wide,
)
from infotorch.estimators.amortised_inputs import inputs_of
from infotorch.estimators.doubts import examined, unexamined
from infotorch.estimators.ensemble import ksg_ensemble
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.gaussianised import THIN, NotContinuous, enough_samples, gaussianised, independent_columns
from infotorch.estimators.kraskov import ksg
from infotorch.estimators.neural import neural_mi
from infotorch.estimators.normal_scores import TIED, scores_of, tied
from infotorch.estimators.shadows import copies, one_atom, told_by_functions
from infotorch.estimators.shortfall import SCATTER, SCATTER_OF_SEVERAL, neighbours_fall_short
from infotorch.numerics.checks import as_samples
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.symbols import multiplicity

Effort = Literal["fast", "default", "thorough"]

K = 3
_KS = (1, 2, 4, 8)
# With one column on each side KSG has next to no bias, and a weighted sum would only add variance.
_TWO_COLUMNS = 2
# Pixels and the like: to give each column the same weight would turn their smallest noise into the largest distances.
_MANY_COLUMNS = 40
# Columns beyond which rotations take longer than all else, and a critic, or neighbours alone, are left.
_MOST_COLUMNS = 100
_WITH_MARGINS, _WITHOUT_MARGINS = "Gaussianisation", "the same without margins"
_CRITIC = "a critic on held-out samples"
# What the network saw enough of: columns on a side, and nats. Beyond, and of more samples than it saw, a soft maximum
# of the same estimates errs less.
_COLUMNS_LEARNED, _NATS_LEARNED = 5, 4.0
# Width of the soft maximum, in nats times root n: chosen on `tuning_suite` and independent columns.
_WIDTH = 2.5
_NEIGHBOURS_OF_REST = 4
# A critic of fewer samples learns nothing, and of more takes longer than a minute.
_LEAST_FOR_CRITIC, _MOST_FOR_CRITIC = 100, 20_000
# As much, as a share of the value.
_ABOUT = 0.1
# A weight below this is not worth a word.
_LEAST_WEIGHT = 0.01
# What may be wrong beside chance: shares of how far the value lies above the second largest estimate and above the
# least (at most 1 nat of it), and in nats times root (n / columns) what agreement does not show. Chosen on
# `tuning_suite` (n = 500 and 3,000), independent columns and pairs of 5 nats.
_OF_SECOND, _OF_LEAST, _UNSEEN, _MOST_OF_LEAST = 0.7, 0.1, 0.2, 1.0
# The same of how far it lies above what half of the samples tell; from so many nats, and so many times root n, on it
# still grows. Set by hand on some drawn laws of 3 to 11 nats in 1 to 25 columns; `benchmarks/flags.py` measures more.
_OF_GROWTH, _GROWS, _GROWS_BY_CHANCE = 4.0, 0.06, 5.0
# Up to so many columns neighbours read what maps leave, and are believed alone.
_FEW_COLUMNS = 4
# The largest estimate is doubted where no other comes as near: in nats, and as a share of it.
_ALONE, _ALONE_SHARE = 0.2, 0.1
# A kurtosis that normal samples have once in 30,000 times, in standard errors.
_FLAT = -4.0


@dataclass(frozen=True)
class _Candidate:
    """An estimate, what it is in words, alone and in a list, and of maps what `gaussianised` found."""

    said: str
    short: str
    estimate: Estimate
    complete: bool | None = None
    thin: bool = False
    kurtosis: float = 0.0


def numbers_with_numbers(x: Tensor, y: Tensor, *, effort: Effort) -> Estimate:
    """The estimate for paired samples of numbers, any shapes, with what was tried and believed in `reason`."""
    x, y = (as_samples(v, where="mutual_information", name="x") for v in (x, y))
    copied = float((multiplicity(torch.cat([x, y], dim=1)) > 1).double().mean())
    columns = x.shape[1] + y.shape[1]
    few, many = len(x) <= max(_KS), columns > _MANY_COLUMNS
    a, b = (_of_length_one(x), _of_length_one(y)) if few or many else scores_of(x, y)
    mapped = effort != "fast" and copied <= TIED and columns <= _MOST_COLUMNS
    candidates = [_by_neighbours(a, b, few=few, many=many)]
    if mapped:
        candidates += _gaussianised(x, y)
    if effort == "thorough" and copied <= TIED and len(x) >= _LEAST_FOR_CRITIC and a.shape[1] and b.shape[1]:
        candidates.append(_by_critic(a, b))
    twice = f"; {copied:.0%} of the samples occur twice: if as copies of samples, the value is too high"
    found, growing = _weighed(candidates, columns), ""
    ties = tied(x) or tied(y)
    if effort != "fast" and _learned(a, b, float(found)) and not ties:
        found = _by_network(a, b, candidates)
    elif mapped and not many and columns > _TWO_COLUMNS and len(x) >= LEAST_SAMPLES:
        found, growing = _growing(found, *_half_of(x, y))
    found = replace(found, reason=found.reason + twice * (copied > TIED))

    found = examined(
        found,
        {},
        short=lambda: copies(x, y) or one_atom(x, y),
        instead_of_short="leave out copies",
        name="mutual_information",
    )
    if not found.reliable:
        return found
    return examined(
        found,
        {},
        short=lambda: (
            growing
            or _doubts(found, candidates, a, b)
            or told_by_functions(float(found), a, b)
            or (_beside_ties(x, y) if ties else "")
        ),
        name="mutual_information",
    )


def _by_neighbours(x: Tensor, y: Tensor, *, few: bool, many: bool) -> _Candidate:
    single = x.shape[1] + y.shape[1] == _TWO_COLUMNS
    with unexamined():
        if few:
            estimate = ksg(x, y, k=K, metric="euclidean")
        else:
            estimate = ksg(x, y, k=K) if single and not many else ksg_ensemble(x, y, ks=_KS)
    if few or many:
        return _Candidate("nearest neighbours, x and y each divided by its length", "nearest neighbours", estimate)
    several = "for several k, weighted so that their biases cancel, " * (not single)
    mapped = "after each column's ranks are mapped to a normal distribution, ties broken at random"
    return _Candidate(f"nearest neighbours {several}{mapped}", "nearest neighbours of ranks", estimate)


def _gaussianised(x: Tensor, y: Tensor) -> list[_Candidate]:
    """With margins made normal and as they are; of columns with ties, ranks alone."""
    if tied(x) or tied(y):
        ways = {"Gaussianisation of ranks, ties broken at random": (*scores_of(x, y), False)}
    else:
        ways = {_WITH_MARGINS: (x, y, True), _WITHOUT_MARGINS: (x, y, False)}
    found = []
    for said, (a, b, margins) in ways.items():
        a, b = independent_columns(a), independent_columns(b)
        if 0 in (a.shape[1], b.shape[1]) or not enough_samples(len(a), a.shape[1] + b.shape[1]):
            continue
        try:
            value = gaussianised(a, b, k=_NEIGHBOURS_OF_REST, margins=margins)
        except NotContinuous:  # neighbours say how much so many samples can tell
            continue
        estimate = Estimate(
            torch.tensor(value.value, dtype=torch.float64, device=x.device),
            side="none",
            n=len(x),
            estimator=f"gaussianised_mi k={_NEIGHBOURS_OF_REST} margins={margins}",
            error=lambda value=value: value.error,
        )
        found.append(_Candidate(said, said, estimate, value.complete, value.thin, value.kurtosis))
    return found


def _by_critic(x: Tensor, y: Tensor) -> _Candidate:
    generator = torch.Generator().manual_seed(derive_seed(0, "critic of mutual_information"))
    drawn = torch.randperm(len(x), generator=generator, device="cpu")[:_MOST_FOR_CRITIC].to(x.device)
    x, y = x[drawn], y[drawn]
    return _Candidate(_CRITIC, _CRITIC, neural_mi(x, y, generator=generator))


def _learned(x: Tensor, y: Tensor, value: float) -> bool:
    few = max(x.shape[1], y.shape[1]) <= _COLUMNS_LEARNED and value <= _NATS_LEARNED
    return few and len(x) <= MOST_SAMPLES and trained_for(len(x), x.shape[1], y.shape[1])


def _by_network(x: Tensor, y: Tensor, candidates: Sequence[_Candidate]) -> Estimate:
    """As a trained network weighs these and cheaper ones, and moves their mean."""
    by_name = {candidate.short: candidate for candidate in candidates}
    single = x.shape[1] + y.shape[1] == _TWO_COLUMNS
    with unexamined():
        neighbours = ksg_ensemble(x, y, ks=_KS) if single else candidates[0].estimate
    maps = [by_name.get(name) for name in (_WITH_MARGINS, _WITHOUT_MARGINS)]
    beside = Beside(
        np.array([float(neighbours), *(math.nan if own is None else float(own.estimate) for own in maps)]),
        np.concatenate([_about(own) for own in maps]),
    )
    quantiles = quantiles_of(inputs_of(*shuffled(x, y)), len(x), beside)
    if _CRITIC in by_name:  # a lower bound
        critic = by_name[_CRITIC].estimate
        quantiles = raised_to(quantiles, float(critic) - 2 * critic.std_error)
    told = ", ".join(f"{candidate.short} {float(candidate.estimate):.3g}" for candidate in candidates)
    first = candidates[0].estimate
    return Estimate(
        first.value.new_tensor(middle(quantiles)),
        side="none",
        n=first.n,
        estimator="+".join(dict.fromkeys(["amortised_mi", *(c.estimate.estimator.split()[0] for c in candidates)])),
        reason=f"a trained network weighs cheap estimates and these: {told}",
        quantiles=paired_with_levels(quantiles),
    )


def _about(own: _Candidate | None) -> np.ndarray:
    if own is None:
        return np.full(3, math.nan)
    return np.array([own.estimate.std_error, bool(own.complete), own.thin], float)


def _weighed(candidates: Sequence[_Candidate], columns: int) -> Estimate:
    values = torch.stack([candidate.estimate.value.double().cpu() for candidate in candidates])
    n = candidates[0].estimate.n
    width = _WIDTH / math.sqrt(n)
    weights = torch.softmax(torch.where(_needed(candidates, width), values, -math.inf) / width, dim=0)
    weights = torch.where(weights < _LEAST_WEIGHT, 0, weights)
    weights = weights / weights.sum()
    believed = [(c, w) for c, w in zip(candidates, weights.tolist(), strict=True) if w]
    if len(candidates) == 1:
        return replace(candidates[0].estimate, reason=candidates[0].said)
    told = ", ".join(
        f"{candidate.short} {float(candidate.estimate):.3g} ({weight:.0%})"
        for candidate, weight in zip(candidates, weights.tolist(), strict=True)
    )
    names = dict.fromkeys(c.estimate.estimator.split()[0] for c, _ in believed)
    first, value = candidates[0].estimate.value, (weights * values).sum()
    return Estimate(
        value.to(first.device, first.dtype),
        side="none",
        n=n,
        estimator="+".join(names),
        reason=f"a mean in which the larger weigh more: {told}",
        error=lambda: sum(weight * candidate.estimate.std_error for candidate, weight in believed),
        ceiling=max(candidate.estimate.ceiling for candidate, _ in believed),
        bias_std=_bias(float(value), values, columns / n),
    )


def _half_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """A random half, whatever the order of the samples."""
    order = np.lexsort(torch.cat([x, y], dim=1).T.cpu().numpy())
    drawn = np.random.default_rng(derive_seed(0, "half")).permutation(len(order))[: len(order) // 2]
    half = torch.from_numpy(order[drawn]).to(x.device)
    return x[half], y[half]


def _growing(found: Estimate, x: Tensor, y: Tensor) -> tuple[Estimate, str]:
    """With an interval that counts how much less half of the samples tell, and a doubt where that is much."""
    a, b = scores_of(x, y)
    if 0 in (a.shape[1], b.shape[1]):  # what varies does so in the other half alone
        return found, ""
    candidates = [_by_neighbours(a, b, few=False, many=False), *_gaussianised(x, y)]
    half = float(_weighed(candidates, x.shape[1] + y.shape[1]))
    growth = max(float(found) - half, 0.0)
    counted = replace(
        found,
        reason=f"{found.reason}; half of the samples tell {half:.3g}",
        bias_std=math.hypot(found.bias_std, _OF_GROWTH * growth),
    )
    grows = growth > max(_GROWS, _GROWS_BY_CHANCE / math.sqrt(found.n))
    return counted, f"twice the samples raise the value by {growth:.2g} nats: it still grows" * grows


def _needed(candidates: Sequence[_Candidate], width: float) -> Tensor:
    """Whether each is asked at all: neighbours are not where maps left nothing to them and tell about as much.

    Of high values neighbours for several k tell a little too much, and of all they scatter more.
    """
    told = [float(candidate.estimate) for candidate in candidates if candidate.complete]
    confirmed = bool(told) and float(candidates[0].estimate) - max(told) < max(width, _ABOUT * max(told))
    return torch.tensor([not confirmed] + [True] * (len(candidates) - 1), device="cpu")


def _bias(value: float, values: Tensor, columns_per_sample: float) -> float:
    ordered = values.sort(descending=True).values.tolist()
    above_second, above_least = max(value - ordered[1], 0.0), min(value - ordered[-1], _MOST_OF_LEAST)
    return math.hypot(_OF_SECOND * above_second, _OF_LEAST * above_least, _UNSEEN * math.sqrt(columns_per_sample))


def _doubts(found: Estimate, candidates: Sequence[_Candidate], x: Tensor, y: Tensor) -> str:
    """What speaks against the value; "" where nothing does."""
    columns = x.shape[1] + y.shape[1]
    leading = max(candidates, key=lambda candidate: float(candidate.estimate))
    if found.quantiles:
        return THIN if leading.thin else wide([value for _, value in found.quantiles])
    by_neighbours = leading is candidates[0]
    if by_neighbours and len(x) <= max(_KS):
        return "with so few samples the value is far too low"
    if by_neighbours and columns > _MANY_COLUMNS:
        return "in so many columns the value is far too low"
    if leading.thin:
        return THIN
    if leading.complete:
        near = [own for own in candidates if own.complete and float(leading.estimate) - float(own.estimate) < _ALONE]
        flat = columns > _FEW_COLUMNS and all(own.kurtosis < _FLAT for own in near)
        return f"in {columns} columns x and y are flatter than a normal law, and the value may be far too low" * flat
    values = sorted((float(candidate.estimate) for candidate in candidates), reverse=True)
    chance = 2 * _WIDTH / math.sqrt(len(x))
    apart = len(values) > 1 and values[0] - values[1] > max(_ALONE, _ALONE_SHARE * values[0], chance)
    if apart and (columns > _FEW_COLUMNS or not by_neighbours):
        return f"estimates disagree: one tells {values[0]:.2g} nats, the next {values[1]:.2g}"
    if leading.complete is False:
        many = columns > _FEW_COLUMNS
        return f"what no map made normal is left to neighbours, too little in {columns} columns" * many
    if not by_neighbours:
        return ""
    scatter = SCATTER if columns == _TWO_COLUMNS else SCATTER_OF_SEVERAL
    # What is believed a little beside neighbours has no ceiling; they do.
    return neighbours_fall_short(replace(found, ceiling=leading.estimate.ceiling), x, y, scatter=scatter)


def _beside_ties(x: Tensor, y: Tensor) -> str:
    """What speaks against what neighbours tell of the samples that are tied in no column; "" where that is nothing.

    Those of an atom may hide that the others follow from each other without noise.
    """
    alone = [multiplicity(column[:, None]) == 1 for column in torch.cat([x, y], dim=1).T]
    rest = torch.stack(alone).all(dim=0)
    if not LEAST_SAMPLES <= int(rest.sum()) < len(x):
        return ""
    a, b = scores_of(x[rest], y[rest])
    if 0 in (a.shape[1], b.shape[1]) or a.shape[1] + b.shape[1] > _MANY_COLUMNS:
        return ""
    candidate = _by_neighbours(a, b, few=False, many=False)
    return _doubts(candidate.estimate, [candidate], a, b)


def _of_length_one(rows: Tensor) -> Tensor:
    """Rows about their mean, divided by their root-mean-square length.

    Otherwise the longer of x and y alone would decide who is a neighbour. One factor for all columns keeps pixels that
    hardly vary small.
    """
    centered = rows / rows.abs().amax().clamp_min(torch.finfo(rows.dtype).tiny)
    centered = centered - centered.mean(dim=0)
    length = centered.square().sum(dim=1).mean().sqrt()
    return centered / torch.where(length > 0, length, 1)
