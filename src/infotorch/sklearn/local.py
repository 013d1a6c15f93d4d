"""What the classifier and the regressor share: the network, its training module by module, and its outputs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from infotorch.networks.forward_inputs import main_output
from infotorch.networks.segments import starting_layers
from infotorch.numerics.checks import check_callable, check_widths, shown
from infotorch.numerics.module_inputs import described, explaining
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.names import ObjectiveLike
from infotorch.sklearn.checks import checked_features, checked_weights, seed_from
from infotorch.sklearn.weighted import WeightedLoss
from infotorch.training.fit import fit
from infotorch.training.plan import Order

#: (number of features, number of outputs) -> a network of as many inputs and outputs.
MakeModule: TypeAlias = Callable[[int, int], nn.Module]
# Samples a pass of predictions.
_AT_ONCE = 10_000


class LocalEstimator(BaseEstimator):
    """A network whose modules are trained one by one, each with its own loss; see its two kinds."""

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        *,
        make_module: MakeModule | None = None,
        plan: str | Sequence[ObjectiveLike] | None = None,
        order: Order = "sequential",
        epochs: int = 100,
        batch_size: int = 128,
        lr: float = 3e-3,
        device: str | torch.device | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.make_module = make_module
        self.plan = plan
        self.order: Order = order
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.random_state = random_state

    def _weighted_samples(self, x: np.ndarray, y: np.ndarray, weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples without those of weight 0, and weights, 1 where none are given.

        Raises:
            ValueError: a weight below 0, or none above it; or weights beside a plan of one's own.
        """
        where = type(self).__name__
        weights = checked_weights(weight, x)
        if weight is not None and self.plan is not None:
            raise ValueError(
                f"{where}: sample_weight must be None beside a plan, whose objectives do not weigh samples; leave out "
                "the plan."
            )
        kept = weights > 0
        if not kept.any():
            raise ValueError(f"{where}: sample_weight must be above 0 for one sample or more, got zeros alone.")
        return x[kept], y[kept], weights[kept]

    def _train(
        self, x: np.ndarray, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor], outputs: int, kind: Any
    ) -> None:
        """Make the network and train it; targets hold the weights unless there is a plan.

        Raises:
            ValueError: the training diverged: what it left is no network that was trained.
        """
        where = type(self).__name__
        seed = seed_from(self.random_state)
        inputs = torch.from_numpy(np.array(x))
        with SeedStreams(seed).as_global("init"):
            model = self._make(inputs.shape[1], outputs, where).to(inputs.dtype)
            _check_outputs(model, inputs[:1], outputs, where)
        plan = self.plan
        if plan is None:
            plan = [WeightedLoss(loss, outputs) for _ in starting_layers(model)] + [WeightedLoss(loss)]
        result = fit(
            model,
            (inputs, targets),
            plan=plan,
            targets=kind,
            order=self.order,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            seed=seed,
            device=self.device,
            progress=False,
        )
        if result.diverged is not None:
            raise ValueError(
                f"{where}: training must stay finite, and module {result.diverged!r} diverged; scale the features, as "
                f"StandardScaler does, or lower lr, got {self.lr}."
            )
        self.module_ = model.eval()
        self.history_ = result.history

    def _make(self, features: int, outputs: int, where: str) -> nn.Module:
        if self.make_module is not None:
            check_callable(self.make_module, where=where, name="make_module")
            made = self.make_module(features, outputs)
            if not isinstance(made, nn.Module):
                raise TypeError(f"{where}: make_module must give an nn.Module, got {shown(made)}.")
            return made
        widths = check_widths(self.hidden_layer_sizes, where=where, name="hidden_layer_sizes")
        layers: list[nn.Module] = []
        for inside, outside in zip([features, *widths], widths, strict=False):
            layers += [nn.Linear(inside, outside), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear([features, *widths][-1], outputs))

    def _outputs(self, X: Any) -> np.ndarray:
        """The network's outputs, (n, outputs)."""
        check_is_fitted(self)
        x = checked_features(self, X)
        weight = next(self.module_.parameters())
        with torch.no_grad():
            found = [
                self.module_(torch.from_numpy(np.array(part)).to(weight.device, weight.dtype)).cpu()
                for part in np.array_split(x, range(_AT_ONCE, len(x), _AT_ONCE))
            ]
        return torch.cat(found).numpy()


def _check_outputs(model: nn.Module, sample: Tensor, outputs: int, where: str) -> None:
    """Refuse a network of other columns, which a loss may spread over all of them without a word."""
    with torch.no_grad(), explaining(lambda: f"{where}: make_module's network cannot take {described(sample)}"):
        found = main_output(copy.deepcopy(model).eval()(sample))
    if not isinstance(found, Tensor) or found.shape != (1, outputs):
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(
            f"{where}: make_module's network must give {outputs} outputs a sample, got {got} for one sample."
        )
