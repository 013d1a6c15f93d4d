"""A copy of a model, also of one that holds what it computed in its last forward pass."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def model_copy(model: Model) -> Model:
    """A deep copy whose tensors share no memory and no history with the model's.

    torch copies no tensor that was computed with a gradient, such as the weight of a pruned layer, which every forward
    pass computes anew, or a hidden layer that a model keeps; of these the values are copied.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> model.kept = model(torch.ones(1, 2))
        >>> model_copy(model).kept.requires_grad
        False
    """
    computed = (
        value
        for layer in model.modules()
        for value in vars(layer).values()
        if isinstance(value, Tensor) and not value.is_leaf
    )
    return copy.deepcopy(model, {id(value): value.detach().clone() for value in computed})
