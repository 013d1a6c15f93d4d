"""What every estimator returns: a number of nats that knows what it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import Tensor

from infotorch.estimators.arithmetic import RealNumber, is_number
from infotorch.estimators.score_function import refuse_as_score_function
from infotorch.numerics.checks import check_callable, check_number
from infotorch.numerics.kinds import check_kind

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

#: on which side of the truth a value lies on average
Side = Literal["lower", "upper", "none"]

#: An estimate this close to its ceiling, in nats, says "at least this much" and no more.
SATURATION_MARGIN = 0.1


def error_of_mean(terms: Tensor) -> float:
    """Standard error of the mean of independent terms, shape (n,); NaN for a single one.

    Example:
        >>> import torch
        >>> round(error_of_mean(torch.tensor([-1.0, 1.0])), 4)
        1.0
    """
    return float(terms.detach().std()) / math.sqrt(len(terms)) if len(terms) > 1 else math.nan


@dataclass(frozen=True, eq=False, repr=False)
class Estimate(RealNumber):
    """An amount of information in nats. Pickled or copied, it keeps the numbers and leaves the gradient.

    It calculates, compares, rounds and is formatted (`f"{e:.2f}"`) as its value does; results are plain floats, without
    standard error. A value that carries a gradient is not calculated with, as a float would lose it: take `e.value`, or
    `float(e)`. An estimate equals a number of its value, and another estimate that is the same in every field.

    Printed, by `str`, `repr` or `f"{e}"`, it shows `std_error`, which is computed then, once: by subsampling that may
    take many times as long as the value took. `f"{e:.2f}"`, `float(e)`, arithmetic and comparison never compute it.

    Args:
        value: 0-d tensor, in nats, with its gradient where the estimator has one. Never clamped: an estimator without
            a bound may be negative.
        side: "lower" or "upper" when the expectation lies on that side of the truth, else "none".
        ceiling: the largest value that the estimator can give on this input, in nats (log n for many), or infinity.
        n: number of samples used.
        estimator: name of the estimator and of the settings that matter.
        reason: why this estimator was picked, where it was picked for the caller; which units the value depends on; and
            what speaks against it.
        error: computes the standard error in nats, or None when the estimator has none.
        reliable: False where something is known to speak against the value; `reason` says what. True is no proof.
        bias_std: how far the value may be off for other reasons than chance, in nats, as one standard deviation; 0
            where nothing tells. `mutual_information` has it from how far its estimates disagree.
        quantiles: of where the truth lies, (probability, nats) in ascending order, chance and bias together, where the
            estimator knows them; `interval` then follows them, and without `error` so does `std_error`.

    Raises:
        TypeError: value is no tensor or error no function; or, of arithmetic, see above.
        ValueError: value is no real 0-d tensor.

    Example:
        >>> import torch
        >>> e = Estimate(torch.tensor(0.6931), side="none", n=100, estimator="example")
        >>> round(float(e), 2), round(e.bits, 2), e.saturated
        (0.69, 1.0, False)
        >>> e
        0.693 nats (example)
        >>> f"{e:.2f}", e > 0.5, 2 * e == 2 * float(e)
        ('0.69', True, True)
    """

    value: Tensor
    side: Side
    n: int
    estimator: str
    ceiling: float = math.inf
    reason: str = ""
    error: Callable[[], float] | None = field(default=None, repr=False, compare=False)
    reliable: bool = True
    bias_std: float = 0.0
    quantiles: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        check_kind(self.value, Tensor, where="Estimate", name="value", said="a 0-d tensor")
        if self.value.ndim != 0 or self.value.is_complex():
            got = f"{self.value.dtype} of shape {tuple(self.value.shape)}"
            raise ValueError(f"Estimate: value must be a real 0-d tensor, got {got}.")
        if self.error is not None:
            check_callable(self.error, where="Estimate", name="error")

    def __getstate__(self) -> dict[str, object]:
        # What computes the error holds the data and cannot be pickled: a worker process sends the number.
        error = None if self.error is None else partial(float, self.std_error)
        return {**self.__dict__, "value": self.value.detach(), "error": error}

    def __float__(self) -> float:
        return float(self.value.detach())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """The value, for numpy; refused to scikit-learn's selectors, which take it for the scores of all features."""
        refuse_as_score_function(self.estimator.split(" ")[0])
        return np.array(self._operand(), dtype=dtype)

    def _operand(self) -> float:
        if self.value.requires_grad:
            raise TypeError(
                "Estimate: arithmetic must be of a value without gradient, which a plain number would lose, got one "
                "with it; take e.value to keep the gradient, or float(e)."
            )
        return float(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Estimate):
            return self._facts() == other._facts()
        return float(self) == other if is_number(other) else NotImplemented

    def __hash__(self) -> int:
        # That of the number it equals. NaN equals none, and its own hash is another at every call.
        return hash((self.estimator, self.n) if math.isnan(float(self)) else float(self))

    def _facts(self) -> tuple[object, ...]:
        facts = (self.side, self.n, self.estimator, self.ceiling, self.reason, self.reliable, self.bias_std)
        return (float(self), *facts, self.quantiles)

    def __repr__(self) -> str:
        """Such as "0.98 ± 0.03 nats (ross)"; the standard error is computed if it was not yet."""
        doubt = "" if self.reliable else ", unreliable: see reason"
        return f"{_with_error(float(self), self.std_error)} nats ({self.estimator.split(' ')[0]}{doubt})"

    @property
    def bound(self) -> Side:
        """The same as `side`."""
        return self.side

    @property
    def bits(self) -> float:
        """The value in bits."""
        return float(self) / math.log(2)

    @cached_property
    def std_error(self) -> float:
        """Standard error in nats, computed when first asked for; NaN when the estimator has none."""
        if self.error is None and self.quantiles:
            low, high = (self._quantile(NormalDist().cdf(z)) for z in (-1, 1))
            return (high - low) / 2
        return math.nan if self.error is None else self.error()

    def _quantile(self, probability: float) -> float:
        """Between and beyond the known ones as on a line over normal scores."""
        known = [(NormalDist().inv_cdf(p), value) for p, value in self.quantiles]
        z = NormalDist().inv_cdf(probability)
        right = next((i for i, (score, _) in enumerate(known[1:-1], 1) if score >= z), len(known) - 1)
        (z0, low), (z1, high) = known[right - 1], known[right]
        return low + (high - low) * (z - z0) / (z1 - z0)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where the truth lies, in nats, in so large a share of samples: of chance, and of bias where it is known.

        Between `quantiles` where there are any, else normal about the value, with the variances of `std_error` and
        `bias_std` together. A value that is a bound,
        or has reached its ceiling, says nothing about the other side, which is infinite. NaN without standard error.
        It does not know of biases that nothing told it of; `infotorch.distributions.benchmark` counts how often the
        truth lies inside.

        Args:
            level: between 0 and 1.

        Raises:
            ValueError: level is not between 0 and 1.
            TypeError: level is no number.

        Example:
            >>> import torch
            >>> e = Estimate(torch.tensor(0.5), side="none", n=100, estimator="example", error=lambda: 0.1)
            >>> tuple(round(end, 2) for end in e.interval(0.95))
            (0.3, 0.7)
        """
        check_number(level, where="Estimate.interval", name="level")
        if not 0 < level < 1:
            raise ValueError(f"Estimate.interval: level must lie between 0 and 1, got {level}.")
        if self.quantiles:
            return self._quantile((1 - level) / 2), self._quantile((1 + level) / 2)
        half = NormalDist().inv_cdf((1 + level) / 2) * math.hypot(self.std_error, self.bias_std)
        if math.isnan(half):
            return math.nan, math.nan
        value = float(self)
        low = -math.inf if self.side == "upper" else value - half
        high = math.inf if self.side == "lower" or self.saturated else value + half
        return low, high

    @property
    def saturated(self) -> bool:
        """Whether the value lies within 0.1 nats of its ceiling: then it says "at least this much".

        Of a ceiling below 1 nat, such as the entropy of a rare label, within a tenth: 0 of 0.07 is no saturation.
        """
        margin = min(SATURATION_MARGIN, SATURATION_MARGIN * self.ceiling)
        return math.isfinite(self.ceiling) and float(self) > self.ceiling - margin


def _with_error(value: float, error: float) -> str:
    """A value to the first digit of its standard error, or to three digits where there is none."""
    if not math.isfinite(value) or not math.isfinite(error):
        return f"{value:.3g}"
    decimals = min(max(-math.floor(math.log10(error)), 0), 6) if error > 0 else 2
    return f"{round(value, decimals) + 0.0:.{decimals}f} ± {error:.{decimals}f}"  # + 0.0: no "-0.00"
