"""Discrete variables: entropy and mutual information from counts of symbols."""

from __future__ import annotations

import functools
import math
from typing import Literal

import torch
from torch import Tensor

from infotorch.estimators.doubts import examined
from infotorch.estimators.estimate import Estimate, error_of_mean
from infotorch.estimators.symbol_doubts import examined_for_bias, sparse
from infotorch.numerics.checks import check_choice, check_paired
from infotorch.numerics.symbols import as_symbols, symbols
from infotorch.numerics.typing import ArrayLike

Correction = Literal["miller-madow"]


def discrete_entropy(a: ArrayLike, *, correction: Correction | None = None) -> Estimate:
    """Entropy of discrete a, in nats, from the frequencies of its symbols.

    Args:
        a: integers or booleans, shape (n,) or (n, ...); the columns of a sample are one symbol.
        correction: None is the plug-in value, biased low by about (symbols - 1) / (2n); "miller-madow" adds that.

    Returns:
        At least 0; the plug-in is at most log n. Standard error by the delta method. A warning, `reason` and `reliable`
        tell where more than a fifth of the samples have a symbol of their own: others were never seen.

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
    name = f"discrete_entropy {correction or 'plug-in'}"
    found = _estimate(-_log_frequency(codes), _missed(correction, codes), name)
    return examined(found, {}, short=lambda: sparse([codes]), instead_of_short=instead_of_bias(correction))


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
        0 to first order for independent variables. A warning, `reason` and `reliable` tell where too few samples are
        left of bias: the value falls from half of the samples to all, which `std_error` takes in, or more than a fifth
        of the samples have a pair of their own.

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
    return examined_mi(first, second, correction, name=f"discrete_mi {correction or 'plug-in'}")


def examined_mi(
    a: Tensor, b: Tensor, correction: Correction | None, *, name: str, where: str = "", instead: str = ""
) -> Estimate:
    """`plug_in_mi` of numbers of symbols, and what speaks against it, in a warning of `where`, or `name`'s first word.

    Example:
        >>> bits = torch.arange(40) % 2
        >>> round(examined_mi(bits, bits, None, name="example").bits, 6)
        1.0
    """
    measure = functools.partial(plug_in_mi, correction=correction, name=name)
    return examined_for_bias(
        measure(a, b),
        [a, b],
        measure,
        freedom=lambda: of_pairs(a, b),
        instead=instead or instead_of_bias(correction),
        name=where or name.split()[0],
    )


def of_pairs(a: Tensor, b: Tensor) -> int:
    """2n times the bias of `plug_in_mi`: pairs that occur, less symbols of a and of b, and 1.

    Example:
        >>> of_pairs(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]))
        1
    """
    pairs, first, second = (int(torch.unique(rows, dim=0).shape[0]) for rows in (torch.stack([a, b], dim=1), a, b))
    return pairs - first - second + 1


def instead_of_bias(correction: Correction | None) -> str:
    """The way out of too few samples.

    Example:
        >>> instead_of_bias("miller-madow")
        'merge symbols or take more samples'
    """
    return "merge symbols or take more samples" + ', and correction="miller-madow"' * (correction is None)


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
