"""What `fit`, `train` and `Plan` are handed: refused where it cannot train, in one line with the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from infotorch.data.graphs import NodeSamples
from infotorch.numerics.checks import check_choice, check_count, shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.training.position import Position


def check_model(model: object, *, where: str) -> None:
    """Refuse what is no module.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{where}: model must be a torch.nn.Module, got {type(model).__name__}.")


def check_makes_optimizers(makes: object, *, where: str, name: str = "optimizer") -> None:
    """Refuse an optimiser where a function that makes one is needed: each module has parameters of its own.

    Raises:
        TypeError: it cannot be called, or is a class of something else.
    """
    if not isinstance(makes, Callable) or (isinstance(makes, type) and not issubclass(makes, torch.optim.Optimizer)):
        raise TypeError(
            f"{where}: {name} must make an optimiser of a list of parameters, such as "
            f"lambda p: torch.optim.Adam(p, lr=1e-3), got {getattr(makes, '__name__', type(makes).__name__)}."
        )


def check_weights(bodies: Iterable[nn.Module], *, where: str) -> None:
    """Refuse weights that have no values, or that autograd never follows.

    Raises:
        ValueError: naming the weight.
    """
    for body in bodies:
        for path, weight in body.named_parameters():
            name = path.removeprefix("training_graph.")
            if is_lazy(weight):
                continue
            if weight.is_meta:
                raise ValueError(
                    f"{where}: the weight {name!r} lies on the meta device, where nothing has values; "
                    'model.to_empty(device="cpu") gives it some, and it must be initialised after that.'
                )
            if weight.is_inference():
                raise ValueError(
                    f"{where}: the weight {name!r} was made under torch.inference_mode and cannot be trained; make the "
                    "model outside of it, or train copy.deepcopy(model)."
                )


def check_output(output: Tensor, *, name: str, rows: int | None) -> None:
    """Refuse an output that no objective can learn from.

    Args:
        output: of a module that has an objective.
        name: of the module.
        rows: samples that it was given; None where these are graphs, whose rows the objective pairs itself.

    Raises:
        ValueError: whole or complex numbers, or another number of rows than samples.
    """
    if not output.is_floating_point():
        raise ValueError(
            f"module {name!r} must give real numbers, through which a gradient can pass, got {output.dtype}; leave out "
            "what turns its values into these, or cut elsewhere."
        )
    if rows is not None and (output.ndim == 0 or len(output) != rows):
        raise ValueError(
            f"module {name!r} must give a row for each of {rows} samples, got shape {tuple(output.shape)}; samples "
            "stand along the first axis (batch_first=True in recurrent layers)."
        )


def check_gradient(output: Tensor, *, name: str) -> None:
    """Refuse an output of a training step that leads back to no weight: a step would move none of the layers.

    Raises:
        ValueError: it has no gradient.
    """
    if not output.requires_grad:
        raise ValueError(
            f"module {name!r} gives an output without a gradient, so that no weight of it can be trained: was it "
            "detached, made anew as by numpy, or does this run under torch.no_grad? Cut elsewhere, or name it 'frozen'."
        )


@contextmanager
def explaining_a_lone_sample(name: str) -> Iterator[None]:
    """A context in which what torch says of a batch of one, which batch norm cannot take, names the module.

    Raises:
        ValueError: batch norm had one sample.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"module {name!r} has a batch norm, which needs two samples a step or more ({error})"
        ) from error


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
    if not isinstance(getattr(batches, "x", None), Tensor | NamedTensors | NodeSamples):
        raise ValueError(
            f"{where}: a cache needs batches that hold their samples in memory, such as TensorBatches, or the nodes "
            "of one graph; batches of many graphs have none."
        )
    if getattr(batches, "augment", "none") != "none":
        raise ValueError(
            f"{where}: a cache keeps one output a sample, and augmented samples differ from epoch to epoch."
        )


def check_micro_batches(count: object, batches: Any, plan: Any, *, where: str) -> None:
    """Refuse parts of batches that cannot be taken.

    Args:
        count: parts of a batch.
        batches: what training reads.
        plan: what it trains.
        where: for the message.

    Raises:
        TypeError: the number of parts is not an integer.
        ValueError: it is below 1; or above 1 and gradients cross modules, a module is split, or samples are no tensors.
    """
    check_count(count, where=where, name="micro_batches")  # pyright: ignore[reportArgumentType]
    if count == 1:
        return
    if not plan.isolated or any(hasattr(module, "halves") for module in plan):
        raise ValueError(f"{where}: micro_batches must be 1 where gradients cross modules or a module is split.")
    if not isinstance(getattr(batches, "x", None), Tensor):
        raise ValueError(f"{where}: micro_batches must be 1 for samples that are not one tensor in memory.")


def check_position(position: Position, *, stages: int, epochs: int, steps: int, where: str) -> None:
    """Refuse what is no step boundary of a run.

    Args:
        position: one's own, or one that was saved.
        stages: of the run.
        epochs: of each stage.
        steps: of each epoch.
        where: for the message.

    Raises:
        TypeError: a count that is not an integer.
        ValueError: it lies outside the run, or its count of steps is not that of its place.

    Example:
        >>> check_position(Position(epoch=2, steps=60), stages=1, epochs=2, steps=30, where="start")
        Traceback (most recent call last):
            ...
        ValueError: start must lie within the run, of 1 stage, 2 epochs and 30 steps each, got epoch 2.
    """
    within = (
        f"{where} must lie within the run, of {stages} stage{'s' * (stages > 1)}, {epochs} epochs and {steps} steps"
    )
    ended = position.stage == stages
    for name, value, end in (
        ("stage", position.stage, stages + 1),
        ("epoch", position.epoch, 1 if ended else epochs),
        ("step", position.step, 1 if ended else steps),
    ):
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{where}: {name} must be an integer, got {shown(value)}.")
        if not 0 <= value < end:
            raise ValueError(f"{within} each, got {name} {value}.")
    done = (position.stage * epochs + position.epoch) * steps + position.step
    if position.steps != done:
        raise ValueError(f"{where}: steps must be {done}, those before its place, got {shown(position.steps)}.")


def check_staleness(staleness: int, order: str, *, where: str) -> None:
    """Refuse a number of batches that processes may not be apart.

    Raises:
        TypeError: not an integer.
        ValueError: below 0, or above it in an order without a pipeline.
    """
    check_kind(staleness, Integral, where=where, name="staleness", said="an integer")
    if staleness < 0:
        raise ValueError(f"{where}: staleness must be at least 0, got {staleness}.")
    if staleness and order != "pipelined":
        raise ValueError(f'{where}: staleness must be 0 but in order="pipelined", got {staleness} in {order} order.')
