"""P1 to P3 of one layer as plain numbers, for a table's columns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infotorch.diagnostics.compression import compression
from infotorch.diagnostics.own_noise import own_noise
from infotorch.diagnostics.simplicity import decisions
from infotorch.networks.feature_extractor import FeatureExtractor
from infotorch.numerics.columns import narrowed
from infotorch.numerics.seeds import SeedStreams


def layer_properties(
    model: nn.Module, layer: str, x: Tensor, y: Tensor, *, relative_noise: float, streams: SeedStreams
) -> dict[str, float]:
    """P1, P2 and P3 of one layer T; of several draws of a sample the first, and for I(X; T) their law.

    Args:
        model: any module that takes one tensor, in evaluation mode.
        layer: its name, as in `model.named_modules()`.
        x: inputs, (n, ...).
        y: classes, (n,), -1 for unlabelled samples.
        relative_noise: of P2's added noise, in units of the layer's spread.
        streams: the source of all chance but of the layer's own noise.

    Returns:
        P1 `layer_mi_ty_nats`; P2 `layer_mi_xt_nats`, an upper bound (not where the layer holds noise of its own that is
        not Gaussian), `layer_within_classes` and `layer_dimensions`; P3 `layer_linear_accuracy`,
        `layer_neighbour_accuracy` and `layer_network_accuracy`. Without two classes there is no P1, P3.

    Raises:
        ValueError: the model has no such layer.

    Example:
        >>> from infotorch.numerics.seeds import seed_streams
        >>> x, y = torch.rand(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
        >>> found = layer_properties(nn.Identity(), "output", x + y[:, None], y, relative_noise=0.3,
        ...                          streams=seed_streams(0))
        >>> round(found["layer_linear_accuracy"], 1)
        1.0
    """
    with torch.no_grad(), FeatureExtractor(model, [layer]) as extract:
        t = narrowed(extract(x)[layer])
    told = decisions(t, y, seed=streams.seed)
    own = own_noise(model, x, [layer], streams=streams).get(layer)
    small = compression(t, y, noise_levels=[relative_noise], num_bins=(2,), own=own)
    found = {"layer_dimensions": small.dimensions}
    if small.own_noise != "other":  # without that noise the bound would say much more than the layer tells
        found["layer_mi_xt_nats"] = small.noisy[0].upper
    if small.within_classes is not None:
        found["layer_within_classes"] = small.within_classes
    if told is not None:
        found |= {
            "layer_mi_ty_nats": told.information,
            "layer_linear_accuracy": told.linear.accuracy,
            "layer_neighbour_accuracy": told.neighbours.accuracy,
            "layer_network_accuracy": told.network.accuracy,
        }
    return found
