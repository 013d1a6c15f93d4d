"""A local module: some layers, the objective that they minimise, and the update that moves them."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from infotorch.data.graph_checks import is_graph
from infotorch.data.graphs import tensors_of
from infotorch.data.targets import kind_of_targets
from infotorch.networks.forward_inputs import called_with, main_output
from infotorch.networks.later_layers import later_layers
from infotorch.networks.segments import Segment
from infotorch.numerics.checks import check_callable, check_module, shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import SeedStreams
from infotorch.numerics.states import check_keys, check_state
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.checks import check_targets
from infotorch.objectives.place import Place
from infotorch.training.checks import check_makes_optimizers
from infotorch.training.inputs import describe_input
from infotorch.updates.gradient import GradientUpdate, OptimizerFactory, SchedulerFactory

if TYPE_CHECKING:
    from infotorch.data.typing import Inputs


#: Objective -> the module that it was last built for, as long as that lives.
_HOMES: weakref.WeakKeyDictionary[Objective, weakref.ref[LocalModule]] = weakref.WeakKeyDictionary()


class Update(Protocol):
    """What moves a module's weights, as checkpoints and schedules see it."""

    scheduler: LRScheduler | None

    @property
    def learning_rate(self) -> float:
        """The current rate."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        ...

    def check_state(self, state: Any, *, where: str) -> None:
        """Refuse a state that is not of this update."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        ...


def refuse_to_make(parameters: list[nn.Parameter]) -> Optimizer:
    """Stands for the optimizer of a plan that was pickled.

    Raises:
        ValueError: always.
    """
    raise ValueError(
        "Plan: optimisers are not pickled, so that this plan cannot train on; make a new one, such as "
        "Plan.layerwise(model, ..., optimizer=...)."
    )


