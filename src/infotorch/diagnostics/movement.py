"""How a representation moves when its input moves a little, or when its noise is drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from infotorch.diagnostics.noise import NOISY_ROWS
from infotorch.diagnostics.noise_directions import noise_directions
from infotorch.networks.feature_extractor import FeatureExtractor
from infotorch.numerics.seeds import SeedStreams

#: Rows that are moved at most, and so many at a time.
MOVED_ROWS, _CHUNK = 500, 100
# A step in units of each column's standard deviation, and one a hundredth of it.
_STEPS = {torch.float64: (1e-4, 1e-6), torch.float32: (1e-2, 1e-3)}
_COARSE = (1e-1, 1e-2)
# Factors by which the way may differ from being proportional to the step: a kink in between.
_SLACK = 4.0


@dataclass(frozen=True)
class Movement:
    """What small steps of the input do to a layer.

    Args:
        smooth: share of the rows at which the layer moves in proportion to the step, as a differentiable map does.
        jumps: share of the rows at which it moves, but not so.
        bare: share of the rows at which a column moves smoothly, and another draw of the noise leaves it as it is.
        depends: whether the layer differs between any of the rows, given the same noise.
        mixes: whether a row of the layer changes with the other rows of its batch, given the same noise.
        here: the layer at the first rows, those whose noise is looked at, (rows, columns).
        ways: the long steps' ways through it from there, (rows, columns); 0 where it does not move smoothly.
        noise: the ways of its noise with a density from there, (directions, rows, columns); none without noise.
    """

    smooth: float
    jumps: float
    bare: float
    depends: bool
    mixes: bool
    here: Tensor = field(repr=False)
    ways: Tensor = field(repr=False)
    noise: Tensor = field(repr=False)


def movements(
    model: nn.Module, x: Tensor, layers: Sequence[str], *, continuous: Tensor, streams: SeedStreams
) -> dict[str, Movement]:
    """How every layer moves when the continuous columns of x move.

    Each row moves once at random in its continuous columns, by 1e-4 and by 1e-6 of their standard deviations (float64;
    by 1e-2 and 1e-3 in float32). These passes see the same noise; another one draws it again.

    Args:
        model: any module that takes one tensor, best a copy `in_double`.
        x: inputs; the first 500 rows are moved.
        layers: names of layers.
        continuous: which columns of x may move, see `continuous_columns`.
        streams: the source of all chance.

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)).double()
        >>> moving = {"continuous": torch.tensor([True, True]), "streams": seed_streams(0)}
        >>> movements(nn.Sequential(nn.Linear(2, 3)).double(), x, ["0"], **moving)["0"]
        Movement(smooth=1.0, jumps=0.0, bare=1.0, depends=True, mixes=False)
    """
    rows = x[:MOVED_ROWS]
    ways = _ways(rows, continuous, streams)
    parts: dict[str, list[Part]] = {name: [] for name in layers}
    with torch.no_grad(), FeatureExtractor(model, layers) as extract:

        def outputs(inputs: Tensor, *draw: int) -> dict[str, Tensor]:
            with streams.as_global_everywhere("movement", *draw, device=x.device):
                return extract(inputs)

        for start in range(0, len(rows), _CHUNK):
            here = rows[start : start + _CHUNK]
            found = [
                outputs(here),
                outputs(here, 1),
                # The same rows in another order: what T owes to x and not to the place in the batch.
                outputs(here.roll(1, 0)),
                *(outputs(here + way[start : start + _CHUNK]) for way in ways),
            ]
            for name in layers:
                first, again, turned, *there = (passed[name] for passed in found)
                parts[name].append(movement_of(first, again, turned, there))
        mixing = _mixing(outputs, rows[:_CHUNK])
        # In a batch of their own, as their noise is drawn: rounding is then the same.
        few = rows[:NOISY_ROWS]
        starts = outputs(few)
        ends = [outputs(few + way[:NOISY_ROWS]) for way in ways]
        noisy = [name for name, t in outputs(few, 1).items() if not torch.equal(t, starts[name])]
        noise = noise_directions(lambda: outputs(few), noisy, streams=streams) if noisy else {}
    return {
        name: together(
            parts[name],
            starts[name],
            [end[name] for end in ends],
            mixes=mixing[name],
            noise=noise.get(name, starts[name].new_zeros(0, *starts[name].shape)),
        )
        for name in layers
    }


def _mixing(outputs: Callable[[Tensor], dict[str, Tensor]], rows: Tensor) -> dict[str, bool]:
    """Layer -> whether its first two rows change when the rows beside them do."""
    # The same two rows over and over: a batch of the old size, so that the noise stays the same.
    apart, alone = outputs(rows), outputs(rows[torch.arange(len(rows)) % 2])
    return {name: not same(apart[name][:2], alone[name][:2]) for name in apart}


@dataclass(frozen=True)
class Part:
    """Some rows of a layer, as in `Movement`: which rows, and whether it differs between them."""

    smooth: Tensor
    jumps: Tensor
    bare: Tensor
    depends: bool


def together(parts: list[Part], here: Tensor, there: list[Tensor], *, mixes: bool, noise: Tensor) -> Movement:
    """The movement of a layer: shares over all rows, and what is looked at more closely at the first.

    Args:
        parts: of all rows.
        here: the layer at the first rows.
        there: the same after a long step, and after a short one; none where no step can be made.
        mixes: as in `Movement`.
        noise: as in `Movement`.
    """
    smooth, jumps, bare = (
        float(torch.cat(rows).double().mean())
        for rows in zip(*((p.smooth, p.jumps, p.bare) for p in parts), strict=True)
    )
    ways = torch.zeros_like(here).double()
    if there:
        moves = movement_of(here, here, here, there).smooth
        ways[moves] = (there[0] - here).double()[moves]
    return Movement(smooth, jumps, bare, any(part.depends for part in parts), mixes, here, ways, noise)


def _ways(rows: Tensor, continuous: Tensor, streams: SeedStreams) -> list[Tensor]:
    """The steps away from every row, long and short."""
    if not rows.is_floating_point():
        return []
    scale = rows.reshape(len(rows), -1).double().std(dim=0) * continuous.to(rows.device)
    return steps_of(rows, scale, streams.generator("movement directions"))


def steps_of(rows: Tensor, scale: Tensor, generator: torch.Generator) -> list[Tensor]:
    """A long and a short step away from every row, at random in units of each column's scale."""
    signs = torch.randn((len(rows), len(scale)), generator=generator, dtype=torch.float64).to(rows.device)
    return [(step * scale * signs).reshape(rows.shape).to(rows.dtype) for step in _STEPS.get(rows.dtype, _COARSE)]


