"""The information bottleneck of one layer: -I(Y; L) + beta I(X; L + eps).

The network stays deterministic: the Gaussian noise eps exists only inside the second term, which is infinite without
it. L is a known function of X and eps a known Gaussian, so p(l | x) is known and the term has upper bounds without a
critic. A penalty should be an upper bound: pushing a lower bound down says nothing about the quantity. The paper's own
functional, two MINEs of which one is a penalty, is here as it is: precision="mine", penalty="aamine".
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.estimators.bounds import donsker_varadhan
from infotorch.estimators.channel import (
    gaussian_channel_bound,
    infonce_known_channel,
    leave_one_out_bound,
    pairwise_bounds,
)
from infotorch.numerics.checks import check_choice, check_count, check_positive, check_widths
from infotorch.numerics.finite import all_finite
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.adversary import ArchitectureAwareAdversary, LabelDiscriminator
from infotorch.objectives.base import LocalBatch, Loss, Side, full_precision, nothing_to_learn
from infotorch.objectives.beta import Beta, BetaSchedule
from infotorch.objectives.checks import check_labels
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation
from infotorch.objectives.layer_hook import LayerHook

#: a bound on I(X; L + eps)
Penalty = Literal["gaussian", "pairwise", "leave_one_out", "aamine", "infonce"]

#: penalty -> on which side of I(X; L + eps) it lies
PENALTIES: dict[Penalty, Side] = {
    "gaussian": "upper",
    "pairwise": "upper",
    "leave_one_out": "upper",
    "aamine": "lower",
    "infonce": "lower",
}
# Classes that have warned about a lower bound as penalty: once is enough, a plan has several layers.
_WARNED: set[type] = set()


class InformationBottleneck(ReadoutInformation):
    """Minus I(Y; L) plus beta times I(X; L + eps), eps ~ N(0, noise_std^2 I), in nats.

    The paper's functional is precision="mine", penalty="aamine": two MINEs, whose critics take `critic_steps` steps
    before every step of the layer. The first cooperates with the layer; the second, a lower bound, is its adversary:
    where it is not at its best, the layer lowers a value and not the information.

    Args:
        beta: weight of the compression term: a number of 0 or more, or a function of (epoch, step) such as `Ramp`.
        noise_std: standard deviation of eps, in units of the layer ("fixed": as I(Y; L) is the same at any scale, a
            layer gains by shrinking) or of its root-mean-square deviation over the batch ("relative": scaling changes
            nothing). At 0 the quantity is infinite: no default.
        penalty: upper bounds: "leave_one_out"; and, where X is one of the samples of the batch, "gaussian" (the
            Gaussian with the batch's moments) and "pairwise" (Kolchinsky & Tracey, at most log of the batch size). In a
            layer that is wide for its batch, or under little noise, these two lie below the population's information.
            Lower bounds: "aamine" (architecture-aware MINE: its critic passes x through the layer), "infonce" (with the
            known channel, at most log of the batch size).
        noise: "fixed" or "relative".
        precision: I(Y; L) by "readout", H(Y) - CE of a linear read-out, or by "mine", a MINE on (L, Y). Both bound it
            from below on samples that were not trained on (a MINE's logarithm of a mean brings a bias up of the order
            of one over the samples); on training samples a MINE's critic soon overfits.
        critic_hidden: widths of the critics' hidden layers.
        critic_steps: steps of the critics before each step of the layer.
        copy_gradient: with "aamine", the layer's gradient through the critic's own copy of it: "stopped", right where
            the critic is at its best, or "full", the gradient of the value as it stands. The bound's value is the same.
        lower_bound: "warn" once when the penalty is a lower bound, or "accept" it.
        layer: the layer that is compressed; precision is then H(Y) - CE of the module's own output, taken as class
            scores: the two look at different layers of the network, which is trained end to end. None: both look at the
            module's output, a local objective.

    Raises:
        ValueError: beta negative, noise_std not positive, critic_steps or a width below 1, an unknown choice, a MINE
            beside layer.
        TypeError: critic_steps or a width is not an integer, beta neither a number nor a function, layer no module.

    Source: Elad, Haviv, Blau & Michaeli 2019, eq. 2, Sec. 3 and 4, which trains with 5 critic steps and both MINEs; the
        widths, and the gradient stopped in the critic's copy by default, are ours. Amjad & Geiger 2019, footnote 3,
        for relative noise.

    Example:
        >>> import torch
        >>> batch = LocalBatch(torch.zeros(8, 3), torch.zeros(8, 3), torch.randn(8, 5, generator=torch.Generator()
        ...     .manual_seed(0)), torch.arange(8) % 2)
        >>> objective = InformationBottleneck(beta=0.01, noise_std=1.0)
        >>> objective.build(batch, batch.y)
        >>> sorted(objective(batch).terms)
        ['mi_ty_nats', 'mi_xt_nats']
        >>> paper = InformationBottleneck(
        ...     beta=0.01, noise_std=1.0, precision="mine", penalty="aamine", lower_bound="accept"
        ... )
        >>> paper.build(batch, batch.y)
        >>> paper.sides["mi_xt_nats"], paper.critic_steps, len(paper.critics())
        ('lower', 5, 2)
    """

    sides: Mapping[str, Side] = {"mi_ty_nats": "lower", "mi_xt_nats": "upper"}

    reads_labels: bool | None = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    def __init__(
        self,
        *,
        beta: BetaSchedule,
        noise_std: float,
        penalty: Penalty = "gaussian",
        noise: Literal["fixed", "relative"] = "fixed",
        precision: Literal["readout", "mine"] = "readout",
        critic_hidden: Sequence[int] = (512, 512),
        critic_steps: int = 5,
        copy_gradient: Literal["stopped", "full"] = "stopped",
        lower_bound: Literal["warn", "accept"] = "warn",
        layer: nn.Module | None = None,
    ) -> None:
        super().__init__()
        where = "InformationBottleneck"
        check_positive(noise_std, where=where, name="noise_std")
        check_choice(penalty, tuple(PENALTIES), where=where, name="penalty")
        check_choice(noise, ("fixed", "relative"), where=where, name="noise")
        check_choice(precision, ("readout", "mine"), where=where, name="precision")
        check_choice(copy_gradient, ("stopped", "full"), where=where, name="copy_gradient")
        check_choice(lower_bound, ("warn", "accept"), where=where, name="lower_bound")
        check_count(critic_steps, where=where, name="critic_steps")
        if layer is not None and (precision == "mine" or penalty == "aamine"):
            raise ValueError(
                f'{where}: layer=... goes with precision="readout" and a penalty without a critic, got '
                f"precision={precision!r} and penalty={penalty!r}; the critics look at a module's output."
            )
        self.beta = Beta(beta, where=where)
        self.hook = None if layer is None else LayerHook(layer, where=where)
        self.noise_std, self.penalty, self.noise = noise_std, penalty, noise
        self.precision, self.critic_hidden = (
            precision,
            check_widths(critic_hidden, where=where, name="critic_hidden", at_least=1),
        )
        self.sides = {"mi_ty_nats": "lower", "mi_xt_nats": PENALTIES[penalty]}
        self.copy_gradient: Literal["stopped", "full"] = copy_gradient
        self.critic_steps = critic_steps if precision == "mine" or penalty == "aamine" else 0
        self.label_critic: LabelDiscriminator | None = None
        self.adversary: ArchitectureAwareAdversary | None = None
        if PENALTIES[penalty] == "lower" and lower_bound == "warn":
            self._warn_of_lower_bound()

    def _warn_of_lower_bound(self) -> None:
        if type(self) not in _WARNED:
            _WARNED.add(type(self))
            warnings.warn(
                f"{type(self).__name__}: penalty={self.penalty!r} is a lower bound, and minimising a lower bound says "
                'nothing about the quantity; use penalty="gaussian" (an upper bound), or say lower_bound="accept".',
                UserWarning,
                stacklevel=3,
            )

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the read-out, or the critic of I(Y; L), and that of I(X; L + eps)."""
        features = full_precision(example.output.detach().flatten(1))
        if self.hook is not None:
            CrossEntropy().build(example, labels)
            super().build(example, labels)
            self.readout = nn.Identity()
        elif self.precision == "readout":
            super().build(example, labels)
        else:
            known = check_labels(labels, where="InformationBottleneck")
            self.label_critic = LabelDiscriminator(features, known, hidden=self.critic_hidden)
        if self.penalty == "aamine":
            rows = self._in_noise_unit(features)
            self.adversary = ArchitectureAwareAdversary(
                rows, hidden=self.critic_hidden, noise_std=self.noise_std, copy_gradient=self.copy_gradient
            )

    def scores(self, output: Tensor) -> Tensor:
        """The class scores of the read-out, or those of the critic of I(Y; L)."""
        if self.label_critic is None:
            return super().scores(output)
        return self.label_critic.scores(full_precision(output.flatten(1)))

    def critics(self) -> list[nn.Module]:
        """The critic of I(Y; L) and that of I(X; L + eps), as far as there are any."""
        return [part for part in (self.label_critic, self.adversary) if part is not None]

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """Minus the two bounds, each with MINE's gradient."""
        features = full_precision(batch.output.flatten(1))
        # A batch without labels moves no label critic, and is a loss with a gradient all the same.
        parameters = [parameter for critic in self.critics() for parameter in critic.parameters()]
        loss = 0.0 * torch.stack([parameter.sum() for parameter in parameters]).sum()
        if self.label_critic is not None and (known := _labelled(features, batch.y)) is not None:
            loss = loss - self.label_critic.mine(*self.label_critic.contrast(*known))
        if self.adversary is not None:
            rows = self._in_noise_unit(features)
            self.adversary.follow(rows)
            loss = loss - self.adversary.mine(*self.adversary.contrast(rows, batch.generator()))
        return loss

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the first bound plus beta times the second."""
        precision, compression, beta = self._precision(batch), self._compression(batch), self.beta(batch.position)
        terms = {**precision.terms, **compression.terms}
        if self.beta.varies:
            terms["beta"] = compression.total.new_tensor(beta)
        return Loss(precision.total + beta * compression.total, terms)

    def _precision(self, batch: LocalBatch) -> Loss:
        if self.label_critic is None:
            return super().forward(batch)
        features = full_precision(batch.output.flatten(1))
        known = _labelled(features, batch.y)
        if known is None:
            return nothing_to_learn(features)
        information = donsker_varadhan(*self.label_critic.contrast(*known))
        return Loss(-information, {"mi_ty_nats": information.detach()})

    def _compression(self, batch: LocalBatch) -> Loss:
        layer = batch.output if self.hook is None else self.hook.take()[1]
        features = full_precision(layer.flatten(1))
        if not all_finite([features]):
            # The run has diverged: a result, where the bounds refuse their input.
            return Loss(features.new_full((), torch.nan), {})
        if len(features) < 2:
            return nothing_to_learn(features)
        information = self._penalty(self._in_noise_unit(features), batch.generator())
        return Loss(information, {"mi_xt_nats": information.detach()})

    def _penalty(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        if self.adversary is not None:
            return donsker_varadhan(*self.adversary.contrast(rows, generator))
        if self.penalty == "gaussian":
            return gaussian_channel_bound(rows, self.noise_std).value
        if self.penalty == "pairwise":
            return pairwise_bounds(rows, self.noise_std)[1].value
        bound = leave_one_out_bound if self.penalty == "leave_one_out" else infonce_known_channel
        return bound(rows, self.noise_std, generator=generator).value

    def _in_noise_unit(self, features: Tensor) -> Tensor:
        """The features in the unit in which `noise_std` is given."""
        if self.noise == "fixed":
            return features
        deviation = (features - features.mean(dim=0)).square().mean()
        return features * (deviation + 1e-12).rsqrt()  # 1e-12: a dead layer has no scale, and no information


def _labelled(features: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor] | None:
    """The labelled samples and their classes; None where there are no two to be drawn apart."""
    if y is None or int((known := on_host(y) >= 0).sum()) < 2:
        return None
    return rows_where(features, known), rows_where(y, known)
