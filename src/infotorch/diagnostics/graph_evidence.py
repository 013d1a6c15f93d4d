"""What a verdict on I(X; T) rests on where samples are graphs or nodes: X is the graph, and its edges stay fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infotorch.data.graph_batches import placed_graph
from infotorch.data.graphs import GraphSamples, features_of, structure_of, with_features
from infotorch.data.looks import GraphNodes, Look, first_look, looks
from infotorch.diagnostics.continuity import InputKind, continuous_columns, input_kind
from infotorch.diagnostics.evidence import Evidence, count_apart, evidence_of, first_of_each, on_a_line
from infotorch.diagnostics.graph_colours import colours, other_numbers
from infotorch.diagnostics.movement import Movement, Part, movement_of, same, steps_of, together
from infotorch.diagnostics.noise import NOISY_ROWS, paths
from infotorch.diagnostics.noise_directions import noise_directions
from infotorch.diagnostics.verdict import Verdict
from infotorch.networks.feature_extractor import FeatureExtractor, in_double
from infotorch.numerics.columns import narrowed
from infotorch.numerics.seeds import SeedStreams

# Graphs a forward pass.
_CHUNK = 100


@dataclass(frozen=True)
class GraphEvidence:
    """What was seen of one layer of a network on graphs.

    Args:
        seen: as of any other samples; of nodes `mixes` is False, as the other nodes belong to X.
        untested: why some verdicts do not follow from it; "" where all do.
    """

    seen: Evidence
    untested: str

    def limited(self, verdict: Verdict, reason: str) -> tuple[Verdict, str]:
        """The verdict and its reason, or "unknown" where what was not tested may speak against it."""
        if not self.untested or verdict in {"infinite", "unknown"}:
            return verdict, reason
        return "unknown", f"not tested: {self.untested}."


def gather_graph_evidence(
    model: nn.Module,
    x: GraphSamples | GraphNodes,
    layers: Sequence[str],
    outputs: dict[str, Tensor],
    *,
    data: InputKind | None,
    streams: SeedStreams,
) -> dict[str, GraphEvidence]:
    """Evidence on every layer: small steps move the features of all nodes, and the edges stay as they are.

    T of a layer with a row for each node is, of graphs, the mean over their nodes. Inputs count as different where
    `colours` tells them apart.

    Args:
        model: any network on graphs; a copy is looked at.
        x: graphs, or nodes of graphs.
        layers: names of layers.
        outputs: layer -> what it gives for the samples, (n, columns), in the network's own precision.
        data: what kind of input the features are, where the caller knows; None looks.
        streams: the source of all chance.
    """
    parts = [features_of(look.x) for look in looks(x, _CHUNK)]
    features = x.features() if isinstance(x, GraphNodes) else torch.cat(parts)
    continuous = continuous_columns(features)
    if data is not None:
        continuous = (features != features[:1]).any(dim=0).cpu() & (data == "continuous")
    twin, wide = in_double(model, x, wide=_wide, first=lambda some: first_look(some, 2).x)
    passes = _Passes(twin, wide, tuple(layers), streams)
    moves = passes.movements(features.double().std(dim=0) * continuous.to(features.device))
    ways = paths(twin, first_look(wide, NOISY_ROWS), layers, streams=streams)
    different = first_of_each(colours(x))
    lines = passes.on_lines()
    kind = input_kind(continuous, features)
    others = {} if data == "discrete" else other_numbers(x)
    fixed = tuple(name for name, rows in others.items() if bool(continuous_columns(rows).any()))
    found = {}
    for name in layers:
        apart, t = count_apart(lines[name][different]), narrowed(outputs[name])
        seen = evidence_of(len(x), kind, len(different), apart, moves[name], ways[name], t)
        found[name] = GraphEvidence(seen, _untested(seen, fixed, beyond=count_apart(lines[name]) > len(different)))
    return found


def _untested(seen: Evidence, fixed: tuple[str, ...], *, beyond: bool) -> str:
    if fixed:
        return f"small steps of {', '.join(fixed)}, which look continuous; those of x alone were taken"
    if seen.noise != "none" and not seen.depends:
        return "whether the edges move T, which holds noise"
    if seen.noise == "none" and beyond:
        return "what T tells apart beyond features and edges, such as the number of a node"
    return ""


@dataclass(frozen=True)
class _Passes:
    """Passes of all samples through the network, with other features and always the same shapes and edges."""

    model: nn.Module
    x: GraphSamples | GraphNodes
    layers: tuple[str, ...]
    streams: SeedStreams

    def run(self, look: Look, features: Tensor | None = None, *draw: int) -> dict[str, Tensor]:
        """Layer -> (samples, columns) for the graphs of a look, with other features where they are given."""
        given = look.x if features is None else with_features(look.x, features)
        with (
            torch.no_grad(),
            self.streams.as_global_everywhere("movement", *draw, device=look.device),
            FeatureExtractor(self.model, self.layers) as extract,
        ):
            extract.run(given)
            return {name: look.columns(extract.features.get(name), name) for name in self.layers}

    def movements(self, scale: Tensor) -> dict[str, Movement]:
        """How every layer moves with the features, see `movement.movements`."""
        generator = self.streams.generator("movement directions")
        parts: dict[str, list[Part]] = {name: [] for name in self.layers}
        for look in looks(self.x, _CHUNK):
            here = features_of(look.x)
            there = [self.run(look, here + step) for step in steps_of(here, scale, generator)]
            first, again, turned = self.run(look), self.run(look, None, 1), self.run(look, here.roll(1, 0))
            for name in self.layers:
                moved = [passed[name] for passed in there]
                parts[name].append(movement_of(first[name], again[name], turned[name], moved))
        mixing, few = self._mixing(), first_look(self.x, NOISY_ROWS)
        starts, again = self._few(few), self._few(few, None, 1)
        here = features_of(few.x)
        ends = [self._few(few, here + step) for step in steps_of(here, scale, generator)]
        noisy = [name for name in self.layers if not torch.equal(starts[name], again[name])]
        noise = noise_directions(lambda: self._few(few), noisy, streams=self.streams) if noisy else {}
        return {
            name: together(
                parts[name],
                starts[name],
                [end[name] for end in ends],
                mixes=name in mixing,
                noise=noise.get(name, starts[name].new_zeros(0, *starts[name].shape)),
            )
            for name in self.layers
        }

    def _few(self, look: Look, features: Tensor | None = None, *draw: int) -> dict[str, Tensor]:
        return {name: t[:NOISY_ROWS] for name, t in self.run(look, features, *draw).items()}

    def _mixing(self) -> set[str]:
        """Layers whose rows for the first two graphs change when the features of the graphs beside them do."""
        if isinstance(self.x, GraphNodes):
            return set()
        look = first_look(self.x, _CHUNK)
        here, graphs = features_of(look.x), structure_of(look.x).graph_index
        others = torch.where((graphs < 2)[:, None], here, here.flip(0))
        before, after = self.run(look), self.run(look, others)
        return {name for name in self.layers if not same(before[name][:2], after[name][:2])}

    def on_lines(self) -> dict[str, Tensor]:
        """Layer -> a number for each sample, equal where its rows are, see `count_apart`."""
        found: dict[str, list[Tensor]] = {name: [] for name in self.layers}
        for look in looks(self.x, _CHUNK):
            for name, t in self.run(look).items():
                found[name].append(on_a_line(t, self.streams).cpu())
        return {name: torch.cat(values) for name, values in found.items()}


def _wide(x: GraphSamples | GraphNodes) -> GraphSamples | GraphNodes:
    if isinstance(x, GraphSamples):
        return x.to(torch.float64)
    return GraphNodes([placed_graph(graph, x.device, torch.float64) for graph in x.graphs], x.nodes)
