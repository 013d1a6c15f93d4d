"""Statistics of batch norm in modules that nothing trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from infotorch.data.graph_checks import is_graph
from infotorch.data.graphs import features_of
from infotorch.training.inputs import batches_of
from infotorch.training.plan import Batches, Plan, evaluating

if TYPE_CHECKING:
    from infotorch.data.typing import Samples


def update_batch_norm(plan: Plan, x: Samples, *, batch_size: int) -> None:
    """Give the batch norms of the leading frozen modules the mean and variance of their inputs on all samples.

    An untrained batch norm claims mean 0 and variance 1 whatever comes in. Random features are a fair baseline only
    with the scale that trained ones get as well; the weights stay as they were initialised.

    Args:
        plan: modules without an objective, up to the first that has one, are passed through.
        x: training inputs, (n, ...), `GraphSamples` or `NodeSamples`.
        batch_size: samples a pass, see `TensorBatches`; statistics are averaged over the passes, by their samples.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 2))
        >>> plan = Plan.layerwise(model, ("1",), "frozen,CE", optimizer=torch.optim.SGD)
        >>> update_batch_norm(plan, torch.tensor([[1.0], [3.0]]), batch_size=2)
        >>> model[0].running_mean.item(), model[0].running_var.item()
        (2.0, 2.0)
    """
    batches = batches_of(x, None, batch_size=batch_size, shuffle=False)
    for number, module in enumerate(plan):
        if module.objective is not None:
            return
        norms = [layer for layer in module.body.modules() if isinstance(layer, _BatchNorm)]
        if norms:
            _measure(plan, number, norms, batches)


def _measure(plan: Plan, number: int, norms: Sequence[_BatchNorm], batches: Batches) -> None:
    momenta = [norm.momentum for norm in norms]
    with torch.no_grad(), evaluating(plan):
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
        seen = 0
        for batch in batches.epoch(0):
            count = len(features_of(batch.x)) if is_graph(batch.x) else len(batch.x)  # of graphs: nodes
            seen += count
            for norm in norms:
                norm.momentum = count / seen  # the average over all passes, by samples
            # From the raw samples anew: the outputs of a convolution for all of them would fill the memory.
            plan.outputs(batch.x, stop=number + 1)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
