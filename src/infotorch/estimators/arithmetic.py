"""Comparison and arithmetic of what stands for one real number."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import Any


class RealNumber(ABC):
    """Compares and calculates as `float(self)` does, with numbers and with others of its kind; results are floats.

    Raises:
        TypeError: an operand is no real number, such as a tensor or an array.
        ValueError: the root of a negative number.

    Example:
        >>> class Half(RealNumber):
        ...     def __float__(self) -> float:
        ...         return 0.5
        >>> Half() + 1, 1 / Half(), Half() < 0.4, sum([Half(), Half()]), round(Half(), 1)
        (1.5, 2.0, False, 1.0, 0.5)
    """

    # Else an array would take each of its entries as an operand and hold the results as objects.
    __array_ufunc__ = None

    @abstractmethod
    def __float__(self) -> float: ...

    def _operand(self) -> float:
        """Itself in arithmetic; a subclass refuses here what a plain number would lose."""
        return float(self)

    def item(self) -> float:
        """The plain number."""
        return float(self)

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    def __round__(self, ndigits: int | None = None) -> float:  # an int without ndigits, as of a float
        return round(float(self), ndigits)

    def __lt__(self, other: object) -> bool:
        return _compared(operator.lt, self, other)

    def __le__(self, other: object) -> bool:
        return _compared(operator.le, self, other)

    def __gt__(self, other: object) -> bool:
        return _compared(operator.gt, self, other)

    def __ge__(self, other: object) -> bool:
        return _compared(operator.ge, self, other)

    def __add__(self, other: object) -> float:
        return _calculated(operator.add, self, other)

    def __radd__(self, other: object) -> float:
        return _calculated(operator.add, other, self)

    def __sub__(self, other: object) -> float:
        return _calculated(operator.sub, self, other)

    def __rsub__(self, other: object) -> float:
        return _calculated(operator.sub, other, self)

    def __mul__(self, other: object) -> float:
        return _calculated(operator.mul, self, other)

    def __rmul__(self, other: object) -> float:
        return _calculated(operator.mul, other, self)

    def __truediv__(self, other: object) -> float:
        return _calculated(operator.truediv, self, other)

    def __rtruediv__(self, other: object) -> float:
        return _calculated(operator.truediv, other, self)

    # Not operator.pow, which makes a root of a negative number complex.
    def __pow__(self, other: object) -> float:
        return _calculated(math.pow, self, other)

    def __rpow__(self, other: object) -> float:
        return _calculated(math.pow, other, self)

    def __neg__(self) -> float:
        return -self._operand()

    def __pos__(self) -> float:
        return self._operand()

    def __abs__(self) -> float:
        return abs(self._operand())


def is_number(value: object) -> bool:
    """Whether a value stands for one real number here: a plain or numpy number, or a `RealNumber`."""
    return isinstance(value, RealNumber | Real)


def _compared(compare: Callable[[float, float], bool], one: RealNumber, other: Any) -> Any:
    return compare(float(one), float(other)) if is_number(other) else NotImplemented


def _calculated(calculate: Callable[[float, float], float], one: Any, other: Any) -> Any:
    if not is_number(one) or not is_number(other):
        return NotImplemented
    return calculate(*(v._operand() if isinstance(v, RealNumber) else float(v) for v in (one, other)))
