"""The divergence of a Gaussian code from N(0, I): what a variational autoencoder adds to its reconstruction error."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infotorch.numerics.checks import check_positive
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.layer_hook import LayerHook


def gaussian_kl(mean: Tensor, std: Tensor) -> Tensor:
    """KL(N(mean, diag(std^2)) || N(0, I)) of every sample, in nats.

    Args:
        mean: (b, d).
        std: (b, d), positive.

    Returns:
        (b,), at least 0.

    Source: Kingma & Welling 2014, arXiv:1312.6114, Appendix B.

    Example:
        >>> gaussian_kl(torch.ones(1, 2), torch.ones(1, 2)).item()
        1.0
    """
    # A softplus can round to 0, whose logarithm is no number.
    std = std.clamp(min=torch.finfo(std.dtype).tiny)
    return (mean.square() + std.square() - 1).sum(dim=1) / 2 - std.log().sum(dim=1)


class CodeDivergence(Objective):
    """The mean KL divergence of an encoder's Gaussian from N(0, I), over the entries of the output.

    Beside `SquaredError` of the output this is the evidence bound of a variational autoencoder, up to a factor and a
    constant: for a Gaussian decoder of variance s^2 the weight of the divergence is 2 s^2. It reads what the encoder
    gave last, and so belongs to networks that are trained by plain back-propagation.

    Args:
        encoder: gives (mu, sigma), (b, d) each; it gets a forward hook, and is no part of this objective.
        weight: factor of the divergence.

    Raises:
        TypeError: encoder is no module.
        ValueError: weight not positive.

    Example:
        >>> class Encoder(nn.Module):
        ...     def forward(self, x):
        ...         return x, torch.ones_like(x)
        >>> encoder, x = Encoder(), torch.ones(4, 2)
        >>> objective = CodeDivergence(encoder)
        >>> _ = encoder(x)
        >>> objective(LocalBatch(x, x, torch.zeros(4, 8), None)).total.item()  # 1 nat for 8 entries
        0.125
    """

    def __init__(self, encoder: nn.Module, *, weight: float = 1.0) -> None:
        super().__init__()
        check_positive(weight, where="CodeDivergence", name="weight")
        self.weight = float(weight)
        self.hook = LayerHook(encoder, where="CodeDivergence")

    def forward(self, batch: LocalBatch) -> Loss:
        """The weighted divergence over the entries of a sample of the output; the term is that of a sample, in nats.

        Raises:
            ValueError: the encoder has not run for these samples.
        """
        code: tuple[Tensor, Tensor] = self.hook.take()[1]
        if len(code[0]) != len(batch.output):
            raise ValueError(
                "CodeDivergence: the encoder must have run for these rows, right before; it ran for "
                f"{len(code[0])}, and the module gave {len(batch.output)}."
            )
        divergence = gaussian_kl(*code).mean()
        return Loss(self.weight * divergence / batch.output[0].numel(), {"code_kl_nats": divergence.detach()})
