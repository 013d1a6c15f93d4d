"""Training module by module in a Lightning trainer: its loop hands batches to the library's own training."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from infotorch.data.batches import Batch
from infotorch.data.graph_reading import holds_graphs
from infotorch.data.targets import TARGETS, Targets, known_targets
from infotorch.lightning.installed import LightningModule, check_one_device, num_epochs
from infotorch.lightning.plan_optimizer import PlanOptimizer
from infotorch.networks.forward_inputs import result_of
from infotorch.numerics.checks import check_choice, check_module
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import seed_streams
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Plan
from infotorch.training.position import Position, StepInfo
from infotorch.training.predictions import prediction_metrics
from infotorch.training.reading import training_samples

_WHERE = "LocalLearning"


@dataclass
class _HandedOver:
    """The batches of a trainer's loop, one at a time, as what `train` reads."""

    batch: Batch
    steps: int
    y: Tensor | None

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Whatever batch the trainer has now, until the epoch's end."""
        for _ in range(start, self.steps):
            yield self.batch


class LocalLearning(LightningModule):
    """Trains a network module by module, by a `Plan`, in a Lightning `Trainer`: no gradient crosses a module.

    Each batch of the trainer is a step of `infotorch.train`: one update of each module that the stage trains, with the
    plan's own optimizers. On the same batches the weights are those of `infotorch.fit`, bit for bit. A plan in
    sequential order shares the trainer's epochs among its modules; in simultaneous order all train in every epoch.
    `trainer.global_step` counts batches.

    Logged are, for each module, `<module>/loss` and its terms (means over the epoch) and `<module>/learning_rate`; in
    validation `<module>/validation_loss`, its terms, and of the network's output `validation_accuracy`, or
    `validation_mse` of real targets, which callbacks can monitor; in `trainer.test` the same with `test_`. With several
    loaders each name ends in the loader's number, `validation_accuracy/0`. `predict` gives the network's output.
    Checkpoints hold read-outs, optimizers and schedules too: a run goes on from the end of an epoch bit for bit.

    Args:
        model: the network, any `nn.Module`, a `LightningModule` too, whose own training step is not used; forward and
            predictions are its own.
        plan: a plan of `model` or of a part of it, such as `Plan.layerwise(model, ...)`.
        seed: decides read-outs, noise and dropout. The order of batches is the loader's.
        targets: what y is, as in `fit`.

    Attributes:
        last_step: what happened in the last step; None before training.

    Raises:
        ModuleNotFoundError: Lightning is not installed.
        TypeError: model is no module, plan is no plan, or batches are no pairs (x, y) or dicts of inputs and labels.
        ValueError: a plan with weights that the model does not have; when training starts, what `train` refuses,
            several devices, mixed precision, several training loaders or one without a length, graphs, or max_epochs
            that the plan's stages do not share evenly. A loss that is not finite ends the training with a warning.

    Example:
        >>> from infotorch import Plan
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> plan = Plan.layerwise(model, objectives="Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))
        >>> module = LocalLearning(model, plan)  # and now lightning.Trainer(max_epochs=10).fit(module, loader)
        >>> module(torch.zeros(2, 4)).shape
        torch.Size([2, 3])
    """

    def __init__(self, model: nn.Module, plan: Plan, *, seed: int = 0, targets: Targets = "auto") -> None:
        super().__init__()
        check_module(model, where=_WHERE, name="model")
        check_kind(plan, Plan, where=_WHERE, name="plan", said="a Plan")
        check_choice(targets, TARGETS, where=_WHERE, name="targets")
        own = {id(weight) for weight in model.parameters()}
        for module in plan:
            if any(id(weight) not in own for weight in module.body.parameters()):
                raise ValueError(
                    f"{_WHERE}: plan must be one of this model, and module {module.name!r} has weights that it does "
                    "not have; make the plan of the model that is given."
                )
        self.automatic_optimization = False
        self.model, self.plan = model, plan
        self.seed = seed_streams(seed).seed
        self.targets: Targets = targets
        self.last_step: StepInfo | None = None
        self._handed: _HandedOver | None = None
        self._steps: Iterator[StepInfo] | None = None
        self._epochs = 1  # of a stage
        self._outputs: dict[str, list[tuple[Tensor, Tensor]]] = {}  # of each loader, by the end of its names

    def forward(self, x: object) -> object:
        """The network's output."""
        return result_of(self.model, NamedTensors(x) if isinstance(x, Mapping) else x)

    def setup(self, stage: str) -> None:
        """Refuse what the step does not hold for."""
        if stage != "fit":
            return
        check_one_device(self.trainer, where=_WHERE)
        if "mixed" in str(self.trainer.precision):
            raise ValueError(f"{_WHERE}: mixed precision is not supported, got precision={self.trainer.precision!r}.")

    def configure_optimizers(self) -> Optimizer:
        """Prepare the plan for the trainer's data and epochs.

        Raises:
            TypeError: what the loader gives is none of the samples above.
            ValueError: see the class.
        """
        self._epochs = self._epochs_of_a_stage()
        steps = self.trainer.estimated_stepping_batches  # as a side effect, which Lightning documents, loads the data
        loader, batches = self.trainer.train_dataloader, self.trainer.num_training_batches
        if not isinstance(loader, DataLoader) or not isinstance(batches, int):
            got = f"{type(loader).__name__} of {batches} batches, {steps} steps"
            raise ValueError(f"{_WHERE}: one training DataLoader that knows its length is needed, got {got}.")
        held, y = training_samples(
            self._bodies(), loader, batch_size=1, seed=self.seed, where=_WHERE, targets=self.targets
        )
        first: Batch = next(iter(held.look()))  # pyright: ignore[reportAttributeAccessIssue]  # a loader's batches
        self._handed, self._steps, self.last_step = _HandedOver(first, batches, y), None, None
        self.plan.prepare(self._handed, epochs=self._epochs, seed=self.seed)
        return PlanOptimizer(self.plan)

    def _epochs_of_a_stage(self) -> int:
        epochs, stages = num_epochs(self.trainer, where=_WHERE), len(self.plan.stages())
        if self.trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue]  # one epoch, of the first stage
            return epochs
        if epochs % stages:
            raise ValueError(
                f"{_WHERE}: max_epochs must be a multiple of {stages}, as the plan trains {stages} modules one after "
                f"the other, got {epochs}; or use order='simultaneous'."
            )
        return epochs // stages

    def _bodies(self) -> nn.ModuleList:
        return nn.ModuleList(module.body for module in self.plan)

    def _read(self, batch: Any) -> tuple[Any, Tensor | None]:
        """Inputs and targets of a batch, as `fit` reads them."""
        if holds_graphs(batch):
            raise ValueError(f"{_WHERE}: graphs are not supported here; use infotorch.fit.")
        pair = tuple(batch) if isinstance(batch, list) else batch
        x, y = training_samples(self._bodies(), pair, batch_size=1, seed=0, where=_WHERE, targets=self.targets)
        return x, y

    def training_step(self, batch: object, batch_idx: int) -> None:
        """One step of `infotorch.train` on the batch."""
        assert self._handed is not None
        if self.last_step is not None and self.last_step.diverged is not None:
            return
        self._handed.batch = Batch(*self._read(batch))
        if self._steps is None:
            self._steps = self._from(batch_idx)
        taken: list[StepInfo] = []
        steps = self._steps
        optimizer: Any = self.optimizers()
        optimizer.step(lambda: taken.append(next(steps)))  # so that Lightning counts it
        self.last_step = taken[0]
        self._tell(taken[0])

    def _from(self, step: int) -> Iterator[StepInfo]:
        """The steps from here on: a function of the plan's state and the trainer's position alone."""
        assert self._handed is not None
        stage, epoch = divmod(self.current_epoch, self._epochs)
        start = Position(stage, epoch, step, self.current_epoch * len(self._handed) + step)
        return iter(train(self.plan, self._handed, epochs=self._epochs, seed=self.seed, start=start))

    def _tell(self, info: StepInfo) -> None:
        for name, loss in info.losses.items():
            told = {"loss": loss.total, **loss.terms, "learning_rate": info.learning_rates[name]}
            # Every step counts alike, as in the history of `fit`.
            self.log_dict(
                {f"{name}/{term}": value for term, value in told.items()}, on_step=False, on_epoch=True, batch_size=1
            )
        if info.diverged is not None:
            self.trainer.should_stop = True
            self.print(
                f"{_WHERE}: module {info.diverged!r} diverged: its loss or weights are not finite; training ends."
            )

    def on_train_epoch_start(self) -> None:
        """Every epoch begins at the trainer's position."""
        self._steps = None

    def on_validation_epoch_start(self) -> None:
        """Collect outputs anew."""
        self._outputs = {}

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: object, batch_idx: int, dataloader_idx: int = 0) -> None:
        """The local losses of a batch, where the plan is prepared; the network's output is kept."""
        self._evaluate(batch, "validation", f"/{dataloader_idx}" * (len(self.trainer.num_val_batches) > 1))

    def test_step(self, batch: object, batch_idx: int, dataloader_idx: int = 0) -> None:
        """The same on test data."""
        self._evaluate(batch, "test", f"/{dataloader_idx}" * (len(self.trainer.num_test_batches) > 1))

    def on_validation_epoch_end(self) -> None:
        """The scores of the network's output."""
        self._tell_scores("validation")

    def on_test_epoch_end(self) -> None:
        """The same on test data."""
        self._tell_scores("test")

    def _evaluate(self, batch: Any, kind: str, end: str) -> None:
        x, y = self._read(batch)
        if self.plan.operations is not None:  # prepared: read-outs are built
            for name, numbers in evaluate_modules(self.plan, x, y).items():
                told = {f"{name}/{kind}_{term}{end}": value for term, value in numbers.items()}
                self.log_dict(told, on_step=False, on_epoch=True, batch_size=len(x), add_dataloader_idx=False)
        if y is not None:
            self._outputs.setdefault(end, []).append((self.plan.outputs(x)[-1], y))

    def _tell_scores(self, kind: str) -> None:
        for end, pairs in self._outputs.items():
            if any(known_targets(y).any() for _, y in pairs):
                outputs, ys = zip(*pairs, strict=True)
                scores = prediction_metrics(torch.cat(outputs), torch.cat(ys))
                self.log_dict({f"{kind}_{name}{end}": value for name, value in scores.items()}, batch_size=1)
        self._outputs = {}

    def predict_step(self, batch: object, batch_idx: int, dataloader_idx: int = 0) -> object:
        """The network's output for the inputs of a batch, with or without targets."""
        if isinstance(batch, tuple | list):
            return self(batch[0])
        return self(self._read(batch)[0] if isinstance(batch, Mapping) else batch)

    def __getstate__(self) -> dict[str, object]:
        # Functions of the user's own make the optimisers; a plan that was pickled evaluates.
        state = {**super().__getstate__(), "_steps": None, "_handed": None, "_outputs": {}}
        return {**state, "plan": self.plan.without_optimizers()}

    def __deepcopy__(self, memo: dict[int, object]) -> LocalLearning:
        # Not by the state above: a copy in the same process trains on.
        copied = memo[id(self)] = self.__class__.__new__(self.__class__)
        state = {**super().__getstate__(), "_steps": None, "_handed": None, "_outputs": {}}
        copied.__dict__.update(copy.deepcopy(state, memo))
        return copied
