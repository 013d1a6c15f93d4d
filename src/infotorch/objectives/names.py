"""Objectives by name, as in the string "X,Y,CE"; "A+B" is the sum of two, "A|B" one for each of parallel modules."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from infotorch.objectives.base import Objective
from infotorch.objectives.combined import ParallelObjectives, SumOfObjectives

# name -> (module of this room, class, its settings, what it is in one line); loaded on first use
_NAMED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "X:reconstruction": ("inputs", "Reconstruction", {}, "reconstruction bound on I(X; T) by a linear decoder"),
    "X:squared-error": ("squared_error", "SquaredError", {"target": "x"}, "squared error of the output and X"),
    "X:infonce": ("critic", "CriticInformation", {"of": "x", "bound": "infonce"}, "InfoNCE bound on I(X; T)"),
    "X:mine": ("critic", "CriticInformation", {"of": "x", "bound": "mine"}, "MINE of I(X; T)"),
    "X:nwj": ("critic", "CriticInformation", {"of": "x", "bound": "nwj"}, "NWJ bound on I(X; T)"),
    "X:jsd": ("critic", "CriticInformation", {"of": "x", "bound": "jsd"}, "Jensen-Shannon information of X and T"),
    "X:renyi": ("renyi", "RenyiInformation", {"of": "x"}, "matrix-based Renyi information of X and T"),
    "X:dim": ("spatial", "DeepInfoMax", {"scope": "both"}, "Deep InfoMax, local and global, of an image"),
    "X:dim-local": ("spatial", "DeepInfoMax", {"scope": "local"}, "Deep InfoMax with the locations of an image"),
    "X:dim-global": ("spatial", "DeepInfoMax", {"scope": "global"}, "Deep InfoMax with the whole image"),
    "X:views": ("views", "ViewInformation", {}, "InfoNCE between views: moved images, mixed rows"),
    "X:greedy-infomax": (
        "spatial",
        "GreedyInfoMax",
        {},
        "Greedy InfoMax: locations of an image predict locations below",
    ),
    "X:node-infonce": ("graph_nodes", "NodeInformation", {"bound": "infonce"}, "graphs: InfoNCE of nodes' features"),
    "X:node-mine": ("graph_nodes", "NodeInformation", {"bound": "mine"}, "graphs: MINE of nodes' features"),
    "X:gmi": ("graph_nodes", "GraphicalInformation", {}, "graphs: features of a node and its neighbours, and edges"),
    "X:dgi": ("graph_summary", "DeepGraphInfomax", {}, "graphs: nodes against a summary, beside corrupted nodes"),
    "X:infograph": ("graph_summary", "InfoGraph", {}, "graphs: nodes against the summaries of all graphs"),
    "X:graph-renyi": ("graph_renyi", "GraphRenyiInformation", {}, "graphs: Renyi information, nodes and neighbours"),
    "Y:readout": ("labels", "ReadoutInformation", {}, "read-out bound H(Y) - CE on I(Y; T)"),
    "Y:infonce": ("critic", "CriticInformation", {"of": "y", "bound": "infonce"}, "InfoNCE bound on I(Y; T)"),
    "Y:mine": ("critic", "CriticInformation", {"of": "y", "bound": "mine"}, "MINE of I(Y; T)"),
    "Y:nwj": ("critic", "CriticInformation", {"of": "y", "bound": "nwj"}, "NWJ bound on I(Y; T)"),
    "Y:jsd": ("critic", "CriticInformation", {"of": "y", "bound": "jsd"}, "Jensen-Shannon information of Y and T"),
    "Y:renyi": ("renyi", "RenyiInformation", {"of": "y"}, "matrix-based Renyi information of Y and T"),
    "Y:supcon": ("contrastive", "SupervisedContrastive", {}, "supervised contrastive bound on I(Y; T)"),
    "Y:hsic": ("hsic", "HSICBottleneck", {}, "HSIC bottleneck: dependence on Y, less dependence on X"),
    "Y:kernel": ("similarity", "KernelAlignment", {}, "pairwise kernel of the classes (Duan, Yu & Principe)"),
    "Y:predsim": ("similarity", "PredictiveSimilarity", {}, "similarity matching and a local prediction (Nokland)"),
    "Y:forward-forward": ("forward_forward", "ForwardForward", {}, "Forward-Forward: goodness of right labels"),
    "Y:graph-forward-forward": (
        "graph_forward_forward",
        "GraphForwardForward",
        {},
        "graphs: Forward-Forward, labels beside the nodes' features",
    ),
    "Y:associated": ("associated", "AssociatedLearning", {}, "Associated Learning: a bridge to a code of the label"),
    "Y:vib": ("variational", "VariationalBottleneck", {}, "variational bottleneck: a noisy code of T and its rate"),
    "Y:soft-decision": ("decision", "SoftDecisionInformation", {}, "I(Y; Yhat), Yhat drawn by a softmax of T"),
    "Y:squared-error": ("squared_error", "SquaredError", {"target": "y"}, "squared error of the output and one-hot Y"),
    "CE": ("labels", "CrossEntropy", {}, "cross-entropy of the module's own output: the output module"),
}
_SHORT = {"X": "X:reconstruction", "Y": "Y:readout"}

#: The name that leaves a module as it was initialised.
FROZEN = "frozen"


def describe_objectives() -> dict[str, str]:
    """Every name that a plan string may hold, with one line on what it is.

    Example:
        >>> "Y:readout" in describe_objectives()
        True
    """
    lines = {name: line for name, (*_, line) in _NAMED.items()}
    return {**lines, FROZEN: "the module keeps its initial weights"}


def objective_from_name(name: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Objective | None:
    """The objective of that name, or None for "frozen".

    Args:
        name: a name of `describe_objectives`, "X" or "Y" for the first of their kind, "A+B" for the sum of two,
            "A|B" for the objectives of parallel branches (`ParallelObjectives`).
        options: name -> keyword arguments of that objective.

    Raises:
        ValueError: no objective, or no option of the objective, has that name; near misses are suggested.

    Example:
        >>> type(objective_from_name("Y")).__name__
        'ReadoutInformation'
        >>> [type(part).__name__ for part in objective_from_name("Y:supcon + Y").parts]
        ['SupervisedContrastive', 'ReadoutInformation']
    """
    for sign, together in (("|", ParallelObjectives), ("+", SumOfObjectives)):
        if sign in name:
            parts = [objective_from_name(part, options) for part in name.split(sign)]
            if None in parts:
                raise ValueError(f"objective: {FROZEN!r} stands alone, got {name!r}.")
            return together([part for part in parts if part is not None])
    full = _full_name(name.strip())
    if full == FROZEN:
        return None
    module, kind, settings, _ = _NAMED[full]
    made = getattr(importlib.import_module(f"infotorch.objectives.{module}"), kind)
    return made(**settings, **_options(full, made, settings, options or {}))


def _options(
    full: str, made: type[Objective], settings: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    wanted = {key: value for of, given in options.items() if _full_name(of) == full for key, value in given.items()}
    # What the name itself says ("X:mine": of="x", bound="mine") is no option.
    allowed = [
        parameter.name
        for parameter in inspect.signature(made).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in settings
    ]
    for key in wanted:
        if key not in allowed:
            options_are = f" Options: {', '.join(allowed)}." if allowed else ""
            raise ValueError(f"objective: {full} has no option {key!r}{_hint(key, allowed)}{options_are}")
    return wanted


def _full_name(name: str) -> str:
    full, allowed = _SHORT.get(name, name), [*_SHORT, *_NAMED, FROZEN]
    if full not in allowed:
        raise ValueError(f"objective: must be one of {', '.join(allowed)}, got {name!r}{_hint(full, allowed)}")
    return full


def _hint(word: str, allowed: Sequence[str]) -> str:
    if word == "IB":
        return "; the bottleneck has no default noise: use InformationBottleneck(beta=..., noise_std=...) in a list."
    near = difflib.get_close_matches(word, allowed, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def parse_objectives(
    objectives: str | Sequence[Objective | str | None], options: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Objective | None]:
    """Objectives from a string such as "X,Y,CE", or from a list of objectives and names.

    Example:
        >>> [type(o).__name__ for o in parse_objectives("X,Y,CE")]
        ['Reconstruction', 'ReadoutInformation', 'CrossEntropy']
    """
    parts = objectives.split(",") if isinstance(objectives, str) else objectives
    return [objective_from_name(part, options) if isinstance(part, str) else part for part in parts]
