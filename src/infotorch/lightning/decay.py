"""The learning rate that decays as mutual information grows, as a callback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch.optim import Optimizer

from infotorch.data.samples import LookSource
from infotorch.data.targets import Targets
from infotorch.lightning.information_rate import InformationRate
from infotorch.lightning.installed import Trainer, num_epochs
from infotorch.lightning.rate_range import LearningRateRange
from infotorch.schedules import decay

if TYPE_CHECKING:
    from infotorch.schedules.signal import Estimator, InformationOf, InformationSignal


class MutualInformationDecay(InformationRate):
    """Measures I(T; Y) after every epoch and sets the rate of the next by `infotorch.MutualInformationDecay`.

    It logs `mi_ty_nats` and `learning_rate`, the rate of the epoch to come, to every logger of the trainer; other
    callbacks can monitor them. Its state is in the trainer's checkpoints. The optimizer's rate is the callback's alone:
    `configure_optimizers` gives no schedule for it. The measurement moves no other number of the run.

    Args:
        data: labelled samples on which I(T; Y) is measured, see `InformationSignal`; T is what the module's forward
            gives.
        lr_min: lower end of the range, one for all parameter groups or one for each; None: what a `LearningRateRange`
            before it in the trainer's callbacks has found.
        lr_max: upper end, likewise.
        lr_top: rate of the first epoch, likewise; without one, from the information of the untrained network.
        threshold: d_s below which the rate changes, likewise; a `LearningRateRange` finds it where it has data.
        epochs: number of epochs E; None: max_epochs of the trainer, less the warm-up.
        time_decay: see `infotorch.MutualInformationDecay`.
        warmup: see there.
        ceiling: IXY in nats; None: the signal's own.
        layers: names of layers, one for each parameter group, whose rate follows its own information; None: the
            module's output.
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
        TypeError: at the start of training, see `infotorch.MutualInformationDecay` and `InformationSignal`.
        ValueError: likewise; also several devices, several optimizers and none chosen, a schedule of
            `configure_optimizers`, no max_epochs, or no range and no `LearningRateRange` before this callback.

    Example:
        >>> import torch
        >>> x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> rate = MutualInformationDecay((x, y), lr_min=1e-3, lr_max=0.2, lr_top=0.1, threshold=0.01, num_samples=200)
        >>> rate.state_dict()  # and now lightning.Trainer(callbacks=[rate], ...)
        {}
    """

    def __init__(
        self,
        data: LookSource,
        *,
        lr_min: float | Sequence[float] | None = None,
        lr_max: float | Sequence[float] | None = None,
        lr_top: float | Sequence[float] | None = None,
        threshold: float | Sequence[float] | None = None,
        epochs: int | None = None,
        time_decay: bool | Literal["literal"] = True,
        warmup: int = 0,
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
        self.lr_min, self.lr_max, self.lr_top, self.threshold = lr_min, lr_max, lr_top, threshold
        self.epochs, self.warmup, self.ceiling = epochs, warmup, ceiling
        self.time_decay: bool | Literal["literal"] = time_decay

    def make_schedule(
        self, trainer: Trainer, optimizer: Optimizer, signal: InformationSignal
    ) -> decay.MutualInformationDecay:
        """See `InformationRate`.

        Raises:
            ValueError: there is no range.
        """
        ends = self._range(trainer)
        epochs = num_epochs(trainer, where=self.where) - self.warmup if self.epochs is None else self.epochs
        return decay.MutualInformationDecay(
            optimizer,
            **ends,
            # A run that goes on has the untrained network's in its state.
            initial=signal() if ends["lr_top"] is None else None,
            ceiling=signal.ceiling if self.ceiling is None else self.ceiling,
            epochs=epochs,
            time_decay=self.time_decay,
            warmup=self.warmup,
        )

    def _range(self, trainer: Trainer) -> dict[str, Any]:
        """The range and the threshold, from the arguments or from a range test that has run."""
        tests = [one.found for one in trainer.callbacks if isinstance(one, LearningRateRange)]  # pyright: ignore[reportAttributeAccessIssue]
        found = tests[0] if tests else None
        ends: dict[str, Any] = {}
        for name in ("lr_min", "lr_max", "threshold", "lr_top"):
            given = getattr(self, name)
            ends[name] = given if given is not None or found is None else getattr(found, name)
            if ends[name] is None and name != "lr_top":
                late = " behind this callback" if tests and found is None else ""
                raise ValueError(
                    f"{self.where}: {name} must be given, or LearningRateRange(data) stand before this callback in "
                    f"Trainer(callbacks=[...]), got neither{late and ': it stands' + late}."
                )
        return ends
