"""Where the noise of a layer can take it from one draw: the directions in which its noise with a density moves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from infotorch.diagnostics.activations import Step
from infotorch.numerics.seeds import SeedStreams

#: Functions that draw numbers with a density.
_WITH_DENSITY = frozenset({
    "randn",
    "rand",
    "randn_like",
    "rand_like",
    "normal",
    "uniform",
    "exponential",
    "cauchy",
    "log_normal",
})
# Directions that are tried.
_COUNT = 64
# How far drawn numbers move: in float64 curvature then shows in the fifth digit, in float32 rounding in the third.
_NUDGE = {torch.float64: 1e-5}
_NUDGE_ELSE = 1e-2
# Directions that are shorter by this factor may be curvature or rounding; so may what is left of a way.
_FLAT = 1e-3
# A way leaves the noise for certain where this share of it is left though curvature and rounding count as noise.
_CERTAIN, _LENIENT = 0.1, 1e-8
# Draws of few values, which have no directions: where any other function draws, some directions are not known.
_OF_FEW_VALUES = frozenset({"bernoulli", "randint", "randint_like"})


class Nudge(TorchFunctionMode):
    """Inside `with`, numbers that are drawn with a density are moved a little, at random; dropout's masks stay.

    Args:
        generator: draws the moves.
        size: their standard deviation.

    Example:
        >>> def draw(size):
        ...     with Nudge(torch.Generator().manual_seed(1), size):
        ...         return torch.randn(3, generator=torch.Generator().manual_seed(0))
        >>> bool((0 < (draw(0.01) - draw(0.0)).abs()).all()), bool(((draw(0.01) - draw(0.0)).abs() < 0.05).all())
        (True, True)
    """

    def __init__(self, generator: torch.Generator, size: float) -> None:
        super().__init__()
        self.generator, self.size = generator, size

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and move what it drew."""
        result = func(*args, **(kwargs or {}))
        name = (resolve_name(func) or getattr(func, "__qualname__", str(func))).rsplit(".", 1)[-1].strip("_")
        if name in _WITH_DENSITY and isinstance(result, Tensor) and result.is_floating_point():
            result.add_(self.size * torch.randn(result.shape, generator=self.generator).to(result))
        return result


def noise_directions(
    outputs: Callable[[], dict[str, Tensor]], layers: Sequence[str], *, streams: SeedStreams
) -> dict[str, Tensor]:
    """Layer -> how it moves from one draw when its noise with a density moves, (directions, rows, columns).

    Args:
        outputs: layer -> (rows, columns), the same draw of all noise in every call.
        layers: names of layers.
        streams: the source of all chance.

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> def outputs():
        ...     return {"t": torch.randn(1, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(1, 3)}
        >>> found = noise_directions(outputs, ["t"], streams=seed_streams(0))["t"]
        >>> found.shape, int(torch.linalg.matrix_rank(found[:, 0], rtol=1e-3))  # one number, added to three columns
        (torch.Size([64, 1, 3]), 1)
    """
    here = outputs()
    sizes = {name: _NUDGE.get(here[name].dtype, _NUDGE_ELSE) for name in layers}
    size = max(sizes.values())
    moved: dict[str, list[Tensor]] = {name: [] for name in layers}
    for number in range(_COUNT):
        with Nudge(streams.generator("noise directions", number), size):
            there = outputs()
        for name in layers:
            moved[name].append((there[name] - here[name]).double() / size)
    return {name: torch.stack(ways) for name, ways in moved.items()}


def covers(ways: Tensor, directions: Tensor) -> bool | None:
    """Whether the noise moves a layer in every direction in which x does, at every row; None where it is not clear.

    Args:
        ways: where small steps of x take the layer, (rows, columns).
        directions: of `noise_directions`, (directions, rows, columns).

    Example:
        >>> noise = torch.eye(3)[[0, 1, 0, 1], None]  # the first two columns
        >>> covers(torch.tensor([[1.0, 2.0, 0.0]]), noise), covers(torch.tensor([[1.0, 0.0, 1.0]]), noise)
        (True, False)
        >>> covers(torch.tensor([[1.0, 2.0, 0.0]]), noise[:2])  # two directions may hide a third
    """
    found = [_covered(way.double(), directions[:, row].double()) for row, way in enumerate(ways) if bool(way.any())]
    return False if False in found else None if None in found else True


def _covered(way: Tensor, directions: Tensor) -> bool | None:
    _, sizes, basis = torch.linalg.svd(directions, full_matrices=False)
    strict, lenient = (basis[sizes > share * sizes.max()] for share in (_FLAT, _LENIENT))
    if _left(way, lenient) > _CERTAIN and len(lenient) < len(directions):
        return False
    known = len(strict) < len(directions) or len(strict) == len(way)
    return True if known and _left(way, strict) <= _FLAT else None


def _left(way: Tensor, basis: Tensor) -> float:
    """The share of a way that lies outside of what some directions span."""
    return float((way - (way @ basis.T) @ basis).norm() / way.norm())


def directions_are_known(steps: Sequence[Step] | None) -> bool:
    """Whether all numbers with a density that are drawn on the way to a layer are of functions that `Nudge` moves.

    Example:
        >>> directions_are_known([Step("dropout", "noise"), Step("randn_like", "noise"), Step("add", "smooth")])
        True
        >>> directions_are_known([Step("gumbel_softmax", "noise")]), directions_are_known(None)
        (False, False)
    """
    if steps is None:
        return False
    drawn = {step.name for step in steps if step.kind == "noise" and "dropout" not in step.name}
    return drawn <= _WITH_DENSITY | _OF_FEW_VALUES
