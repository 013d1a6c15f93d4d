"""Auxiliary networks: an objective looks at its module's output through a network that trains with the module.

The network belongs to the objective, as a read-out does: the module's own loss trains it, no gradient of another module
reaches it, and the trained model does not hold it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from itertools import count
from typing import TypeAlias

import torch
from torch import Tensor, nn

from infotorch.networks.forward_inputs import main_output, takes_graph_tensors
from infotorch.networks.model_state import keeping_statistics
from infotorch.numerics.checks import shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.model_copy import model_copy
from infotorch.numerics.module_inputs import described, explaining
from infotorch.numerics.near_misses import suggest
from infotorch.numerics.threads import OperationCount
from infotorch.objectives.auxiliary_networks import KINDS, AuxiliaryKind
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.place import Place

#: A kind's name, its settings with "kind" among them, a network, or what makes one for an example of the output.
Auxiliary: TypeAlias = str | Mapping[str, object] | nn.Module | Callable[[Tensor], nn.Module]


class _Given:
    """A network of the user's own: a copy of it for each objective, or what a function makes of an output."""

    def __init__(self, network: nn.Module | Callable[[Tensor], nn.Module]) -> None:
        self.network = network

    def __deepcopy__(self, memo: dict[int, object]) -> _Given:
        return _Given(copy.deepcopy(self.network, memo))

    def __getstate__(self) -> dict[str, object]:
        # A function may not be picklable, and a plan that was pickled builds nothing anew.
        return {"network": self.network if isinstance(self.network, nn.Module) else None}

    def make(self, example: LocalBatch, place: Place) -> nn.Module:
        if isinstance(self.network, nn.Module):
            return model_copy(self.network)
        made = self.network(example.output)
        if not isinstance(made, nn.Module):
            raise TypeError(f"auxiliary: the function must give an nn.Module, got {shown(made)}.")
        return made


def auxiliary_kind(auxiliary: Auxiliary) -> AuxiliaryKind:
    """What makes the auxiliary network that a name, settings, a module or a function stands for.

    Raises:
        TypeError: something else, or a setting of another type.
        ValueError: an unknown kind or setting, or a setting out of range.

    Example:
        >>> auxiliary_kind({"kind": "convolutions", "channels": 256, "locations": 8})
        Convolutions(channels=256, kernel=3, locations=8, pooled=2)
    """
    if isinstance(auxiliary, str | Mapping):
        settings = {"kind": auxiliary} if isinstance(auxiliary, str) else dict(auxiliary)
        kind = settings.pop("kind", None)
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"auxiliary: there is no kind {shown(kind)}; {suggest(str(kind), list(KINDS))}")
        made = KINDS[kind]
        allowed = [field.name for field in fields(made)]  # pyright: ignore[reportArgumentType]
        for name in settings:
            if name not in allowed:
                raise ValueError(f"auxiliary {kind!r} has no setting {shown(name)}; {suggest(str(name), allowed)}")
        return made(**settings)
    if isinstance(auxiliary, nn.Module):
        return _Given(auxiliary)
    if callable(auxiliary) and not isinstance(auxiliary, type):
        return _Given(auxiliary)
    raise TypeError(
        f"auxiliary: must be one of {', '.join(map(repr, KINDS))}, a dict with its settings, an nn.Module, or a "
        "function from an output to one, got "
        f"{f'the class {auxiliary.__name__}' if isinstance(auxiliary, type) else shown(auxiliary)}."
    )


