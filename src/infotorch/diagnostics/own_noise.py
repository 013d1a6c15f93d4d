"""The noise that a layer holds of its own, so that one draw of it is not taken for what the layer tells of x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from infotorch.data.graphs import GraphSamples
from infotorch.data.looks import Held, Look, first_look, looks
from infotorch.networks.feature_extractor import OUTPUT, FeatureExtractor
from infotorch.numerics.columns import MOST_COLUMNS
from infotorch.numerics.seeds import SeedStreams

# Rows that are passed twice to see whether a layer draws; and rows of a pass for what its noise is.
_FEW, _CHUNK = 50, 250


@runtime_checkable
class GaussianChannel(Protocol):
    """A layer whose output, given its input, is Gaussian in each entry: `GaussianLayer`, `GaussianNoise`."""

    def gaussian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the output for the rows x."""
        ...


@dataclass(frozen=True)
class OwnNoise:
    """The noise of one layer in evaluation mode.

    Args:
        gaussian: mean and standard deviation of every entry for every row, (n, columns) each; None where the noise is
            another, where what comes in is noisy already, or where the layer has too many columns.
    """

    gaussian: tuple[Tensor, Tensor] | None


def own_noise(model: nn.Module, x: Held, layers: Sequence[str], *, streams: SeedStreams) -> dict[str, OwnNoise]:
    """The noise of the layers that draw anew in every pass; layers without noise are left out.

    Args:
        model: any module; it is left as it was.
        x: samples; of graphs, whose layers are means over nodes, no noise is known.
        layers: names of layers.
        streams: the source of all chance.

    Example:
        >>> from infotorch.networks.noise import GaussianNoise
        >>> from infotorch.numerics.seeds import seed_streams
        >>> model = nn.Sequential(nn.Identity(), GaussianNoise(0.5), nn.ReLU())
        >>> found = own_noise(model, torch.ones(20, 3), ["0", "1", "2"], streams=seed_streams(0))
        >>> {name: noise.gaussian and noise.gaussian[1][0].tolist() for name, noise in found.items()}
        {'1': [0.5, 0.5, 0.5], '2': None}
    """
    # The mean over a graph's nodes has less noise than a node.
    inside = () if isinstance(x, GraphSamples) else layers
    known = [name for name in inside if name != OUTPUT and isinstance(model.get_submodule(name), GaussianChannel)]
    passes = [_Pass(model, layers, known, streams, draw) for draw in (0, 1)]
    (first, came), (second, came_again) = (one(first_look(x, _FEW)) for one in passes)
    noisy = [name for name in layers if not torch.equal(first[name], second[name])]
    clean = [name for name in noisy if name in known and all(map(torch.equal, came[name], came_again[name]))]
    found = dict.fromkeys(noisy, OwnNoise(None))
    if clean:
        parts = [passes[0](look)[1] for look in looks(x, _CHUNK)]
        for name in clean:
            mean, noise_std = (torch.cat(rows) for rows in zip(*(part[name] for part in parts), strict=True))
            if mean.shape[1] <= MOST_COLUMNS:
                found[name] = OwnNoise((mean, noise_std))
    return found


@dataclass(frozen=True)
class _Pass:
    """Calling it passes rows through: what the layers give, and the Gaussians of those that are known."""

    model: nn.Module
    layers: Sequence[str]
    known: Sequence[str]
    streams: SeedStreams
    draw: int

    def __call__(self, look: Look) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, Tensor]]]:
        came: dict[str, tuple[Tensor, Tensor]] = {}

        def note(name: str) -> Any:
            def hook(layer: Any, inputs: tuple[Any, ...]) -> None:
                mean, noise_std = (look.columns(part, name).clone() for part in layer.gaussian(inputs[0]))
                came[name] = (mean, noise_std)

            return hook

        handles = [self.model.get_submodule(name).register_forward_pre_hook(note(name)) for name in self.known]
        try:
            with (
                torch.no_grad(),
                self.streams.as_global_everywhere("own noise", self.draw, device=look.device),
                FeatureExtractor(self.model, self.layers) as extract,
            ):
                extract.run(look.x)
                return {name: look.columns(extract.features.get(name), name) for name in self.layers}, came
        finally:
            for handle in handles:
                handle.remove()
