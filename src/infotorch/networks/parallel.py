"""Modules side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from infotorch.numerics.checks import check_module, shown
from infotorch.numerics.module_inputs import check_tensor, described, explaining


class Parallel(nn.Module):
    """Branches that see the same input; their outputs are concatenated along axis 1.

    As one module of a plan with `ParallelObjectives`, every branch is trained by an objective of its own.

    Args:
        branches: by name.

    Raises:
        TypeError: no dict of modules.
        ValueError: no branch.

    Source: Li & Pei 2023 (MOLE), discussion: parallel encoder modules whose outputs are concatenated.

    Example:
        >>> pair = Parallel({"narrow": nn.Linear(3, 2), "wide": nn.Linear(3, 5)})
        >>> pair(torch.zeros(4, 3)).shape
        torch.Size([4, 7])
    """

    def __init__(self, branches: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if not isinstance(branches, Mapping):
            raise TypeError(f"Parallel: branches must be a dict of modules by name, got {shown(branches)}.")
        if not branches:
            raise ValueError("Parallel: at least one branch is needed.")
        for name, branch in branches.items():
            check_module(branch, where="Parallel", name=f"the branch {name!r}")
        self.branches = nn.ModuleDict(dict(branches))

    def forward(self, x: Tensor) -> Tensor:
        """The branches' outputs side by side: (b, sum of widths, ...).

        Raises:
            TypeError: x is no tensor.
            ValueError: the branches cannot take it.
        """
        if isinstance(x, fx.Proxy):  # a forward pass that is being traced
            return self._beside(x)
        check_tensor(x, where="Parallel", name="x")
        with explaining(lambda: f"Parallel: the branches cannot take x, {described(x)}"):
            return self._beside(x)

    def _beside(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches.values()], dim=1)
