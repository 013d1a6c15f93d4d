"""What counts of symbols say against themselves: too few samples for so many symbols leave a bias."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import SupportsFloat

import torch
from torch import Tensor

from infotorch.estimators.doubts import examined
from infotorch.estimators.estimate import Estimate
from infotorch.numerics.symbols import is_constant, multiplicity, symbols

# Pairs of halves that tell whether a value still falls; beyond so many samples one pair tells it.
_SPLITS, _FEW_SAMPLES = 4, 100_000
# Samples whose halves hold two at least; of one sample every value is 0.
_HALVED = 4
# In so many standard errors: values of independent symbols that are sampled well seldom fall as far by chance, and
# those whose interval leaves out the truth because of bias do (tests/estimators/test_discrete.py).
_FALLS = 1.5
# Share of samples with a combination of symbols of their own, above which frequencies say little.
_SPARSE = 0.2


def examined_for_bias(
    found: Estimate,
    codes: Sequence[Tensor],
    measure: Callable[..., SupportsFloat],
    *,
    freedom: Callable[[], int],
    instead: str,
    name: str,
) -> Estimate:
    """The estimate; unreliable where too few samples are left of bias, and with a wider error where that shows.

    The mean over two halves differs from the value of all samples by bias alone, to first order: by about the bias
    itself, where that falls as 1/n. Where most samples have a combination of their own the halves may tell the same.

    Args:
        found: the value.
        codes: numbers of symbols, (n,) each; of a constant among the first two nothing is told.
        measure: the value of such codes.
        freedom: 2n times what Miller and Madow's correction subtracts.
        instead: the way out, for the warning.
        name: for the warning.

    Example:
        >>> import functools
        >>> from infotorch.estimators.discrete import plug_in_mi
        >>> a = torch.arange(40) % 2
        >>> mi = functools.partial(plug_in_mi, correction=None, name="plug-in")
        >>> examined_for_bias(mi(a, a), [a, a], mi, freedom=lambda: -1, instead="", name="example").reliable
        True
    """
    falls: list[float] = []

    def short() -> str:
        fall, told = bias_of_counts(found, codes, measure, freedom)
        falls.append(fall)
        return told

    return examined(found, {}, short=short, instead_of_short=instead, off=lambda: math.hypot(*falls), name=name)


def bias_of_counts(
    found: Estimate, codes: Sequence[Tensor], measure: Callable[..., SupportsFloat], freedom: Callable[[], int]
) -> tuple[float, str]:
    """By how many nats the value falls from half of the samples to all, 0 where that may be chance; and what is told.

    Args:
        found: the value, with its standard error.
        codes: numbers of symbols, (n,) each; of a constant among the first two nothing is told.
        measure: the value of such codes.
        freedom: see `examined_for_bias`.

    Example:
        >>> from infotorch.estimators.discrete import plug_in_mi
        >>> a = torch.arange(40)  # no symbol occurs twice
        >>> mi = plug_in_mi(a, a % 2, None, name="plug-in")
        >>> bias_of_counts(mi, [a, a % 2], lambda a, b: plug_in_mi(a, b, None, name=""), lambda: -1)[1][:45]
        '100% of the samples have a pair of their own,'
    """
    if any(is_constant(own) for own in codes[:2]):
        return 0.0, ""
    fall = _fall_from_halves(found, codes, measure, freedom)
    what = "triples" if len(codes) > 2 else "pairs"
    falling = (
        f"the value falls by {fall:.2g} nats from half of the samples to all, too few for so many {what} of symbols"
    )
    return fall, "; ".join(told for told in (falling * (fall > 0), sparse(codes)) if told)


def _fall_from_halves(
    found: Estimate, codes: Sequence[Tensor], measure: Callable[..., SupportsFloat], freedom: Callable[[], int]
) -> float:
    n, total = len(codes[0]), 0.0
    if n < _HALVED:
        return 0.0
    splits = _SPLITS if n <= _FEW_SAMPLES else 1
    generator = torch.Generator("cpu").manual_seed(0)  # the same samples say the same
    for _ in range(splits):
        order = torch.randperm(n, generator=generator, device="cpu").to(codes[0].device)
        for half in (order[: n // 2], order[n // 2 :]):
            total += float(measure(*(symbols(own[half, None]) for own in codes)))
    fall = total / (2 * splits) - float(found)
    # The second order of chance, which is all there is of independent symbols and of classes of equal size.
    chance = math.sqrt(abs(freedom()) / 2) / n
    return fall if fall > _FALLS * math.hypot(found.std_error, chance) else 0.0


def sparse(codes: Sequence[Tensor]) -> str:
    """That the frequencies of what so many samples show once say little; "" of fewer.

    Example:
        >>> sparse([torch.arange(40) % 2])
        ''
    """
    share = float((multiplicity(torch.stack(list(codes), dim=1)) == 1).double().mean())
    what = {1: "symbol", 2: "pair"}.get(len(codes), "triple")
    told = f"{share:.0%} of the samples have a {what} of their own, too many for frequencies: the value is biased"
    return told * (share > _SPARSE)
