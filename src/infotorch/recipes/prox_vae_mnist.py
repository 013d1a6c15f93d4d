"""Han et al. 2023, Tables 2 and 3, MNIST: a denoising variational autoencoder, split at (mu, sigma).

The digits 0, 1 and 2; `prox_vae_table` says what else the paper leaves open, and what was chosen. Variants without
settings in `FOUND` have not been searched yet, and start from the paper's.
"""

from __future__ import annotations

from infotorch.recipes.prox_table import Reported
from infotorch.recipes.prox_vae_table import vae_variants
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.variants import Found

_REPORTED = {
    "adam": Reported(1e-4, 0.1, 1e-4, baseline=21.78, method=24.24),
    "adamw": Reported(1e-4, 1e-3, 1e-3, baseline=21.88, method=23.95),
    "nadam": Reported(1e-4, 0.1, 1e-4, baseline=21.87, method=24.19),
    "adamp": Reported(1e-4, 0.1, 1e-4, baseline=21.74, method=24.11),
}
_PENALTIES = {"order1": 21.81, "l1": 23.18, "huber": 23.47}

FOUND: Found = {
    "adam-bp": {"optimizer.lr": 0.00196},
    "adam-bp-kl": {"optimizer.lr": 0.00269},
    "adam-hybrid": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-order1": {"optimizer.lr": 0.00161, "split.forward_lr": 0.00431},
    "adam-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "adam-whole": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-after": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "adamw-bp": {"optimizer.lr": 0.00196},
    "adamw-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "nadam-bp": {"optimizer.lr": 0.00161},
    "adamp-bp": {"optimizer.lr": 0.00161},
    "adamp-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
    "nadam-order1": {"optimizer.lr": 0.00846, "split.forward_lr": 0.00141},
    "nadam-order2": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    return vae_variants(
        "prox-vae-mnist",
        data="mnist",
        title="Proximal splitting of a denoising autoencoder, MNIST",
        source="Han et al. 2023, Table 2, VAE, MNIST",
        classes=(0, 1, 2),
        reported=_REPORTED,
        penalties=_PENALTIES,
        found=FOUND,
    )
