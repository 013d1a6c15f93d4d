"""What trials of a training step show of each module, as findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.diagnostics.isolation_trials import Moved, Trials, tensors_of_module
from infotorch.diagnostics.labels_in_inputs import labels_within
from infotorch.diagnostics.shared_tensors import shared_with

#: What is looked at, for each module.
IsolationCheck: TypeAlias = Literal[
    "later weights", "later inputs", "gradients", "parameters", "buffers", "random streams", "labels"
]
#: What was found; the last two are of labels, and neither is a fault.
IsolationVerdict: TypeAlias = Literal["isolated", "leak", "not tested", "label-free", "reads labels"]
#: The module that was changed, what of it, and what that moved in each module.
_Trial: TypeAlias = tuple[str, str, dict[str, Moved]]


@dataclass(frozen=True)
class IsolationFinding:
    """What one check found of one module.

    Args:
        module: its name.
        check: what was looked at.
        verdict: "isolated", "leak" or "not tested"; of labels "label-free", "reads labels" or "not tested".
        evidence: why, in a sentence.
        difference: the largest difference that was seen, or the largest gradient that crossed; None without one.
        tensors: names of the module's tensors concerned.

    Example:
        >>> IsolationFinding("0", "gradients", "isolated", "no gradient reached it").tensors
        ()
    """

    module: str
    check: IsolationCheck
    verdict: IsolationVerdict
    evidence: str
    difference: float | None = None
    tensors: tuple[str, ...] = ()


class Findings:
    """The checks of every module, made of trials; `all` gives the findings."""

    def __init__(self, trials: Trials) -> None:
        self.trials, self.names = trials, list(trials.parts)
        self.weights: list[_Trial] = []
        self.inputs: list[_Trial] = []
        self.draws: list[_Trial] = []
        for name in self.names[1:]:
            self._try(name)
        self.uncalled = [
            name
            for name, part in trials.parts.items()
            if not self._calls(name) and next(part.parameters(), None) is not None
        ]

    def _calls(self, name: str) -> int:
        return sum(self.trials.seen.calls.get(name, []))

    def _try(self, name: str) -> None:
        """The trials that change one module: all changes at once, and each by itself where it moves an earlier one."""
        trials, streams = self.trials, self.trials.seen.streams.get(name, [])
        together = trials.all_other(name, streams)
        earlier = self.names[: self.names.index(name)]
        clean = not any(together[one].tensors or together[one].error for one in earlier)
        self.weights.append((name, "other weights", together if clean else trials.other_weights(name)))
        if not clean:
            integers = trials.other_integers(name)
            # A table in another order may be one with which no step can be taken, which proves nothing.
            found = {one: replace(moved, error="") for one, moved in integers.items()}
            self.weights.append((name, "other whole numbers", found))
        self.weights.append((name, "larger weights", trials.large_weights(name)))
        self.weights.append((name, "smaller weights", trials.small_weights(name)))
        if self._calls(name):
            self.inputs.append((name, "other inputs", together if clean else trials.other_inputs(name)))
        if streams:
            drawn = f"a draw from {', '.join(stream.name for stream in streams)}"
            self.draws.append((name, drawn, together if clean else trials.other_draws(name, streams)))

    def all(self) -> list[IsolationFinding]:
        """One for each module and check, module by module."""
        relabelled = self._relabelled()
        found: list[IsolationFinding] = []
        for number, name in enumerate(self.names):
            later = set(self.names[number + 1 :])
            found += [
                self._moved(name, "later weights", later, self.weights, untouched=self._stands_still(name)),
                self._moved(name, "later inputs", later, self.inputs, untouched=self._unseen(later)),
                self._gradients(name),
                self._shared(name, "parameters"),
                self._shared(name, "buffers"),
                self._moved(name, "random streams", later, self.draws, untouched=self.trials.watch_error),
                self._labels(name, relabelled),
            ]
        return found

    def _moved(
        self,
        name: str,
        check: IsolationCheck,
        later: set[str],
        trials: list[_Trial],
        *,
        untouched: str,
    ) -> IsolationFinding:
        """What changes of later modules moved in this one."""
        mine = [(other, what, moved[name]) for other, what, moved in trials if other in later]
        for other, what, moved in mine:
            if moved.tensors and self.trials.repeats:
                why = f"{what} of {other!r} move it by up to {moved.difference:.3g}"
                return IsolationFinding(name, check, "leak", why, moved.difference, moved.tensors)
        if reason := self._unrepeated() or untouched:
            return IsolationFinding(name, check, "not tested", reason)
        for other, what, moved in mine:
            if moved.error:
                return IsolationFinding(name, check, "not tested", f"{what} of {other!r}: {moved.error}")
        if not later:
            return IsolationFinding(name, check, "isolated", "no module comes later")
        if not mine:
            return IsolationFinding(name, check, "isolated", "no later module's layers draw random numbers")
        tried = ", ".join(dict.fromkeys(repr(other) for other, _, _ in mine))
        return IsolationFinding(name, check, "isolated", f"no bit moves with those of {tried}", 0.0)

    def _unrepeated(self) -> str:
        return "" if self.trials.repeats else "two equal trials differ"

    def _stands_still(self, name: str) -> str:
        trained = [key for key, tensor in tensors_of_module(self.trials.parts[name]).items() if tensor.requires_grad]
        # Statistics of a batch norm move by themselves; only weights show what an update depends on.
        if not trained or self.trials.moving[name].intersection(trained):
            return ""
        return "two steps moved none of its weights; a frozen one needs requires_grad_(False)"

    def _unseen(self, among: set[str]) -> str:
        names = [repr(name) for name in self.uncalled if name in among]
        return self.trials.watch_error or (f"the step calls no layer of {', '.join(names)}" if names else "")

    def _gradients(self, name: str) -> IsolationFinding:
        crossed = {by: size for (by, to), size in self.trials.seen.gradients.items() if to == name}
        if crossed:
            by = max(crossed, key=lambda other: crossed[other])
            why = f"a gradient of up to {crossed[by]:.3g} came from {by!r}"
            return IsolationFinding(name, "gradients", "leak", why, crossed[by])
        if reason := self._unseen({*self.names} - {name}):
            return IsolationFinding(name, "gradients", "not tested", reason)
        return IsolationFinding(name, "gradients", "isolated", "none came from another module")

    def _shared(self, name: str, check: Literal["parameters", "buffers"]) -> IsolationFinding:
        parts = self.trials.parts
        own = {
            key: tensor
            for key, tensor in tensors_of_module(parts[name]).items()
            if isinstance(tensor, nn.Parameter) == (check == "parameters")
        }
        others = {other: tensors_of_module(part) for other, part in parts.items() if other != name}
        seen = self.trials.seen.buffers if check == "buffers" else self.trials.seen.weights
        if written := {by: names for (by, to), names in seen.items() if to == name}:
            by, names = next(iter(written.items()))
            why = f"moved while layers of {by!r} ran"
            return IsolationFinding(name, check, "leak", why, tensors=tuple(sorted(names)))
        shared = shared_with(own, others)
        for other, names in shared.items():
            moving = tuple(key for key in names if own[key].requires_grad or key in self.trials.moving[name])
            if moving:
                return IsolationFinding(name, check, "leak", f"shared with {other!r}", tensors=moving)
        reason = self._unlisted() if check == "parameters" else self.trials.watch_error if own else ""
        if reason:
            return IsolationFinding(name, check, "not tested", reason)
        why = f"shared with {', '.join(map(repr, shared))}, and never moved" if shared else "none shared"
        return IsolationFinding(name, check, "isolated", why)

    def _unlisted(self) -> str:
        if not (unlisted := self.trials.unlisted):
            return ""
        of = f"{len(unlisted)} tensors with gradients" if len(unlisted) > 1 else "a tensor with gradients"
        return (
            f"the step also trains {of} that no module holds, of shape {tuple(unlisted[0].shape)}; list all that train"
        )

    def _relabelled(self) -> dict[str, Moved] | str | None:
        """The trial with other labels, why there is none, or None where there are no labels."""
        y = self.trials.y
        if y is None:
            return None
        if not isinstance(y, Tensor | np.ndarray | list):
            return f"labels of type {type(y).__name__} have no other order"
        found: dict[str, Moved] | str = "all labels are the same"
        for other in _other_labels(y):
            found = self.trials.other_labels(other)
            if not any(moved.error for moved in found.values()):
                break
        return found

    def _labels(self, name: str, relabelled: dict[str, Moved] | str | None) -> IsolationFinding:
        if isinstance(relabelled, str):
            return IsolationFinding(name, "labels", "not tested", relabelled)
        if relabelled is None:
            return IsolationFinding(name, "labels", "label-free", "there are no labels")
        moved = relabelled[name]
        if reason := self._unrepeated() or moved.error:
            return IsolationFinding(name, "labels", "not tested", reason)
        if moved.tensors:
            why = f"other ones move it by up to {moved.difference:.3g}"
            return IsolationFinding(name, "labels", "reads labels", why, moved.difference, moved.tensors)
        if place := labels_within(self.trials.x, self.trials.y):
            return IsolationFinding(name, "labels", "not tested", f"x holds them, in {place}")
        return IsolationFinding(name, "labels", "label-free", "other ones move no bit", 0.0)


def _other_labels(y: Any) -> Iterator[Any]:
    """The labels drawn with repetition, so that order and numbers differ, and in another order, which no loss refuses.

    Either groups samples otherwise: a loss may read of classes no more than who is in one.
    """
    n = len(y)
    for draw in (lambda generator: torch.randint(n, (n,), generator=generator), partial(torch.randperm, n)):
        several = (_chosen(y, draw(generator=torch.Generator().manual_seed(seed))) for seed in range(10))
        yield from islice((one for one in several if _differ(y, one)), 1)


def _chosen(y: Any, samples: Tensor) -> Any:
    if isinstance(y, list):
        return [y[number] for number in samples.tolist()]
    return y[samples.to(y.device)] if isinstance(y, Tensor) else y[samples.numpy()]


def _differ(one: Any, other: Any) -> bool:
    first, second = (
        value.numpy(force=True) if isinstance(value, Tensor) else np.asarray(value) for value in (one, other)
    )
    return not np.array_equal(first, second)
