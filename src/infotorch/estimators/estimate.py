"""What every estimator returns: a number of nats that knows what it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal

from torch import Tensor

from infotorch.numerics.checks import check_callable

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
    return float(terms.std()) / math.sqrt(len(terms)) if len(terms) > 1 else math.nan


@dataclass(frozen=True)
class Estimate:
    """An amount of information in nats. Pickled or copied, it keeps the numbers and leaves the gradient.

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

    Example:
        >>> import torch
        >>> e = Estimate(torch.tensor(0.6931), side="none", n=100, estimator="example")
        >>> round(float(e), 2), round(e.bits, 2), e.saturated
        (0.69, 1.0, False)
    """

    value: Tensor
    side: Side
    n: int
    estimator: str
    ceiling: float = math.inf
    reason: str = ""
    error: Callable[[], float] | None = field(default=None, repr=False, compare=False)
    reliable: bool = True

    def __post_init__(self) -> None:
        if self.error is not None:
            check_callable(self.error, where="Estimate", name="error")

    def __getstate__(self) -> dict[str, object]:
        # What computes the error holds the data and cannot be pickled: a worker process sends the number.
        error = None if self.error is None else partial(float, self.std_error)
        return {**self.__dict__, "value": self.value.detach(), "error": error}

    def __float__(self) -> float:
        return float(self.value.detach())

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
        return math.nan if self.error is None else self.error()

    @property
    def saturated(self) -> bool:
        """Whether the value lies within 0.1 nats of its ceiling: then it says "at least this much".

        Of a ceiling below 1 nat, such as the entropy of a rare label, within a tenth: 0 of 0.07 is no saturation.
        """
        margin = min(SATURATION_MARGIN, SATURATION_MARGIN * self.ceiling)
        return math.isfinite(self.ceiling) and float(self) > self.ceiling - margin
