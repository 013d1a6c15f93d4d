"""Amjad & Geiger 2019, Secs. 5 to 7, on MNIST: the trained systems against the ill-posed bottleneck, one table.

All rows but one share network, budget and search: a perceptron 784-256-256-64-10 whose 64 units are the layer
"bottleneck", ten epochs of Adam with a rate that falls as a cosine, pixels from -1 to 1. Rate and strength (beta, or
the weight of a regulariser) of each row are searched on validation rows with the same number of trials. The network is
that of Alemi et al. 2017 (784-1024-1024-256-10) at a quarter of its widths, so that three seeds of sixteen rows and
their searches take hours on two cores and not days. `vib-paper` is theirs as published, and has no search.

Chosen once by us: noise of "stochastic" and "nonlinear-ib" falls on the bottleneck alone; "noisy" and "nuisance" take
noise of half the layer's spread, 4 deviations of a unit; "quantised" cuts each unit in two; the nuisance is whether a
digit leans further to the right than its batch's median; networks with noise decide by 12 draws. The search looks at
accuracy alone, so a row's strength is one that accuracy allows, not the one that is best for the other columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from infotorch.recipes.assessment_settings import AssessmentSettings
from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings

_NAME = "remedies-mnist"
_RATE = {"optimizer.lr": SearchRange(low=5e-4, high=5e-3)}
#: Noise of half the spread of 64 units, in deviations of a unit: 0.5 sqrt(64).
_HALF_THE_SPREAD = 4.0


class _Row(NamedTuple):
    description: str
    changes: Mapping[str, Any]
    search: dict[str, SearchRange] = {}  # noqa: RUF012  (never changed)


def _weight(low: float, high: float) -> dict[str, SearchRange]:
    return {"remedy.weight": SearchRange(low=low, high=high)}


_ROWS = {
    "vib": _Row(
        "variational bottleneck (Alemi et al. 2017): a Gaussian code and its rate",
        {"remedy.system": "vib"},
        _weight(1e-4, 3e-2),
    ),
    "bp": _Row("cross-entropy, the same network without noise", {"remedy.system": "plain"}),
    "nonlinear-ib": _Row(
        "nonlinear bottleneck (Kolchinsky et al. 2019): learned noise, pairwise bound, squared",
        {"remedy.system": "nonlinear", "remedy.scale": "learned", "remedy.noise_std": 0.5},
        _weight(1e-3, 1e-1),
    ),
    "information-dropout": _Row(
        "information dropout (Achille & Soatto 2018): log-normal noise on a ReLU layer",
        {"remedy.system": "information-dropout"},
        _weight(1e-4, 1e-1),
    ),
    "vdb": _Row(
        "variational deficiency bottleneck (Banerjee & Montúfar 2020): six draws, averaged in the logarithm",
        {"remedy.system": "deficiency", "remedy.draws": 6},
        _weight(1e-4, 3e-2),
    ),
    "matrix-ib": _Row(
        "deterministic bottleneck (Yu et al. 2021): matrix-based Rényi information, no noise",
        {"remedy.system": "matrix"},
        _weight(1e-3, 5e-2),
    ),
    "noisy": _Row(
        "noisy functional: noise in the loss of the bottleneck alone, the head trained apart",
        {
            "remedy.system": "plain",
            "plan.cuts": ("head",),
            "plan.objectives": ("IB", "CE"),
            "plan.order": "simultaneous",
            "plan.noise": "relative",
            "plan.noise_std": _HALF_THE_SPREAD,
        },
        {"plan.beta": SearchRange(low=1e-3, high=3e-1)},
    ),
    "quantised": _Row(
        "quantised functional: entropy of the bottleneck's cells, straight-through",
        {"remedy.system": "quantised"},
        _weight(1e-4, 1e-1),
    ),
    "soft-decision": _Row(
        "soft decision rule: I(X; Ŷ) of a class that is drawn, in closed form",
        {"remedy.system": "soft-decision"},
        _weight(1e-3, 0.5),
    ),
    "stochastic": _Row(
        "cross-entropy with Gaussian noise on the bottleneck that goes on",
        {"remedy.system": "stochastic"},
        {"remedy.noise_std": SearchRange(low=0.1, high=3.0)},
    ),
    "confidence-penalty": _Row(
        "cross-entropy less the entropy of the decision (Pereyra et al. 2017)",
        {"remedy.system": "confidence"},
        _weight(1e-3, 1.0),
    ),
    "same-class": _Row(
        "cross-entropy and distances within classes, pairwise (Belharbi et al. 2017)",
        {"remedy.system": "same-class"},
        _weight(1e-3, 1.0),
    ),
    "clustering": _Row(
        "cross-entropy and distances from the classes' centres (Liao et al. 2016)",
        {"remedy.system": "cluster"},
        _weight(1e-3, 1.0),
    ),
    "nuisance": _Row(
        "cross-entropy and a bound on the slant's information in the bottleneck (Moyer et al. 2018)",
        {"remedy.system": "nuisance", "remedy.noise_std": _HALF_THE_SPREAD},
        _weight(1e-3, 1.0),
    ),
    "dropout": _Row(
        "cross-entropy with dropout on the hidden layers",
        {"remedy.system": "plain", "network.dropout": 0.2},
        {"network.dropout": SearchRange(values=(0.1, 0.2, 0.3, 0.4, 0.5))},
    ),
}

_FOUND: dict[str, dict[str, Any]] = {
    "bp": {"optimizer.lr": 0.0039},
    "clustering": {"optimizer.lr": 0.0031, "remedy.weight": 0.0386},
    "confidence-penalty": {"optimizer.lr": 0.0031, "remedy.weight": 0.0386},
    "dropout": {"optimizer.lr": 0.00177, "network.dropout": 0.1},
    "information-dropout": {"optimizer.lr": 0.0031, "remedy.weight": 0.00386},
    "matrix-ib": {"optimizer.lr": 0.0046, "remedy.weight": 0.00448},
    "noisy": {"optimizer.lr": 0.0031, "plan.beta": 0.0204},
    "nonlinear-ib": {"optimizer.lr": 0.0031, "remedy.weight": 0.0114},
    "nuisance": {"optimizer.lr": 0.0046, "remedy.weight": 0.0141},
    "quantised": {"optimizer.lr": 0.0046, "remedy.weight": 0.00141},
    "same-class": {"optimizer.lr": 0.0046, "remedy.weight": 0.0141},
    "soft-decision": {"optimizer.lr": 0.0046, "remedy.weight": 0.0108},
    "stochastic": {"optimizer.lr": 0.0046, "remedy.noise_std": 0.368},
    "vdb": {"optimizer.lr": 0.0046, "remedy.weight": 0.000891},
    "vib": {"optimizer.lr": 0.0031, "remedy.weight": 0.00204},
}

#: Alemi et al. 2017, Sec. 4.1 and their published code; all but 500 of the training rows, as theirs are all 60,000.
_PAPER = {
    "remedy.system": "vib",
    "remedy.code": 256,
    "remedy.weight": 1e-3,
    "network.hidden": (1024, 1024),
    "network.init": "xavier",
    "data.validation": 500,
    "optimizer.name": "averaged-adam",
    "optimizer.lr": 1e-4,
    "optimizer.beta1": 0.5,
    "optimizer.schedule": "step",
    "schedule.drops": tuple(share / 100 for share in range(1, 100)),
    "schedule.drop_factor": 0.97,
    "epochs": 200,
    "batch_size": 100,
}


def base() -> Recipe:
    """What the rows share."""
    return Recipe(
        name=_NAME,
        variant="",
        title="Trained systems against the ill-posed bottleneck, MNIST",
        description="",
        source="Amjad & Geiger 2019, Secs. 5 to 7",
        data=DataSettings(name="mnist", validation=5000, scaling="signed"),
        network=NetworkSettings(hidden=(256, 256)),
        optimizer=OptimizerSettings(name="adam", lr=1e-3),
        assessment=AssessmentSettings(outliers="fashion-mnist"),
        epochs=10,
        batch_size=128,
        validate_every=5,
        search=SearchSettings(trials=8, space=_RATE, during={"data.limit": 20000, "epochs": 4}),
    )


def variants() -> list[Recipe]:
    """The table's variants."""
    made = [_row(variant, row) for variant, row in _ROWS.items()]
    return [*made, _paper()]


def _row(variant: str, row: _Row) -> Recipe:
    shared = base()
    search = shared.search.model_copy(update={"space": shared.search.space | row.search})
    named = shared.model_copy(update={"variant": variant, "description": row.description, "search": search})
    return change(named, {**_middles(row.search), **row.changes, **_FOUND.get(variant, {})})


def _middles(search: Mapping[str, SearchRange]) -> dict[str, float]:
    """Strengths that have not been searched yet: the middle of their range, on its logarithmic scale."""
    ranges = {key: (where.low, where.high) for key, where in search.items()}
    return {key: float(f"{math.sqrt(low * high):.1g}") for key, (low, high) in ranges.items() if low and high}


def _paper() -> Recipe:
    shared = base()
    error = Published(value=1 - 0.0113, source="Alemi et al. 2017, Table 1: VIB (beta = 1e-3)")
    named = shared.model_copy(
        update={
            "variant": "vib-paper",
            "description": "variational bottleneck as published: 1024-1024, a code of 256, averaged weights",
            "published": {"test_accuracy": error},
            "search": shared.search.model_copy(update={"space": {}}),
        }
    )
    return change(named, _PAPER)
