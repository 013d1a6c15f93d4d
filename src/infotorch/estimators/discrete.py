"""Discrete variables: entropy and mutual information from counts of symbols."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import torch
from torch import Tensor

from infotorch.estimators.doubts import examined
from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.numerics.checks import check_choice, check_paired
from infotorch.numerics.symbols import as_symbols, symbols
from infotorch.numerics.typing import ArrayLike

Correction = Literal["miller-madow"]

# Pairs of halves that tell whether a value still falls; beyond so many samples one pair tells it.
_SPLITS, _FEW_SAMPLES = 4, 100_000
# Samples whose halves hold two at least; of one sample every value is 0.
_HALVED = 4
# In so many standard errors: values of independent symbols that are sampled well seldom fall as far by chance, and
# those whose interval leaves out the truth because of bias do (tests/estimators/test_discrete.py).
_FALLS = 1.5


def discrete_entropy(a: ArrayLike, *, correction: Correction | None = None) -> Estimate:
    """Entropy of discrete a, in nats, from the frequencies of its symbols.

    Args:
        a: integers or booleans, shape (n,) or (n, ...); the columns of a sample are one symbol.
        correction: None is the plug-in value, biased low by about (symbols - 1) / (2n); "miller-madow" adds that.

    Returns:
        At least 0; the plug-in is at most log n. Standard error by the delta method.

    Raises:
        ValueError: no rows, or an unknown correction.
        TypeError: a is not made of integers.

    Source: Miller 1955, "Note on the bias of information estimates"; Paninski 2003, doi:10.1162/089976603321780272.

    Example:
        >>> round(discrete_entropy([0, 1, 2, 3]).bits, 6)
        2.0
    """
    codes = as_symbols(a, where="discrete_entropy", name="a")
    _check_correction(correction, where="discrete_entropy")
    return _estimate(-_log_frequency(codes), _missed(correction, codes), f"discrete_entropy {correction or 'plug-in'}")


def discrete_mi(a: ArrayLike, b: ArrayLike, *, correction: Correction | None = None) -> Estimate:
    """Mutual information of discrete a and b, in nats, from the frequencies of their symbols and pairs of symbols.

    Args:
        a: integers or booleans, shape (n,) or (n, ...); the columns of a sample are one symbol.
        b: the same number of samples.
        correction: None is the plug-in value, biased high by about (pairs - symbols of a - symbols of b + 1) / (2n);
            "miller-madow" subtracts that, counting the pairs and symbols that occur.

    Returns:
        The plug-in value is at least 0 and at most log n, which it reaches when no symbol occurs twice: then it says
        nothing. Corrected values may be negative. 0 when a or b is constant. Standard error by the delta method; it is
        0 to first order for independent variables.

    Raises:
        ValueError: samples not paired, no rows, or an unknown correction.
        TypeError: a or b is not made of integers.

    Source: Miller 1955, "Note on the bias of information estimates"; Paninski 2003, doi:10.1162/089976603321780272.

    Example:
        >>> round(discrete_mi([0, 0, 1, 1], [5, 5, 7, 7]).bits, 6)
        1.0
    """
    first, second = as_symbols(a, where="discrete_mi", name="a"), as_symbols(b, where="discrete_mi", name="b")
    check_paired(first, second, where="discrete_mi")
    _check_correction(correction, where="discrete_mi")
    second = second.to(first.device)
    found = plug_in_mi(first, second, correction, name=f"discrete_mi {correction or 'plug-in'}")
    return examined_for_bias(found, first, second, correction, name="discrete_mi")


def examined_for_bias(found: Estimate, a: Tensor, b: Tensor, correction: Correction | None, *, name: str) -> Estimate:
    """The estimate; unreliable, and with a wider error, where halves of the samples tell of a bias.

    The mean over two halves differs from the value of all samples by bias alone, to first order: by about the bias
    itself, where that falls as 1/n.

    Args:
        found: the value of a and b.
        a: numbers of symbols, shape (n,).
        b: the same.
        correction: as it was found.
        name: for the warning.

    Example:
        >>> a = torch.arange(40) % 2
        >>> examined_for_bias(plug_in_mi(a, a, None, name="plug-in"), a, a, None, name="example").reliable
        True
    """
    falls: list[float] = []

    def short() -> str:
        if len(a) < _HALVED:
            return ""
        fall = _fall_from_halves(float(found), a, b, correction)
        if fall <= _FALLS * math.hypot(found.std_error, _chance(a, b)):
            return ""
        falls.append(fall)
        return (
            f"the value falls by {fall:.2g} nats from half of the samples to all, too few for so many pairs of symbols"
        )

    instead = "merge symbols or take more samples" + ', and correction="miller-madow"' * (correction is None)
    told = examined(found, {}, short=short, instead_of_short=instead, name=name)
    return dataclasses.replace(told, error=lambda: math.hypot(found.std_error, *falls)) if falls else told


def _fall_from_halves(value: float, a: Tensor, b: Tensor, correction: Correction | None) -> float:
    n, total = len(a), 0.0
    splits = _SPLITS if n <= _FEW_SAMPLES else 1
    generator = torch.Generator("cpu").manual_seed(0)  # the same samples say the same
    for _ in range(splits):
        order = torch.randperm(n, generator=generator, device="cpu").to(a.device)
        for half in (order[: n // 2], order[n // 2 :]):
            first, second = symbols(a[half, None]), symbols(b[half, None])
            total += float(plug_in_mi(first, second, correction, name=""))
    return total / (2 * splits) - value


def _chance(a: Tensor, b: Tensor) -> float:
    """The standard deviation of the value of independent symbols; in small tables the delta method takes it for 0."""
    pairs, first, second = (int(torch.unique(rows, dim=0).shape[0]) for rows in (torch.stack([a, b], dim=1), a, b))
    return math.sqrt(max(pairs - first - second + 1, 0) / 2) / len(a)


def plug_in_mi(a: Tensor, b: Tensor, correction: Correction | None, *, name: str) -> Estimate:
    """Mutual information of two tensors of symbol numbers, each of shape (n,)."""
    pair = symbols(torch.stack([a, b], dim=1))
    terms = _log_frequency(pair) - _log_frequency(a) - _log_frequency(b)
    return _estimate(terms, _missed(correction, a) + _missed(correction, b) - _missed(correction, pair), name)


def _check_correction(correction: str | None, *, where: str) -> None:
    if correction is not None:
        check_choice(correction, ("miller-madow",), where=where, name="correction")


def _log_frequency(codes: Tensor) -> Tensor:
    counts = torch.bincount(codes)[codes].double()
    return counts.log() - math.log(len(codes))


def _missed(correction: Correction | None, codes: Tensor) -> float:
    """Miller and Madow's estimate of how much the plug-in entropy of the symbols falls short."""
    return 0.0 if correction is None else (int(torch.unique(codes).numel()) - 1) / (2 * len(codes))


def _estimate(terms: Tensor, shift: float, name: str) -> Estimate:
    n = len(terms)
    return Estimate(
        terms.mean() + shift,
        side="none",
        n=n,
        estimator=name,
        ceiling=math.log(n) + shift,
        error=lambda: error_of_mean(terms),
    )
