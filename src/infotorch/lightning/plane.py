"""The information plane of a module in training, as a callback."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from infotorch.data.samples import LookSource
from infotorch.data.targets import Targets
from infotorch.diagnostics import information_plane
from infotorch.diagnostics.plane_point import PlanePoint
from infotorch.lightning.installed import Callback, LightningModule, Trainer, check_one_device, placed, tell

_WHERE = "InformationPlane"


class InformationPlane(Callback):
    """Measures I(X; T) and I(T; Y) of layers before training and after every epoch, by `infotorch.InformationPlane`.

    It logs `<layer>/mi_xt_nats` and `<layer>/mi_ty_nats`, and keeps its points in the trainer's checkpoints. The
    training goes on as if nobody had looked.

    Args:
        data: see `infotorch.InformationPlane`.
        layers: names of layers of the `LightningModule`, such as "model.1"; None: those that `diagnose` takes.
        noise_std: one of the four assumptions that make I(X; T) finite, see there; give exactly one.
        relative_noise: another.
        bin_width: another.
        num_bins: another.
        epochs: those that are measured, 0 before training; None: all.
        num_samples: samples that are drawn once.
        out: where the points are written when training ends.
        seed: decides the samples.
        targets: what y is.

    Attributes:
        plane: the `infotorch.InformationPlane`, with `points`, `table()`, `figure()` and `write(path)`, from the start
            of training on; None before.

    Raises:
        ModuleNotFoundError: Lightning is not installed.
        TypeError: at the start of training, see `infotorch.InformationPlane`.
        ValueError: likewise; also several devices.

    Example:
        >>> import torch
        >>> x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
        >>> plane = InformationPlane((x, (x[:, 0] > 0).long()), num_bins=30)
        >>> plane.state_dict()  # and now lightning.Trainer(callbacks=[plane], ...); plane.plane.figure()
        {'points': []}
    """

    def __init__(
        self,
        data: LookSource,
        layers: Sequence[str] | None = None,
        *,
        noise_std: float | None = None,
        relative_noise: float | None = None,
        bin_width: float | None = None,
        num_bins: int | None = None,
        epochs: Collection[int] | None = None,
        num_samples: int = 1000,
        out: Path | str | None = None,
        seed: int = 0,
        targets: Targets = "auto",
    ) -> None:
        super().__init__()
        self.data, self.layers = data, layers
        self.settings: dict[str, Any] = {
            "noise_std": noise_std, "relative_noise": relative_noise, "bin_width": bin_width, "num_bins": num_bins,
            "epochs": epochs, "num_samples": num_samples, "out": out, "seed": seed, "targets": targets,
        }  # fmt: skip
        self.plane: information_plane.InformationPlane | None = None
        self._kept: list[dict[str, Any]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse several devices."""
        if stage == "fit":
            check_one_device(trainer, where=_WHERE)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the samples; a run that goes on has its points."""
        self.plane = information_plane.InformationPlane(pl_module, self.data, self.layers, **self.settings)
        plane = self.plane
        plane.x, plane.y = placed(plane.x, pl_module), placed(plane.y, pl_module)
        if trainer.global_step:  # another fit begins anew
            plane.points = [PlanePoint(**point) for point in self._kept]
        if plane.points:
            # After a checkpoint of an epoch's last batch, Lightning begins the next epoch without its start's hook.
            self._look(trainer, pl_module, trainer.current_epoch, ends_epoch=False)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The network before training; and an epoch that a checkpoint does not hold, saved during validation."""
        self._look(trainer, pl_module, trainer.current_epoch, ends_epoch=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The network after the epoch."""
        self._look(trainer, pl_module, trainer.current_epoch + 1, ends_epoch=True)

    def _look(self, trainer: Trainer, module: LightningModule, epoch: int, *, ends_epoch: bool) -> None:
        assert self.plane is not None
        found = {
            f"{point.layer}/{name}_nats": value
            for point in self.plane(epoch)
            for name, value in (("mi_xt", point.mi_xt), ("mi_ty", point.mi_ty))
            if value is not None
        }
        tell(trainer, module, found, ends_epoch=ends_epoch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the points, where a path was given."""
        assert self.plane is not None
        self._kept = [*self.plane.table()]
        if self.plane.out is not None:
            self.plane.write(self.plane.out)

    def state_dict(self) -> dict[str, Any]:
        """Goes into the trainer's checkpoints."""
        return {"points": self._kept if self.plane is None else [*self.plane.table()]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Comes before training starts."""
        self._kept = state_dict["points"]

    def __getstate__(self) -> dict[str, object]:
        # Without the module that the plane holds.
        return {**self.__dict__, "plane": None, "_kept": self.state_dict()["points"]}
