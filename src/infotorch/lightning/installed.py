"""Lightning itself, or a line that says how to install it; and what its trainers are asked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim import Optimizer

from infotorch.numerics.extras import require

if TYPE_CHECKING:
    from lightning import Callback, LightningModule, Trainer
else:
    _lightning = require("lightning", "lightning", "infotorch.lightning")
    Callback, LightningModule, Trainer = _lightning.Callback, _lightning.LightningModule, _lightning.Trainer


def check_one_device(trainer: Trainer, *, where: str) -> None:
    """Refuse several processes.

    Raises:
        ValueError: the trainer has more than one device.
    """
    if trainer.world_size > 1:
        raise ValueError(
            f"{where}: one device alone is supported, got {trainer.world_size}; give Trainer(devices=1, num_nodes=1)."
        )


def num_epochs(trainer: Trainer, *, where: str) -> int:
    """How many epochs a trainer trains.

    Raises:
        ValueError: it trains until it is stopped.
    """
    if trainer.max_epochs is None or trainer.max_epochs < 1:
        raise ValueError(f"{where}: the epochs must be known, got max_epochs={trainer.max_epochs}; give max_epochs=.")
    return trainer.max_epochs


def chosen_optimizer(trainer: Trainer, number: int | None, *, where: str) -> Optimizer:
    """The optimiser whose rate is set: the only one, or the one that was chosen.

    Raises:
        ValueError: there are several and none was chosen, there is none of this number, or a schedule of
            configure_optimizers moves its rate already.
    """
    optimizers = trainer.optimizers
    if number is None and len(optimizers) != 1:
        raise ValueError(
            f"{where}: configure_optimizers must give one optimizer, got {len(optimizers)}; choose one by optimizer=0."
        )
    if number is not None and not 0 <= number < len(optimizers):
        raise ValueError(f"{where}: optimizer must be the number of one of {len(optimizers)} optimizers, got {number}.")
    chosen = optimizers[number or 0]
    for config in trainer.lr_scheduler_configs:
        if config.scheduler.optimizer is chosen:
            raise ValueError(
                f"{where}: configure_optimizers gives {type(config.scheduler).__name__} for this optimizer, and both "
                "would set its rate; return the optimizer alone."
            )
    return chosen


def placed(values: Any, module: LightningModule) -> Any:
    """Arrays where the module is; samples of other kinds were brought there as they were read."""
    return values.to(module.device) if isinstance(values, Tensor) else values


def tell(trainer: Trainer, module: LightningModule, numbers: Mapping[str, float], *, ends_epoch: bool) -> None:
    """Log numbers: at an epoch's end as `self.log` does, so that other callbacks can monitor them."""
    if ends_epoch:
        module.log_dict(dict(numbers), batch_size=1)
        return
    for logger in trainer.loggers:
        logger.log_metrics(dict(numbers), step=trainer.global_step)