class ThroughAuxiliary(Objective):
    """An objective that looks at its module's output through an auxiliary network.

    The network is made in `build`, trains with the module and is no part of the model: after the training it is thrown
    away with the objective. What it draws, initial weights and dropout, comes from streams of its own. What
    processes an output tells no more than the output, so that lower bounds on information in the network's output hold
    for the module's; other sides are not claimed, and left out of `sides`.

    Args:
        objective: what looks through it.
        auxiliary: a kind, a dict of a "kind" and its settings, a module, of which a copy is trained, or a function from
            an example of the output to a module. A network whose forward has an argument `edge_index` is given the
            edges of the graphs.

    The kinds and their settings:

    - "convolutions", for grids: `channels` of each convolution (None: one, with the output's channels), `kernel` (3),
      each with batch norm and ReLU; the grid is averaged to at most `locations` rows and columns before them (None: as
      it is) and to at most `pooled` (2) behind them;
    - "following": `copies` (1) of the layers that follow the module, evenly chosen, with weights of their own drawn
      anew; `pooled` (2) as above;
    - "attention", for tokens (b, tokens, width): `layers` (1) of a transformer's encoder with `heads` (4) and a
      perceptron of `hidden` units (None: twice the width), and the mean over all tokens;
    - "message-passing", for graphs: layers of `widths` (None: one, with the output's columns) with ReLU, each of the
      kind `layer` ("gcn", "gin", "sage" or "gat").

    Attributes:
        network: the auxiliary network, once it is built.
        num_parameters: of the network.
        operations: floating-point operations of its forward pass of a mini-batch.

    Raises:
        TypeError: no objective, or an auxiliary network of another kind.
        ValueError: an unknown kind or setting; in `build`, a network that does not take the output, changes it in
            place, or does not give a row for each of its rows.

    Source: Belilovsky, Eickenberg & Oyallon 2019, arXiv:1812.11446, and 2020, arXiv:1901.08164; Ma et al. 2024,
        arXiv:2402.17318.

    Example:
        >>> from infotorch.objectives.labels import ReadoutInformation
        >>> objective = ThroughAuxiliary(ReadoutInformation(), {"kind": "convolutions", "channels": 8})
        >>> x, y = torch.ones(4, 3, 8, 8), torch.tensor([0, 1, 0, 1])
        >>> batch = LocalBatch(x, x, x, y)
        >>> objective.build(batch, y)
        >>> objective.num_parameters, list(objective(batch).terms)
        (232, ['mi_ty_nats'])
    """

    knows_graphs: bool = True  # the network may read edges; the objective sees what it reads itself

    network: nn.Module

    def __init__(self, objective: Objective, auxiliary: Auxiliary) -> None:
        super().__init__()
        if not isinstance(objective, Objective):
            raise TypeError(
                f"ThroughAuxiliary: objective must be an Objective such as CrossEntropy(), got {shown(objective)}."
            )
        self.objective, self.kind = objective, auxiliary_kind(auxiliary)
        self.sides = {name: side for name, side in objective.sides.items() if side == "lower"}
        self.needs_labels, self.reads_labels = objective.needs_labels, objective.reads_targets
        self.target_kinds, self.critic_steps = objective.target_kinds, objective.critic_steps
        self.num_parameters = self.operations = 0
        self._place = Place()

    def stand_at(self, place: Place) -> None:
        """See `Objective.stand_at`."""
        check_kind(place, Place, where="ThroughAuxiliary", name="place", said="a Place")
        self._place = place
        self.objective.stand_at(place)

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the network, and the objective's own parts for what it gives."""
        output = example.output
        with example.streams.as_global("auxiliary", *example.position, device=output.device):
            network = self.kind.make(example, self._place).to(output.device, output.dtype)
        self._place = Place()  # which holds the layers behind the module
        self.network = network
        self._reads_edges = takes_graph_tensors(network)
        modes = [(layer, layer.training) for layer in network.modules()]
        network.eval()
        with (
            torch.no_grad(),
            OperationCount() as operations,
            explaining(lambda: f"ThroughAuxiliary: the auxiliary network cannot take an output, {described(output)}"),
        ):
            seen = self._through(example, check=True)
        for layer, mode in modes:
            layer.training = mode
        self.operations = operations.total
        self.num_parameters = sum(parameter.numel() for parameter in network.parameters())
        self.objective.build(self.objective.sees(seen), labels)

    def _through(self, batch: LocalBatch, *, check: bool = False) -> LocalBatch:
        """The batch with the network's output in the place of the module's."""
        again = count(1)

        def encode(x: Tensor) -> Tensor:
            with keeping_statistics([self.network]):
                return self._run(batch, batch.encode(x), next(again))

        output = self._run(batch, batch.output, 0)
        if check:
            self._check_rows(batch, output)
        return replace(batch, output=output, encode=encode)

    def _run(self, batch: LocalBatch, output: Tensor, number: int) -> Tensor:
        before = 0 if output.is_inference() else output._version
        seen = self._of_network(batch, output, number)
        if before != (0 if output.is_inference() else output._version):
            raise ValueError(
                "ThroughAuxiliary: the auxiliary network changes its input in place, the module's output, which the "
                "next module reads; use inplace=False there."
            )
        return seen

    def _of_network(self, batch: LocalBatch, output: Tensor, number: int) -> Tensor:
        with batch.streams.as_global("auxiliary", *batch.position, number, device=output.device):
            if not self._reads_edges:
                return main_output(self.network(output))
            if batch.graph is None:
                raise ValueError("ThroughAuxiliary: the auxiliary network reads edges, and the samples are no graphs.")
            copies = max(1, len(output) // max(1, batch.graph.num_nodes))
            return self.network(output, edge_index=batch.graph.copies(copies).edge_index)

    def _check_rows(self, batch: LocalBatch, output: object) -> None:
        allowed = {len(batch.output)} | (set() if batch.graph is None else {batch.graph.num_graphs})
        if not isinstance(output, Tensor) or output.ndim < 2 or len(output) not in allowed:
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"ThroughAuxiliary: the auxiliary network must give a row for each of {len(batch.output)} samples, got "
                f"{got}."
            )

    def scores(self, output: Tensor) -> Tensor | None:
        """What the objective reads of y through the network; None where that reads edges, which an output lacks."""
        if self._reads_edges:
            return None
        with keeping_statistics([self.network]):
            return self.objective.scores(main_output(self.network(output)))

    def critics(self) -> list[nn.Module]:
        """The objective's critics."""
        return self.objective.critics()

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """The objective's, of what the network gives; the network does not move."""
        with keeping_statistics([self.network]):
            with torch.no_grad():
                seen = self._through(batch)
            return self.objective.critic_loss(self.objective.sees(seen))

    def forward(self, batch: LocalBatch) -> Loss:
        """The objective's loss of what the network gives."""
        return self.objective(self._through(batch))
