"""Mutual information at a bottleneck: I(X; Z) of the noisy bottleneck, and I(Z; Y), on a few held-out samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.estimators.channel import pairwise_bounds
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.doubts import unexamined
from infotorch.numerics.checks import check_positive
from infotorch.numerics.kinds import check_function
from infotorch.numerics.nested import tensors_in
from infotorch.objectives.checks import check_targets

#: Rows that are looked at; log of it is the ceiling of I(X; Z).
PROBE_SAMPLES = 1000


def bottleneck_information(
    forward: Callable[[Tensor], object], x: Tensor, y: Tensor | None, *, relative_noise: float = 0.5
) -> dict[str, float]:
    """Both coordinates of the bottleneck z = forward(x) in the information plane, in nats.

    A deterministic z of a continuous x has infinite information about it, so that I(X; Z) is that of z with Gaussian
    noise, and grows as the noise shrinks: compare values of one noise.

    Args:
        forward: inputs -> one tensor, or a tuple or dict of tensors, whose entries are taken together.
        x: inputs, (n, ...), n >= 5; the first 1000 are used.
        y: classes, (n,), or None.
        relative_noise: the noise's standard deviation in every entry of z, in units of the root mean square distance of
            the rows from their mean. So the bound is about 1 / relative_noise^2, 4 nats for 0.5, where z fills many
            dimensions evenly; noise in units of one entry's deviation would put it at its ceiling, log n, there.

    Returns:
        mi_xt_nats, an upper bound for these rows (Kolchinsky & Tracey 2017), at most the log of their number;
        mi_ty_nats, an estimate by nearest neighbours (Ross 2014) of the z without noise, where there are classes; and
        mi_xt_relative_noise. A constant z has no information.

    Raises:
        TypeError: forward is no function, or x or y no tensor.
        ValueError: relative_noise not positive, fewer than two rows, a y of another shape, or a z that is not finite.

    Example:
        >>> x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
        >>> found = bottleneck_information(lambda rows: rows[:, :1] * 2, x, (x[:, 0] > 0).long())
        >>> 0.8 < found["mi_xt_nats"] < 1.4, 0.6 < found["mi_ty_nats"] < 0.75  # log 2 = 0.69
        (True, True)
    """
    check_positive(relative_noise, where="bottleneck_information", name="relative_noise")
    check_function(forward, where="bottleneck_information", name="forward")
    check_targets(x, where="bottleneck_information", name="x")
    if y is not None:
        check_targets(y, where="bottleneck_information", name="y")
        if y.shape != x.shape[:1]:
            raise ValueError(
                f"bottleneck_information: y must be a class for each row of x, ({len(x)},), got {tuple(y.shape)}."
            )
    with torch.no_grad():
        z = torch.cat([part.float().flatten(1) for part in tensors_in(forward(x[:PROBE_SAMPLES]))], dim=1)
    spread = float((z - z.mean(dim=0)).square().sum(dim=1).mean().sqrt())
    _, upper = pairwise_bounds(z, relative_noise * spread if spread > 0 else 1.0)
    found = {"mi_xt_nats": float(upper), "mi_xt_relative_noise": relative_noise}
    if y is not None:
        labels = y[:PROBE_SAMPLES]
        with unexamined():
            found["mi_ty_nats"] = float(ross(z[labels >= 0], labels[labels >= 0]))
    return found
