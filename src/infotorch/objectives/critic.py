"""Objectives whose bound on I(T; X) or I(T; Y) is read by a trained critic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.data.targets import fully_labelled, kind_of_targets
from infotorch.estimators.bounds import MineGradient, infonce, jsd, nwj
from infotorch.estimators.critics import BilinearCritic, Critic, JointCritic, SeparableCritic
from infotorch.numerics.checks import check_choice, check_size, check_widths, shown
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, Target, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_critic_steps, check_known, check_labels

CriticBound = Literal["infonce", "mine", "nwj", "jsd"]
CriticKind = Literal["joint", "separable", "bilinear"]
BOUNDS: tuple[CriticBound, ...] = get_args(CriticBound)
CRITICS: tuple[CriticKind, ...] = get_args(CriticKind)

# Standard deviations at which a column is cut: a pixel that is never inked in training must not drown the others.
_FARTHEST = 10.0


class Standardised(nn.Module):
    """Rows flattened to (b, d), every column (channel of a grid) with mean 0 and variance 1, cut at 10 deviations.

    Mean and variance are the batch's in training, with their gradient, and running averages in evaluation.
    """

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        columns = _by_channel(example)
        self.norm = nn.BatchNorm1d(columns.shape[1], affine=False, device=columns.device, dtype=columns.dtype)
        if len(columns) > 1:
            # Statistics that start at the data's own: untrained critics are evaluated too.
            F.batch_norm(columns, self.norm.running_mean, self.norm.running_var, training=True, momentum=1.0)

    def forward(self, values: Tensor, *, count: bool = True) -> Tensor:
        """The samples; `count` says whether a training batch counts in the running averages.

        Raises:
            ValueError: samples of other columns than those it was built on.
        """
        columns = _by_channel(values)
        if columns.shape[1] != self.norm.num_features:
            raise ValueError(
                f"Standardised: rows must have the {self.norm.num_features} columns or channels that it was built on, "
                f"got shape {tuple(values.shape)}."
            )
        scaled = self.norm(columns) if count or not self.training else F.batch_norm(columns, None, None, training=True)
        return scaled.clamp(-_FARTHEST, _FARTHEST).flatten(1)


def _by_channel(values: Tensor) -> Tensor:
    """(b,) as (b, 1), (b, c, ...) as (b, c, l)."""
    return values.flatten(2) if values.ndim > 2 else values.reshape(len(values), -1)


class CriticInformation(Objective):
    """Minus a bound on I(T; X) or I(T; Y), in nats, read by a critic that is trained together with the module.

    The critic scores pairs of a sample's output with its own X (or label) above pairs drawn apart. It cooperates:
    module and critic climb the same bound. It sees T and X standardised, by column or by channel of a grid, so that
    neither their scale nor a growing T changes the bound; grids are flattened, labels are one-hot. Real targets are
    standardised as X is, and several labels enter as such numbers; then the critic predicts nothing.

    Terms: `mi_xt_nats` or `mi_ty_nats`. With "jsd" `jsd_nats`, a Jensen-Shannon divergence of at most log 2 and no
    information. On training samples the critic overfits and all are too high: read them on held-out ones.

    Args:
        of: "x", the input, label-free; or "y", the class, real targets or several labels. Rows with a missing one are
            then left out.
        bound: "infonce" (lower bound; every sample against all samples of the batch, the mean of both directions; at
            most log b for b samples, and with classes at most H(Y) on average, since samples of one class count as
            drawn apart); "mine" (lower bound: Donsker-Varadhan with the gradient by a moving average; the logarithm of
            a mean over a batch brings a bias up, of the order of one over its samples); "nwj" (lower bound); "jsd".
        critic: "joint" scores b pairs drawn apart in a batch, a fresh draw each step, "separable" and "bilinear"
            b (b - 1); with "infonce" all score b^2, for which "joint" runs its network b^2 times and "separable" 2 b.
            None: "separable" for "infonce", "joint" for the others.
        hidden: widths of the critic's hidden layers ("joint", "separable").
        embedding: columns of the inner product ("separable").
        target: which X, the network's raw input "x" or the module's own input "module_input"; for of="x".
        critic_steps: 0 moves the critic by the module's own step; k by k steps of its own before each.
        decay: of the moving average of "mine".

    Raises:
        ValueError: an unknown of, bound, critic or target, a target other than "x" with of="y", critic_steps negative,
            or a width below 1.
        TypeError: critic_steps or a width is not an integer, or hidden is no sequence.

    Source: van den Oord, Li & Vinyals 2018, arXiv:1807.03748 (infonce); Belghazi et al. 2018, arXiv:1801.04062 (mine);
        Nguyen, Wainwright & Jordan 2010, arXiv:0809.0853 (nwj); Hjelm et al. 2019, arXiv:1808.06670 (jsd). As the
        objective of a module: Li & Pei 2023 (MOLE); Elad, Haviv, Blau & Michaeli 2019, with critic steps of its own.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, t = torch.randn(8, 3, generator=generator), torch.randn(8, 5, generator=generator)
        >>> batch = LocalBatch(x, x, t, None)
        >>> objective = CriticInformation(of="x")
        >>> objective.build(batch, None)
        >>> bool(objective(batch).terms["mi_xt_nats"] <= 2.0795)  # log 8
        True
    """

    critic: Critic
    log_prior: Tensor

    def __init__(
        self,
        *,
        of: Literal["x", "y"],
        bound: CriticBound = "infonce",
        critic: CriticKind | None = None,
        hidden: Sequence[int] = (256, 256),
        embedding: int = 64,
        target: Target = "x",
        critic_steps: int = 0,
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        where = "CriticInformation"
        check_choice(of, ("x", "y"), where=where, name="of")
        check_choice(bound, BOUNDS, where=where, name="bound")
        check_choice(target, ("x", "module_input"), where=where, name="target")
        kind = critic if critic is not None else ("separable" if bound == "infonce" else "joint")
        check_choice(kind, CRITICS, where=where, name="critic")
        if of == "y" and target != "x":
            raise ValueError(f"{where}: target says which X, and of='y' looks at none, got {shown(target)}.")
        self.of, self.bound, self.kind, self.target = of, bound, kind, target
        check_size(embedding, where=where, name="embedding")
        self.hidden, self.embedding = check_widths(hidden, where=where), embedding
        self.critic_steps = check_critic_steps(critic_steps, where=where)
        self.needs_labels = of == "y"
        self.target_kinds = ("classes", "real", "multilabel") if of == "y" else None
        self.term = "jsd_nats" if bound == "jsd" else f"mi_{'xt' if of == 'x' else 'ty'}_nats"
        self.sides = {} if bound == "jsd" else {self.term: "lower"}
        plain = {"infonce": infonce, "nwj": nwj, "jsd": jsd}
        self.read: Callable[..., Tensor] = MineGradient(decay=decay) if bound == "mine" else plain[bound]

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the critic, and measure where standardising starts.

        Raises:
            TypeError: X is not real-valued, or class labels are needed and missing.
            ValueError: fewer than two samples have all their targets.
        """
        t = full_precision(example.output.detach())
        self.scale_t = Standardised(t)
        width_t = t[0].numel()
        if self.of == "y" and labels is not None and kind_of_targets(labels) != "classes":
            labels = check_known(labels, where="CriticInformation")
            whole = labels[fully_labelled(labels)].to(t)
            if len(whole) < 2:
                raise ValueError("CriticInformation: two samples or more must have all their targets.")
            self.scale_y = Standardised(whole)
            width = whole[0].numel()
        elif self.of == "y":
            counts = torch.bincount(check_labels(labels, where="CriticInformation"))
            self.register_buffer("log_prior", (counts / counts.sum()).log().to(t))
            width = len(counts)
        else:
            x = self._target(example)
            if not torch.is_floating_point(x):
                raise TypeError(f"CriticInformation: {self.target} must be real-valued, got {x.dtype}.")
            self.scale_x = Standardised(x.to(t))
            width = x[0].numel()
        self.critic = self._make_critic(width_t, width).to(t)

    def _make_critic(self, width_t: int, width: int) -> Critic:
        if self.kind == "joint":
            return JointCritic(width_t, width, hidden=self.hidden)
        if self.kind == "separable":
            return SeparableCritic(width_t, width, hidden=self.hidden, embedding=self.embedding)
        return BilinearCritic(width_t, width)

    def scores(self, output: Tensor) -> Tensor | None:
        """With classes: the critic's log-ratios plus the log of the classes' frequencies; None without."""
        if self.of == "x" or not hasattr(self, "log_prior"):
            return None
        classes = torch.arange(len(self.log_prior), device=output.device)
        scale = self.scale_t.norm
        t = _by_channel(full_precision(output))
        t = F.batch_norm(t, scale.running_mean, scale.running_var, training=False)
        return full_precision(self.critic(t.clamp(-_FARTHEST, _FARTHEST).flatten(1), classes)) + self.log_prior

    def critics(self) -> list[nn.Module]:
        """The critic, where it takes steps of its own."""
        return [self.critic] if self.critic_steps else []

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """Minus the bound."""
        information = self._information(batch, count=False)
        if information is None:
            return torch.stack([parameter.sum() for parameter in self.critic.parameters()]).sum() * 0.0
        return -information

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the bound; zero where fewer than two samples can be paired."""
        information = self._information(batch, count=True)
        if information is None:
            return nothing_to_learn(batch.output)
        return Loss(-information, {self.term: information.detach()})

    def _information(self, batch: LocalBatch, *, count: bool) -> Tensor | None:
        t, other = full_precision(batch.output), batch.y
        if self.of == "x":
            other = self._target(batch).to(t)
        elif other is not None:
            known = fully_labelled(on_host(other))
            t, other = rows_where(t, known), rows_where(other, known)
        if other is None or len(t) < 2:
            return None
        t = self.scale_t(t, count=count)
        if self.of == "x":
            other = self.scale_x(other, count=count)
        elif kind_of_targets(other) != "classes":
            other = self.scale_y(other.to(t), count=count)
        return self._value(t, other, batch.generator("pairs"))

    def _value(self, t: Tensor, other: Tensor, generator: torch.Generator) -> Tensor:
        if self.bound == "infonce":
            scores = full_precision(self.critic(t, other))
            return (self.read(scores) + self.read(scores.T)) / 2
        # The joint critic pairs a row with the next: rows that come sorted by class would meet their like.
        order = torch.randperm(len(t), generator=generator, device=generator.device)
        together, apart = (full_precision(s) for s in self.critic.contrast(t[order], other[order]))
        return self.read(together, apart)

    def _target(self, batch: LocalBatch) -> Tensor:
        return batch.x if self.target == "x" else batch.module_input
