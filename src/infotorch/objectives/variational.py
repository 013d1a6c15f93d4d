"""Bottlenecks of a stochastic encoder p(z | x): the rate is a divergence from a fixed prior, in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from infotorch.networks.stochastic import MAX_STD, GaussianLayer, LogNormalLayer, StochasticLayer
from infotorch.numerics.checks import check_choice, check_count
from infotorch.objectives.base import LocalBatch, Side, full_precision
from infotorch.objectives.beta import BetaSchedule
from infotorch.objectives.checks import check_labels
from infotorch.objectives.code_kl import gaussian_kl
from infotorch.objectives.precision import PrecisionAndCompression


def log_normal_kl(centre: Tensor, std: Tensor, log_mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(logN(log centre, std^2) || logN(log_mean, exp(log_std)^2)) of every sample, in nats.

    Args:
        centre: medians, (b, d), positive.
        std: of the logarithm, (b, d), positive.
        log_mean: mean of the prior's logarithm, 0-d or (d,).
        log_std: logarithm of the deviation of the prior's logarithm, 0-d or (d,).

    Returns:
        (b,), at least 0.

    Source: Achille & Soatto 2018, arXiv:1611.01353, Sec. 5 (softplus).

    Example:
        >>> one = torch.ones(1, 2)
        >>> round(log_normal_kl(math.e * one, one, torch.zeros(()), torch.zeros(())).item(), 6)
        1.0
    """
    tiny = torch.finfo(std.dtype).tiny  # a softplus can round to 0
    variance_ratio = ((std.square() + (centre.clamp(min=tiny).log() - log_mean).square()) / 2) * (-2 * log_std).exp()
    return (variance_ratio - std.clamp(min=tiny).log() + log_std - 0.5).sum(dim=1)


