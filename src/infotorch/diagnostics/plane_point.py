"""One point of an information plane: what a layer is estimated to tell of X and of Y, and what speaks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn  # noqa: F401

from infotorch.data.targets import fully_labelled
from infotorch.diagnostics.compression import noisy_bounds
from infotorch.diagnostics.own_noise import OwnNoise
from infotorch.estimators.binned import binned_mi
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.doubts import noting
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.kraskov import ksg
from infotorch.numerics.columns import spread

# Where a layer draws anew in every pass, and its law is not known: the value is that of one draw.
_LEFT_OUT = "; the layer's own noise is left out, so that I(X; T) is less"


@dataclass(frozen=True)
class PlanePoint:
    """One layer T at one epoch, in nats.

    None where a number has no meaning: I(T; Y) without targets, all of them where T is not finite, as in a training
    that diverges, and a standard error from too few rows.

    Args:
        epoch: as the caller counts; 0 is before training.
        layer: the layer's name.
        mi_xt: I(X; T) under the assumption.
        mi_xt_error: its standard error, over the rows.
        mi_xt_lower: a lower bound where `mi_xt` is an upper one.
        mi_ty: I(T; Y).
        mi_ty_error: its standard error.
        assumption: what makes I(X; T) finite, in the units of the layer at this epoch, and whether noise of the layer's
            own is counted.
        xt_estimator: estimator of I(X; T), with its direction if it is a bound; None where it was not asked.
        ty_estimator: estimator of I(T; Y), likewise.
        ceiling: what I(X; T) cannot exceed with so few rows, log n.
        mi_xt_reason: what is known to decide I(X; T) or to speak against it, see `Estimate.reason`.
        mi_xt_reliable: False where something speaks against it; None where there is no value, or an old file says
            nothing.
        mi_ty_reason: likewise of I(T; Y).
        mi_ty_reliable: likewise of I(T; Y).

    Example:
        >>> x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
        >>> from infotorch import InformationPlane
        >>> plane = InformationPlane(nn.Sequential(nn.Linear(2, 2)), (x, (x[:, 0] > 0).long()), num_bins=2)
        >>> point = plane(0)[0]
        >>> point.epoch, point.layer, point.mi_xt <= point.ceiling
        (0, '0', True)
    """

    epoch: int
    layer: str
    mi_xt: float | None
    mi_xt_error: float | None
    mi_xt_lower: float | None
    mi_ty: float | None
    mi_ty_error: float | None
    assumption: str
    xt_estimator: str | None
    ty_estimator: str | None
    ceiling: float
    mi_xt_reason: str = ""
    mi_xt_reliable: bool | None = None
    mi_ty_reason: str = ""
    mi_ty_reliable: bool | None = None


@dataclass(frozen=True)
class LayerAt:
    """A layer at an epoch, for the samples that are looked at.

    Args:
        epoch: as the caller counts.
        layer: its name.
        t: what it gives, (n, columns).
        own: its own noise; None for none.
    """

    epoch: int
    layer: str
    t: Tensor
    own: OwnNoise | None

    def point(self, assumption: tuple[str, Any], y: Tensor | None) -> PlanePoint:
        """Its point under an assumption.

        Args:
            assumption: its name, an argument of `InformationPlane`, and its value.
            y: classes, (n,), -1 for none, or real targets, NaN for missing ones; or None.
        """
        xt = lower = ty = None
        said = "{}={}".format(*assumption)
        if bool(torch.isfinite(self.t).all()):
            with noting():  # in every epoch, of every layer: a plane compares
                xt, lower, said = _of_inputs(self.t, self.own, assumption)
                ty = _of_targets(self.t, y, assumption)
        return PlanePoint(
            epoch=self.epoch,
            layer=self.layer,
            mi_xt=_number(xt),
            mi_xt_error=_number(xt and xt.std_error),
            mi_xt_lower=_number(lower),
            mi_ty=_number(ty),
            mi_ty_error=_number(ty and ty.std_error),
            assumption=said,
            xt_estimator=xt and xt.estimator,
            ty_estimator=ty and ty.estimator,
            ceiling=math.log(len(self.t)),
            mi_xt_reason="" if xt is None else xt.reason,
            mi_xt_reliable=None if xt is None else xt.reliable,
            mi_ty_reason="" if ty is None else ty.reason,
            mi_ty_reliable=None if ty is None else ty.reliable,
        )


def _of_inputs(t: Tensor, own: OwnNoise | None, assumption: tuple[str, Any]) -> tuple[Estimate, Estimate | None, str]:
    """I(X; T), its lower bound if it is an upper one, and the assumption in the layer's units."""
    name, value = assumption
    if name in {"bin_width", "num_bins"}:
        binned = binned_mi(torch.arange(len(t), device=t.device), t, **{name: value})
        return binned, None, f"{name}={value}" + ("" if own is None else _LEFT_OUT)
    noise_std = value if name == "noise_std" else value * (spread(t) or 1.0)
    lower, upper = noisy_bounds(t, noise_std, own)
    beside = "" if own is None else _LEFT_OUT if own.gaussian is None else ", beside the layer's own noise"
    return upper, lower, f"noise_std={noise_std:.6g}{beside}"


def _of_targets(t: Tensor, y: Tensor | None, assumption: tuple[str, Any]) -> Estimate | None:
    """I(T; Y) of the samples that have all of their targets."""
    if y is None:
        return None
    known = fully_labelled(y)
    t, y = t[known], y[known]
    name, value = assumption
    if name in {"bin_width", "num_bins"}:
        return binned_mi(t, y, **{name: value})
    return ksg(t, y.flatten(1) if y.ndim > 1 else y) if y.is_floating_point() else ross(t, y)


def _number(value: Estimate | float | None) -> float | None:
    """None where the number has no meaning, such as the error of too few rows."""
    return None if value is None or not math.isfinite(float(value)) else float(value)
