"""Functions on the line that are straight between knots, as ReLU networks of one hidden layer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import nn


class PiecewiseLinear:
    """A continuous function on the line, straight between knots and constant beyond them.

    Args:
        at: places of the knots, rising, two or more.
        values: heights there.

    Raises:
        ValueError: places that do not rise, fewer than two, or not as many values.

    Example:
        >>> ramp = PiecewiseLinear([0.0, 1.0], [0.0, 2.0])
        >>> ramp(-1.0), ramp(0.5), ramp(7.0), ramp.kinks(), ramp.crossings(1.0)
        (0.0, 1.0, 2.0, [(0.0, 2.0), (1.0, -2.0)], [0.5])
    """

    def __init__(self, at: Sequence[float], values: Sequence[float]) -> None:
        if len(at) < 2 or any(right <= left for left, right in pairwise(at)):
            raise ValueError(f"PiecewiseLinear: at must be two places or more that rise, got {list(at)}.")
        if len(values) != len(at):
            raise ValueError(f"PiecewiseLinear: values must be one for each of {len(at)} places, got {len(values)}.")
        self.at, self.values = tuple(at), tuple(values)

    def __call__(self, x: float) -> float:
        """The height at x."""
        if x <= self.at[0] or x >= self.at[-1]:
            return self.values[0] if x <= self.at[0] else self.values[-1]
        right = bisect_left(self.at, x)
        (left, a), (end, b) = self.knots()[right - 1 : right + 1]
        return b if x == end else a + (x - left) / (end - left) * (b - a)

    def knots(self) -> list[tuple[float, float]]:
        """(place, height) of every knot."""
        return list(zip(self.at, self.values, strict=True))

    def kinks(self) -> list[tuple[float, float]]:
        """(place, change of slope): the function is values[0] + the sum of change * relu(x - place)."""
        slopes = [0.0, *((b - a) / (right - left) for (left, a), (right, b) in pairwise(self.knots())), 0.0]
        changes = [(at, after - before) for at, (before, after) in zip(self.at, pairwise(slopes), strict=True)]
        return [(at, change) for at, change in changes if change]

    def crossings(self, height: float) -> list[float]:
        """Where the function passes between "above `height`" and "not above", rising."""
        return [
            left + (height - a) / (b - a) * (right - left)
            for (left, a), (right, b) in pairwise(self.knots())
            if (a > height) != (b > height)
        ]

    def network(self) -> nn.Sequential:
        """The same as a ReLU network with one hidden layer, in float64: (n, 1) -> (n, 1).

        Example:
            >>> ramp = PiecewiseLinear([0.0, 1.0], [0.0, 2.0]).network()
            >>> ramp(torch.tensor([[-1.0], [0.5], [7.0]], dtype=torch.float64)).flatten().tolist()
            [0.0, 1.0, 2.0]
        """
        kinks = torch.tensor(self.kinks() or [(0.0, 0.0)], dtype=torch.float64)
        # Not the layers' own start: it would be drawn from the caller's random stream, to be thrown away.
        hidden, last = (
            cast(nn.Linear, nn.utils.skip_init(nn.Linear, *widths, dtype=torch.float64))
            for widths in ((1, len(kinks)), (len(kinks), 1))
        )
        with torch.no_grad():
            hidden.weight.fill_(1.0)
            hidden.bias.copy_(-kinks[:, 0])
            last.weight.copy_(kinks[None, :, 1])
            last.bias.fill_(self.values[0])
        return nn.Sequential(hidden, nn.ReLU(), last)
