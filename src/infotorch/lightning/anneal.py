"""The rate that is held until information stops growing and then annealed, as a callback."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch.optim import Optimizer

from infotorch.data.samples import LookSource
from infotorch.data.targets import Targets
from infotorch.lightning.information_rate import InformationRate
from infotorch.lightning.installed import LightningModule, Trainer, num_epochs
from infotorch.schedules import anneal

if TYPE_CHECKING:
    from infotorch.schedules.signal import Estimator, InformationOf, InformationSignal


class InformationAnneal(InformationRate):
    """Holds LR_top until I(T; Y) stops growing, then anneals step by step, by `infotorch.InformationAnneal`.

    A step is one of the optimizer, of `accumulate_grad_batches` batches. What it logs and keeps is as of
    `MutualInformationDecay`.

    Args:
        data: labelled samples on which I(T; Y) is measured, see `InformationSignal`; T is what the module's forward
            gives.
        lr_top: the rate that is held, one for all parameter groups or one for each.
        lr_min: the rate of the last step, likewise.
        threshold: share of the missing information below which an epoch counts as standing still, likewise.
        patience: how many such epochs in a row.
        hold: share of the steps after which the line begins at the latest.
        earliest: share of the steps before which it does not begin.
        ceiling: IXY in nats; None: the signal's own.
        layers: names of layers, one for each parameter group; None: the module's output.
        num_samples: samples that are drawn once for the measurement.
        estimator: see `InformationSignal`.
        seed: decides which samples.
        targets: what y is, see `InformationSignal`.
        optimizer: number of the optimizer, where `configure_optimizers` gives several.

    Attributes:
        schedule: the schedule, from the start of training on; None before.
        signal: the signal, likewise.

    Raises:
        ModuleNotFoundError: Lightning is not installed.
        TypeError: at the start of training, see `infotorch.InformationAnneal` and `InformationSignal`.
        ValueError: likewise; also several devices, several optimizers and none chosen, a schedule of
            `configure_optimizers`, no max_epochs, or a loader without a length.

    Example:
        >>> import torch
        >>> x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
        >>> rate = InformationAnneal((x, (x[:, 0] > 0).long()), lr_top=0.1, lr_min=0.0, num_samples=200)
        >>> rate.state_dict()  # and now lightning.Trainer(callbacks=[rate], ...)
        {}
    """

    def __init__(
        self,
        data: LookSource,
        *,
        lr_top: float | Sequence[float],
        lr_min: float | Sequence[float],
        threshold: float | Sequence[float] = 0.05,
        patience: int = 1,
        hold: float = 0.7,
        earliest: float = 0.0,
        ceiling: float | Sequence[float] | None = None,
        layers: Sequence[str] | None = None,
        num_samples: int = 1000,
        estimator: Estimator | InformationOf | None = None,
        seed: int = 0,
        targets: Targets = "auto",
        optimizer: int | None = None,
    ) -> None:
        super().__init__(
            data, num_samples=num_samples, layers=layers, estimator=estimator, seed=seed, targets=targets,
            optimizer=optimizer,
        )  # fmt: skip
        self.lr_top, self.lr_min, self.threshold = lr_top, lr_min, threshold
        self.patience, self.hold, self.earliest, self.ceiling = patience, hold, earliest, ceiling
        self._steps = 0  # of the trainer, at the last look

    def make_schedule(
        self, trainer: Trainer, optimizer: Optimizer, signal: InformationSignal
    ) -> anneal.InformationAnneal:
        """See `InformationRate`.

        Raises:
            ValueError: the number of steps is not known.
        """
        epochs, batches = num_epochs(trainer, where=self.where), trainer.num_training_batches
        if math.isinf(batches):
            raise ValueError(
                f"{self.where}: the steps of an epoch must be known, and the training loader has no length; give "
                "Trainer(limit_train_batches=...) a number of batches."
            )
        self._steps = trainer.global_step
        return anneal.InformationAnneal(
            optimizer,
            lr_top=self.lr_top,
            lr_min=self.lr_min,
            epochs=epochs,
            steps_per_epoch=math.ceil(batches / trainer.accumulate_grad_batches),
            ceiling=signal.ceiling if self.ceiling is None else self.ceiling,
            threshold=self.threshold,
            patience=self.patience,
            hold=self.hold,
            earliest=self.earliest,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Set the rate of the next step; the last one of an epoch waits for the signal."""
        assert isinstance(self.schedule, anneal.InformationAnneal)
        moved, self._steps = trainer.global_step > self._steps, trainer.global_step
        if moved and self._left(self.schedule) > 1:
            self.schedule.step()

    def end_epoch(self, found: float | list[float]) -> None:
        """Hand over what was measured; an epoch that ended early takes the steps that it lacks."""
        assert isinstance(self.schedule, anneal.InformationAnneal)
        for _ in range(self._left(self.schedule) - 1):
            self.schedule.step()
        self.schedule.step(found)

    @staticmethod
    def _left(schedule: anneal.InformationAnneal) -> int:
        """Steps until the epoch's end, at least 1."""
        return schedule.steps_per_epoch - schedule.last_epoch % schedule.steps_per_epoch
