"""Trace of a function of a large positive semidefinite matrix, from products with a few vectors.

Three ideas meet. The part of the matrix that a few columns span is taken as it is, and random signs only probe the rest
(Hutch++). Each quadratic form v'f(A)v is an integral that Lanczos' coefficients give by Gauss' rule, and by Gauss and
Radau's with a node at 0: for functions such as -l log l the two enclose the truth, and their mean is far nearer than
either. Last, tr A and tr A^2 are known, so what the probes say of these corrects what they say of f.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

#: V of shape (n, c) -> A V
Times = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Trace:
    """An estimate of tr f(A).

    Args:
        value: the estimate.
        deviations: each probe's share of the error, shape (m,): their root sum of squares is the standard error, and
            estimates from the same probes may be added with theirs.
        bracket: Gauss' rule less Radau's: how far the quadrature may be off.
    """

    value: float
    deviations: Tensor
    bracket: float


def estimate_trace(
    times: Times,
    function: Callable[[Tensor], Tensor],
    *,
    trace: float,
    trace_of_square: float,
    probes: Tensor,
    sketch: Tensor,
    steps: int,
) -> Trace:
    """Estimate tr f(A).

    Args:
        times: the product with A, symmetric and positive semidefinite.
        function: f, elementwise on eigenvalues, f(0) = 0.
        trace: tr A.
        trace_of_square: tr A^2.
        probes: random signs, shape (n, m), m > 4.
        sketch: random columns, shape (n, r), whose images under A span the part that is taken as it is.
        steps: Lanczos steps; each is one product with r + m columns.

    Source: Meyer, Musco, Musco & Woodruff 2021, arXiv:2010.09649 (Hutch++); Golub & Meurant 2010, "Matrices, Moments
    and Quadrature", Ch. 6 (Gauss and Radau); Ubaru, Chen & Saad 2017, doi:10.1137/16M1104974 (Lanczos quadrature).

    Example:
        >>> values = torch.linspace(0, 1, 100, dtype=torch.float64)
        >>> signs = 2.0 * torch.randint(2, (100, 20), generator=torch.Generator().manual_seed(0)).double() - 1
        >>> sums = {"trace": 50.0, "trace_of_square": float((values**2).sum())}
        >>> found = estimate_trace(lambda v: values[:, None] * v, lambda l: l**3, probes=signs, sketch=signs[:, :5],
        ...                        steps=4, **sums)
        >>> abs(found.value - float((values**3).sum())) < 0.05
        True
    """
    n, r = sketch.shape
    basis = torch.linalg.qr(times(sketch)).Q
    rest = probes - basis @ (basis.T @ probes)
    lengths = torch.linalg.vector_norm(rest, dim=0)
    start = torch.cat([basis, rest / lengths.clamp_min(torch.finfo(rest.dtype).tiny)], dim=1)
    diagonal, beside, first = _lanczos(times, start, steps)
    above, below = _gauss(diagonal, beside, function), _radau(diagonal, beside, function)
    weights = lengths.double().cpu() ** 2
    # Of I, A and A^2 on the rest the trace is known, and what each probe says of it.
    moments = torch.stack([torch.ones_like(weights), diagonal[r:, 0], diagonal[r:, 0] ** 2 + beside[r:, 0] ** 2], dim=1)
    squared = float(first[:, :r].double().square().sum())
    of_basis = weights.new_tensor([r, float(diagonal[:r, 0].sum()), squared])
    known = weights.new_tensor([n, trace, trace_of_square]) - of_basis
    said = weights * (above + below)[r:] / 2
    # A control whose spread drowns in the rounding of what is known would add an error and remove none.
    told = 100 * torch.finfo(probes.dtype).eps * weights.new_tensor([n, trace, trace_of_square])
    controls = weights[:, None] * moments - known
    mean, deviations = _controlled_mean(said, controls[:, controls.std(dim=0) > told])
    gap = (above - below)[:r].sum() + (weights * (above - below)[r:]).mean()
    return Trace(float((above + below)[:r].sum() / 2) + mean, deviations, abs(float(gap)))


def _lanczos(times: Times, start: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each column the coefficients of Lanczos' tridiagonal matrix, shape (c, steps), on the CPU, and A start.

    The last coefficient beside the diagonal leads out of the matrix: Radau's rule needs it.
    """
    before, now, beside = torch.zeros_like(start), start, start.new_zeros(start.shape[1])
    diagonals, besides, first = [], [], start
    for step in range(steps):
        image = times(now)
        first = image if step == 0 else first
        image = image - beside * before
        diagonals.append((image * now).sum(dim=0))
        image -= diagonals[-1] * now
        beside = torch.linalg.vector_norm(image, dim=0)
        # What is left of a finished column is rounding, and would only grow into numbers that slow the processor.
        done = beside <= torch.finfo(start.dtype).eps * diagonals[0].abs().max()
        beside = beside.masked_fill(done, 0)
        besides.append(beside)
        before, now = now, (image / beside.clamp_min(torch.finfo(start.dtype).tiny)).masked_fill_(done, 0)
    return torch.stack(diagonals, dim=1).double().cpu(), torch.stack(besides, dim=1).double().cpu(), first


def _gauss(diagonal: Tensor, beside: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The quadratic form of each column, shape (c,): nodes are the eigenvalues of the tridiagonal matrix."""
    inner = beside[:, : diagonal.shape[1] - 1]
    matrix = diagonal.diag_embed() + inner.diag_embed(1) + inner.diag_embed(-1)
    nodes, vectors = torch.linalg.eigh(matrix)
    return (vectors[:, 0].square() * function(nodes.clamp_min(0))).sum(dim=1)


def _radau(diagonal: Tensor, beside: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The same with one node at 0: the diagonal goes on with the number that makes the matrix singular."""
    pivot = diagonal[:, 0]
    for step in range(1, diagonal.shape[1]):
        pivot = diagonal[:, step] - _ratio(beside[:, step - 1], pivot)
    last = _ratio(beside[:, -1], pivot)
    return _gauss(torch.cat([diagonal, last[:, None]], dim=1), beside, function)


def _ratio(beside: Tensor, pivot: Tensor) -> Tensor:
    """beside^2 / pivot; pivots are positive but for rounding, and then the column is finished."""
    return torch.where(pivot > 0, beside**2 / pivot.clamp_min(1e-300), 0.0)


def _controlled_mean(said: Tensor, controls: Tensor) -> tuple[float, Tensor]:
    """Mean of what the probes say where the controls are at their known mean, 0; and each probe's deviation."""
    design = torch.cat([said.new_ones(len(said), 1), controls / controls.norm(dim=0)], dim=1)
    # Least squares: the intercept is a weighted sum of what the probes say, and so is its error of their residuals.
    solve = torch.linalg.pinv(design)
    residuals = said - design @ (solve @ said)
    freedom = len(said) - design.shape[1]
    return float(solve[0] @ said), solve[0] * residuals * math.sqrt(len(said) / freedom)
