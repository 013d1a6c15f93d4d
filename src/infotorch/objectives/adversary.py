"""The two discriminators of layer-by-layer training with the information bottleneck: D_y and D_x of Elad et al.

Both are MINE critics that read a layer's features L, and are trained by steps of their own. D_y tells pairs (L, Y) from
pairs drawn apart and cooperates with the layer; D_x does so with pairs (F(X), L + eps) and is the layer's adversary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.estimators.bounds import MineGradient
from infotorch.estimators.critics import JointCritic

# Of the adversary's centre and unit, per critic step: as slow as MINE's own average.
_DECAY = 0.99


class _Discriminator(nn.Module):
    """A joint critic that reads features in a unit of order one, and MINE's moving average.

    Within a step centre and unit are constants, the same for all rows: a one-to-one map of what the critic reads, so
    that its value bounds the same information.
    """

    centre: Tensor
    variance: Tensor

    def __init__(self, features: Tensor, dim_other: int, hidden: Sequence[int], noise_std: float) -> None:
        super().__init__()
        self.noise_std = noise_std
        self.critic = JointCritic(features.shape[1], dim_other, hidden=hidden).to(features)
        self.mine = MineGradient().to(features.device)
        centre, variance = _moments(features.detach())
        self.register_buffer("centre", centre)
        self.register_buffer("variance", variance)

    def _in_unit(self, features: Tensor) -> Tensor:
        # 1e-12: a dead layer without noise has no scale.
        return (features - self.centre) * (self.variance + (self.noise_std**2 + 1e-12)).rsqrt()


class LabelDiscriminator(_Discriminator):
    """D_y, a MINE critic on features and labels.

    Its unit is the layer's scale at the start and stays: a unit that followed the layer would let it shrink, away from
    a noise of fixed size, at no cost to I(Y; L).

    Args:
        features: samples that show width, place and initial scale of the layer, (n, d).
        labels: the classes of all labelled training samples, none below 0.
        hidden: widths of the critic's hidden layers.

    Source: Belghazi et al. 2018, arXiv:1801.04062; Elad, Haviv, Blau & Michaeli 2019, Fig. 2.

    Example:
        >>> y = torch.tensor([0, 1, 0, 1])
        >>> part = LabelDiscriminator(torch.eye(4), y, hidden=(8,))
        >>> together, apart = part.contrast(torch.eye(4), y)
        >>> together.shape, apart.shape
        (torch.Size([4]), torch.Size([8]))
    """

    log_prior: Tensor

    def __init__(self, features: Tensor, labels: Tensor, *, hidden: Sequence[int]) -> None:
        counts = torch.bincount(labels).to(features)
        super().__init__(features, len(counts), hidden, noise_std=0.0)
        self.register_buffer("log_prior", (counts / counts.sum()).log())

    def contrast(self, features: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of every sample with its own class, and of every sample with every class that the other samples have.

        Every pair of two samples counts, for one evaluation a sample and class: the mean over all derangements.

        Args:
            features: (n, d), n >= 2.
            y: classes, (n,), none below 0.

        Returns:
            (n,) and (n k) scores; to the latter the logarithm of how often the pair occurs is added, so that the mean
            of their exp is that over all n (n - 1) pairs.
        """
        classes, own, counts = y.unique(return_inverse=True, return_counts=True)
        scores = self._scores(features, classes)
        others = (counts - F.one_hot(own, len(classes))).to(scores) * (len(classes) / (len(y) - 1))
        return scores.gather(1, own[:, None]).squeeze(1), (scores + others.log()).flatten()

    def scores(self, features: Tensor) -> Tensor:
        """Class scores, (n, classes): critic + log p(y), which is log p(y | l) + constant at the critic's best."""
        return self._scores(features, torch.arange(len(self.log_prior), device=features.device)) + self.log_prior

    def _scores(self, features: Tensor, classes: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return self.critic(self._in_unit(features), classes)


class ArchitectureAwareAdversary(_Discriminator):
    """D_x, the architecture-aware MINE of I(X; F(X) + noise): its critic reads x through the layer's own function F.

    It tells (F(x1), F(x1) + noise) from (F(x1), F(x2) + noise). By default the gradient stops at the first argument: to
    the critic F is a fixed feature of x, and where the critic is at its best a change of its own copy of F changes
    nothing, to first order (the envelope theorem). So the layer's gradient is the one through the second argument.
    Elsewhere the two differ, and `copy_gradient="full"` gives that of the value as it stands.

    Args:
        features: samples that show width, place and initial scale of the layer, (n, d).
        hidden: widths of the critic's hidden layers.
        noise_std: standard deviation of the noise, in units of the features.
        copy_gradient: "stopped" or "full", the gradient through the first argument. The value is the same.

    Source: Elad, Haviv, Blau & Michaeli 2019, Sec. 3 and Fig. 2. The stopped gradient is our reading.

    Example:
        >>> features = torch.eye(4, requires_grad=True)
        >>> part = ArchitectureAwareAdversary(features, hidden=(8,), noise_std=1.0)
        >>> together, apart = part.contrast(features, torch.Generator().manual_seed(0))
        >>> together.shape, apart.shape
        (torch.Size([4]), torch.Size([4]))
    """

    def __init__(
        self,
        features: Tensor,
        *,
        hidden: Sequence[int],
        noise_std: float,
        copy_gradient: Literal["stopped", "full"] = "stopped",
    ) -> None:
        super().__init__(features, features.shape[1], hidden, noise_std)
        self.copy_gradient = copy_gradient
        # Half of the first layer starts by comparing its arguments, which is what the critic is to learn.
        half = hidden[0] // 2
        with torch.no_grad():
            self.critic.from_x.weight[:half] = -self.critic.from_y.weight[:half]

    def contrast(self, features: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Scores of the pairs (F(x), F(x) + noise), (n,), and of (F(x), F(x') + noise), (n,), x' by a derangement.

        Args:
            features: F(x), (n, d), read with its gradient where the noise is added to it, and as `copy_gradient` says
                where it is the critic's first argument.
            generator: draws the noise and the derangement.
        """
        # The critic pairs every row with the one behind it: in a random order, a random derangement.
        order = torch.randperm(len(features), generator=generator, device=features.device)
        noise = torch.randn(features.shape, generator=generator, device=features.device, dtype=features.dtype)
        clean = features[order]
        own = clean.detach() if self.copy_gradient == "stopped" else clean
        with torch.autocast(features.device.type, enabled=False):
            return self.critic.contrast(self._in_unit(own), self._in_unit(clean + self.noise_std * noise))

    @torch.no_grad()
    def follow(self, features: Tensor) -> None:
        """Move centre and unit towards those of these samples."""
        for average, value in zip((self.centre, self.variance), _moments(features), strict=True):
            average.lerp_(value, 1 - _DECAY)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of every column, and the mean squared deviation over all columns together."""
    centre = features.mean(dim=0)
    return centre, (features - centre).square().mean()
