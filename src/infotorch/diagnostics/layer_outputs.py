"""What the layers of a network give for samples, of a copy of the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infotorch.data.looks import Held, looks
from infotorch.networks.feature_extractor import FeatureExtractor
from infotorch.numerics.columns import narrowed
from infotorch.numerics.model_copy import model_copy

# Rows a forward pass.
_CHUNK = 250


def copied(model: nn.Module) -> nn.Module:
    """A copy, or the model itself where it holds what cannot be copied."""
    try:
        return model_copy(model)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return model  # it holds what cannot be copied; FeatureExtractor puts back what a pass changes


def outputs_of(model: nn.Module, x: Held, layers: Sequence[str]) -> dict[str, Tensor]:
    """What each layer gives, (n, d), of at most 4,096 columns: neighbouring ones are averaged where there are more.

    Raises:
        ValueError: a layer gives NaN or infinite values.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    with torch.no_grad(), FeatureExtractor(model, layers) as extract:
        for look in looks(x, _CHUNK):
            extract.run(look.x)
            for name in layers:
                parts[name].append(narrowed(look.columns(extract.features.get(name), name)))
    found = {name: torch.cat(values) for name, values in parts.items()}
    for name, t in found.items():
        if not bool(torch.isfinite(t).all()):
            raise ValueError(f"the layer {name!r} gives NaN or infinite values.")
    return found
