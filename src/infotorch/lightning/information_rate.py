"""What the callbacks that set a rate from information share: the signal, when it is measured, and their checkpoints."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from infotorch.data.samples import LookSource
from infotorch.data.targets import Targets
from infotorch.lightning.installed import (
    Callback,
    LightningModule,
    Trainer,
    check_one_device,
    chosen_optimizer,
    placed,
    tell,
)
from infotorch.schedules.signal import InformationSignal

if TYPE_CHECKING:
    from infotorch.schedules.anneal import InformationAnneal
    from infotorch.schedules.decay import MutualInformationDecay
    from infotorch.schedules.signal import Estimator, InformationOf


class InformationRate(Callback):
    """A callback that measures I(T; Y) after every epoch and hands it to a schedule.

    Args:
        data: labelled samples, see `InformationSignal`.
        num_samples: see there.
        layers: see there; None for the module's output.
        estimator: see there.
        seed: see there.
        targets: see there.
        optimizer: number of the optimizer whose rate is set; None: the only one.
    """

    def __init__(
        self,
        data: LookSource,
        *,
        num_samples: int,
        layers: Sequence[str] | None,
        estimator: Estimator | InformationOf | None,
        seed: int,
        targets: Targets,
        optimizer: int | None,
    ) -> None:
        super().__init__()
        self.data, self.optimizer = data, optimizer
        self.num_samples, self.layers = num_samples, layers
        self.estimator: Estimator | InformationOf | None = estimator
        self.seed = seed
        self.targets: Targets = targets
        self.signal: InformationSignal | None = None
        self.schedule: MutualInformationDecay | InformationAnneal | None = None
        self._kept: dict[str, Any] = {}
        self._measured = 0  # epochs whose information the schedule was given

    @property
    def where(self) -> str:
        """The name that errors begin with."""
        return type(self).__name__

    @property
    def state_key(self) -> str:
        """One for each optimizer: several callbacks may set the rates of several."""
        return self._generate_state_key(optimizer=self.optimizer)

    @property
    def history(self) -> list[list[dict[str, float | None]]]:
        """For every parameter group a line an epoch, see the schedule; empty before training."""
        return [] if self.schedule is None else self.schedule.history

    @abstractmethod
    def make_schedule(
        self, trainer: Trainer, optimizer: Optimizer, signal: InformationSignal
    ) -> MutualInformationDecay | InformationAnneal:
        """The schedule of an optimizer, as it is before the first epoch."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse several devices."""
        if stage == "fit":
            check_one_device(trainer, where=self.where)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the signal and the schedule: the optimizers are there, and a checkpoint is loaded."""
        optimizer = chosen_optimizer(trainer, self.optimizer, where=self.where)
        self.signal = InformationSignal(
            pl_module,
            self.data,
            num_samples=self.num_samples,
            layers=self.layers,
            estimator=self.estimator,
            seed=self.seed,
            targets=self.targets,
        )
        self.signal.x, self.signal.y = placed(self.signal.x, pl_module), placed(self.signal.y, pl_module)
        kept = self._kept if trainer.global_step else {}  # another fit begins anew
        schedule = self.schedule = self.make_schedule(trainer, optimizer, self.signal)
        self._measured = kept.get("measured", trainer.current_epoch)
        if kept:
            schedule.load_state_dict(kept["schedule"])
        self._make_up(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make up for a measurement that a checkpoint does not hold, as it was saved during validation."""
        self._make_up(trainer, pl_module)

    def _make_up(self, trainer: Trainer, module: LightningModule) -> None:
        # After a checkpoint of an epoch's last batch, Lightning begins the next epoch without its start's hook.
        if self._measured < trainer.current_epoch:
            self._measure(trainer, module, ends_epoch=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, set the rate of the epoch to come, and log both."""
        self._measure(trainer, pl_module, ends_epoch=True)

    def _measure(self, trainer: Trainer, module: LightningModule, *, ends_epoch: bool) -> None:
        assert self.signal is not None
        assert self.schedule is not None
        found = self.signal()
        self.end_epoch(found)
        self._measured = trainer.current_epoch + ends_epoch
        several = isinstance(found, list)
        values, names = (found, self.layers or ()) if several else ([found], ("",))
        rates = [float(group["lr"]) for group in self.schedule.optimizer.param_groups]
        groups = names if several else ("",) if len(rates) == 1 else range(len(rates))
        told = {f"mi_ty_nats/{name}".rstrip("/"): value for name, value in zip(names, values, strict=True)}
        told |= {f"learning_rate/{name}".rstrip("/"): rate for name, rate in zip(groups, rates, strict=True)}
        tell(trainer, module, told, ends_epoch=ends_epoch)

    def end_epoch(self, found: float | list[float]) -> None:
        """Hand the schedule what was measured."""
        assert self.schedule is not None
        self.schedule.step(found)

    def state_dict(self) -> dict[str, Any]:
        """Goes into the trainer's checkpoints."""
        if self.schedule is None:
            return self._kept
        return {"schedule": self.schedule.state_dict(), "measured": self._measured}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Comes before the schedule is made."""
        self._kept = state_dict

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state: further epochs of the same trainer go on from it."""
        self._kept = self.state_dict()

    def __getstate__(self) -> dict[str, object]:
        # Without the module and the optimizer that the signal and the schedule hold.
        return {**self.__dict__, "signal": None, "schedule": None, "_kept": self.state_dict()}
