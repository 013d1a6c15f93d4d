"""Objectives on the locations of a grid: Deep InfoMax sets them against the image, Greedy InfoMax against each other.

Both need outputs of shape (b, channels, height, width), and no labels. Pairs drawn apart come from the other images of
the batch, at the same location.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.estimators.critics import SeparableCritic
from infotorch.estimators.spatial import prior_matching
from infotorch.numerics.checks import check_choice, check_count, check_widths, shown
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_weight
from infotorch.objectives.locations import (
    BOUNDS,
    LocationBound,
    at_each_location,
    at_most_locations,
    average_bound,
    image_patches,
)


class DeepInfoMax(Objective):
    """Deep InfoMax of a grid output T: minus a local and a global bound on what T tells about the image X.

    Local: T at a location against the patch of X that lies there ("grid"), or a summary of the whole of T against every
    patch ("summary", the paper's form). Global: the summary against the whole of X. The summary is T averaged to at
    most 4 x 4 locations; see `image_patches`.

    With "infonce" and "nwj" both bounds are lower bounds on I(X; T), the local one a loose one: see `dim_local`. They
    are reported as `mi_xt_nats`; with scope "both" that is the global one, and `mi_xt_local_nats` the local one. With
    "jsd" the terms are `jsd_nats` and `jsd_local_nats`, at most log 2 and no bound on I(X; T); the loss counts them
    twice, as the paper's objective does, so that the weights mean the same.

    Args:
        scope: "local", "global" or "both".
        bound: "jsd" (the paper's choice), "infonce" or "nwj".
        local: "grid" or "summary".
        global_weight: of the global bound.
        local_weight: of the local bound.
        prior_weight: of matching the codes to a uniform prior; 0 makes no discriminator. Codes are the sigmoid of T's
            embeddings in the bound: of the summary, or of every location with scope "local" and local "grid". The
            paper: 0.1 with the local bound, 1 with the global one.
        locations: for the local bound, T is averaged to at most this many rows and columns: it costs n^2 x locations
            scores.
        hidden: widths of the hidden layers of the two networks whose inner product is a score; none: linear.
        embedding: number of outputs of these networks.
        critic_steps: steps of the discriminator before each step of the module; with one, codes ran past the prior and
            back in our trials.

    Raises:
        ValueError: an unknown scope, bound or local; a negative weight; a count or width below 1.
        TypeError: a count or width that is not an integer, or hidden is no sequence.

    Source: Hjelm et al. 2019, arXiv:1808.06670, eq. 8: DIM(L) is global_weight = 0, local_weight = 1, DIM(G) the other
        way round (alpha, beta and gamma there). Their networks are wider, and their codes go through the sigmoid before
        they are scored. Where eq. 7 has the encoder lower log(1 - D(code)), ours raises log D(code): the gradient of
        the former vanishes once D wins. Grid against grid as in Li & Pei 2023 (MOLE) and Bachman, Hjelm & Buchwalter
        2019, arXiv:1906.00910.

    Example:
        >>> x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> batch = LocalBatch(x, x, x.expand(6, 4, 8, 8)[:, :, ::2, ::2], None)
        >>> objective = DeepInfoMax(bound="infonce")
        >>> objective.build(batch, None)
        >>> sorted(objective(batch).terms)
        ['mi_xt_local_nats', 'mi_xt_nats']
    """

    local_critic: SeparableCritic
    global_critic: SeparableCritic
    discriminator: nn.Sequential

    def __init__(
        self,
        *,
        scope: Literal["local", "global", "both"] = "both",
        bound: LocationBound = "jsd",
        local: Literal["grid", "summary"] = "grid",
        global_weight: float = 1.0,
        local_weight: float = 1.0,
        prior_weight: float = 0.0,
        locations: int = 7,
        hidden: Sequence[int] = (64,),
        embedding: int = 64,
        critic_steps: int = 5,
    ) -> None:
        super().__init__()
        check_choice(scope, ("local", "global", "both"), where="DeepInfoMax", name="scope")
        check_choice(bound, BOUNDS, where="DeepInfoMax", name="bound")
        check_choice(local, ("grid", "summary"), where="DeepInfoMax", name="local")
        for name, weight in (
            ("global_weight", global_weight),
            ("local_weight", local_weight),
            ("prior_weight", prior_weight),
        ):
            check_weight(weight, where="DeepInfoMax", name=name)
        counts = {"locations": locations, "embedding": embedding, "critic_steps": critic_steps}
        for name, count in counts.items():
            check_count(count, where="DeepInfoMax", name=name)
        self.bound: LocationBound = bound
        self.local, self.prior_weight, self.locations = local, prior_weight, locations
        self.hidden, self.embedding = check_widths(hidden, where="DeepInfoMax"), embedding
        self.critic_steps = critic_steps if prior_weight > 0 else 0
        self.weights = (
            {"global": global_weight, "local": local_weight}
            if scope == "both"
            else {scope: global_weight if scope == "global" else local_weight}
        )
        self.sides: Mapping[str, Side] = {} if bound == "jsd" else {self._term(s): "lower" for s in self.weights}

    def _term(self, scope: str) -> str:
        quantity = "jsd" if self.bound == "jsd" else "mi_xt"
        return f"{quantity}_local_nats" if scope == "local" and "global" in self.weights else f"{quantity}_nats"

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the critics and, with prior_weight above 0, the discriminator.

        Raises:
            ValueError: the output is no grid, or x is no image.
            TypeError: x is not real-valued.
        """
        _check_image_and_grid(example)
        like, networks = example.output, {"hidden": self.hidden, "embedding": self.embedding}
        summary, whole = _summary(like).shape[1], example.x[0].numel()
        if "global" in self.weights:
            self.global_critic = SeparableCritic(summary, whole, **networks).to(like)
        if "local" in self.weights:
            patch = self._patches(example).shape[1]
            columns = like.shape[1] if self.local == "grid" else summary
            self.local_critic = SeparableCritic(columns, patch, **networks).to(like)
        if self.prior_weight > 0:
            layers = [nn.Linear(self.embedding, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 1)]
            self.discriminator = nn.Sequential(*layers).to(like)

    def critics(self) -> list[nn.Module]:
        """The discriminator, where there is one: the adversary of the module."""
        return [self.discriminator] if self.prior_weight > 0 else []

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """Minus what the discriminator tells between codes and prior."""
        with torch.no_grad():
            codes = self._codes(batch.output)
        return -self._matching(self.discriminator(codes), batch)

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the weighted bounds, less how far the codes pass for the prior, weighted; zero for a single sample."""
        if min(len(batch.x), len(batch.output)) < 2:
            return nothing_to_learn(batch.output)
        values = {scope: self._information(scope, batch) for scope in self.weights}
        times = 2 if self.bound == "jsd" else 1
        total = -times * torch.stack([self.weights[scope] * value for scope, value in values.items()]).sum()
        terms = {self._term(scope): value.detach() for scope, value in values.items()}
        if self.prior_weight > 0:
            code_scores = full_precision(self.discriminator(self._codes(batch.output)))
            total = total + self.prior_weight * F.softplus(-code_scores).mean()
            terms["prior_matching"] = self._matching(code_scores.detach(), batch).detach()
        return Loss(total, terms)

    def _information(self, scope: str, batch: LocalBatch) -> Tensor:
        critic = self.global_critic if scope == "global" else self.local_critic
        seen = batch.x.flatten(1)[:, :, None] if scope == "global" else self._patches(batch)
        codes, wanted = self._embedded(scope, batch.output), at_each_location(critic.tower_y, seen)
        return average_bound(codes, wanted, bound=self.bound, offset=critic.offset)

    def _patches(self, batch: LocalBatch) -> Tensor:
        rows, columns = at_most_locations(batch.output, self.locations).shape[2:]
        return image_patches(batch.x, rows, columns)

    def _embedded(self, scope: str, output: Tensor) -> Tensor:
        """T's embeddings, (locations, n, embedding); one location where T is summed up."""
        if scope == "local" and self.local == "grid":
            return at_each_location(self.local_critic.tower_x, at_most_locations(output, self.locations).flatten(2))
        critic = self.global_critic if scope == "global" else self.local_critic
        return at_each_location(critic.tower_x, _summary(output)[:, :, None])

    def _codes(self, output: Tensor) -> Tensor:
        return self._embedded(next(iter(self.weights)), output).flatten(0, 1).sigmoid()

    def _matching(self, code_scores: Tensor, batch: LocalBatch) -> Tensor:
        shape = (len(code_scores), self.embedding)
        # Another type, such as the default one of a process in float64, would draw others.
        drawn = torch.rand(shape, generator=batch.generator("prior"), device=code_scores.device, dtype=torch.float32)
        return prior_matching(self.discriminator(drawn.to(batch.output.dtype)), code_scores)


class GreedyInfoMax(Objective):
    """Greedy InfoMax of a grid output: minus InfoNCE between the vector at a location and those some rows below it.

    The score of image i's vector z at (row, column) and image j's at (row + k, column) is z_j' W_k z_i; the negatives
    are the other images of the batch. `mi_xt_nats` is the average over locations and steps, a lower bound on I(X; T)
    and a loose one: both vectors are functions of X, so that I(T_a; T_b) <= I(X; T_b) <= I(X; T).

    Locations whose receptive fields overlap tell of each other through the pixels that they share, which teaches
    nothing: the paper cuts the image into overlapping patches before the network and skips the first step. Here the
    network sees the whole image, and the steps start at 2.

    Args:
        steps: the k: how many rows below the predicted locations lie, each at least 1.

    Raises:
        ValueError: no steps, one twice, or one below 1.
        TypeError: a step that is not an integer, or steps is no sequence.

    Source: Lowe, O'Connor & Veeling 2019, arXiv:1905.11786, eqs. 3-4; van den Oord, Li & Vinyals 2018,
        arXiv:1807.03748. Their negatives come from other locations too.

    Example:
        >>> import math
        >>> x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> batch = LocalBatch(x, x, x.expand(6, 4, 8, 8), None)
        >>> objective = GreedyInfoMax(steps=(2, 3))
        >>> objective.build(batch, None)
        >>> bool(objective(batch).terms["mi_xt_nats"] <= math.log(6))
        True
    """

    sides: Mapping[str, Side] = {"mi_xt_nats": "lower"}

    predictions: nn.ModuleList

    def __init__(self, *, steps: Sequence[int] = (2, 3)) -> None:
        super().__init__()
        if isinstance(steps, str) or not isinstance(steps, Sequence):
            raise TypeError(f"GreedyInfoMax: steps must be a sequence such as (2, 3), got {shown(steps)}.")
        for step in steps:
            check_count(step, where="GreedyInfoMax", name="every step")
        if not steps or len(set(steps)) != len(steps):
            raise ValueError(f"GreedyInfoMax: steps must be different and one at least, got {tuple(steps)}.")
        self.steps = tuple(steps)

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make W_k for every step.

        Raises:
            ValueError: the output is no grid, or has too few rows for the largest step.
        """
        shape = tuple(example.output.shape)
        if len(shape) != 4 or shape[2] <= max(self.steps):
            raise ValueError(
                f"GreedyInfoMax: the output must be a grid (n, channels, height, width) of more than {max(self.steps)} "
                f"rows, the largest step, got {shape}; for vectors use X:infonce or X:views."
            )
        channels = shape[1]
        self.predictions = nn.ModuleList(nn.Linear(channels, channels, bias=False) for _ in self.steps).to(
            example.output
        )

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the average bound; zero for a single sample."""
        if len(batch.x) < 2:
            return nothing_to_learn(batch.output)
        pairs = zip(self.steps, self.predictions, strict=True)
        values = [self._predicted(step, linear, batch.output) for step, linear in pairs]
        information = torch.stack(values).mean()
        return Loss(-information, {"mi_xt_nats": information.detach()})

    def _predicted(self, step: int, linear: nn.Module, output: Tensor) -> Tensor:
        above = at_each_location(linear, output[:, :, :-step].flatten(2))
        below = output[:, :, step:].flatten(2).permute(2, 0, 1)
        return average_bound(above, below, bound="infonce")


def _summary(output: Tensor) -> Tensor:
    return at_most_locations(output, 4).flatten(1)


def _check_image_and_grid(example: LocalBatch) -> None:
    if example.output.ndim != 4:
        raise ValueError(
            f"DeepInfoMax: the output must be a grid (n, channels, height, width), got {tuple(example.output.shape)}; "
            "for vectors use X:infonce or X:views."
        )
    if example.x.ndim != 4:
        raise ValueError(f"DeepInfoMax: x must be images (n, channels, height, width), got {tuple(example.x.shape)}.")
    if not example.x.is_floating_point():
        raise TypeError(f"DeepInfoMax: x must be real-valued, got {example.x.dtype}.")