def movement_of(here: Tensor, again: Tensor, turned: Tensor, there: list[Tensor]) -> Part:
    """What passes of some rows show: as they are, with noise drawn again, in another order, and after the steps."""
    depends = not same(here, turned)
    if not there:
        nowhere = torch.zeros(len(here), dtype=torch.bool)
        return Part(nowhere, nowhere, nowhere, depends)
    far, near = ((moved - here).double() for moved in there)
    smooth = _in_proportion(far.norm(dim=1), near.norm(dim=1), here)
    jumps = (far.norm(dim=1) > _rounding(here)) & ~smooth
    bare = (_in_proportion(far.abs(), near.abs(), here) & (again == here)).any(dim=1)
    return Part(smooth, jumps, bare, depends)


def _in_proportion(far: Tensor, near: Tensor, here: Tensor) -> Tensor:
    """Where the ways of the long and the short step are in the proportion of the steps."""
    rounding, steps = _rounding(here), _STEPS.get(here.dtype, _COARSE)
    ratio = far / near.clamp_min(1e-300) / (steps[0] / steps[1])
    return (near > rounding * 1e-3) & (far > rounding) & (ratio < _SLACK) & (ratio > 1 / _SLACK)


def _rounding(values: Tensor) -> float:
    """What rounding alone may move: the sums of a layer lose a few hundred units in the last place."""
    limits = torch.finfo(values.dtype)
    return 1e3 * limits.eps * float(values.abs().max().clamp_min(limits.tiny))


def same(here: Tensor, there: Tensor) -> bool:
    """Whether rows differ by rounding alone."""
    return bool(((here - there).norm(dim=1) <= _rounding(here)).all())


def escapes(ways: Tensor, draws: Tensor) -> bool:
    """Whether x moves a layer in a direction that its noise leaves alone: then what it tells of x has no bound.

    Every row is judged by its own noise, as a unit that is dead at one row lives at another. Seen where the noise fills
    fewer dimensions than its draws could, as one number added to all columns does; a curved set of noisy values is
    seen by `noise_directions.covers`.

    Args:
        ways: where small steps of x take the layer from some rows, (rows, columns).
        draws: the layer at these rows, draw by draw, (draws, rows, columns); the one that the ways start from is among
            them, or a unit that lives in that draw alone would seem to be without noise.

    Example:
        >>> draws = torch.randn(20, 1, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(3)
        >>> escapes(torch.tensor([[1.0, 0.0, 0.0]]), draws), escapes(torch.ones(1, 3), draws)
        (True, False)
    """
    return any(_escapes(way, draws[:, row]) for row, way in enumerate(ways))


def _escapes(way: Tensor, draws: Tensor) -> bool:
    """The same for one row: (columns,) and (draws, columns)."""
    noise = (draws[1:] - draws[:1]).double()
    rounding = 1e5 * torch.finfo(draws.dtype).eps
    if len(noise) == 0:
        return False
    still = ~(noise != 0).any(dim=0)
    if bool((way[still] != 0).any()):
        return True
    _, sizes, basis = torch.linalg.svd(noise, full_matrices=False)
    basis = basis[sizes > rounding * sizes.max()]
    if len(basis) == len(noise):
        return False  # more draws might show more directions
    way = way.double()
    left = way - (way @ basis.T) @ basis
    return bool(left.norm() > max(1e-6, rounding) * way.norm())
