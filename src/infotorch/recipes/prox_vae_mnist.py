"""Han et al. 2023, Tables 2 and 3, MNIST: a denoising variational autoencoder, split at (mu, sigma).

The digits 0, 1 and 2; `prox_vae_table` says what else the paper leaves open, and what was chosen. Rows without settings
in `_FOUND` have not been searched yet, and start from the paper's.
"""

from __future__ import annotations

from typing import Any

from infotorch.recipes.prox_table import Rates, Score
from infotorch.recipes.prox_vae_table import vae_base, vae_variants
from infotorch.recipes.recipe import Recipe

_RATES = {
    "adam": Rates(1e-4, 0.1, 1e-4),
    "adamw": Rates(1e-4, 1e-3, 1e-3),
    "nadam": Rates(1e-4, 0.1, 1e-4),
    "adamp": Rates(1e-4, 0.1, 1e-4),
}
_SCORES = {
    "adam": Score(21.78, 24.24),
    "adamw": Score(21.88, 23.95),
    "nadam": Score(21.87, 24.19),
    "adamp": Score(21.74, 24.11),
}
_PENALTIES = {"order1": 21.81, "l1": 23.18, "huber": 23.47}

_FOUND: dict[str, dict[str, Any]] = {
    "adam-bp": {"optimizer.lr": 0.00196},
    "adam-bp-kl": {"optimizer.lr": 0.00269},
    "adam-hybrid": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-order1": {"optimizer.lr": 0.00161, "split.forward_lr": 0.00431},
    "adam-order2": {"optimizer.lr": 0.00137, "split.forward_lr": 0.0598, "split.step_size": 0.0163},
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
    base = vae_base(
        "prox-vae-mnist",
        data="mnist",
        title="Proximal splitting of a denoising autoencoder, MNIST",
        source="Han et al. 2023, Table 2, VAE, MNIST",
        classes=(0, 1, 2),
    )
    return vae_variants(base, rates=_RATES, scores=_SCORES, penalties=_PENALTIES, settings=_FOUND)
