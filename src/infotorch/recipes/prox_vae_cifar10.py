"""Han et al. 2023, Table 2, CIFAR-10: a denoising variational autoencoder, split at (mu, sigma).

The classes airplane and automobile; `prox_vae_table` says what else the paper leaves open, and what was chosen. The
paper's rates for Adam cannot be read: they are those of its MNIST table. Variants without settings in `FOUND` have not
been searched yet, and start from the paper's.
"""

from __future__ import annotations

from infotorch.recipes.prox_table import Reported
from infotorch.recipes.prox_vae_table import vae_variants
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.variants import Found

_REPORTED = {
    "adam": Reported(1e-4, 0.1, 1e-4, baseline=19.06, method=20.27),
    "adamw": Reported(1e-4, 0.1, 1e-3, baseline=19.08, method=19.77),
    "nadam": Reported(1e-4, 0.1, 1e-4, baseline=19.06, method=19.76),
    "adamp": Reported(1e-4, 0.1, 1e-4, baseline=19.01, method=20.00),
}

FOUND: Found = {
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
    return vae_variants(
        "prox-vae-cifar10",
        data="cifar10",
        title="Proximal splitting of a denoising autoencoder, CIFAR-10",
        source="Han et al. 2023, Table 2, VAE, CIFAR-10",
        classes=(0, 1),
        reported=_REPORTED,
        found=FOUND,
    )
