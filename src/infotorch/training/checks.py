"""What `fit`, `train` and `Plan` are handed: refused where it cannot train, in one line with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from infotorch.data.graphs import NodeSamples
from infotorch.numerics.checks import check_choice


def check_model(model: object, *, where: str) -> None:
    """Refuse what is no module.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{where}: model must be a torch.nn.Module, got {type(model).__name__}.")


def check_makes_optimizers(makes: object, *, where: str) -> None:
    """Refuse an optimiser where a function that makes one is needed: each module has parameters of its own.

    Raises:
        TypeError: it cannot be called.
    """
    if not isinstance(makes, Callable):
        raise TypeError(
            f"{where}: optimizer must make an optimiser of a list of parameters, such as "
            f"lambda p: torch.optim.Adam(p, lr=1e-3), got {type(makes).__name__}."
        )


def check_batches(batches: object, *, where: str) -> None:
    """Refuse what is not keyed by epoch.

    Raises:
        TypeError: it has no `epoch` or no length.
    """
    if not callable(getattr(batches, "epoch", None)) or not hasattr(batches, "__len__"):
        raise TypeError(
            f"{where}: batches must be TensorBatches(x, y, batch_size=...), or have a length and epoch(number, "
            f"start=...) as these do, got {type(batches).__name__}."
        )


def check_cache(cache: object, batches: object, *, where: str) -> None:
    """Refuse a cache of outputs that no batch could be served from.

    Raises:
        ValueError: an unknown kind, or batches that serve no single samples, or others in every epoch.
    """
    if cache is None:
        return
    check_choice(cache, ("memory", "disk"), where=where, name="cache")
    if not isinstance(getattr(batches, "x", None), Tensor | NodeSamples):
        raise ValueError(
            f"{where}: a cache needs batches that hold their samples in memory, such as TensorBatches, or the nodes "
            "of one graph; batches of many graphs have none."
        )
    if getattr(batches, "augment", "none") != "none":
        raise ValueError(
            f"{where}: a cache keeps one output a sample, and augmented samples differ from epoch to epoch."
        )


def check_one_process(fabric: Any = None, *, where: str) -> None:
    """Refuse several processes: nothing would average their gradients, and each would train a model of its own.

    Args:
        fabric: what gives device and precision, or None.
        where: for the message.

    Raises:
        TypeError: fabric is no Fabric.
        ValueError: the fabric has several processes, or torch.distributed has joined this process to others.

    Example:
        >>> check_one_process(where="train")
    """
    if fabric is not None and not (hasattr(fabric, "world_size") and callable(getattr(fabric, "autocast", None))):
        raise TypeError(f"{where}: fabric must be a lightning_fabric.Fabric or None, got {type(fabric).__name__}.")
    count = 1 if fabric is None else fabric.world_size
    if count > 1:
        raise ValueError(
            f"{where}: fabric must have one process, got {count}, whose gradients nothing would average; give "
            "Fabric(devices=1)."
        )
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        raise ValueError(
            f"{where}: training is of one process, got {distributed.get_world_size()} that torch.distributed has "
            "joined, whose gradients nothing would average; train in one of them before init_process_group, or after "
            "destroy_process_group."
        )
