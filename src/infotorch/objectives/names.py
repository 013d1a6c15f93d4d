"""Objectives by name, as in the string "X,Y,CE"; "A+B" is the sum of two, "A|B" one for each of parallel modules."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TypeAlias

from torch import Tensor

from infotorch.data.targets import TargetKind
from infotorch.numerics.checks import shown
from infotorch.objectives.auxiliary import ThroughAuxiliary
from infotorch.objectives.base import Objective
from infotorch.objectives.combined import ParallelObjectives, SumOfObjectives
from infotorch.objectives.loss_function import LossFunction
from infotorch.objectives.registry import REGISTRY, SHORT

#: What a plan takes for a module: an objective, its name, a loss of (output, y), or None for none.
ObjectiveLike: TypeAlias = Objective | str | Callable[[Tensor, Tensor], Tensor] | None
#: The objective of a last module by what its targets are; `Y` is the first choice for hidden modules with all of them.
OUTPUT_NAMES: dict[TargetKind, str] = {"classes": "CE", "real": "MSE", "multilabel": "CE"}
#: The name that leaves a module as it was initialised.
FROZEN = "frozen"
#: The option of every objective: the network through which it looks at its module's output.
AUXILIARY = "auxiliary"


def describe_objectives() -> dict[str, str]:
    """Every name that a plan string may hold, with one line on what it is.

    Example:
        >>> "Y:readout" in describe_objectives()
        True
    """
    lines = {
        name: f"graphs: {entry.line}" if entry.needs == "graphs" else entry.line for name, entry in REGISTRY.items()
    }
    return {**lines, FROZEN: "the module keeps its initial weights"}


def objective_from_name(name: str, options: Mapping[str, Mapping[str, object]] | None = None) -> Objective | None:
    """The objective of that name, or None for "frozen".

    Args:
        name: a name of `describe_objectives`, "X" or "Y" for the first of their kind, "A+B" for the sum of two,
            "A|B" for the objectives of parallel branches (`ParallelObjectives`).
        options: name -> keyword arguments of that objective, and "auxiliary" for a network that it looks through, see
            `ThroughAuxiliary`.

    Raises:
        TypeError: name is no string, or options no dict of dicts.
        ValueError: no objective, or no option of the objective, has that name; near misses are suggested.

    Example:
        >>> type(objective_from_name("Y")).__name__
        'ReadoutInformation'
        >>> [type(part).__name__ for part in objective_from_name("Y:supcon + Y").parts]
        ['SupervisedContrastive', 'ReadoutInformation']
        >>> type(objective_from_name("Y", {"Y": {"auxiliary": "convolutions"}})).__name__
        'ThroughAuxiliary'
    """
    if not isinstance(name, str):
        raise TypeError(f"objective: name must be a string, got {shown(name)}.")
    if options is not None and not (
        isinstance(options, Mapping) and all(isinstance(given, Mapping) for given in options.values())
    ):
        raise TypeError(f"objective: options must be a dict of settings for each name, got {shown(options)}.")
    for sign, together in (("|", ParallelObjectives), ("+", SumOfObjectives)):
        if sign in name:
            parts = [objective_from_name(part, options) for part in name.split(sign)]
            if None in parts:
                raise ValueError(f"objective: {FROZEN!r} stands alone, got {shown(name)}.")
            return _asked(together([part for part in parts if part is not None]), name)
    full = _full_name(name.strip())
    if full == FROZEN:
        return None
    module, kind = REGISTRY[full].home.split(".")
    made = getattr(importlib.import_module(f"infotorch.objectives.{module}"), kind)
    settings = REGISTRY[full].settings
    given = _options(full, made, settings, options or {})
    auxiliary = None if AUXILIARY in signature(made).parameters else given.pop(AUXILIARY, None)
    objective = _asked(made(**settings, **given), name)
    if auxiliary is None:
        return objective
    told = auxiliary.get("kind") if isinstance(auxiliary, Mapping) else auxiliary
    told = told if isinstance(told, str) else "a network of its own"
    return _asked(ThroughAuxiliary(objective, auxiliary), f"{name.strip()} through {told}")  # pyright: ignore[reportArgumentType]


def _asked(objective: Objective, name: str) -> Objective:
    objective.asked = name.strip()
    return objective


def _options(
    full: str, made: type[Objective], settings: Mapping[str, object], options: Mapping[str, Mapping[str, object]]
) -> dict[str, object]:
    wanted = {key: value for of, given in options.items() if _full_name(of) == full for key, value in given.items()}
    # What the name itself says ("X:mine": of="x", bound="mine") is no option.
    allowed = [
        parameter.name
        for parameter in signature(made).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in settings
    ]
    allowed += [] if AUXILIARY in allowed else [AUXILIARY]
    for key in wanted:
        if key not in allowed:
            hint = f"{_hint(key, allowed)} Options: {', '.join(allowed)}."
            raise ValueError(f"objective: {full} has no option {key!r}{hint}")
    return wanted


def _full_name(name: str) -> str:
    full, allowed = SHORT.get(name, name), [*SHORT, *REGISTRY, FROZEN]
    if full not in allowed:
        raise ValueError(f"objective: must be one of {', '.join(allowed)}, got {shown(name)}{_hint(full, allowed)}")
    return full


def _hint(word: str, allowed: Sequence[str]) -> str:
    if word == "IB":
        return "; the bottleneck has no default noise: use InformationBottleneck(beta=..., noise_std=...) in a list."
    near = difflib.get_close_matches(word, allowed, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def parse_objectives(
    objectives: str | Sequence[ObjectiveLike], options: Mapping[str, Mapping[str, object]] | None = None
) -> list[Objective | None]:
    """Objectives from a string such as "X,Y,CE", or from a list of objectives, names and losses of (output, y).

    Raises:
        TypeError: something else, such as the class of a loss, or options that are no dict of dicts.
        ValueError: no objective, or no option of one, has a name.

    Example:
        >>> [type(o).__name__ for o in parse_objectives("X,Y,CE")]
        ['Reconstruction', 'ReadoutInformation', 'CrossEntropy']
    """
    parts = objectives.split(",") if isinstance(objectives, str) else objectives
    if not isinstance(parts, Sequence):
        raise TypeError(f"objectives: must be a string such as 'X,Y,CE' or a list, got {shown(objectives)}.")
    found: list[Objective | None] = []
    for part in parts:
        if isinstance(part, str):
            found.append(objective_from_name(part, options))
        elif isinstance(part, Objective | None):
            found.append(part)
        elif callable(part) and not isinstance(part, type):
            found.append(LossFunction(part))
        else:
            raise TypeError(
                "objectives: each must be an objective, a name, a loss such as nn.MSELoss() or None, got "
                f"{f'the class {part.__name__}' if isinstance(part, type) else shown(part)}."
            )
    return found
