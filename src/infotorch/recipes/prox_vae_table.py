"""What the tables of the denoising autoencoder share: its rows, and what the paper leaves open.

The paper leaves out classes, noise, widths, epochs, batch size and how z is drawn in evaluation. Chosen once, for two
cores, and equal for all rows: a few classes, 6,000 training and 1,000 validation images of 32 x 32 with pixels in
[-1, 1]; noise of standard deviation 0.5, drawn anew in every step, which alone leaves 12 dB; 4 x 4 convolutions of 16,
32, 64, 64 and 128 channels with stride 2, and the same backwards; latent 128; 20 epochs of batches of 64 at a constant
rate; z = mu in evaluation. A PSNR is the mean over images with a peak of 2, the range of the pixels: the paper's
training losses of 0.02 and 0.03 are its training PSNRs of 23 and 21 dB with that peak.

The rows are those of the other tables, but that NAdam's penalties l1 and huber have the paper's own rates, as the test
column of its Table 3 is NAdam's of Table 2; and `adam-bp-kl` is the baseline with the divergence of the code from
N(0, I) in its loss, which the paper's text leaves out, but which a variational autoencoder is trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.plan_settings import PlanSettings
from infotorch.recipes.prox_table import Rates, Score, prox_variants
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings

#: gamma of the penalties l1 and huber; that of l2 made them diverge (Sec. IV-D-4).
_GAMMA = 0.01


def vae_base(name: str, *, data: str, title: str, source: str, classes: tuple[int, ...]) -> Recipe:
    """What the rows of one table share."""
    return Recipe(
        name=name,
        variant="",
        title=title,
        description="",
        source=source,
        data=DataSettings(name=data, classes=classes, side=32, scaling="signed", limit=6000, validation=1000),
        network=NetworkSettings(channels=(16, 32, 64, 64, 128), latent=128, noise_std=0.5),
        plan=PlanSettings(objectives=("X:squared-error",), options={"X:squared-error": {"peak": 2.0}}),
        optimizer=OptimizerSettings(schedule="constant"),
        epochs=20,
        batch_size=64,
        search=SearchSettings(
            trials=6,
            seeds=(1000,),
            metric="validation_psnr_db",
            space={"optimizer.lr": SearchRange(low=1e-4, high=1e-2)},
            during={"data.limit": 3000, "epochs": 6},
        ),
    )


def vae_variants(
    base: Recipe,
    *,
    rates: Mapping[str, Rates],
    scores: Mapping[str, Score],
    penalties: Mapping[str, float],
    settings: Mapping[str, Mapping[str, Any]],
) -> list[Recipe]:
    """The rows of one table.

    Args:
        base: what they share.
        rates: optimiser -> the paper's.
        scores: optimiser -> test PSNR of baseline and method, in dB.
        penalties: "order1", "l1" or "huber" -> test PSNR, of Table 3.
        settings: variant -> dotted settings that a search found.
    """
    shared = {"at": "decoder", "metric": "test_psnr_db", "source": base.source, "settings": settings}
    rows = prox_variants(base, rates=rates, scores=scores, **shared)
    rows = [_ablation(row, penalties) for row in rows]
    baseline = next(row for row in rows if row.variant == "adam-bp")
    named = {
        "variant": "adam-bp-kl",
        "description": "adam: back-propagation, the code's divergence from N(0, I) beside the squared error",
        "published": {},
    }
    with_kl = change(baseline.model_copy(update=named), {"plan.code_kl": 1.0, **settings.get("adam-bp-kl", {})})
    return [*rows, with_kl]


def _ablation(row: Recipe, penalties: Mapping[str, float]) -> Recipe:
    """A row of Table 3, with its number, and its rates where they are the paper's."""
    optimizer, update = row.variant.split("-")
    if optimizer != "nadam":
        return row
    if update in {"l1", "huber"}:
        search = row.search.model_copy(update={"space": {}})
        row = change(row.model_copy(update={"search": search}), {"split.forward_lr": _GAMMA})
        row = row.model_copy(update={"description": f"{row.description} and the paper's rates"})
    if update in penalties:
        source = f"Han et al. 2023, Table 3: {update}"
        row = row.model_copy(update={"published": {"test_psnr_db": Published(value=penalties[update], source=source)}})
    return row
