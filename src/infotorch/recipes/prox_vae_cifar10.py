"""Han et al. 2023, Table 2, CIFAR-10: a denoising variational autoencoder, split at (mu, sigma).

The classes airplane and automobile; `prox_vae_table` says what else the paper leaves open, and what was chosen. The
paper's rates for Adam cannot be read: they are those of its MNIST row. Rows without settings in `_FOUND` have not been
searched yet, and start from the paper's.
"""

from __future__ import annotations

from typing import Any

from infotorch.recipes.prox_table import Rates, Score
from infotorch.recipes.prox_vae_table import vae_base, vae_variants
from infotorch.recipes.recipe import Recipe

_RATES = {
    "adam": Rates(1e-4, 0.1, 1e-4),
    "adamw": Rates(1e-4, 0.1, 1e-3),
    "nadam": Rates(1e-4, 0.1, 1e-4),
    "adamp": Rates(1e-4, 0.1, 1e-4),
}
_SCORES = {
    "adam": Score(19.06, 20.27),
    "adamw": Score(19.08, 19.77),
    "nadam": Score(19.06, 19.76),
    "adamp": Score(19.01, 20.00),
}

_FOUND: dict[str, dict[str, Any]] = {
    "adam-bp": {"optimizer.lr": 0.00125},
    "adam-hybrid": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-order1": {"optimizer.lr": 0.00846, "split.forward_lr": 0.00141},
    "adam-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "adamp-bp": {"optimizer.lr": 0.00123},
    "adamp-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "adamw-bp": {"optimizer.lr": 0.00125},
    "adamw-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "nadam-bp": {"optimizer.lr": 0.00125},
    "nadam-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = vae_base(
        "prox-vae-cifar10",
        data="cifar10",
        title="Proximal splitting of a denoising autoencoder, CIFAR-10",
        source="Han et al. 2023, Table 2, VAE, CIFAR-10",
        classes=(0, 1),
    )
    return vae_variants(base, rates=_RATES, scores=_SCORES, penalties={}, settings=_FOUND)
