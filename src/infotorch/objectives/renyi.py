"""Objectives that need no critic: matrix-based Renyi information of a module's output with X or Y."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from infotorch.estimators.renyi_multivariate import channel_views
from infotorch.estimators.renyi_spectrum import entropy_of_spectrum, join
from infotorch.estimators.renyi_terms import read_variables
from infotorch.numerics.checks import check_choice, check_positive, shown
from infotorch.numerics.finite import all_finite
from infotorch.numerics.kernels import KERNELS, Bandwidth, Kernel, find_bandwidth, unit_gram
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.numerics.spectra import eigenvalues
from infotorch.objectives.base import LocalBatch, Loss, Objective, Target, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels

Grids = Literal["product", "mean", "whole"]
GRIDS: tuple[Grids, ...] = get_args(Grids)


class RenyiInformation(Objective):
    """Minus the matrix-based Renyi information of T and X, or of T and Y: S(T) + S(X) - S(T, X), from kernel matrices.

    No critic and no density; a value in nats that is no bound on Shannon's information, grows with the samples of the
    batch and compares at equal batches only (`renyi_mi`). Labels, and X of integers, have the kernel of symbols: 1
    between equal samples, 0 between others. The entropy of X moves nothing and is there to be reported.

    A kernel that is narrow beside the distances tells every row apart: S(T) and S(T, X) then sit at log b for b rows,
    the reported information at its ceiling, S(X) or H(Y) of the batch, and the gradient vanishes. The published
    "exp(-d2/s)" with the rule s = distance of neighbours does so as distances grow, the product over channels as their
    number grows. Watch the term: at log b, widen the kernel ("exp(-d2/2s2)"), take the "mean" or the "whole" of a grid,
    and fix the scale between modules (batch norm), which the value depends on.

    Args:
        of: "x", the input, label-free; or "y", the class. Unlabelled samples are then left out.
        alpha: the order, above 0; 2 needs no eigenvalues.
        bandwidth: a number s, or the rule that finds one in every batch: "knn", the mean distance to the 10 nearest
            samples, or "median". No gradient runs through it.
        kernel: "exp(-d2/s)" or "exp(-d2/2s2)"; only the second, with a rule, does not depend on the unit of T.
        normalised: divide by the smaller of S(T) and S(X) (or S(Y)).
        grids: how (b, c, h, w) enters: "product" of the channels' kernels, each with a bandwidth of its own (Yu et al.
            2020); "mean", the same with distances averaged over channels, not summed; "whole", one flat variable.
        target: which X, the network's raw input "x" or the module's own input "module_input"; for of="x".

    Raises:
        ValueError: an unknown of, kernel, grids, target or rule, a target other than "x" with of="y", alpha or
            bandwidth not positive.
        TypeError: alpha or bandwidth is no number.

    Source: Yu et al. 2021, arXiv:2101.10160, with its order, bandwidth and kernel; Yu, Giraldo, Jenssen & Principe
        2020, arXiv:1808.07912, Sec. III (channels). As the objective of a module: Li & Pei 2023 (MOLE). "mean" is ours.

    Example:
        >>> labels = torch.tensor([0, 1]).repeat(50)
        >>> t = 10.0 * labels[:, None]
        >>> objective = RenyiInformation(of="y", bandwidth=1.0)
        >>> batch = LocalBatch(t, t, t, labels)
        >>> objective.build(batch, labels)
        >>> round(float(objective(batch).terms["renyi_ty_nats"]), 4)  # log 2
        0.6931
    """

    def __init__(
        self,
        *,
        of: Literal["x", "y"],
        alpha: float = 1.01,
        bandwidth: Bandwidth = "knn",
        kernel: Kernel = "exp(-d2/s)",
        normalised: bool = False,
        grids: Grids = "product",
        target: Target = "x",
    ) -> None:
        super().__init__()
        where = "RenyiInformation"
        check_choice(of, ("x", "y"), where=where, name="of")
        check_positive(alpha, where=where, name="alpha")
        find_bandwidth(torch.zeros(2, 1), bandwidth, where=where)
        check_choice(kernel, KERNELS, where=where, name="kernel")
        check_choice(normalised, (True, False), where=where, name="normalised")
        check_choice(grids, GRIDS, where=where, name="grids")
        check_choice(target, ("x", "module_input"), where=where, name="target")
        if of == "y" and target != "x":
            raise ValueError(f"{where}: target says which X, and of='y' looks at none, got {shown(target)}.")
        self.of, self.alpha, self.normalised, self.grids, self.target = of, alpha, normalised, grids, target
        self.bandwidth: Bandwidth = bandwidth
        self.kernel: Kernel = kernel
        self.needs_labels = of == "y"
        self.target_kinds = ("classes",) if of == "y" else None
        self.term = "renyi_xt" if of == "x" else "renyi_ty"

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check that there are labels, where they are needed."""
        if self.of == "y":
            check_labels(labels, where="RenyiInformation")

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the information; zero where fewer than two samples can be compared."""
        t, other = full_precision(batch.output), batch.y
        if self.of == "x":
            other = batch.x if self.target == "x" else batch.module_input
        elif other is not None:
            known = on_host(other) >= 0
            t, other = rows_where(t, known), rows_where(other, known)
        if other is None or len(t) < 2:
            return nothing_to_learn(batch.output)
        if not all_finite([t]):
            return Loss(t.sum() * math.nan, {})  # the run has diverged: a result, where kernels refuse their input
        gram = self._gram("output", t)
        return self._loss(gram, self._gram("labels" if self.of == "y" else self.target, other).to(gram))

    def _loss(self, t: Tensor, other: Tensor) -> Loss:
        """From kernel matrices: that of both variables together is their entrywise product."""
        of_t, of_other = self._entropy(t), self._entropy(other)
        information = of_t + of_other - self._entropy(t * other)
        terms = {f"{self.term}_nats": information.detach()}
        if not self.normalised:
            return Loss(-information, terms)
        share = share_of_smaller(information, of_t, of_other)
        return Loss(-share, {**terms, f"{self.term}_normalised": share.detach()})

    def _entropy(self, gram: Tensor) -> Tensor:
        scaled = gram / len(gram)
        if self.alpha == 2:
            return -2 * torch.linalg.vector_norm(scaled).log()
        return entropy_of_spectrum(eigenvalues(scaled), self.alpha)

    def _gram(self, name: str, values: Tensor) -> Tensor:
        """The kernel matrix of a variable, (b, b)."""
        split = values.ndim > 2 and self.grids != "whole"
        views = channel_views(values) if split else [values]
        named = [(name, view) for view in views]
        samples, _ = read_variables(named, self.alpha, self.bandwidth, self.kernel, where="RenyiInformation")
        together = join(*samples)
        if together.codes is not None:
            return (together.codes[:, None] == together.codes).to(together.columns)
        # The kernel is exp(-|z|^2) of these columns: dividing by the root of their number averages the exponents.
        return unit_gram(together.columns / math.sqrt(len(views)) if self.grids == "mean" else together.columns)


def share_of_smaller(information: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Information over the smaller of two entropies; 0 of what does not vary, and not rounding over rounding."""
    smaller = torch.minimum(one, other)
    return information / smaller if smaller.detach() > 1e3 * torch.finfo(smaller.dtype).eps else information * 0.0
