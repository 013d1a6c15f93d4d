"""Han et al. 2023, Fig. 3: 600 points of N(0, I) in two classes, four hidden layers of 8 units, split in the middle.

Sigmoids throughout, mean squared error, full-batch gradient descent at (alpha, beta, gamma) = (0.1, 10, 100). The paper
shows curves and names no number. It leaves out the rule of the classes, the start, the output, the baseline's rate and
the number of steps. Chosen once and equal for all variants: inside or outside a circle (others by
`--set data.name=binary-quadrants`), weights and biases from N(0, 1) (`--set network.init=xavier`), an output behind a
sigmoid for each class against the one-hot class, 500 steps. Validation and test points are drawn beside the 600.

The variants `sgd-paper...` have the paper's rates, the others those of a search on validation samples with one budget;
its record lies in results/prox-binary.searches.jsonl. Order 1 is back-propagation whose front half moves at a rate of
its own, at the paper's rates beta gamma / alpha = 10,000 times that of the back half: beside it `sgd-paper-bp`, alpha
throughout, is no fair baseline, and `sgd-bp` is. The paper has gradient descent alone; the other optimisers are ours.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.plan_settings import PlanSettings
from infotorch.recipes.prox_table import split_variant
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Found, Variant, make_variants

_ALPHA, _BETA, _GAMMA = 0.1, 10.0, 100.0
_MAIN = ("order2", "bp", "order1", "hybrid")

_ADAPTIVE = SearchRange(low=1e-3, high=0.3)
#: Optimiser -> where the rate of either half is searched.
_RATES = {
    "sgd": SearchRange(low=0.1, high=300.0),
    "adam": _ADAPTIVE,
    "adamw": _ADAPTIVE,
    "nadam": _ADAPTIVE,
    "adamp": _ADAPTIVE,
}

FOUND: Found = {
    "adam-bp": {"optimizer.lr": 0.0591},
    "adam-hybrid": {"optimizer.lr": 0.0255, "split.forward_lr": 0.196, "split.step_size": 1.63},
    "adam-order2": {"optimizer.lr": 0.0311, "split.forward_lr": 0.0224},
    "sgd-bp": {"optimizer.lr": 30.7},
    "sgd-hybrid": {"optimizer.lr": 9.44, "split.forward_lr": 165.0, "split.step_size": 1.63},
    "sgd-order1": {"optimizer.lr": 2.97, "split.forward_lr": 17.6},
    "sgd-order2": {"optimizer.lr": 2.97, "split.forward_lr": 17.6},
    "adam-order1": {"optimizer.lr": 0.0112, "split.forward_lr": 0.0398},
    "adam-huber": {"optimizer.lr": 0.0224, "split.forward_lr": 0.0112, "split.step_size": 86.6},
    "adam-l1": {"optimizer.lr": 0.0915, "split.forward_lr": 0.0204},
    "adamp-bp": {"optimizer.lr": 0.0112},
    "adamp-huber": {"optimizer.lr": 0.0224, "split.forward_lr": 0.0112, "split.step_size": 86.6},
    "adamp-hybrid": {"optimizer.lr": 0.0255, "split.forward_lr": 0.196, "split.step_size": 1.63},
    "adamp-l1": {"optimizer.lr": 0.0915, "split.forward_lr": 0.0204},
    "adamp-order1": {"optimizer.lr": 0.244, "split.forward_lr": 0.00891},
    "adamp-order2": {"optimizer.lr": 0.0915, "split.forward_lr": 0.0204},
    "adamw-bp": {"optimizer.lr": 0.0112},
    "adamw-huber": {"optimizer.lr": 0.0224, "split.forward_lr": 0.0112, "split.step_size": 86.6},
    "adamw-hybrid": {"optimizer.lr": 0.0255, "split.forward_lr": 0.196, "split.step_size": 1.63},
    "adamw-l1": {"optimizer.lr": 0.0311, "split.forward_lr": 0.0224},
    "adamw-order1": {"optimizer.lr": 0.244, "split.forward_lr": 0.00891},
    "adamw-order2": {"optimizer.lr": 0.0311, "split.forward_lr": 0.0224},
    "nadam-bp": {"optimizer.lr": 0.0224},
    "nadam-huber": {"optimizer.lr": 0.0224, "split.forward_lr": 0.0112, "split.step_size": 86.6},
    "nadam-hybrid": {"optimizer.lr": 0.0255, "split.forward_lr": 0.196, "split.step_size": 1.63},
    "nadam-l1": {"optimizer.lr": 0.0311, "split.forward_lr": 0.0224},
    "nadam-order1": {"optimizer.lr": 0.0121, "split.forward_lr": 0.162},
    "nadam-order2": {"optimizer.lr": 0.0311, "split.forward_lr": 0.0224},
    "sgd-huber": {"optimizer.lr": 9.44, "split.forward_lr": 165.0, "split.step_size": 1.63},
    "sgd-l1": {"optimizer.lr": 224.0, "split.forward_lr": 2.15},
}


def variants() -> list[Recipe]:
    """The table's variants, `sgd-paper`, the paper's own, first."""
    base = Recipe(
        name="prox-binary",
        title="Proximal splitting at a bottleneck, two classes in the plane",
        source="Han et al. 2023, Fig. 3",
        data=DataSettings(name="binary-circle"),
        network=NetworkSettings(hidden=(8, 8, 8, 8), activation="sigmoid", squash=True, init="normal"),
        plan=PlanSettings(objectives=("Y:squared-error",)),
        optimizer=OptimizerSettings(name="sgd", lr=_ALPHA, schedule="constant"),
        epochs=500,
        batch_size=600,
        log_every=25,
        train_accuracy=True,
        search=SearchSettings(trials=6),
    )
    papers = {f"sgd-paper-{update}".removesuffix("-order2"): _variant("sgd", update) for update in _MAIN}
    searched = {
        f"{optimizer}-{update}": _searched(_variant(optimizer, update), rate)
        for optimizer, rate in _RATES.items()
        for update in (*_MAIN, "l1", "huber")
    }
    return make_variants(base, papers | searched, found=FOUND)


def _variant(optimizer: str, update: str) -> Variant:
    made = split_variant(optimizer, update, at="fc3", step_size=_BETA, forward=_GAMMA)
    return made._replace(description=f"{made.description}; the paper's rates")


def _searched(paper: Variant, rate: SearchRange) -> Variant:
    space = {"optimizer.lr": rate}
    if paper.changes["split.order"] != "bp":
        space["split.forward_lr"] = rate
    if paper.changes["split.order"] == "hybrid" or paper.changes.get("split.penalty") == "huber":
        # Elsewhere beta is a factor of gamma; here it weighs two terms, or says where Huber's penalty becomes linear.
        space["split.step_size"] = SearchRange(low=1.0, high=1000.0)
    return paper._replace(description=paper.description.replace("the paper's rates", "searched rates"), search=space)
