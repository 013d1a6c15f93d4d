"""The information-bottleneck curve: a model trained anew for each beta and seed, and measured on samples held out."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, SupportsIndex

import torch
from torch import Tensor, nn

from infotorch.figures.ib_curve import ib_curve_figure
from infotorch.numerics.checks import as_tensor, check_paired, shown
from infotorch.numerics.finite import all_finite
from infotorch.numerics.kinds import check_function, check_several
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import Objective
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.fit import fit
from infotorch.training.plan import Plan

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from infotorch.numerics.typing import ArrayLike

_NUMBERS = ("mi_xt", "mi_ty", "accuracy")


@dataclass(frozen=True)
class CurvePoint:
    """A point of the curve: means over seeds and their standard errors (NaN of one seed).

    Args:
        beta: weight of the compression term.
        mi_xt: the objective's compression term on the validation samples, in nats.
        mi_ty: its bound on I(Y; T) on the validation samples, in nats; of a read-out, if their classes have the shares
            that they have in training.
        accuracy: of what the objective trains to decide, its own read-out or the model, on the validation
            samples, a fraction of one.
        mi_xt_error: standard error over seeds.
        mi_ty_error: standard error over seeds.
        accuracy_error: standard error over seeds.
        seeds: runs that the means are over.
        diverged: runs that are left out, as their loss was not finite.

    Example:
        >>> CurvePoint(0.1, 2.0, 1.9, 0.98, 0.1, 0.05, 0.01, seeds=3, diverged=0).mi_ty
        1.9
    """

    beta: float
    mi_xt: float
    mi_ty: float
    accuracy: float
    mi_xt_error: float
    mi_ty_error: float
    accuracy_error: float
    seeds: int
    diverged: int


@dataclass(frozen=True)
class IBCurve:
    """The points of a curve, in the order of the betas.

    Args:
        points: one for each beta.
        label_entropy: H(Y) of the validation labels, in nats; I(Y; T) never lies above it.

    Example:
        >>> point = CurvePoint(0.1, 2.0, 1.9, 0.98, 0.1, 0.05, 0.01, seeds=3, diverged=0)
        >>> IBCurve((point,), label_entropy=2.3).table()[0]["beta"]
        0.1
    """

    points: tuple[CurvePoint, ...]
    label_entropy: float

    def table(self) -> list[dict[str, float]]:
        """A line for each beta, the fields of `CurvePoint`."""
        return [asdict(point) for point in self.points]

    def figure(self) -> Figure:
        """I(Y; T) against I(X; T), with one standard error each way; the dashes are H(Y) and I(Y; T) = I(X; T)."""
        return ib_curve_figure(self.table(), self.label_entropy)


def ib_curve(
    make: Callable[[float], tuple[nn.Module, Objective]],
    data: tuple[ArrayLike, ArrayLike],
    betas: Sequence[float],
    *,
    validation: tuple[ArrayLike, ArrayLike],
    seeds: Sequence[int] = (0, 1, 2),
    epochs: int = 20,
    batch_size: int = 128,
    lr: float = 1e-3,
) -> IBCurve:
    """Train a model by `fit` for each beta and seed, and measure I(X; T) and I(Y; T) on samples held out.

    The measure is the objective's own two terms: look at their bounds. Where a compression term is no upper bound, as
    that of `DeterministicBottleneck`, points compare with each other and not with the dashes of the figure.

    Args:
        make: beta -> a new model and its objective, one that has a compression term and "mi_ty_nats", such as
            `VariationalBottleneck`. Its initial weights are drawn from the seed.
        data: (x, y), the samples to train on.
        betas: weights of the compression term.
        validation: (x, y), the samples to measure on; y is -1 where there is no label.
        seeds: of initial weights, order of batches and noise.
        epochs: of each training.
        batch_size: samples a step.
        lr: rate of Adam.

    Returns:
        A point for each beta. A run whose loss is not finite is counted and left out; NaN where none is left.

    Raises:
        TypeError: make is no function or does not give a model and an objective, betas or seeds are no sequence, a seed
            no integer, or validation labels no classes.
        ValueError: no betas or no seeds, a seed that is there twice, an objective without both terms, or validation
            samples that do not pair, are not finite or have no label.

    Example:
        >>> from infotorch.networks.stochastic import stochastic_mlp
        >>> from infotorch.objectives.variational import VariationalBottleneck
        >>> x = torch.randn(128, 2, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> def make(beta):
        ...     model = stochastic_mlp(2, (8,), 2, 2)
        ...     return model, VariationalBottleneck(beta=beta, layer=model.bottleneck)
        >>> curve = ib_curve(make, (x, y), (1e-3, 1.0), validation=(x, y), seeds=(0,), epochs=20, lr=1e-2)
        >>> curve.points[0].mi_xt > curve.points[1].mi_xt, curve.points[0].seeds
        (True, 1)
    """
    check_function(make, where="ib_curve", name="make")
    _check_several(betas, name="betas", of="numbers")
    _check_several(seeds, name="seeds", of="integers")
    if len(betas) == 0 or len(seeds) == 0:
        raise ValueError("ib_curve: betas and seeds must have one entry or more, got none.")
    seeds = [_seed(seed) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"ib_curve: seeds must differ, or errors are too small, got {seeds}.")
    x, y = _held_out(validation)
    shares = y[y >= 0].unique(return_counts=True)[1].double() / int((y >= 0).sum())
    points: list[CurvePoint] = []
    for beta in betas:
        runs: list[dict[str, float] | None] = []
        for seed in seeds:
            settings = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed}
            with seed_streams(seed).as_global("init"):
                model, objective = _made(make, beta)
                result = fit(model, data, plan=[objective], cuts=(), **settings)
            runs.append(None if result.diverged else _measured(result.plan, objective, x, y))
        points.append(_point(beta, runs))
    return IBCurve(tuple(points), float(torch.special.entr(shares).sum()))


def _check_several(values: object, *, name: str, of: str) -> None:
    # An array of no axes has a length as little as a number does.
    if isinstance(values, str) or not hasattr(values, "__len__") or getattr(values, "ndim", 1) == 0:
        raise TypeError(
            f"ib_curve: {name} must be a sequence of {of}, such as {name}=({shown(values)},), got {shown(values)}."
        )


def _held_out(validation: tuple[ArrayLike, ArrayLike]) -> tuple[Tensor, Tensor]:
    """The samples to measure on, checked before anything trains."""
    where = "ib_curve: validation"
    check_several(validation, object, where="ib_curve", name="validation", said="two: x and y", at_least=2)
    x, y = (
        as_tensor(part, where="ib_curve", name=f"validation {name}")
        for part, name in zip(validation[:2], "xy", strict=True)
    )
    if x.ndim == 0 or y.is_floating_point() or y.ndim != 1:
        got = f"{y.dtype} {tuple(y.shape)}"
        raise TypeError(f"{where} must be rows x and classes y, integers of shape (n,), got y of {got}.")
    check_paired(x, y, where=where)
    if not bool((y >= 0).any()):
        raise ValueError(f"{where} must have samples with a label, got none of {len(y)}.")
    if x.is_floating_point() and not all_finite([x]):
        raise ValueError(f"{where} x must be finite, got NaN or infinite values.")
    return x, y


def _seed(seed: SupportsIndex) -> int:
    """A plain integer, of an entry of an array too."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"ib_curve: seeds must be integers, got {shown(seed)}.")
    return operator.index(seed)


def _made(make: Callable[[float], tuple[nn.Module, Objective]], beta: float) -> tuple[nn.Module, Objective]:
    made = make(beta)
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], Objective)):
        raise TypeError(f"ib_curve: make must give a model and an Objective, got {type(made).__name__}.")
    return made


