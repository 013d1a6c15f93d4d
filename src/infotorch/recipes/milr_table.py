"""The variants of the tables of learning rates from information.

With stochastic gradient descent and the table's momentum: `network-ksg` and `layerwise-ksg`, the paper's rule by its
own signal, KSG with a ceiling of KSG's, of classes behind a softmax as in its networks, and its LR_min; `network` and
`layerwise`, the same rule by another signal, of classes Ross's estimator against H(Y); `best`, ours; `control`, which
anneals as `best` does and never looks at the information; `step`, `cosine` and `onecycle`. With an optimiser of their
own: `adam` and `rmsprop` at a constant rate, `lars` with a rate that falls as a cosine, and `schedule-free` (AdamW).
The first six are to have their rates from a range test on training samples, by `infotorch lr-range`, and have those of
their recipe until it has been run; the others have the best initial rate of a search on validation samples, all with
the same budget. `schedule.c1` and `schedule.c2` are the constants of the paper's own range test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Found, Variant, make_variants


class Rates(NamedTuple):
    """What a range test found: LR_min, LR_max, LR_top and the threshold epsilon (`RangeTest`).

    Example:
        >>> Rates(lr_min=3e-4, lr_max=0.07, lr_top=0.01, threshold=4.8e-4).lr_top
        0.01
    """

    lr_min: float
    lr_max: float
    lr_top: float
    threshold: float


#: Where the initial rate is looked for.
_OF_SGD = {"optimizer.lr": SearchRange(low=3e-3, high=1.0)}
_OF_ADAPTIVE = {"optimizer.lr": SearchRange(low=1e-4, high=1e-2)}
# Of a weight's norm, with each step; above a hundredth short trials do well and long runs leave dead networks.
_OF_LARS = {"optimizer.lr": SearchRange(low=3e-4, high=1e-2)}


def _adaptive(name: str) -> dict[str, SettingValue]:
    """An optimiser that takes no momentum, at its usual rate."""
    return {
        "optimizer.momentum": 0.0,
        "optimizer.nesterov": False,
        "optimizer.name": name,
        "optimizer.lr": 1e-3,
    }


def _falling(schedule: str) -> dict[str, SettingValue]:
    return {"optimizer.schedule": schedule, "optimizer.lr": 0.1}


# The paper's networks end in a softmax, which KSG's value depends on.
_KSG = {"schedule.estimator": "ksg-softmax", "schedule.ceiling": "estimate"}
#: Variants with the rates of a range test.
_RANGED = {
    "network": Variant(
        "one rate, which falls as I(T; Y) of the output grows: the paper's rule by our signal (of classes Ross against "
        "H(Y); of real targets KSG against the largest of three estimates) and our LR_min",
        changes={"optimizer.schedule": "information"},
    ),
    "layerwise": Variant(
        "a rate for each layer, from its own I(T; Y): the paper's rule by network's signal and LR_min",
        changes={"optimizer.schedule": "information", "schedule.layerwise": True},
    ),
    "network-ksg": Variant(
        "one rate: the paper's rule by the paper's signal, KSG (k = 3) against I(X; Y) by KSG, and its LR_min",
        changes={"optimizer.schedule": "information", **_KSG},
    ),
    "layerwise-ksg": Variant(
        "a rate for each layer: the paper's rule by the paper's signal, KSG (k = 3) against I(X; Y) by KSG, and its "
        "LR_min",
        changes={"optimizer.schedule": "information", "schedule.layerwise": True, **_KSG},
    ),
    "best": Variant(
        "ours: LR_top until I(T; Y) stands still, then a line down to LR_min; back to the best weights, and slower, "
        "where I(T; Y) of validation samples falls",
        changes={"optimizer.schedule": "best"},
    ),
    "control": Variant(
        "LR_top, then a line down to LR_min at the end, without information",
        changes={"optimizer.schedule": "control"},
    ),
}
_SEARCHED = {
    "adam": Variant("Adam at a constant rate", changes=_adaptive("adam"), search=_OF_ADAPTIVE),
    "rmsprop": Variant("RMSprop at a constant rate", changes=_adaptive("rmsprop"), search=_OF_ADAPTIVE),
    "lars": Variant(
        "LARS, rates of layers from the norms of weights and gradients; the common rate falls as a cosine",
        changes={"optimizer.name": "lars", "optimizer.lr": 5e-3, "optimizer.schedule": "cosine"},
        search=_OF_LARS,
    ),
    "step": Variant("the rate falls in steps", changes=_falling("step"), search=_OF_SGD),
    "cosine": Variant("the rate falls as a cosine", changes=_falling("cosine"), search=_OF_SGD),
    "onecycle": Variant("the rate rises and falls once", changes=_falling("onecycle"), search=_OF_SGD),
    "schedule-free": Variant(
        "schedule-free AdamW: a constant rate and averaged weights",
        changes=_adaptive("schedule-free"),
        search=_OF_ADAPTIVE,
    ),
}

#: Of a table of classes: the paper's signal as it reads without the softmax, which the scores of a torch model are.
KSG_OF_SCORES = Variant(
    "network-ksg with the output's scores in place of their softmax",
    changes={"optimizer.schedule": "information", **_KSG, "schedule.estimator": "ksg"},
)

#: Of a table whose networks overfit.
ADAM_EARLY = Variant(
    "Adam at a constant rate, back to the weights that were best on validation samples once ten looks at them in a row "
    "were worse",
    changes={**_adaptive("adam"), "schedule.stop_after": 10},
    search=_OF_ADAPTIVE,
)


def milr_variants(
    base: Recipe,
    *,
    rates: Rates,
    scores: Mapping[str, float],
    metric: str = "test_accuracy",
    found: Found | None = None,
    ksg_rates: Rates | None = None,
    own: Mapping[str, Variant] | None = None,
    classes: bool = True,
) -> list[Recipe]:
    """The recipes of a table.

    Args:
        base: what the variants share: stochastic gradient descent at a constant rate, and the budget of a search.
        rates: of `network`, `layerwise`, `best` and `control`.
        scores: variant -> what the paper reports, in the unit of the metric.
        metric: of which metric.
        found: variant -> dotted settings that its search found.
        ksg_rates: of `network-ksg` and `layerwise-ksg`; None for the same.
        own: variants that are this table's own.
        classes: whether the targets are classes, of which `network-ksg` and `layerwise-ksg` read a softmax.
    """
    rows = _RANGED | _SEARCHED | dict(own or {})
    rows = {name: _with_rates(row, ksg_rates or rates if "-ksg" in name else rates) for name, row in rows.items()}
    if not classes:
        rows = {name: _of_numbers(row) for name, row in rows.items()}
    # The paper has one number for its rule, whichever signal stands beside it here.
    known = {name: name.removesuffix("-ksg") for name in (*_RANGED, *_SEARCHED)}
    published = {name: (scores[row], row) for name, row in known.items() if row in scores}
    return make_variants(base, rows, found=found, published=published, metric=metric)


def _with_rates(row: Variant, rates: Rates) -> Variant:
    """With what a range test found, where the variant asks for it."""
    schedule = row.changes.get("optimizer.schedule")
    if schedule not in {"information", "best", "control"}:
        return row
    own = {"optimizer.lr": rates.lr_top, "schedule.lr_min": rates.lr_min, "schedule.lr_max": rates.lr_max}
    if schedule == "information":
        own["schedule.threshold"] = rates.threshold  # that of `best` is a share of what is missing
    return row._replace(changes={**own, **row.changes})


def _of_numbers(row: Variant) -> Variant:
    """With KSG of the outputs as they are: there is no softmax of real targets."""
    if row.changes.get("schedule.estimator") != "ksg-softmax":
        return row
    return row._replace(changes={**row.changes, "schedule.estimator": "ksg"})
