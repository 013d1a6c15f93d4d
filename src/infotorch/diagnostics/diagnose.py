"""A network's layers, one by one: is I(X; T) a number that means anything, why (not), and what to look at instead."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infotorch.data.splits import stratified_rows
from infotorch.diagnostics.continuity import InputKind
from infotorch.diagnostics.evidence import Evidence, gather_evidence
from infotorch.diagnostics.representations import Listener, check_layers, layers_that_run, narrowed
from infotorch.diagnostics.verdict import Verdict, decide, remedy_for
from infotorch.numerics.checks import (
    as_tensor,
    check_choice,
    check_count,
    check_paired,
    check_rows,
    is_discrete,
)
from infotorch.numerics.seeds import seed_streams

_WHERE = "diagnose"
#: Fewer rows say nothing about ties, neighbours or classes.
FEWEST_ROWS = 20
# Rows a forward pass.
_CHUNK = 250


@dataclass(frozen=True)
class LayerDiagnosis:
    """What is known of one layer T.

    Args:
        name: the layer's name in the network, or "output".
        columns: numbers that the layer gives for a row.
        verdict: on I(X; T), see `diagnose`.
        reason: why, in a sentence.
        evidence: what the verdict rests on.
        remedy: what to measure or to train on instead.
    """

    name: str
    columns: int
    verdict: Verdict
    reason: str
    evidence: Evidence
    remedy: str


@dataclass(frozen=True)
class Diagnosis:
    """All layers of a network that were looked at, in the order in which they run.

    Args:
        layers: one entry a layer.
        rows: rows that were looked at.
    """

    layers: tuple[LayerDiagnosis, ...]
    rows: int

    def __iter__(self) -> Iterator[LayerDiagnosis]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> LayerDiagnosis:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer {name!r} was diagnosed; there are {', '.join(layer.name for layer in self.layers)}.")


def diagnose(
    model: nn.Module,
    data: tuple[Any, Any],
    *,
    layers: Sequence[str] | None = None,
    input_kind: InputKind | None = None,
    rows: int = 1000,
    seed: int = 0,
) -> Diagnosis:
    """Say of every layer T of a network whether I(X; T) is a number that means anything, and what to use instead.

    The network is looked at as it is used, in evaluation mode, on a copy. Verdicts, where X is the input's law as these
    rows show it:

    - "infinite": X has a density in some columns, and T keeps some of it: an affine map followed by strictly increasing
      activations (Theorem 1), or any function that moves smoothly with x somewhere, and no noise with a density that
      covers the movement. A value measured from samples says more about the estimator than about the layer.
    - "saturated": X is discrete and T keeps all its rows apart: I(X; T) = H(X), log n where no row occurs twice.
    - "piecewise-constant": T takes few values: I(X; T) = H(T) is finite, and on data it changes by jumps alone, so that
      its gradient is 0 almost everywhere.
    - "finite": T holds noise that makes I(X; T) finite.
    - "constant": T does not depend on x: I(X; T) = 0.
    - "unknown": the evidence does not decide.

    Dropout that evaluation mode turns off is no noise; dropout that stays on makes nothing finite, having few values.
    What is seen on these rows need not hold elsewhere: a unit that is dead here may live on other inputs.

    Args:
        model: any module that takes one tensor.
        data: (x, y): inputs (n, ...), n at least 20, and classes (n,), integers, -1 for unlabelled rows; or None.
        layers: names as in `model.named_modules()`, or "output"; None takes the children in the order in which they
            run, and "output" where the forward goes on after them.
        input_kind: "continuous" or "discrete" where the rows do not show it: grey levels that stand for brightness are
            discrete as they are, and 16-bit samples look continuous. None looks, see `continuous_columns`.
        rows: rows that are looked at, drawn in the proportions of the classes.
        seed: decides the rows and every draw.

    Raises:
        TypeError: data is no pair, x is no tensor of numbers, classes are not integers, or rows is not an integer.
        ValueError: fewer than 20 rows, rows not paired, NaN or infinite values, an unknown layer or input_kind, or a
            network that does not run on x.

    Source: Amjad & Geiger 2019, arXiv:1802.09766.

    Example:
        >>> x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> found = diagnose(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (x, y))
        >>> [(layer.name, layer.verdict) for layer in found.layers]
        [('0', 'infinite'), ('1', 'infinite'), ('2', 'infinite')]
    """
    x, y = _checked(model, data)
    check_count(rows, where=_WHERE, name="rows")
    check_rows(x[:rows], where=_WHERE, name="x (and rows)", at_least=FEWEST_ROWS)
    if input_kind is not None:
        check_choice(input_kind, ("continuous", "discrete"), where=_WHERE, name="input_kind")
    streams = seed_streams(seed)
    x, y = _chosen(x, y, rows, streams.generator("diagnosed rows"))
    twin = _copied(model)
    with streams.as_global("diagnosed", device=x.device):
        try:
            names = layers_that_run(twin, x[:2]) if layers is None else check_layers(model, layers, where=_WHERE)
            outputs = _outputs(twin, x, names)
        except ValueError as error:
            raise ValueError(f"{_WHERE}: {str(error).removeprefix(_WHERE + ': ')}") from error
        seen = gather_evidence(twin, x, names, outputs, data=input_kind, streams=streams)
    return Diagnosis(tuple(_layer(name, outputs[name], seen[name]) for name in names), len(x))


def _layer(name: str, t: Tensor, seen: Evidence) -> LayerDiagnosis:
    verdict, reason = decide(seen)
    return LayerDiagnosis(name, t.shape[1], verdict, reason, seen, remedy_for(verdict))


def _checked(model: nn.Module, data: Any) -> tuple[Tensor, Tensor | None]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"{_WHERE}: model must be a torch.nn.Module, got {type(model).__name__}.")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"{_WHERE}: data must be a pair (x, y), y classes or None, got {type(data).__name__}.")
    x = as_tensor(data[0], where=_WHERE, name="x")
    if x.ndim == 0:
        raise ValueError(f"{_WHERE}: x must have rows, got a single number.")
    if x.is_floating_point() and not bool(torch.isfinite(x).all()):
        raise ValueError(f"{_WHERE}: x must be finite, got NaN or infinite values.")
    if data[1] is None:
        return x, None
    y = as_tensor(data[1], where=_WHERE, name="y")
    if not is_discrete(y) or y.ndim != 1:
        raise TypeError(
            f"{_WHERE}: y must be one class a row, integers of shape (n,), or None, got {y.dtype} {tuple(y.shape)}."
        )
    check_paired(x, y, where=_WHERE)
    return x, y.long()


def _chosen(x: Tensor, y: Tensor | None, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """At most so many rows, in a random order, as the first few are looked at more closely."""
    count = min(rows, len(x))
    kept = (
        torch.randperm(len(x), generator=generator)[:count] if y is None else stratified_rows(y.cpu(), count, generator)
    )
    kept = kept[torch.randperm(count, generator=generator)]
    return x.detach()[kept.to(x.device)], None if y is None else y[kept.to(y.device)].to(x.device)


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return model  # it holds what cannot be copied; Listener puts modes and buffers back


def _outputs(model: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    with torch.no_grad(), Listener(model, layers) as listen:
        for some in x.split(_CHUNK):
            for name, t in listen(some).items():
                parts[name].append(narrowed(t))
    return {name: torch.cat(values) for name, values in parts.items()}