def _measured(plan: Plan, objective: Objective, x: Tensor, y: Tensor) -> dict[str, float]:
    parameter = next(plan[0].body.parameters())
    x, y = x.to(parameter.device, parameter.dtype if x.is_floating_point() else x.dtype), y.to(parameter.device).long()
    terms = evaluate_modules(plan, x, y, [0])[plan[0].name]
    compression = getattr(objective, "compressed", "mi_xt_nats")
    for name in (compression, "mi_ty_nats"):
        if name not in terms:
            raise ValueError(f"ib_curve: the objective must have the term {name!r}, got {', '.join(terms)}.")
    # Of a local objective the read-out decides: nothing trains the model's own output to.
    accuracy = terms["accuracy"] if "accuracy" in terms else plan_accuracy(plan, x, y)
    return {"mi_xt": terms[compression], "mi_ty": terms["mi_ty_nats"], "accuracy": accuracy}


def _point(beta: float, runs: Sequence[dict[str, float] | None]) -> CurvePoint:
    kept = [run for run in runs if run is not None]
    columns = {name: [run[name] for run in kept] for name in _NUMBERS}
    means = {name: mean(values) if values else math.nan for name, values in columns.items()}
    errors = {
        f"{name}_error": stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        for name, values in columns.items()
    }
    return CurvePoint(beta=float(beta), **means, **errors, seeds=len(kept), diverged=len(runs) - len(kept))
