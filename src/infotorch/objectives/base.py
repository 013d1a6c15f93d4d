"""What an objective is: an `nn.Module` that turns what one local module sees into a loss.

A bound or estimate is information, larger is more; an objective is a loss and is minimised. The sign, and beta, live
here. Parameters of an objective (a read-out, a decoder) cooperate: the loss that trains their module trains them. Parts
that an objective names in `critics()` do not: before every step of the module they take `critic_steps` steps of their
own down `critic_loss`, as the adversary of a layer must, and as a critic may that needs more steps than its layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import chain
from typing import Any, Literal

import torch
from torch import Tensor, nn

from infotorch.data.graphs import GraphStructure
from infotorch.data.targets import TargetKind, kind_of_targets
from infotorch.estimators.estimate import Side
from infotorch.numerics.checks import shown
from infotorch.numerics.module_inputs import described, explaining, module_input
from infotorch.numerics.seeds import SeedStreams
from infotorch.numerics.sketches import sketch
from infotorch.objectives.checks import check_kind_of_targets, check_rows_of_batch, check_targets
from infotorch.objectives.place import Place

#: which X: the model's raw input, or the module's own
Target = Literal["x", "module_input"]


def _no_encoder(_: Tensor) -> Tensor:
    raise TypeError("LocalBatch: this objective passes other inputs through its module; give the batch an encode.")


def _no_encoder_of_means(_: Tensor) -> Tensor:
    raise ValueError(
        "LocalBatch: this objective makes other inputs of its rows, and here these are means over the nodes of graphs, "
        "which no module takes; use one that knows graphs, such as X:infograph or Y:graph-forward-forward."
    )


@dataclass(frozen=True)
class LocalBatch:
    """What one local module sees in one step.

    Args:
        x: the network's raw input, (b, ...).
        module_input: the previous module's output without its history, (b, ...).
        output: the module's output, (b, ...), with its gradient.
        y: targets, (b,) class numbers with -1 for unlabelled samples, real (b, ...) with NaN for missing ones, or
            integers (b, labels) of 0, 1 and -1; or None.
        streams: the run's random streams.
        position: (stage, epoch, step, module), the key of this step's noise; critic steps add their number.
        encode: raw inputs (m, ...) -> this module's output for them, (m, ...), with a gradient in this module alone, as
            `output` has; statistics of batch norm stay as they are. For objectives that look at other inputs than the
            samples of the batch: augmented views, samples with another label written on them.
        graph: for graphs, who is joined to whom; None for samples that are independent. Then x are the features of all
            nodes (n, f), the outputs have a row for each node or, behind a read-out, for each graph, y likewise; and
            `encode` takes features (k n, f) of k copies of the graphs.

    Example:
        >>> x = torch.ones(4, 2)
        >>> batch = LocalBatch(x=x, module_input=x, output=2 * x, y=torch.tensor([0, 1, 1, -1]))
        >>> torch.equal(torch.rand(3, generator=batch.generator()), torch.rand(3, generator=batch.generator()))
        True

    Raises:
        TypeError: x, module_input, output or y is no dense tensor, or output is not real-valued.
        ValueError: a single number in place of samples.
    """

    x: Tensor
    module_input: Tensor
    output: Tensor
    y: Tensor | None
    streams: SeedStreams = field(default_factory=lambda: SeedStreams(0))
    position: tuple[int, ...] = ()
    encode: Callable[[Tensor], Tensor] = _no_encoder
    graph: GraphStructure | None = None

    def __post_init__(self) -> None:
        check_rows_of_batch(self.x, self.module_input, self.output, self.y, where="LocalBatch")

    def __repr__(self) -> str:
        names = ("x", "module_input", "output", "y")
        held = ", ".join(f"{name}={sketch(getattr(self, name))}" for name in names)
        return f"LocalBatch({held}, position={self.position})"

    def generator(self, name: str = "noise") -> torch.Generator:
        """This step's stream of that name, on the batch's device, from its beginning at every call."""
        if not isinstance(name, str):
            raise TypeError(f"LocalBatch.generator: name must be a string, got {shown(name)}.")
        return self.streams.generator(name, *self.position, device=self.output.device)

    def paired(self, *, with_labels: bool) -> LocalBatch:
        """The batch as independent samples, for objectives that know nothing of graphs.

        The rows are graphs, with the means over their nodes, where the output has a row for each graph, or where labels
        count and belong to graphs (no other inputs can be encoded then); else they are nodes.

        Raises:
            ValueError: an output with neither a row for each node nor for each graph, or of graphs and labels of nodes.
        """
        graph = self.graph
        if graph is None:
            return self
        if len(self.output) not in {graph.num_nodes, graph.num_graphs}:
            raise ValueError(
                f"LocalBatch: a module on graphs must give a row for each of {graph.num_nodes} nodes or "
                f"{graph.num_graphs} graphs, got {tuple(self.output.shape)}."
            )
        of_graphs = len(self.output) == graph.num_graphs
        of_graphs |= with_labels and self.y is not None and len(self.y) == graph.num_graphs
        if not of_graphs:
            return self
        if with_labels and self.y is not None and len(self.y) != graph.num_graphs:
            raise ValueError(
                f"LocalBatch: the {len(self.y)} labels are of nodes, and behind a read-out the module gives a row for "
                f"each of {graph.num_graphs} graphs; cut before the read-out, or leave it out."
            )
        means = {name: self._mean(getattr(self, name)) for name in ("x", "module_input", "output")}
        return replace(self, **means, encode=_no_encoder_of_means, graph=None)

    def _mean(self, rows: Tensor) -> Tensor:
        assert self.graph is not None
        return rows if len(rows) == self.graph.num_graphs else self.graph.mean(rows)


@dataclass(frozen=True)
class Loss:
    """A loss to minimise and the named quantities it is made of (0-d, without gradient; nats where named so).

    Example:
        >>> loss = Loss(torch.tensor(0.5), {"ce": torch.tensor(0.5)})
        >>> loss.total.item(), list(loss.terms)
        (0.5, ['ce'])
    """

    total: Tensor
    terms: dict[str, Tensor]


def nothing_to_learn(output: Tensor) -> Loss:
    """The loss of samples that teach nothing, such as those without a label: a gradient of zero, and no term.

    Example:
        >>> nothing_to_learn(torch.ones(2, 3))
        Loss(total=tensor(0.), terms={})
    """
    return Loss(full_precision(output).sum() * 0.0, {})


class Objective(nn.Module):
    """What one local module minimises: `(LocalBatch) -> Loss`.

    Attributes:
        sides: for each information term, on which side of the truth its expectation lies.
        needs_labels: whether samples without a target teach it nothing; a stage of such objectives alone sees none.
        critic_steps: steps of the critics before each step of the module.
        reads_labels: whether targets enter; None: as `needs_labels`.
        target_kinds: what targets it takes, of "classes", "real" and "multilabel"; others are refused before training.
            None: it looks for itself.
        knows_graphs: whether it pairs nodes, graphs and targets itself; the others see `LocalBatch.paired` samples.
        asked: the name in a plan string that it was made for, or None.

    Example:
        >>> class MeanSquare(Objective):
        ...     def forward(self, batch):
        ...         return Loss(batch.output.square().mean(), {})
        >>> x = torch.full((4, 2), 3.0)
        >>> MeanSquare()(LocalBatch(x=x, module_input=x, output=x, y=None)).total
        tensor(9.)
    """

    sides: Mapping[str, Side] = {}
    needs_labels: bool = False
    critic_steps: int = 0
    reads_labels: bool | None = None
    target_kinds: tuple[TargetKind, ...] | None = None
    knows_graphs: bool = False
    #: Whether its loss is `_judge_rows(_read_rows(output), y)`, and `_read_rows` takes each row alone. Then several
    #: processes read their own rows each, and tell the others what they read and not the outputs.
    _reads_rows: bool = False
    asked: str | None = None
    #: Of the output that the parts were built on: its type, axes, columns and entries of a row.
    _built_on: tuple[torch.dtype, int, int, int] | None = None
    #: Of the targets: what they are, and the axes of a row; None where there were none.
    _built_on_targets: tuple[TargetKind | None, torch.Size] | None = None

    def __init_subclass__(cls, **settings: object) -> None:
        """Every objective's own `build`, `scores` and `critic_loss` see what `check_built` and its kin let pass."""
        super().__init_subclass__(**settings)
        if "forward" in vars(cls) and "_judge_rows" not in vars(cls):
            cls._reads_rows = False  # its loss is another one than the class's that it is made of
        for name, guarded in (("build", _building), ("scores", _reading), ("critic_loss", _criticising)):
            if name in vars(cls):
                setattr(cls, name, guarded(vars(cls)[name]))

    def _read_rows(self, output: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the loss needs of each row of an output, where `_reads_rows`; it draws nothing at random."""
        raise NotImplementedError

    def _judge_rows(self, rows: Any, y: Tensor | None) -> Loss:
        """The loss by what `_read_rows` gave for all rows, and their targets."""
        raise NotImplementedError

    def sees(self, batch: LocalBatch) -> LocalBatch:
        """The batch as this objective reads it."""
        return batch if self.knows_graphs else batch.paired(with_labels=self.reads_targets)

    @property
    def reads_targets(self) -> bool:
        """Whether targets enter."""
        return self.needs_labels if self.reads_labels is None else self.reads_labels

    def __call__(self, batch: LocalBatch) -> Loss:
        """The loss of what the objective sees of the batch.

        Raises:
            TypeError: no batch, or an output of another type than it was built on.
            ValueError: an output of other axes or columns than it was built on.
        """
        where = type(self).__name__
        if not isinstance(batch, LocalBatch):
            raise TypeError(f"{where}: takes a LocalBatch, got {shown(batch)}.")
        seen = self.sees(batch)
        self._check_built(seen.output)
        rows, y = len(seen.output), seen.y
        if self.reads_targets and y is not None:
            # Behind several draws the output has a row for each of them.
            of_rows = rows > 0 and len(y) > 0 and (len(y) == rows or (rows % len(y) == 0 and len(y) == len(seen.x)))
            if seen.graph is None and not of_rows:
                raise ValueError(f"{where}: y must have a value for each row of the output, {rows}, got {len(y)}.")
            self._check_like_built(y)
            if y.is_inference() and not torch.is_inference_mode_enabled():
                seen = replace(seen, y=y.clone())
        with explaining(lambda: f"{where}: cannot read {_described(seen)}"):
            return super().__call__(seen)

    def _check_like_built(self, y: Tensor) -> None:
        """Refuse targets of another kind or width than it was built on."""
        if self._built_on_targets is None:
            return
        kind, row = self._built_on_targets
        if self.target_kinds is not None and kind != "classes" and (kind_of_targets(y), y.shape[1:]) != (kind, row):
            said = f"{'real' if kind == 'real' else 'integers'} of shape (n{''.join(f', {size}' for size in row)})"
            raise TypeError(
                f"{type(self).__name__}: y must be {said}, as it was built on, got {y.dtype} of shape {tuple(y.shape)}."
            )
        if kind == "classes" and (y.ndim != 1 or y.is_floating_point() or y.dtype == torch.bool):
            raise TypeError(
                f"{type(self).__name__}: class labels must be integers of shape (n,), as it was built on, got "
                f"{y.dtype} of shape {tuple(y.shape)}."
            )

    def _check_built(self, output: Tensor) -> None:
        """Refuse an output that the parts were not built for; without parts any is right."""
        if self._built_on is None or not any(True for _ in chain(self.parameters(), self.buffers())):
            return
        where, (dtype, axes, columns, entries) = type(self).__name__, self._built_on
        shape = output.shape
        of_draws = output.ndim == 3 and axes == 2 and shape[2] == columns  # (b, draws, columns)
        if (output.ndim, shape[1:2].numel()) != (axes, columns) and shape[1:].numel() != entries and not of_draws:
            raise ValueError(
                f"{where}: was built on an output of {axes} axes and {columns} columns, got shape {tuple(shape)}."
            )
        if output.dtype != dtype and not torch.is_autocast_enabled(output.device.type):
            raise TypeError(f"{where}: was built on an output of {dtype}, got {output.dtype}.")

    def stand_at(self, place: Place) -> None:
        """Learn where in its plan the module stands; called before `build`. Most objectives do not look."""

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the parts whose shape depends on the data; called once, before training.

        Args:
            example: the shapes, from one forward pass.
            labels: the targets of all training samples, or None.
        """

    def scores(self, output: Tensor) -> Tensor | None:
        """What this objective reads of y from the module's output, or None where it predicts nothing.

        Class scores (b, classes); of several labels a logit for each, (b, labels); of real targets (b, columns).
        """
        return None

    def critics(self) -> list[nn.Module]:
        """The parts that are trained by steps of their own down `critic_loss`, and never by the module's step."""
        return []

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """What the critics minimise: 0-d; the batch's output has no gradient here, and its position is the step's own.

        Raises:
            TypeError: the objective names critics and defines no loss for them.
        """
        raise TypeError(f"{type(self).__name__} must define critic_loss(batch), as it has critics.")

    def forward(self, batch: LocalBatch) -> Loss:
        """The loss of one batch; every objective defines its own."""
        raise TypeError(f"{type(self).__name__} must define forward(batch) -> Loss.")


def _described(batch: LocalBatch) -> str:
    parts = {"x": batch.x, "module_input": batch.module_input, "output": batch.output, "y": batch.y}
    return "a batch of " + ", ".join(f"{name} {described(part)}" for name, part in parts.items() if part is not None)


def _building(build: Callable[..., None]) -> Callable[..., None]:
    @wraps(build)
    def checked(self: Objective, example: LocalBatch, labels: Tensor | None) -> None:
        where = type(self).__name__
        if not isinstance(example, LocalBatch):
            raise TypeError(f"{where}.build: example must be a LocalBatch, got {shown(example)}.")
        if labels is not None:
            check_targets(labels, where=f"{where}.build", name="labels")
            if self.target_kinds is not None and self.reads_targets:
                check_kind_of_targets(labels, self.target_kinds, where=where)
        with explaining(lambda: f"{where}.build: cannot read {_described(example)}"):
            build(self, example, labels)
        output = example.output
        self._built_on = (output.dtype, output.ndim, output.shape[1:2].numel(), output.shape[1:].numel())
        is_bool = labels is not None and labels.dtype == torch.bool
        self._built_on_targets = None if labels is None or is_bool else (kind_of_targets(labels), labels.shape[1:])

    return checked


def _reading(scores: Callable[..., Tensor | None]) -> Callable[..., Tensor | None]:
    @wraps(scores)
    def checked(self: Objective, output: Tensor) -> Tensor | None:
        output = module_input(output, where=type(self).__name__, name="output")
        self._check_built(output)
        with explaining(lambda: f"{type(self).__name__}.scores: cannot read an output, {described(output)}"):
            return scores(self, output)

    return checked


def _criticising(critic_loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(critic_loss)
    def checked(self: Objective, batch: LocalBatch) -> Tensor:
        if not isinstance(batch, LocalBatch):
            raise TypeError(f"{type(self).__name__}.critic_loss: takes a LocalBatch, got {shown(batch)}.")
        self._check_built(batch.output)
        with explaining(lambda: f"{type(self).__name__}.critic_loss: cannot read {_described(batch)}"):
            return critic_loss(self, batch)

    return checked


def full_precision(tensor: Tensor) -> Tensor:
    """The tensor in float32 when autocast made it narrower: a loss in bfloat16 has three digits.

    Example:
        >>> full_precision(torch.ones(2, dtype=torch.bfloat16)).dtype, full_precision(torch.ones(2).double()).dtype
        (torch.float32, torch.float64)
    """
    return tensor.float() if tensor.dtype in {torch.bfloat16, torch.float16} else tensor
