"""What a verdict on I(X; T) rests on, layer by layer: measured on a few rows, in a copy of the network in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from infotorch.diagnostics.activations import Kind, activations_in, theorem_applies, weakest_kind
from infotorch.diagnostics.continuity import InputKind, continuous_columns, input_kind
from infotorch.diagnostics.dimension import correlation_dimension, information_dimension
from infotorch.diagnostics.movement import Movement, escapes, movements
from infotorch.diagnostics.noise import NoiseKind, Path, paths
from infotorch.diagnostics.noise_directions import covers, directions_are_known
from infotorch.diagnostics.sensitivity import Sensitivity, binned_sensitivity, noisy_sensitivity
from infotorch.networks.feature_extractor import FeatureExtractor, in_double
from infotorch.numerics.columns import narrowed
from infotorch.numerics.seeds import SeedStreams
from infotorch.numerics.symbols import symbols
from infotorch.records.files import Json, json_values

# Noise of the estimate that is shown, in units of the layer's spread.
_NOISE = 0.3
# Rows a forward pass.
_CHUNK = 250
# Two rows nearer than this share of the spread are the same: rounding depends on a row's place in its batch.
_SAME = 1e-10
# Where noise fills less than this share of a layer's dimensions, x may move the layer past it.
_FILLED = 0.6


@dataclass(frozen=True)
class Evidence:
    """What was seen of one layer T.

    Args:
        num_samples: samples that were looked at.
        input: "continuous" (every column that varies looks drawn from a density), "mixed", or "discrete".
        distinct_inputs: different rows of x.
        distinct: different rows of T among them, for one draw of the noise if there is any.
        activations: the functions on the way from x to T that are no affine maps; None where some were out of sight.
        weakest: the kind of the function on the way that takes most away, see `activations.Step`.
        theorem: whether Theorem 1 covers the way, see `activations.theorem_applies`.
        depends: whether T differs between rows, given the same noise.
        mixes: whether a row of T changes with the other rows of its batch.
        smooth: share of the rows at which T moves in proportion to a small step of x.
        jumps: share of the rows at which a small step of x makes T jump.
        noise: the noise of T in evaluation mode.
        odds_by_x: whether x decides how likely some of the few values of its noise are.
        noise_escaped: whether x moves T in directions that the noise leaves alone; None: it cannot be said.
        information_dimension: of T, estimated; above 0 the entropy is infinite.
        correlation_dimension: of T, estimated.
        noise_dimension: information dimension of T for a fixed x, over draws of the noise.
        noisy: an estimate of I(X; T + noise) and how it reacts.
        binned: an estimate of the binned information and how it reacts.

    Example:
        >>> from infotorch.diagnostics import diagnose
        >>> x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
        >>> seen = diagnose(nn.Sequential(nn.Linear(2, 3)), (x, None), properties=False)["0"].evidence
        >>> seen.input, seen.injective, seen.noise
        ('continuous', True, 'none')
    """

    num_samples: int
    input: InputKind
    distinct_inputs: int
    distinct: int
    activations: tuple[str, ...] | None
    weakest: Kind
    theorem: bool
    depends: bool
    mixes: bool
    smooth: float
    jumps: float
    noise: NoiseKind
    odds_by_x: bool
    noise_escaped: bool | None
    information_dimension: float
    correlation_dimension: float
    noise_dimension: float
    noisy: Sensitivity
    binned: Sensitivity

    @property
    def injective(self) -> bool:
        """Whether T keeps the rows of x apart."""
        return self.distinct == self.distinct_inputs

    def as_dict(self) -> dict[str, Json]:
        """Plain values that JSON can hold, None for NaN."""
        return json_values(asdict(self))

    def sentences(self) -> list[str]:
        """The evidence in words, a line each."""
        return list(_sentences(self))


def gather_evidence(
    model: nn.Module,
    x: Tensor,
    layers: Sequence[str],
    outputs: dict[str, Tensor],
    *,
    data: InputKind | None,
    streams: SeedStreams,
    movable: Tensor | None = None,
) -> dict[str, Evidence]:
    """Evidence on every layer.

    Args:
        model: any module that takes one tensor; a copy is looked at.
        x: inputs, (n, ...).
        layers: names of layers.
        outputs: layer -> what it gives for x, (n, columns), in the network's own precision.
        data: what kind of input x is, where the caller knows; None looks.
        streams: the source of all chance.
        movable: columns of x that are not integers; None for all, or as x says.
    """
    continuous = continuous_columns(x)
    if data == "discrete":
        continuous = torch.zeros_like(continuous)
    elif data == "continuous":
        continuous = (x != x[:1]).reshape(len(x), -1).any(dim=0).cpu()
    if movable is not None:
        continuous = continuous & movable
    kind = input_kind(continuous, x)
    twin, rows = in_double(model, x)
    moves = movements(twin, rows, layers, continuous=continuous, streams=streams)
    ways = paths(twin, rows, layers, streams=streams)
    different = _different_rows(rows)
    counts = _distinct(twin, rows[different], layers, streams)
    return {
        name: evidence_of(len(x), kind, len(different), counts[name], moves[name], ways[name], narrowed(outputs[name]))
        for name in layers
    }


def _different_rows(x: Tensor) -> Tensor:
    """Numbers of rows that hold every value of x once."""
    return first_of_each(symbols(x.flatten(1) if x.ndim > 1 else x[:, None]).cpu()).to(x.device)


def first_of_each(numbers: Tensor) -> Tensor:
    """The place at which each of the numbers 0, 1, ... comes first."""
    first = torch.full((int(numbers.max()) + 1,), len(numbers))
    return first.scatter_reduce(0, numbers, torch.arange(len(numbers)), "amin")


def _distinct(model: nn.Module, x: Tensor, layers: Sequence[str], streams: SeedStreams) -> dict[str, int]:
    """How many different rows every layer gives."""
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    with (
        torch.no_grad(),
        FeatureExtractor(model, layers) as extract,
        streams.as_global_everywhere("distinct rows", device=x.device),
    ):
        for rows in x.split(_CHUNK):
            for name, t in extract(rows).items():
                parts[name].append(on_a_line(t, streams))
    return {name: count_apart(torch.cat(values)) for name, values in parts.items()}


def on_a_line(t: Tensor, streams: SeedStreams) -> Tensor:
    """Rows on a random line, where equal ones stay equal and others do not meet."""
    line = torch.randn(t.shape[1], generator=streams.generator("projection"), dtype=torch.float64)
    return t.double() @ line.to(t.device) if t.device.type != "mps" else t.cpu().double() @ line


def count_apart(values: Tensor) -> int:
    """How many values differ by more than rounding."""
    ordered = values.sort().values
    span = float(ordered[-1] - ordered[0])
    floor = max(_SAME * span, 1e-12 * float(ordered.abs().max()))
    return 1 + int((ordered.diff() > floor).sum())


def evidence_of(
    n: int,
    kind: InputKind,
    distinct_inputs: int,
    distinct: int,
    moves: Movement,
    path: Path,
    t: Tensor,
) -> Evidence:
    """All that was seen of a layer.

    Args:
        n: samples.
        kind: of the input.
        distinct_inputs: different samples.
        distinct: different rows of T among them.
        moves: by small steps of x.
        path: how the layer comes about.
        t: the layer at the samples, (n, columns).
    """
    dimension = information_dimension(t)
    steps = path.steps or ()
    return Evidence(
        num_samples=n,
        input=kind,
        distinct_inputs=distinct_inputs,
        distinct=distinct,
        activations=None if path.steps is None else activations_in(steps),
        weakest="unknown" if path.steps is None else weakest_kind(steps),
        theorem=path.steps is not None and theorem_applies(steps),
        depends=moves.depends or (path.noise == "none" and distinct > 1),
        mixes=moves.mixes,
        smooth=moves.smooth,
        jumps=moves.jumps,
        noise=path.noise,
        odds_by_x=path.odds_by_x,
        noise_escaped=_noise_escaped(moves, path, t),
        information_dimension=dimension,
        correlation_dimension=correlation_dimension(t),
        noise_dimension=path.noise_dimension,
        noisy=noisy_sensitivity(t, _NOISE),
        binned=binned_sensitivity(t),
    )


def _noise_escaped(moves: Movement, path: Path, t: Tensor) -> bool | None:
    if path.noise == "none":
        return False
    # Two draws of a density never agree: at such a row, or in such a column, there is none.
    if moves.bare > 0 or escapes(moves.ways, torch.cat([path.draws, moves.here[None]])):
        return True
    if moves.smooth > 0 and not bool((moves.ways != 0).any()):
        return None  # x moves it at other rows alone
    covered = covers(moves.ways, moves.noise) if len(moves.noise) else None
    if covered or (covered is False and path.noise == "with a density" and directions_are_known(path.steps)):
        return not covered
    # The same number of points on both sides, as the estimate falls short with few.
    filled = path.noise_dimension >= _FILLED * information_dimension(t[: len(path.draws)])
    return False if filled else None


def _sentences(seen: Evidence) -> Iterator[str]:
    way = "some functions out of sight" if seen.activations is None else ", ".join(seen.activations) or "affine maps"
    yield f"from x to here: {way}" + ("; Theorem 1 covers it" if seen.theorem and seen.input != "discrete" else "")
    yield f"the input is {seen.input}: {seen.distinct_inputs} of {seen.num_samples} rows differ"
    if seen.noise == "none":
        kept = "all" if seen.injective else str(seen.distinct)
        yield f"{kept} of the {seen.distinct_inputs} different inputs stay apart"
    else:
        odds = ", by odds that depend on x" if seen.odds_by_x else ""
        yield f"it holds noise {seen.noise}{odds} (dimension {seen.noise_dimension:.1f} for a fixed x)"
    if seen.mixes:
        yield "a row of it changes with the other rows of its batch"
    if seen.input != "discrete":
        yield f"a small step of x moves it smoothly at {seen.smooth:.0%} of the rows, by a jump at {seen.jumps:.0%}"
    dimensions = seen.information_dimension, seen.correlation_dimension
    yield "dimension about {:.1f} (information), {:.1f} (correlation)".format(*dimensions)
    for estimate in (seen.noisy, seen.binned):
        yield (
            f"estimate with {estimate.assumption}: {estimate.value:.2f} nats; ten times the layer "
            f"{estimate.scaled:.2f}, a bijection of it {estimate.bent:.2f}; gradient {estimate.gradient:.2g}"
        )
