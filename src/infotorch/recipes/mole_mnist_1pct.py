"""Labels on 600 of MNIST's 55,000 training images: modules without labels learn from all of them.

Li & Pei 2023 promise it (Sec. 3: "MOLE allows DNNs to learn from unlabeled data ... in the encoder-like module") and
publish no number. Network and batch size are those of `mole-mnist`, with 2 epochs a stage; what needs labels sees the
600 labelled images alone, others for every seed, as many steps as the rest. The settings below were found by the search
that `--set tune=true` repeats, on validation samples; its record lies in results/mole-mnist-1pct.searches.jsonl. `auto`
has those of `label-free`. `random` ends in the same Y as `label-free`, so that it is the control of its convolutions.
"""

from __future__ import annotations

from infotorch.recipes import mole_mnist
from infotorch.recipes.mole_table import as_found, auto_variant, bp_variant
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

_VARIANTS = {
    "label-free": Variant(
        "convolutions without labels on all images (contrast of affine views), then the read-out bound on 600",
        ("X:views", "X:views", "Y"),
    ),
    "bp": bp_variant(),
    "random": Variant("convolutions as initialised, then the read-out bound", ("frozen", "frozen", "Y")),
}

FOUND: Found = {
    "bp": {"optimizer.lr": 0.0088, "network.dropout": 0.2},
    "label-free": {"optimizer.lr": 0.00368},
    "random": {"optimizer.lr": 0.00203},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    shared = mole_mnist.base()
    base = shared.model_copy(
        update={
            "name": "mole-mnist-1pct",
            "title": "Module-wise training with 600 labels and 55,000 images, MNIST",
            "source": "no published number",
            "data": shared.data.model_copy(update={"labels": 600}),
            "search": shared.search.model_copy(update={"during": {"data.limit": 5000}}),
        }
    )
    stages = Stages(mole_mnist.CUTS, epochs=2, together_epochs=4)
    rows = {**_VARIANTS, "auto": as_found(auto_variant(3), FOUND["label-free"])}
    return make_variants(base, rows, stages=stages, found=FOUND)
