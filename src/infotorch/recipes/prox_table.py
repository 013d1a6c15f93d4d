"""The variants of the tables of proximal splitting: an optimiser, and what moves the network before the bottleneck.

Every optimiser has the same variants: back-propagation (`bp`); the split of order 1, which is back-propagation with a
rate of its own before the bottleneck; order 2, the paper's method, with the settings that a search found and, as
`paper`, with the paper's own; `hybrid`, ours; and order 2 with the other penalties. All searches have the same budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Variant


class Reported(NamedTuple):
    """What the paper says of one optimiser.

    Args:
        backward: its rate behind the bottleneck (alpha).
        step_size: its step at the bottleneck (beta).
        forward: its rate before the bottleneck (gamma).
        baseline: what back-propagation reaches, in the unit of the metric.
        method: what the paper's method reaches.

    Example:
        >>> Reported(1e-4, 0.1, 1e-3, baseline=21.88, method=23.95).step_size
        0.1
    """

    backward: float
    step_size: float
    forward: float
    baseline: float
    method: float


#: Update -> what it is, and its settings of the split.
_UPDATES: dict[str, tuple[str, dict[str, SettingValue]]] = {
    "bp": ("back-propagation", {"order": "bp"}),
    "order1": ("first-order split, which is back-propagation with another rate before the bottleneck", {"order": 1}),
    "order2": ("second-order split, the paper's method", {"order": 2}),
    "hybrid": ("ours: down the loss and the second-order penalty together", {"order": "hybrid"}),
    "l1": ("second-order split with the penalty l1", {"order": 2, "penalty": "l1"}),
    "huber": ("second-order split with Huber's penalty", {"order": 2, "penalty": "huber"}),
    "paper": ("second-order split with the paper's rates", {"order": 2}),
}
#: AdamW without weight decay would be Adam; the paper names none, and 0.01 is torch's.
_ADAMW_DECAY = 0.01


def split_variant(optimizer: str, update: str, *, at: str, step_size: float, forward: float) -> Variant:
    """An optimiser and an update, at the rate of the table and without a search.

    Args:
        optimizer: its name in `OptimizerSettings`.
        update: "bp", "order1", "order2", "hybrid", "l1", "huber" or "paper".
        at: the layer that the backward half starts with.
        step_size: the step at the bottleneck (beta).
        forward: the rate before the bottleneck (gamma).

    Example:
        >>> split_variant("sgd", "bp", at="fc3", step_size=10.0, forward=100.0).description
        'sgd: back-propagation'
    """
    what, options = _UPDATES[update]
    changes: dict[str, SettingValue] = {"optimizer.name": optimizer, "split.at": at}
    changes |= {"optimizer.weight_decay": _ADAMW_DECAY} if optimizer == "adamw" else {}
    changes |= {f"split.{key}": value for key, value in options.items()}
    changes |= {} if update == "bp" else {"split.step_size": step_size, "split.forward_lr": forward}
    return Variant(f"{optimizer}: {what}", changes=changes)


def prox_variants(at: str, reported: Mapping[str, Reported]) -> dict[str, Variant]:
    """The variants `<optimiser>-<update>` of a table.

    Args:
        at: the layer that the backward half starts with.
        reported: optimiser -> what the paper says of it.

    Example:
        >>> made = prox_variants("flatten", {"adam": Reported(1e-3, 10.0, 1e-3, baseline=0.9774, method=0.9812)})
        >>> list(made)[:3]
        ['adam-bp', 'adam-order1', 'adam-order2']
    """
    made = {}
    for optimizer, paper in reported.items():
        for update in _UPDATES:
            plain = split_variant(optimizer, update, at=at, step_size=paper.step_size, forward=paper.forward)
            changes = {**plain.changes, "optimizer.lr": paper.backward}
            made[f"{optimizer}-{update}"] = plain._replace(changes=changes, search=_space(update))
    return made


def _space(update: str) -> dict[str, SearchRange]:
    if update == "paper":
        return {}
    space = {"optimizer.lr": SearchRange(low=1e-4, high=1e-2)}
    if update != "bp":
        space["split.forward_lr"] = SearchRange(low=1e-4, high=1e-1)
        # The product of both steps is all that order 1 knows.
        space |= {} if update == "order1" else {"split.step_size": SearchRange(low=1e-2, high=10.0)}
    return space


def scores_of(reported: Mapping[str, Reported]) -> dict[str, tuple[float, str]]:
    """Variant -> the paper's number and its name there; it reports the baseline and its own method alone.

    Example:
        >>> scores_of({"adam": Reported(1e-3, 10.0, 1e-3, baseline=0.9774, method=0.9812)})["adam-bp"]
        (0.9774, 'baseline')
    """
    baselines = {f"{optimizer}-bp": (paper.baseline, "baseline") for optimizer, paper in reported.items()}
    methods = {f"{optimizer}-paper": (paper.method, "ours") for optimizer, paper in reported.items()}
    return baselines | methods
