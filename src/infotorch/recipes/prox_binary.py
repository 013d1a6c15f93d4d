"""Han et al. 2023, Fig. 3: 600 points of N(0, I) in two classes, four hidden layers of 8 units, split in the middle.

Sigmoids throughout, mean squared error, full-batch gradient descent at (alpha, beta, gamma) = (0.1, 10, 100). The paper
shows curves and names no number. It leaves out the rule of the classes, the start, the output, the baseline's rate and
the number of steps. Chosen once and equal for all rows: inside or outside a circle (`--set data.name=binary-quadrants`
and others), weights and biases from N(0, 1) (`--set network.init=xavier`), an output behind a sigmoid for each class
against the one-hot class, 500 steps. Validation and test points are drawn beside the 600.

The rows `sgd-paper...` have the paper's rates, the others those of a search on validation rows with one budget; its
record lies in results/tuning/prox-binary. Order 1 is back-propagation whose front half moves at a rate of its own, at
the paper's rates beta gamma / alpha = 10,000 times that of the back half: beside it `sgd-paper-bp`, alpha throughout,
is no fair baseline, and `sgd-bp` is. The paper has gradient descent alone; the other optimisers are ours.
"""

from __future__ import annotations

from typing import Any

from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.plan_settings import PlanSettings
from infotorch.recipes.prox_table import ADAMW_DECAY, UPDATES
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings

_SOURCE = "Han et al. 2023, Fig. 3"
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

_FOUND: dict[str, dict[str, Any]] = {
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


def base() -> Recipe:
    """What the rows share."""
    return Recipe(
        name="prox-binary",
        variant="",
        title="Proximal splitting at a bottleneck, two classes in the plane",
        description="",
        source=_SOURCE,
        data=DataSettings(name="binary-circle"),
        network=NetworkSettings(hidden=(8, 8, 8, 8), activation="sigmoid", squash=True, init="normal"),
        plan=PlanSettings(objectives=("Y:squared-error",)),
        optimizer=OptimizerSettings(name="sgd", lr=_ALPHA, schedule="constant"),
        epochs=500,
        batch_size=600,
        log_every=25,
        train_accuracy=True,
        search=SearchSettings(trials=6, seeds=(1000,)),
    )


def variants() -> list[Recipe]:
    """The table's rows, `sgd-paper`, the paper's own, first."""
    made = {f"sgd-paper-{update}".removesuffix("-order2"): _row("sgd", update) for update in _MAIN}
    made |= {
        f"{optimizer}-{update}": _searched(_row(optimizer, update), rate)
        for optimizer, rate in _RATES.items()
        for update in (*_MAIN, "l1", "huber")
    }
    return [change(_named(row, variant), _FOUND.get(variant, {})) for variant, row in made.items()]


def _named(row: Recipe, variant: str) -> Recipe:
    rates = "the paper's rates" if "paper" in variant else "searched rates"
    return row.model_copy(update={"variant": variant, "description": f"{row.description}; {rates}"})


def _row(optimizer: str, update: str) -> Recipe:
    what, options = UPDATES[update]
    row = base().model_copy(update={"description": f"{optimizer}: {what}"})
    changes: dict[str, Any] = {"optimizer.name": optimizer, "split.at": "fc3"}
    changes |= {"optimizer.weight_decay": ADAMW_DECAY} if optimizer == "adamw" else {}
    changes |= {f"split.{key}": value for key, value in options.items()}
    if update != "bp":
        changes |= {"split.step_size": _BETA, "split.forward_lr": _GAMMA}
    return change(row, changes)


def _searched(row: Recipe, rate: SearchRange) -> Recipe:
    space = {"optimizer.lr": rate}
    if row.split.order != "bp":
        space["split.forward_lr"] = rate
    if row.split.order == "hybrid" or row.split.penalty == "huber":
        # Elsewhere beta is a factor of gamma; here it weighs two terms, or says where Huber's penalty becomes linear.
        space["split.step_size"] = SearchRange(low=1.0, high=1000.0)
    return row.model_copy(update={"search": row.search.model_copy(update={"space": space})})
