"""The nonlinear information bottleneck: Gaussian noise on a layer, and the pairwise bound on what passes it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from infotorch.estimators.channel import pairwise_bounds
from infotorch.networks.noise import GaussianNoise
from infotorch.numerics.checks import check_choice, check_positive
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.beta import BetaSchedule
from infotorch.objectives.precision import PrecisionAndCompression, diverged, rows_or_nan

Lagrangian = Literal["plain", "squared", "exponential"]
LAGRANGIANS = ("plain", "squared", "exponential")


def lagrangian_cost(information: Tensor, kind: Lagrangian, *, rate: float = 1.0) -> Tensor:
    """What beta weighs: I, I^2, or (exp(rate I) - 1) / rate.

    Where Y is a function of X, the best I(Y; T) rises with I(X; T) by one nat a nat until H(Y) and no further: every
    beta between 0 and 1 picks that corner, and the plain form has no curve. A cost that is strictly convex picks
    another point of the line for each beta.

    Args:
        information: I(X; T), in nats.
        kind: "plain", "squared" or "exponential".
        rate: of the exponential, in 1 / nats.

    Raises:
        ValueError: an unknown kind.

    Source: Kolchinsky, Tracey & Van Kuyk 2019, arXiv:1808.07593, Sec. 4 (squared); Rodríguez Gálvez, Thobaben &
        Skoglund 2020, arXiv:1911.11000 (exponential, without our constant and factor: ours tends to I as rate to 0).

    Example:
        >>> lagrangian_cost(torch.tensor(3.0), "squared").item()
        9.0
    """
    check_choice(kind, LAGRANGIANS, where="lagrangian_cost", name="kind")
    if kind == "squared":
        return information.square()
    return information if kind == "plain" else torch.expm1(rate * information) / rate


class NonlinearBottleneck(PrecisionAndCompression):
    """The nonlinear information bottleneck, minimised: CE - H(Y) + beta u(I(X; T)), T = f(x) + Gaussian noise, in nats.

    I(X; T) is the pairwise upper bound of `pairwise_bounds` on the samples of the batch, at most the logarithm of their
    number: it holds for the channel whose input is one of these samples.

    Args:
        beta: weight of the compression term: a number, or a function of (epoch, step) such as `Ramp`.
        layer: the network's `GaussianNoise`, which hands its noise on to the layers behind it; the module's output are
            then class scores. None: a local objective; noise of `noise_std`, relative to the root-mean-square deviation
            of the module's output, is in its read-out and its bound alone.
        lagrangian: u: "plain", I; "squared", I^2; "exponential", (exp(rate I) - 1) / rate. The last two give a curve
            where Y is a function of X, see `lagrangian_cost`.
        rate: of the exponential, in 1 / nats.
        noise_std: of the objective's own noise, where layer is None.

    Raises:
        TypeError: layer is no `GaussianNoise`, or beta, rate or noise_std no number.
        ValueError: beta negative, rate or noise_std not positive, noise_std missing or beside a layer, or an unknown
            lagrangian.

    Source: Kolchinsky, Tracey & Wolpert 2019, arXiv:1705.02436, who square I(X; T) and train one deviation of the noise
        for all units; noise that follows the layer, and one deviation for each unit, are ours.

    Example:
        >>> noise = GaussianNoise(1.0)
        >>> x, y = torch.tensor([[0.0, 9.0], [9.0, 0.0]]), torch.tensor([1, 0])
        >>> objective = NonlinearBottleneck(beta=0.5, layer=noise, lagrangian="squared")
        >>> batch = LocalBatch(x, x, noise(x), y)
        >>> objective.build(batch, y)
        >>> round(objective(batch).terms["mi_xt_nats"].item(), 4)  # the noise does not mix the rows: log 2
        0.6931
    """

    own: GaussianNoise | None

    def __init__(
        self,
        *,
        beta: BetaSchedule,
        layer: GaussianNoise | None = None,
        lagrangian: Lagrangian = "squared",
        rate: float = 1.0,
        noise_std: float | None = None,
    ) -> None:
        where = "NonlinearBottleneck"
        check_choice(lagrangian, LAGRANGIANS, where=where, name="lagrangian")
        check_positive(rate, where=where, name="rate")
        if layer is not None and not isinstance(layer, GaussianNoise):
            raise TypeError(f"{where}: layer must be a GaussianNoise, got {type(layer).__name__}.")
        if (layer is None) is (noise_std is None):
            raise ValueError(f"{where}: noise_std belongs to an objective without layer=..., got {noise_std}.")
        super().__init__(beta=beta, layer=layer)
        self.own = None
        self.lagrangian: Lagrangian = lagrangian
        self.rate = rate
        if noise_std is not None:
            check_positive(noise_std, where=where, name="noise_std")
            self.own = GaussianNoise(noise_std, scale="relative")
        self._noise = [self.own if layer is None else layer]  # in a list: the network's layer is no part of this

    def draw_scores(self, output: Tensor) -> Tensor:
        """Class scores, of the noisy output where the noise is the objective's own."""
        return super().draw_scores(output if self.own is None else self.own(output))

    def _compression(self, batch: LocalBatch) -> Tensor | None:
        clean = batch.output if self.hook is None else self.hook.take()[0]
        (noise,) = self._noise
        assert noise is not None
        clean = clean[:: max(1, len(clean) // len(batch.output))]  # of several draws a row, the row itself once
        if len(clean) < 2:
            return None
        rows = rows_or_nan(clean / noise.std(clean))
        return diverged(clean) if rows is None else pairwise_bounds(rows, 1.0)[1].value

    def _cost(self, compression: Tensor) -> Tensor:
        return lagrangian_cost(compression, self.lagrangian, rate=self.rate)
