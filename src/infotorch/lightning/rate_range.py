"""The range test of learning rates, as a callback: before training, on the module's own training step."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from infotorch.data.samples import LookSource
from infotorch.lightning.installed import (
    Callback,
    LightningModule,
    Trainer,
    check_one_device,
    chosen_optimizer,
    placed,
    tell,
)
from infotorch.numerics.checks import check_count
from infotorch.schedules.range_choice import Probe
from infotorch.schedules.range_test import RangeOptions, RangeTest, lr_range_test
from infotorch.schedules.rates import set_rate
from infotorch.schedules.signal import InformationSignal

_WHERE = "LearningRateRange"


class LearningRateRange(Callback):
    """Finds a range of learning rates before training, by `infotorch.lr_range_test`, and trains from its lr_top.

    It calls the module's own `training_step` on batches of the training loader, without logging, and takes steps as the
    trainer does, of `accumulate_grad_batches` batches and with its clipping; weights, optimizer and random states are
    then as before, but for the rate. It logs `lr_min`, `lr_top` and `lr_max`. A run that goes on from a checkpoint does
    not search again. A `MutualInformationDecay` behind it in the trainer's callbacks takes its range.

    Args:
        data: labelled samples, see `InformationSignal`: the range is then chosen by I(T; Y), and the threshold of
            `MutualInformationDecay` is found; None: chosen by the loss.
        rates: candidates, ascending; None: three a decade from 1e-5 to 1.
        trials: how often all is done, from other initial weights.
        epochs: of each candidate at most.
        batches: batches of such an epoch; None: all. A tenth of the data makes a cheap test.
        num_samples: samples that are drawn once for the information.
        options: how, see `infotorch.RangeOptions`; one process.
        optimizer: number of the optimizer, where `configure_optimizers` gives several.

    Attributes:
        found: the `infotorch.RangeTest`, with `table()` and `figure()`; None before training.

    Raises:
        ModuleNotFoundError: Lightning is not installed.
        TypeError: batches is not an integer; at the start of training, see `lr_range_test`.
        ValueError: batches below 1 or several workers; at the start of training, see `lr_range_test`; also several
            devices, several optimizers and none chosen, a schedule of `configure_optimizers`, manual optimisation,
            mixed precision, several training loaders, or one with persistent workers.

    Example:
        >>> test = LearningRateRange(rates=[1e-3, 1e-2, 1e-1], trials=1, epochs=2, batches=20)
        >>> test.found is None  # and now lightning.Trainer(callbacks=[test], ...); test.found.lr_top
        True
    """

    def __init__(
        self,
        data: LookSource | None = None,
        *,
        rates: Sequence[float] | None = None,
        trials: int = 3,
        epochs: int = 5,
        batches: int | None = None,
        num_samples: int = 1000,
        options: RangeOptions | None = None,
        optimizer: int | None = None,
    ) -> None:
        super().__init__()
        if batches is not None:
            check_count(batches, where=_WHERE, name="batches")
        self.options = RangeOptions() if options is None else options
        if self.options.workers != 1:
            raise ValueError(
                f"{_WHERE}: workers must be 1, as a Trainer is not copied, got {self.options.workers}; or call "
                "lr_range_test."
            )
        self.data, self.rates, self.trials, self.epochs = data, rates, trials, epochs
        self.batches, self.num_samples, self.optimizer = batches, num_samples, optimizer
        self.found: RangeTest | None = None

    @property
    def state_key(self) -> str:
        """One for each optimizer."""
        return self._generate_state_key(optimizer=self.optimizer)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse several devices."""
        if stage == "fit":
            check_one_device(trainer, where=_WHERE)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search, unless a checkpoint was loaded, whose optimizer has its rate."""
        if trainer.global_step:
            return
        optimizer = chosen_optimizer(trainer, self.optimizer, where=_WHERE)
        loader = _check_training(trainer, pl_module)
        signal = None
        if self.data is not None:
            signal = InformationSignal(pl_module, self.data, num_samples=self.num_samples)
            signal.x, signal.y = placed(signal.x, pl_module), placed(signal.y, pl_module)
        options = self.options
        if loader.generator is not None:
            options = replace(options, generators=(*options.generators, loader.generator))
        modes = [(layer, layer.training) for layer in pl_module.modules()]
        with _unlogged(pl_module):
            self.found = lr_range_test(
                pl_module,
                optimizer,
                lambda: self._train(trainer, pl_module, optimizer, loader),
                signal=signal,
                rates=self.rates,
                trials=self.trials,
                epochs=self.epochs,
                options=options,
            )
        for layer, training in modes:
            layer.training = training
        assert isinstance(self.found.lr_top, float)  # of a signal of the output
        for group in optimizer.param_groups:
            set_rate(group, self.found.lr_top)
        ends = {name: getattr(self.found, name) for name in ("lr_min", "lr_top", "lr_max")}
        tell(trainer, pl_module, ends, ends_epoch=False)

    def _train(
        self, trainer: Trainer, module: LightningModule, optimizer: Optimizer, loader: DataLoader[Any]
    ) -> dict[str, float]:
        """An epoch of the candidate; its mean loss."""
        module.train()
        losses: list[Tensor] = []
        count = int(min(trainer.num_training_batches if self.batches is None else self.batches, len(loader)))
        together = trainer.accumulate_grad_batches
        optimizer.zero_grad()
        for number, batch in enumerate(islice(loader, count)):
            placed = trainer.strategy.batch_to_device(batch, module.device)
            with trainer.precision_plugin.train_step_context():
                loss = _loss_of(module, placed, number)
            (loss / together).backward()
            losses.append(loss.detach())
            if (number + 1) % together == 0 or number + 1 == count:
                module.configure_gradient_clipping(
                    optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
                )
                optimizer.step()
                optimizer.zero_grad()
        return {"loss": float(torch.stack(losses).mean())}

    def state_dict(self) -> dict[str, Any]:
        """Goes into the trainer's checkpoints: plain numbers."""
        return {} if self.found is None else {"found": asdict(self.found)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The range of the run that goes on."""
        if state_dict:
            found = dict(state_dict["found"])
            self.found = RangeTest(**{**found, "probes": tuple(Probe(**probe) for probe in found["probes"])})


def _check_training(trainer: Trainer, module: LightningModule) -> DataLoader[Any]:
    """The training loader of a module whose step the test can take."""
    if not module.automatic_optimization:
        raise ValueError(
            f"{_WHERE}: manual optimisation takes steps of its own; call lr_range_test with a function of yours."
        )
    if "mixed" in str(trainer.precision):
        raise ValueError(f"{_WHERE}: mixed precision must be off for the test, got precision={trainer.precision!r}.")
    loader = trainer.train_dataloader
    if not isinstance(loader, DataLoader):
        raise ValueError(f"{_WHERE}: one training DataLoader is needed, got {type(loader).__name__}.")
    if loader.persistent_workers:
        raise ValueError(
            f"{_WHERE}: workers of the training DataLoader must not persist; use persistent_workers=False."
        )
    return loader


def _loss_of(module: LightningModule, batch: Any, number: int) -> Tensor:
    """The loss of the module's training step, which returns it or a dictionary with it."""
    takes_number = len(inspect.signature(module.training_step).parameters) > 1
    given: Any = module.training_step(batch, number) if takes_number else module.training_step(batch)
    loss = given.get("loss") if isinstance(given, dict) else given
    if not isinstance(loss, Tensor):
        raise TypeError(f"{_WHERE}: training_step must return a loss, got {type(given).__name__}.")
    return loss


@contextmanager
def _unlogged(module: LightningModule) -> Iterator[None]:
    """A context in which what the training step logs goes nowhere: the test is no part of the run."""

    def nothing(*_: object, **__: object) -> None:
        pass

    # On the instance, which hides the class's own methods.
    module.__dict__.update(log=nothing, log_dict=nothing)
    try:
        yield
    finally:
        del module.__dict__["log"], module.__dict__["log_dict"]
