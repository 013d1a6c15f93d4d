"""Is a training step local? What each module's update depends on, shown by experiment and not by what a plan says."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from infotorch.diagnostics.isolation_findings import Findings, IsolationFinding
from infotorch.diagnostics.isolation_plan import parts_of_plan, step_of_plan
from infotorch.diagnostics.isolation_trials import Step, Trials
from infotorch.diagnostics.reached_state import ReachedState
from infotorch.numerics.checks import check_callable
from infotorch.numerics.kinds import check_several
from infotorch.numerics.process import alone
from infotorch.training.plan import Plan

#: A line of `IsolationAudit.table`.
IsolationLine = dict[str, str | float | None]
_WHERE = "audit_isolation"
_FAULTS = ("leak", "not tested")


@dataclass(frozen=True)
class IsolationAudit:
    """What was found of every module, in the order of the modules.

    Args:
        findings: one for each module and check.

    Example:
        >>> audit = IsolationAudit((IsolationFinding("0", "gradients", "leak", "a gradient came from '1'", 0.5),))
        >>> audit.certified, audit.summary
        (False, "not certified: module '0', gradients: a gradient came from '1'")
    """

    findings: tuple[IsolationFinding, ...]

    @property
    def certified(self) -> bool:
        """Whether every check could be made, and none found a leak."""
        return bool(self.findings) and not any(finding.verdict in _FAULTS for finding in self.findings)

    @property
    def label_free(self) -> tuple[str, ...]:
        """The modules whose update no change of the labels moves."""
        return tuple(finding.module for finding in self.findings if finding.verdict == "label-free")

    @property
    def summary(self) -> str:
        """The word "certified", or "not certified" with the first reason, leaks before what was not tested."""
        faults = sorted((f for f in self.findings if f.verdict in _FAULTS), key=lambda f: f.verdict != "leak")
        if not faults:
            return "certified" if self.findings else "not certified: nothing was looked at"
        first = faults[0]
        untested = "not tested: " if first.verdict == "not tested" else ""
        return f"not certified: module {first.module!r}, {first.check}: {untested}{first.evidence}"

    def table(self) -> list[IsolationLine]:
        """A line for each module and check: what was found, the largest difference, the tensors, why."""
        return [
            {
                "module": finding.module,
                "check": finding.check,
                "verdict": finding.verdict,
                "difference": finding.difference,
                "tensors": ", ".join(finding.tensors),
                "evidence": finding.evidence,
            }
            for finding in self.findings
        ]

    def __repr__(self) -> str:
        lines = [f"  {f.module}, {f.check}: {f.verdict} ({f.evidence})" for f in self.findings]
        return "\n".join([f"IsolationAudit: {'certified' if self.certified else 'not certified'}", *lines])


def audit_isolation(
    plan_or_step: Plan | Step,
    x: object,
    y: object,
    *,
    modules: Sequence[nn.Module] | Mapping[str, nn.Module] | None = None,
) -> IsolationAudit:
    """Find out by experiment whether a training step trains its modules in isolation from one another.

    The step is taken again and again on the same samples, two updates each time, and each time one thing is changed.
    What a plan or a module says of itself plays no part. For each module:

    - "later weights": other weights of every later module, a thousand times larger and smaller ones, and its buffers
      of whole numbers in another order change no bit of it.
    - "later inputs": other values that go into every later module change no bit of it.
    - "gradients": no gradient leaves a call of another module's layers towards its weights.
    - "parameters": it shares none that move with another module, tied weights and views included, and none is written
      while another module's layers run. "not tested" where the step trains tensors that no module holds.
    - "buffers": it shares none that move, and none moves while another module's layers run.
    - "random streams": one draw more in every later module's layers changes no bit of it.
    - "labels": whether other labels change it ("reads labels") or not ("label-free"). Neither is a fault. Labels that
      stand in x, or in the order of the samples (a batch sorted by class), are not seen by this; "not tested" where x
      plainly holds them.

    Of a plan of one module its layers are looked at, or the halves of a proximal split: back-propagation is not
    isolated.

    A plan is copied, unless it holds functions that refer to the caller's own tensors. A step is a closure, and cannot
    be copied: it runs on its own objects, and after each trial everything that it and the modules reach is put back:
    tensors and their gradients, optimisers, schedules, attributes, lists, closures' variables, global names that it
    reads, generators, and the global random states of torch, numpy and Python. What a step keeps elsewhere (a file, an
    iterator over a loader) is not put back; where two equal trials then differ, nothing is certified. Nothing else may
    use these objects meanwhile.

    The audit speaks of these modules, these samples, this state of the weights and two steps: what comes back later,
    such as a copy of later weights that is made every tenth step, is not seen.

    Args:
        plan_or_step: a plan, prepared or not; or a callable (x, y) that makes one update of `modules`.
        x: inputs of a batch, with as many samples as a step takes; for a plan as in `fit`.
        y: their targets, or None.
        modules: in the order in which the data pass them, or by name: each the layers, with their heads, that train
            together, such as `nn.ModuleList([layer, head])`. None: the plan's own.

    Returns:
        The findings, with `.certified`, `.label_free` and `.table()`.

    Raises:
        TypeError: neither a plan nor a callable, or modules of another kind.
        ValueError: fewer than two modules, a step without modules, lazy layers that have not run, or a step that fails
            on these samples.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> x, y = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
        >>> adam = torch.optim.Adam
        >>> audit_isolation(Plan.layerwise(model, objectives="Y,CE", optimizer=adam), x, y).certified
        True
        >>> audit_isolation(Plan.end_to_end(model, optimizer=adam), x, y).certified
        False
    """
    if isinstance(plan_or_step, Plan):
        return _audit_plan(plan_or_step, x, y, modules)
    check_callable(plan_or_step, where=_WHERE, name="plan_or_step")
    if modules is None:
        raise ValueError(f"{_WHERE}: modules must be given for a step, in the order in which the data pass them.")
    return audit_step(plan_or_step, _named(modules), x, y)


def _audit_plan(plan: Plan, x: Any, y: Any, modules: Any) -> IsolationAudit:
    state = ReachedState(plan, modules)
    memo = {id(tensor): tensor.detach().clone() for tensor in state.tensors if not tensor.is_leaf}
    with alone():
        try:
            own, chosen = copy.deepcopy((plan, modules), memo)
            if {*map(id, ReachedState(own, chosen).tensors)} & {*map(id, state.tensors)}:
                own, chosen = plan, modules  # a function that it holds reads the caller's tensors, and not the copy's
            step = step_of_plan(own, x, y)
            return audit_step(step, parts_of_plan(own) if chosen is None else _named(chosen), x, y)
        finally:
            state.restore()


def _named(modules: object) -> dict[str, nn.Module]:
    if isinstance(modules, nn.ModuleDict):
        modules = dict(modules.items())
    if isinstance(modules, Mapping):
        check_several([*modules], str, where=_WHERE, name="the names of modules", said="texts")
        check_several([*modules.values()], nn.Module, where=_WHERE, name="modules", said="nn.Module")
        return dict(modules)
    given = list(modules) if isinstance(modules, nn.ModuleList | nn.Sequential) else modules
    check_several(given, nn.Module, where=_WHERE, name="modules", said="nn.Module")
    assert isinstance(given, Sequence)
    return {str(number): module for number, module in enumerate(given)}


def audit_step(step: Step, parts: Mapping[str, nn.Module], x: Any, y: Any) -> IsolationAudit:
    """`audit_isolation` of a step and its named modules."""
    if len(parts) < 2:
        raise ValueError(f"{_WHERE}: modules must be at least two, got {len(parts)}: nothing crosses between fewer.")
    for name, part in parts.items():
        if any(nn.parameter.is_lazy(tensor) for tensor in (*part.parameters(), *part.buffers())):
            raise ValueError(
                f"{_WHERE}: module {name!r} has lazy layers; run the model once, so that they have weights."
            )
    return IsolationAudit(tuple(Findings(Trials(step, parts, x, y)).all()))
