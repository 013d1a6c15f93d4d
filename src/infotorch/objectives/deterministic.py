"""The deterministic bottleneck: no noise and no density, the matrix-based Renyi information as compression term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from infotorch.numerics.kernels import Bandwidth, Kernel
from infotorch.objectives.base import LocalBatch, Side
from infotorch.objectives.beta import BetaSchedule
from infotorch.objectives.precision import PrecisionAndCompression
from infotorch.objectives.renyi import RenyiInformation


class DeterministicBottleneck(PrecisionAndCompression):
    """CE - H(Y) + beta I_alpha(X; T), minimised, in nats: the matrix-based Renyi information of a layer and the input.

    The information is a likeness of Shannon's and no bound on it, see `renyi_mi`: it compares at equal batch and
    kernel width alone, and is at most the logarithm of the number of rows.

    Args:
        beta: weight of the compression term: a number, or a function of (epoch, step) such as `Ramp`.
        layer: the layer of the network that is compressed; the module's output are then class scores. None: the
            module's output, with a linear read-out.
        alpha: the order, above 0; 2 needs no eigenvalues.
        bandwidth: a number s, or a rule, see `RenyiInformation`.
        kernel: "exp(-d2/2s2)", under which, with a rule, scaling the layer changes nothing; or "exp(-d2/s)".

    Raises:
        TypeError: beta neither number nor function, layer no module, or alpha or bandwidth no number.
        ValueError: beta negative, alpha or bandwidth not positive, or an unknown rule or kernel.

    Source: Yu, Yu & Principe 2021, arXiv:2102.00533, with its order of 1.01; kernel and rule are ours.

    Example:
        >>> import torch
        >>> x, y = 10.0 * torch.eye(4), torch.tensor([0, 1, 0, 1])
        >>> batch = LocalBatch(x, x, x, y)
        >>> objective = DeterministicBottleneck(beta=0.1, bandwidth=1.0)
        >>> objective.build(batch, y)
        >>> round(objective(batch).terms["renyi_xt_nats"].item(), 3)  # every row apart: log 4
        1.386
    """

    sides: Mapping[str, Side] = {"mi_ty_nats": "lower"}
    compressed = "renyi_xt_nats"

    def __init__(
        self,
        *,
        beta: BetaSchedule,
        layer: nn.Module | None = None,
        alpha: float = 1.01,
        bandwidth: Bandwidth = "knn",
        kernel: Kernel = "exp(-d2/2s2)",
    ) -> None:
        super().__init__(beta=beta, layer=layer)
        self.information = RenyiInformation(of="x", alpha=alpha, bandwidth=bandwidth, kernel=kernel, grids="whole")

    def _compression(self, batch: LocalBatch) -> Tensor | None:
        seen = batch if self.hook is None else replace(batch, output=self.hook.take()[1])
        return None if len(seen.output) < 2 else -self.information(seen).total
