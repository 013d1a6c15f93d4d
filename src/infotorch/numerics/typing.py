"""The types of what callers hand over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from torch import Tensor


class SupportsArray(Protocol):
    """What numpy reads through `__array__`: a pandas column, a numpy scalar."""

    def __array__(self) -> np.ndarray: ...


NestedNumbers: TypeAlias = "float | SupportsArray | Sequence[NestedNumbers]"

#: Real numbers, integers or booleans in a shape: a tensor, an array, or nested lists of numbers.
ArrayLike: TypeAlias = "Tensor | np.ndarray | SupportsArray | Sequence[NestedNumbers]"