class _Variational(PrecisionAndCompression):
    """The rate of a stochastic layer: one of the network, or one that the objective puts behind the module itself."""

    own: StochasticLayer | None

    def __init__(
        self, *, beta: BetaSchedule, layer: StochasticLayer | None, code: int, draws: int, evaluation_draws: int
    ) -> None:
        where = type(self).__name__
        if layer is not None and not isinstance(layer, self._kind()):
            raise TypeError(f"{where}: layer must be a {self._kind().__name__}, got {type(layer).__name__}.")
        for name, value in (("code", code), ("draws", draws), ("evaluation_draws", evaluation_draws)):
            check_count(value, where=where, name=name)
        super().__init__(beta=beta, layer=layer)
        self.own = None
        self.code, self.draws, self.evaluation_draws = code, draws, evaluation_draws

    @staticmethod
    def _kind() -> type[StochasticLayer]:
        raise NotImplementedError

    def _make(self, inputs: int) -> StochasticLayer:
        raise NotImplementedError

    def _hooked(self, layer: nn.Module) -> nn.Module:
        assert isinstance(layer, StochasticLayer)
        return layer.encoder

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the stochastic layer and the read-out, where the network has none; measure H(Y).

        Raises:
            TypeError: there are no labels, or they are not integers.
        """
        check_labels(labels, where=type(self).__name__)
        super().build(example, labels)
        if self.hook is None:
            placed = {"device": example.output.device, "dtype": example.output.dtype}
            self.own = self._make(example.output[0].numel()).to(**placed)
            self.readout = nn.Linear(self.code, self.readout.out_features, **placed)  # pyright: ignore[reportArgumentType]

    def draw_scores(self, output: Tensor) -> Tensor:
        """Class scores of each draw."""
        if self.own is None:
            return super().draw_scores(output)
        return self._read(self.own.draw(self.own.encoder(output)), len(output))

    def _read(self, code: Tensor, rows: int) -> Tensor:
        scores = self.readout(code)
        return scores if len(scores) == rows else scores.unflatten(0, (rows, -1))

    def _compression(self, batch: LocalBatch) -> Tensor:
        if self.own is not None:
            code = self.own.encoder(batch.output)
        else:
            assert self.hook is not None
            code = self.hook.take()[1]
            if len(code[0]) != len(batch.output):
                raise ValueError(
                    f"{type(self).__name__}: the layer must have a row for each of the output's "
                    f"{len(batch.output)}, got {len(code[0])}; behind several draws, end the network in SampleMean."
                )
        return self._rate(*(full_precision(part) for part in code)).mean()

    def _rate(self, centre: Tensor, deviation: Tensor) -> Tensor:
        raise NotImplementedError


class VariationalBottleneck(_Variational):
    """The variational information bottleneck, minimised: CE - H(Y) + beta KL(p(z | x) || N(0, I)), in nats.

    The rate, the mean divergence of the code from a standard normal, bounds I(X; Z) from above. In training the
    cross-entropies of a sample's draws are averaged; in evaluation their probabilities are, before the logarithm.

    Args:
        beta: weight of the rate: a number, or a function of (epoch, step) such as `Ramp`.
        layer: the network's `GaussianLayer`, whose draws go on to the layers behind it; the module's output are then
            class scores, behind several draws those of `SampleMean`. None: a local objective with a `GaussianLayer` of
            its own and a linear read-out behind the module's output, which itself goes on without noise.
        code: entries of z, where the layer is the objective's own.
        draws: draws of each sample in training, likewise.
        evaluation_draws: draws of each sample in evaluation, likewise.

    Raises:
        TypeError: layer is no `GaussianLayer`, beta no number or function, or a count no integer.
        ValueError: beta negative, or a count below 1.

    Source: Alemi, Fischer, Dillon & Murphy 2017, arXiv:1612.00410, eq. 17, in bits there; beta 1e-3, a code of 256 and
        12 draws are those of its best MNIST row.

    Example:
        >>> from infotorch.networks.stochastic import stochastic_mlp
        >>> model = stochastic_mlp(4, (8,), 2, 3, draws=5)
        >>> objective = VariationalBottleneck(beta=0.1, layer=model.bottleneck)
        >>> x, y = torch.zeros(6, 4), torch.arange(6) % 3
        >>> objective.build(LocalBatch(x, x, model.eval()(x), y), y)
        >>> sorted(objective(LocalBatch(x, x, model.train()(x), y)).terms)
        ['mi_ty_nats', 'mi_xt_nats']
    """

    def __init__(
        self,
        *,
        beta: BetaSchedule = 1e-3,
        layer: GaussianLayer | None = None,
        code: int = 256,
        draws: int = 1,
        evaluation_draws: int = 12,
    ) -> None:
        super().__init__(beta=beta, layer=layer, code=code, draws=draws, evaluation_draws=evaluation_draws)

    @staticmethod
    def _kind() -> type[StochasticLayer]:
        return GaussianLayer

    def _make(self, inputs: int) -> StochasticLayer:
        return GaussianLayer(inputs, self.code, draws=self.draws, evaluation_draws=self.evaluation_draws)

    def _rate(self, centre: Tensor, deviation: Tensor) -> Tensor:
        return gaussian_kl(centre, deviation)


class VariationalDeficiency(VariationalBottleneck):
    """The variational deficiency bottleneck: `VariationalBottleneck` with the draws averaged inside the logarithm.

    The loss is that of the mean of the draws' class probabilities, in training too; with one draw the two agree. It is
    at most the variational bottleneck's loss for the same draws, and what evaluation measures.

    Args:
        beta: as in `VariationalBottleneck`.
        layer: as in `VariationalBottleneck`; it must make several draws in training.
        code: as in `VariationalBottleneck`.
        draws: as in `VariationalBottleneck`; 2 or more.
        evaluation_draws: as in `VariationalBottleneck`.

    Raises:
        TypeError: as in `VariationalBottleneck`.
        ValueError: as in `VariationalBottleneck`, or one draw in training.

    Source: Banerjee & Montúfar 2020, arXiv:1810.11677.

    Example:
        >>> VariationalDeficiency(beta=0.1, draws=4).average_first
        True
    """

    average_first = True

    def __init__(
        self,
        *,
        beta: BetaSchedule = 1e-3,
        layer: GaussianLayer | None = None,
        code: int = 256,
        draws: int = 6,
        evaluation_draws: int = 12,
    ) -> None:
        super().__init__(beta=beta, layer=layer, code=code, draws=draws, evaluation_draws=evaluation_draws)
        drawn = draws if layer is None else layer.draws
        if drawn < 2:
            raise ValueError(
                f"{type(self).__name__}: draws must be at least 2, as of one draw there is no mean, got {drawn}."
            )


class InformationDropout(_Variational):
    """Information dropout, minimised: CE - H(Y) + beta KL(p(z | x) || prior), z = f(x) times log-normal noise, in nats.

    With "softplus" features the prior is log-normal with a trained mean and deviation, and the rate bounds I(X; Z) from
    above. With "relu" the prior is q at 0 and c / z above: the rate is -log(alpha / max_std) summed over the units that
    are not 0, which leaves out a constant that the improper prior does not have, and so bounds nothing.

    Args:
        beta: weight of the rate: a number, or a function of (epoch, step) such as `Ramp`.
        layer: the network's `LogNormalLayer`; None: one of the objective's own, see `VariationalBottleneck`.
        code: entries of z, where the layer is the objective's own.
        activation: of f, where the layer is the objective's own: "relu" or "softplus".
        draws: draws of each sample in training, likewise.
        evaluation_draws: draws of each sample in evaluation, likewise.

    Raises:
        TypeError: layer is no `LogNormalLayer`, beta no number or function, or a count no integer.
        ValueError: beta negative, a count below 1, or an unknown activation.

    Source: Achille & Soatto 2018, arXiv:1611.01353, Sec. 5.

    Example:
        >>> InformationDropout(beta=0.1).sides, InformationDropout(beta=0.1, activation="softplus").sides
        ({'mi_ty_nats': 'lower'}, {'mi_ty_nats': 'lower', 'mi_xt_nats': 'upper'})
    """

    def __init__(
        self,
        *,
        beta: BetaSchedule = 1e-3,
        layer: LogNormalLayer | None = None,
        code: int = 256,
        activation: Literal["relu", "softplus"] = "relu",
        draws: int = 1,
        evaluation_draws: int = 12,
    ) -> None:
        super().__init__(beta=beta, layer=layer, code=code, draws=draws, evaluation_draws=evaluation_draws)
        check_choice(activation, ("relu", "softplus"), where="InformationDropout", name="activation")
        self.activation: Literal["relu", "softplus"] = activation if layer is None else layer.activation
        self.max_std = MAX_STD if layer is None else layer.max_std
        if self.activation == "softplus":
            self.prior_mean = nn.Parameter(torch.zeros(()))
            self.prior_log_std = nn.Parameter(torch.zeros(()))
        else:
            self.sides: Mapping[str, Side] = {"mi_ty_nats": "lower"}
            self.compressed = "rate_nats"

    @staticmethod
    def _kind() -> type[StochasticLayer]:
        return LogNormalLayer

    def _make(self, inputs: int) -> StochasticLayer:
        return LogNormalLayer(
            inputs,
            self.code,
            activation=self.activation,
            draws=self.draws,
            evaluation_draws=self.evaluation_draws,
        )

    def _rate(self, centre: Tensor, deviation: Tensor) -> Tensor:
        if self.activation == "softplus":
            return log_normal_kl(centre, deviation, self.prior_mean, self.prior_log_std)
        cost = math.log(self.max_std) - deviation.clamp(min=torch.finfo(deviation.dtype).tiny).log()
        return torch.where(centre > 0, cost, 0.0).sum(dim=1)
