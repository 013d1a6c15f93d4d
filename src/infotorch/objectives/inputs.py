"""Objectives that look at the input and need no label: the reconstruction bound on I(X; T)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from infotorch.numerics.checks import check_choice, check_positive
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, Target, full_precision


class Reconstruction(Objective):
    """Minus the reconstruction bound on I(X; T), up to the constant h(X): a linear decoder with Gaussian error.

    I(X; T) >= h(X) + E log q(x | t) for any q; here q(x | t) = N(decoder(t), decoder_std^2 I). For data without a
    density h(X) is not finite: only differences of the reported term, `log_likelihood_nats`, mean something.

    Args:
        target: "x" reconstructs the network's raw input (MOLE, Figure 1), "module_input" the module's own.
        decoder_std: standard deviation of the decoder's error, in units of the target.

    Raises:
        ValueError: an unknown target, or decoder_std not positive.

    Source: Barber & Agakov 2003, "The IM algorithm".

    Example:
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(4, 5), None)
        >>> objective = Reconstruction()
        >>> objective.build(batch, None)
        >>> bool(objective(batch).total >= 0)
        True
    """

    sides: Mapping[str, Side] = {"log_likelihood_nats": "lower"}

    decoder: nn.Linear

    def __init__(self, *, target: Target = "x", decoder_std: float = 1.0) -> None:
        super().__init__()
        check_choice(target, ("x", "module_input"), where="Reconstruction", name="target")
        check_positive(decoder_std, where="Reconstruction", name="decoder_std")
        self.target, self.decoder_std = target, decoder_std

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the decoder.

        Raises:
            TypeError: the target is not real-valued, so that a Gaussian error makes no sense.
        """
        wanted = self._wanted(example)
        if not torch.is_floating_point(wanted):
            raise TypeError(f"Reconstruction: {self.target} must be real-valued, got {wanted.dtype}.")
        like = example.output
        self.decoder = nn.Linear(like[0].numel(), wanted[0].numel(), device=like.device, dtype=like.dtype)

    def _wanted(self, batch: LocalBatch) -> Tensor:
        wanted = batch.x if self.target == "x" else batch.module_input
        return wanted.reshape(len(wanted), -1)

    def forward(self, batch: LocalBatch) -> Loss:
        """Half the squared error over the error's variance: minus the log-likelihood without its constant."""
        error = self._wanted(batch) - full_precision(self.decoder(batch.output.flatten(1)))
        loss = error.square().sum(dim=1).mean() / (2 * self.decoder_std**2)
        return Loss(loss, {"log_likelihood_nats": -loss.detach()})