class LocalModule:
    """Some layers, the objective that they minimise, and the update that moves them.

    Args:
        name: for records and messages.
        body: `body(module_input, x)` for a `Segment`, `body(module_input)` for any other module.
        objective: what is minimised, or None to leave the body as it was initialised.
        optimizer: makes an optimiser of the parameters of body and objective.
        scheduler: makes a schedule of (optimiser, number of steps); or None for a constant rate.
        critic_optimizer: makes an optimiser of the parameters of the objective's critics; None: as `optimizer`.

    Raises:
        TypeError: optimizer is an optimiser, or anything else that makes none; or another argument is of another kind.

    Example:
        >>> from infotorch.objectives.labels import CrossEntropy
        >>> module = LocalModule("out", nn.Linear(4, 3), CrossEntropy(), optimizer=torch.optim.SGD)
        >>> module(torch.zeros(5, 4), torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        name: str,
        body: nn.Module,
        objective: Objective | None,
        *,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        critic_optimizer: OptimizerFactory | None = None,
    ) -> None:
        check_kind(name, str, where="LocalModule", name="name", said="a text")
        where = f"module {name!r}"
        check_module(body, where=where, name="body")
        check_kind(objective, (Objective, NoneType), where=where, name="objective", said="an Objective or None")
        check_makes_optimizers(optimizer, where=where)
        if scheduler is not None:
            check_callable(scheduler, where=where, name="scheduler")
        if critic_optimizer is not None:
            check_makes_optimizers(critic_optimizer, where=where, name="critic_optimizer")
        self.name, self.body, self.objective = name, body, objective
        self.optimizer, self.scheduler = optimizer, scheduler
        self.critic_optimizer = optimizer if critic_optimizer is None else critic_optimizer
        self.num_classes: int | None = None  # of the training samples
        self.update: Update | None = None
        self.critic_update: GradientUpdate | None = None

    def __str__(self) -> str:
        objective = self.objective
        told = "frozen" if objective is None else objective.asked or type(objective).__name__
        return f"{self.name} ({told})"

    def __repr__(self) -> str:
        return f"LocalModule {self}"

    def __call__(self, module_input: Inputs, x: Inputs) -> Tensor:
        """The body's output.

        Raises:
            TypeError: the output is not one tensor, or the body is to be called otherwise.
            ValueError: the body cannot take this input, as of another shape or type; or it changed its input, which
                others hold: the previous module's output, or the caller's x.
            OutOfMemoryError: the device is full.
        """
        for value in (module_input, x):
            if not isinstance(value, Tensor | NamedTensors) and not is_graph(value):
                where = f"module {self.name!r}"
                raise TypeError(f"{where}: an input must be a tensor or a torch_geometric graph, got {shown(value)}.")
        before = _versions(module_input, x)
        try:
            body = self.body
            output = body(module_input, x) if isinstance(body, Segment) else called_with(body, module_input)
            output = main_output(output)
        except torch.OutOfMemoryError:
            raise
        # torch's words for a wrong shape, dtype or token, and for what a graph, or a tensor in its place, lacks
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            reason = str(error).partition("\n")[0]
            raise kind(
                f"module {self.name!r} cannot take {describe_input(module_input)}: {reason}{_hint(module_input)}"
            ) from error
        if not isinstance(output, Tensor):
            raise TypeError(f"module {self.name!r} must give one tensor, got {type(output).__name__}; cut elsewhere.")
        if _versions(module_input, x) != before:
            raise ValueError(
                f"module {self.name!r} changes its input in place, which the module before it and the objectives still "
                "read; use inplace=False there, or cut elsewhere."
            )
        return output

    def loss(self, batch: LocalBatch) -> Loss:
        """What the objective says of a batch.

        Raises:
            ValueError: the module has no objective, or this one changed a tensor of the batch in place, which others
                read: the next module the output, the other objectives x and y.
        """
        if self.objective is None:
            raise ValueError(f"module {self.name!r} has no objective, and so no loss.")
        held = [t for t in (batch.x, batch.module_input, batch.output, batch.y) if t is not None]
        before = _versions(*held)
        loss = self.objective(batch)
        if _versions(*held) != before:
            raise ValueError(
                f"module {self.name!r}: {type(self.objective).__name__} changes a tensor of its batch in place, which "
                "the next module and other objectives read; change a copy."
            )
        return loss

    def parameters(self) -> list[nn.Parameter]:
        """The parameters of body and objective that the module's own step moves: all but those of critics."""
        own = [] if self.objective is None else list(self.objective.parameters())
        apart = {id(parameter) for parameter in self.critic_parameters()}
        return [parameter for parameter in (*self.body.parameters(), *own) if id(parameter) not in apart]

    def critic_parameters(self) -> list[nn.Parameter]:
        """The parameters of the objective's critics."""
        critics = [] if self.objective is None else self.objective.critics()
        return [parameter for critic in critics for parameter in critic.parameters()]

    def prepare(self, example: LocalBatch, labels: Tensor | None, streams: SeedStreams, num_steps: int) -> None:
        """Give the objective its shapes and make the update; a module without an objective has none.

        Raises:
            TypeError: an argument of another kind.
            ValueError: the body has no parameter to train, the objective is built for a module of another plan, or it
                has critics that never take a step.
        """
        where = f"module {self.name!r}: prepare"
        check_kind(example, LocalBatch, where=where, name="example", said="a LocalBatch")
        if labels is not None:
            check_targets(labels, where=where, name="labels")
        check_kind(streams, SeedStreams, where=where, name="streams", said="SeedStreams")
        check_kind(num_steps, Integral, where=where, name="num_steps", said="an integer")
        if self.objective is None:
            return
        if not any(parameter.requires_grad for parameter in self.body.parameters()):
            raise ValueError(
                f"module {self.name!r} has an objective and no parameter to train; name it 'frozen' or cut elsewhere."
            )
        if self.optimizer is refuse_to_make:
            refuse_to_make([])
        self._be_home_of(self.objective)
        is_classes = labels is not None and kind_of_targets(labels) == "classes"
        self.num_classes = int(labels.max()) + 1 if labels is not None and is_classes else None
        with streams.as_global("objective", *example.position, device=example.output.device):
            self.objective.build(self.objective.sees(example), labels)
        self.objective.to(example.output.device)
        self.update = self._make_update(num_steps)
        critics, steps = self.critic_parameters(), self.objective.critic_steps
        if critics and steps < 1:
            raise ValueError(
                f"module {self.name!r}: {type(self.objective).__name__} has critics, and its critic_steps is {steps}."
            )
        if critics:
            self.critic_update = GradientUpdate(critics, self.critic_optimizer, self.scheduler, num_steps * steps)

    def _be_home_of(self, objective: Objective) -> None:
        home = _HOMES.get(objective)
        if home is not None and home() not in {None, self}:
            gc.collect()  # a plan that nobody holds any more may be held by itself
            if home() is not None:
                raise ValueError(
                    f"module {self.name!r}: its {type(objective).__name__} is built for a module of another plan, "
                    "which would lose it; make an objective for each plan, or give its name."
                )
        _HOMES[objective] = weakref.ref(self)

    def without_optimizers(self) -> LocalModule:
        """The same body and objective in a module that cannot be prepared anew, and that can be pickled."""
        module = copy.copy(self)
        module.optimizer, module.scheduler, module.critic_optimizer = refuse_to_make, None, refuse_to_make
        module.update, module.critic_update = None, None
        if isinstance(self.update, GradientUpdate) and self.update.averages_weights:
            module.update = copy.copy(self.update)  # the averages are the optimiser's
            module.update.scheduler = None
        return module

    def _make_update(self, num_steps: int) -> Update:
        return GradientUpdate(self.parameters(), self.optimizer, self.scheduler, num_steps)

    def state_dict(self) -> dict[str, Any]:
        """Weights, objective, optimiser and schedule."""
        return {
            "body": self.body.state_dict(),
            "objective": None if self.objective is None else self.objective.state_dict(),
            "update": None if self.update is None else self.update.state_dict(),
            "critic_update": None if self.critic_update is None else self.critic_update.state_dict(),
        }

    def check_state(self, state: Any) -> None:
        """Refuse a state that is not of such a module.

        Raises:
            ValueError: the module is not prepared as the saved one was: the optimiser's state would be lost; or a key,
                a shape, a dtype or a kind differs.
        """
        where = f"module {self.name!r}"
        check_keys(state, ("body", "objective", "update", "critic_update"), where=where)
        if (state["update"] is None) != (self.update is None):
            raise ValueError(f"{where}: call plan.prepare before load_state_dict, as for the saved plan.")
        check_state(state["body"], self.body.state_dict(), where=f"{where}: body")
        if self.objective is not None:
            check_state(state["objective"], self.objective.state_dict(), where=f"{where}: objective")
        for key, update in (("update", self.update), ("critic_update", self.critic_update)):
            if update is not None:
                update.check_state(state[key], where=f"{where}: {key}")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`.

        Raises:
            ValueError: see `check_state`.
        """
        self.check_state(state)
        self.body.load_state_dict(state["body"])
        if self.objective is not None:
            self.objective.load_state_dict(state["objective"])
        if self.update is not None:
            self.update.load_state_dict(state["update"])
        if self.critic_update is not None:
            self.critic_update.load_state_dict(state["critic_update"])


def place_of(modules: Sequence[LocalModule], number: int, output: Tensor) -> Place:
    """A module's place; the layers behind it are looked at when they are asked for.

    Args:
        modules: all of the plan.
        number: the module's.
        output: its output for some samples.
    """
    bodies = [module.body for module in modules[number + 1 :]]
    following = partial(later_layers, bodies, output, where=f"module {modules[number].name!r}: auxiliary 'following'")
    return Place(number, len(modules), following)


def _hint(x: Inputs) -> str:
    """Pictures as files hold them: bytes, which layers refuse."""
    pictures = isinstance(x, Tensor) and x.dtype == torch.uint8 and x.ndim == 4
    return "; pictures must be real numbers: give x.float() / 255" if pictures else ""


def _versions(*inputs: Inputs) -> list[int]:
    """How often each tensor was changed in place; tensors made under `inference_mode` do not count it."""
    tensors = (tensor for value in inputs for tensor in tensors_of(value))
    return [tensor._version for tensor in tensors if not tensor.is_inference()]
