"""The noise of a layer that is drawn anew in every pass: numbers with a density, or few values such as dropout's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from infotorch.data.graphs import features_of
from infotorch.data.looks import Look
from infotorch.diagnostics.activations import RecordSteps, Step
from infotorch.diagnostics.dimension import information_dimension
from infotorch.networks.feature_extractor import FeatureExtractor, copied
from infotorch.numerics.seeds import SeedStreams

NoiseKind = Literal["none", "with a density", "of few values", "unknown"]

# Draws of the noise: enough for a local dimension by 10 neighbours.
_DRAWS = 64
# A value is one of few where a quarter of the draws have no more different ones.
_FEW = 4
#: Rows whose noise is looked at.
NOISY_ROWS = 4
# Functions that take the shape of what they are given, and none of its values.
_SHAPE_ALONE = frozenset({
    "empty_like",
    "zeros_like",
    "ones_like",
    "full_like",
    "rand_like",
    "randn_like",
    "randint_like",
    "new_empty",
    "new_zeros",
    "new_ones",
    "new_full",
})


@dataclass(frozen=True)
class Path:
    """How a layer comes about.

    Args:
        steps: the functions between x and the layer, or None where some were out of sight.
        noise: what kind of noise it holds in evaluation mode.
        odds_by_x: whether x decides how likely some of few values are, as for a coin that falls by a unit, and not for
            dropout.
        noise_dimension: dimension of the layer for a fixed x, over draws of the noise; 0 without.
        draws: the layer for some fixed rows, draw by draw, (draws, rows, columns); one draw without noise.
    """

    steps: tuple[Step, ...] | None
    noise: NoiseKind
    odds_by_x: bool
    noise_dimension: float
    draws: Tensor


def paths(model: nn.Module, x: Tensor | Look, layers: Sequence[str], *, streams: SeedStreams) -> dict[str, Path]:
    """The steps to every layer, and its noise: looked at step by step, as a linear map of dropout looks continuous.

    Args:
        model: any module that takes one tensor, or a graph, in any mode; evaluation mode is what is looked at.
        x: inputs, or a look at graphs; the first four samples are used.
        layers: names of layers.
        streams: the source of all chance.

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.Tanh())
        >>> found = paths(model, torch.ones(4, 2), ["2"], streams=seed_streams(0))["2"]
        >>> [step.name for step in found.steps], found.noise
        (['linear', 'dropout', 'tanh'], 'none')
    """
    look = x if isinstance(x, Look) else Look(x[:NOISY_ROWS], len(x[:NOISY_ROWS]))
    first = [_draw(model, look, layers, streams, draw) for draw in (0, 1)]
    if all(torch.equal(first[0].outputs[name], first[1].outputs[name]) for name in layers):
        draws = first[:1]
    else:
        draws = first + [_draw(model, look, layers, streams, draw) for draw in range(2, _DRAWS)]
    kinds = _kinds_of_steps([draw.record for draw in draws])
    odds = _odds_by_x(draws[0].record, kinds)
    return {name: _path(name, draws, kinds, odds) for name in layers}


@dataclass(frozen=True)
class _Draw:
    """One pass: the calls, what the layers gave, and the step that made each."""

    record: RecordSteps
    outputs: dict[str, Tensor]
    made_by: dict[str, int | None]


def _draw(model: nn.Module, look: Look, layers: Sequence[str], streams: SeedStreams, draw: int) -> _Draw:
    record = RecordSteps(look.x if look.structure is None else features_of(look.x))
    with (
        torch.no_grad(),
        FeatureExtractor(model, layers, keep=lambda result: (record.number(result), copied(result))) as extract,
        streams.as_global_everywhere("diagnosed noise", draw, device=look.device),
        record,
    ):
        extract.run(look.x.clone())  # step 0: what is given x is given the result of a step
    passed = {name: extract.features.get(name, (None, None)) for name in layers}
    outputs = {name: look.columns(value, name)[:NOISY_ROWS] for name, (_, value) in passed.items()}
    return _Draw(record, outputs, {name: number for name, (number, _) in passed.items()})


def _kinds_of_steps(records: Sequence[RecordSteps]) -> list[NoiseKind]:
    """The noise in the result of every step: its own, or what came in with what it was given."""
    names = [step.name for step in records[0].steps]
    if len(records) == 1:
        return ["none"] * len(names)
    if any([step.name for step in record.steps] != names for record in records):
        return ["unknown"] * len(names)  # chance decides which functions run
    kinds: list[NoiseKind] = []
    for place, (step, parents) in enumerate(zip(records[0].steps, records[0].parents, strict=True)):
        values = [record.values[place] for record in records]
        same = len({value.shape for value in values}) == 1
        seen = _seen(torch.stack(values)) if same else "unknown"
        came = {kinds[parent] for parent in parents}
        if step.kind == "noise":
            came.add("with a density")
        if seen == "with a density" and seen not in came:
            seen = "of few values" if "of few values" in came else "unknown"
        kinds.append(seen)
    return kinds


def _seen(values: Tensor) -> NoiseKind:
    """The kind of noise in draws of one result, (draws, columns), by itself."""
    noisy = values[:, (values != values[:1]).any(dim=0)]
    if noisy.shape[1] == 0:
        return "none"
    different = torch.tensor([len(column.unique()) for column in noisy.T], dtype=torch.float64)
    return "of few values" if float(different.median()) <= len(values) / _FEW else "with a density"


def _odds_by_x(record: RecordSteps, kinds: list[NoiseKind]) -> list[bool]:
    """Whether a step draws one of few values with odds that depend on x: a coin by x, or a step of noise beside x."""
    by_x: list[bool] = []
    found: list[bool] = []
    for place, (step, parents) in enumerate(zip(record.steps, record.parents, strict=True)):
        given_x = step.name not in _SHAPE_ALONE and any(by_x[parent] for parent in parents)
        draws = step.kind == "noise" and "dropout" not in step.name
        cuts = any(kinds[parent] in {"with a density", "unknown"} for parent in parents)
        by_x.append(place == 0 or given_x)
        found.append(given_x and kinds[place] == "of few values" and (draws or cuts))
    return found


def _path(name: str, draws: Sequence[_Draw], kinds: list[NoiseKind], odds: list[bool]) -> Path:
    values = torch.stack([draw.outputs[name] for draw in draws])
    number = draws[0].made_by[name]
    places = [] if number is None else [place for place in draws[0].record.before(number) if place > 0]
    steps = None if number is None else tuple(draws[0].record.steps[place] for place in places)
    if len(draws) == 1 or not bool((values != values[:1]).any()):
        return Path(steps, "none", False, 0.0, values[:1])
    noise = "unknown" if number is None or number < 0 or kinds[number] == "none" else kinds[number]
    by_row = [information_dimension(values[:, row]) for row in range(values.shape[1])]
    return Path(steps, noise, any(odds[place] for place in places), sum(by_row) / len(by_row), values)
