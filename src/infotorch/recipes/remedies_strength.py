"""The remedies of `remedies-mnist` at several strengths each: accuracy against robustness, and no strength chosen.

In `remedies-mnist` a search on accuracy chose one strength for each remedy, so that a remedy's robustness is that of
the strength which accuracy allows. Here each remedy is trained at four strengths, a decade apart where it has a scale,
from one that accuracy hardly feels to one that it pays for; network, epochs, data and each remedy's rate are those of
`remedies-mnist`. What the strengths of two remedies have in common is their price: the report lays them beside each
other by the validation accuracy that they cost (`infotorch.report.strength`).

Every network is attacked by PGD of 100 steps from 5 random starts too, and by the same attack on a plain network with
another seed; where a stronger attack does less harm than a weaker one, `obfuscation signs` says so. Attacks of 500 test
samples within 0.05 and 0.1 of the pixels' range: at 0.2 hardly a sample stands in `remedies-mnist`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infotorch.recipes import remedies_mnist
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings

#: Remedy -> the setting that is its strength, and its values, from weak to strong.
STRENGTHS: Mapping[str, tuple[str, Sequence[float]]] = {
    "vib": ("remedy.weight", (1e-4, 1e-3, 1e-2, 1e-1)),
    "nonlinear-ib": ("remedy.weight", (1e-3, 1e-2, 1e-1, 1.0)),
    "information-dropout": ("remedy.weight", (1e-3, 1e-2, 1e-1, 1.0)),
    "vdb": ("remedy.weight", (1e-4, 1e-3, 1e-2, 1e-1)),
    "matrix-ib": ("remedy.weight", (1e-3, 1e-2, 1e-1, 1.0)),
    "noisy": ("plan.beta", (1e-3, 1e-2, 1e-1, 1.0)),
    "quantised": ("remedy.weight", (1e-3, 1e-2, 1e-1, 1.0)),
    # I(X; Yhat) with a weight of 1 undoes the precision of a soft decision.
    "soft-decision": ("remedy.weight", (0.01, 0.1, 0.3, 0.9)),
    "stochastic": ("remedy.noise_std", (0.1, 0.3, 1.0, 3.0)),
    "confidence-penalty": ("remedy.weight", (0.01, 0.1, 0.3, 1.0)),
    "same-class": ("remedy.weight", (0.01, 0.1, 1.0, 10.0)),
    "clustering": ("remedy.weight", (0.01, 0.1, 1.0, 10.0)),
    "nuisance": ("remedy.weight", (0.01, 0.1, 1.0, 10.0)),
    "total-correlation": ("remedy.weight", (1e-4, 1e-3, 1e-2, 1e-1)),
    "dropout": ("network.dropout", (0.1, 0.3, 0.5, 0.7)),
}


def variants() -> list[Recipe]:
    """The table's variants: back-propagation, and each remedy at each strength, as "vib-0.001"."""
    known = {recipe.variant: recipe for recipe in remedies_mnist.variants()}
    plain = known["bp"]
    # Not in that table: the paper names it, and leaves it out of what it asks for.
    known["total-correlation"] = change(
        plain.model_copy(update={"description": "cross-entropy and the total correlation of the bottleneck's units"}),
        {"remedy.system": "total-correlation"},
    )
    made = [_recipe(plain, "bp", plain.description, {})]
    for remedy, (setting, strengths) in STRENGTHS.items():
        for strength in strengths:
            said = f"{known[remedy].description}; {setting} {strength:g}"
            made.append(_recipe(known[remedy], f"{remedy}-{strength:g}", said, {setting: strength}))
    return made[1:2] + made[:1] + made[2:]


def _recipe(recipe: Recipe, variant: str, description: str, settings: Mapping[str, float]) -> Recipe:
    named = {
        "name": "remedies-strength",
        "variant": variant,
        "title": "Remedies at several strengths: accuracy against robustness, MNIST",
        "description": description,
        "search": SearchSettings(),
        "published": {},
    }
    attacks = {"assessment.num_samples": 500, "assessment.radii": (0.05, 0.1), "assessment.restarts": 5}
    return change(recipe.model_copy(update=named), {**attacks, **settings})
