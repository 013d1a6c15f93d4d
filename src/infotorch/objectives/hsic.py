"""The HSIC bottleneck: dependence on the label up, dependence on the input down, from kernel matrices."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.data.targets import TargetKind, fully_labelled, kind_of_targets
from infotorch.numerics.checks import check_choice, check_positive
from infotorch.numerics.finite import all_finite
from infotorch.numerics.kernels import gaussian_gram
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, Target, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_known, check_labels, check_weight

Dependence = Literal["nhsic", "hsic", "cka"]
MEASURES: tuple[Dependence, ...] = get_args(Dependence)


class HSICBottleneck(Objective):
    """D(T, X) - w D(T, Y), D a kernel measure of dependence without unit: no information, and no bound.

    Kernels are Gaussian, exp(-d2 / (2 s^2)) with s = bandwidth sqrt(columns); labels are one-hot, grids are flattened.
    Real targets are divided by their spread in the training data, so that their unit does not matter; several labels
    enter as 0 and 1.
    With K the centred kernel matrix of b rows, D is the sum of the entrywise product of two matrices, for

    - "nhsic": K (K + epsilon b I)^-1, in [0, b - 1] and about the number of directions that both see: the paper's;
    - "hsic": K / (b - 1), as `hsic(..., unbiased=False)`;
    - "cka": K / |K|, in [0, 1], as `cka(..., unbiased=False)`.

    Rows without a target, or with one of several missing, count in neither term.

    Args:
        label_weight: w, of the dependence on the label, 0 or more.
        bandwidth: of the kernels, for one column.
        measure: "nhsic", "hsic" or "cka".
        epsilon: of "nhsic"; the smaller, the fainter the directions that count.
        target: which X, the network's raw input "x" or the module's own input "module_input".

    Raises:
        ValueError: label_weight negative, bandwidth or epsilon not positive, an unknown measure or target.

    Source: Ma, Lewis & Kleijn 2020, arXiv:1908.01580, eq. 3 and 7; label_weight, bandwidth and epsilon (beta, sigma,
        epsilon) as there.

    Example:
        >>> t = torch.eye(2).repeat(4, 1)
        >>> batch = LocalBatch(torch.zeros(8, 3), torch.zeros(8, 3), t, torch.arange(8) % 2)
        >>> objective = HSICBottleneck()
        >>> objective.build(batch, batch.y)
        >>> terms = objective(batch).terms
        >>> round(float(terms["hsic_ty"]), 3), round(float(terms["hsic_xt"]), 3)  # one direction, and none
        (0.998, 0.0)
    """

    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes", "real", "multilabel")

    def __init__(
        self,
        *,
        label_weight: float = 500.0,
        bandwidth: float = 5.0,
        measure: Dependence = "nhsic",
        epsilon: float = 1e-5,
        target: Target = "x",
    ) -> None:
        super().__init__()
        where = "HSICBottleneck"
        check_positive(bandwidth, where=where, name="bandwidth")
        check_positive(epsilon, where=where, name="epsilon")
        check_choice(measure, MEASURES, where=where, name="measure")
        check_choice(target, ("x", "module_input"), where=where, name="target")
        check_weight(label_weight, where=where, name="label_weight")
        self.label_weight, self.bandwidth, self.measure = label_weight, bandwidth, measure
        self.epsilon, self.target = float(epsilon), target
        self.num_classes = 0
        self._spread: Tensor | None = None

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Count the classes, or measure the spread of real targets."""
        self._spread = None
        if labels is not None and kind_of_targets(labels) != "classes":
            y = check_known(labels, where="HSICBottleneck").reshape(len(labels), -1)
            if y.is_floating_point():
                y = _wide(y)
                spread = (y - y.nanmean(dim=0)).square().nanmean(dim=0).sqrt()
                self._spread = torch.where(spread > 0, spread, 1.0)
            return
        self.num_classes = int(check_labels(labels, where="HSICBottleneck").max()) + 1

    def forward(self, batch: LocalBatch) -> Loss:
        """The dependence on X less the weighted dependence on Y; zero with fewer than two labelled samples."""
        known = None if batch.y is None else fully_labelled(on_host(batch.y))
        if known is None or batch.y is None or int(known.sum()) < 2:
            return nothing_to_learn(batch.output)
        t = _wide(rows_where(batch.output, known))
        if not all_finite([t]):
            return Loss(full_precision(batch.output).sum() * math.nan, {})
        x = _wide(rows_where(batch.x if self.target == "x" else batch.module_input, known))
        y = self._columns(rows_where(batch.y, known)).to(t)
        of_t = self._matrix(t)
        dtype = full_precision(batch.output).dtype
        on_x, on_y = ((of_t * self._matrix(other)).sum().to(dtype) for other in (x, y))
        return Loss(on_x - self.label_weight * on_y, {"hsic_xt": on_x.detach(), "hsic_ty": on_y.detach()})

    def _columns(self, y: Tensor) -> Tensor:
        """The rows of the kernel of known targets."""
        if kind_of_targets(y) == "classes":
            return F.one_hot(y, self.num_classes)
        return _wide(y) if self._spread is None else _wide(y) / self._spread

    def _matrix(self, rows: Tensor) -> Tensor:
        """The matrix whose entrywise products are the measure."""
        n, columns = rows.shape
        gram = gaussian_gram(rows, bandwidth=self.bandwidth * math.sqrt(columns), kernel="exp(-d2/2s2)")
        gram = gram - gram.mean(dim=0)
        centred = gram - gram.mean(dim=1, keepdim=True)
        if self.measure == "hsic":
            return centred / (n - 1)
        if self.measure == "cka":
            # Rows that do not vary have no direction: a dependence of 0.
            return centred / torch.linalg.vector_norm(centred).clamp_min(1e-12 * n)
        ridge = self.epsilon * n
        identity = torch.eye(n, dtype=rows.dtype, device=rows.device)
        return identity - ridge * torch.linalg.inv(centred + ridge * identity)


def _wide(values: Tensor) -> Tensor:
    """Flattened samples in float64, which Apple's GPUs do not have: small directions drown in float32."""
    rows = values.reshape(len(values), -1)
    return rows.float() if rows.device.type == "mps" else rows.double()
