"""Evaluating a plan whose optimiser averages its weights: with the averages, and batch-norm statistics that fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from infotorch.training.plan import Batches, Plan, evaluating
from infotorch.updates.gradient import GradientUpdate


@contextmanager
def using_averaged_weights(plan: Plan, batches: Batches, *, num_batches: int = 50) -> Iterator[None]:
    """A context in which a plan's weights are those that its optimisers average, and batch norms fit them.

    Only schedule-free optimisers average; for all others nothing happens. Batch norms take the mean of their statistics
    over a few batches, in the averaged network and with everything but themselves in evaluation mode. After it all
    weights and statistics are what they were, bit for bit.

    Args:
        plan: prepared.
        batches: training batches.
        num_batches: how many of them are measured, from the first of epoch 0.

    Source: Defazio et al. 2024, arXiv:2405.15682: batch norm needs statistics of the averaged weights.

    Example:
        >>> from torch import nn
        >>> from infotorch.data.batches import TensorBatches
        >>> from infotorch.training.evaluate import plan_accuracy
        >>> x, y = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])
        >>> plan = Plan.end_to_end(nn.Linear(2, 2), optimizer=lambda p: torch.optim.Adam(p, lr=0.1))
        >>> with using_averaged_weights(plan, TensorBatches(x, y, batch_size=2)):
        ...     plan_accuracy(plan, x, y)
        0.5
    """
    updates = [module.update for module in plan if isinstance(module.update, GradientUpdate)]
    if not any(update.averages_weights for update in updates):
        yield
        return
    norms = [layer for module in plan for layer in module.body.modules() if isinstance(layer, _BatchNorm)]
    norms = [norm for norm in norms if norm.running_mean is not None]
    kept = [({k: v.clone() for k, v in norm.state_dict().items()}, norm.momentum) for norm in norms]
    with evaluating(plan):
        if norms:
            _measure(plan, norms, batches, num_batches)
        try:
            yield
        finally:
            for norm, (state, momentum) in zip(norms, kept, strict=True):
                norm.load_state_dict(state)
                norm.momentum = momentum


def _measure(plan: Plan, norms: list[_BatchNorm], batches: Batches, num_batches: int) -> None:
    with torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
            norm.momentum = None  # the plain mean over the batches
        for batch in islice(batches.epoch(0), num_batches):
            plan.outputs(batch.x)
        for norm in norms:
            norm.eval()
