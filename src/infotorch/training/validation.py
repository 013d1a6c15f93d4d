"""Samples held out, on which `fit` measures what it trains, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from infotorch.data.loaders import LoaderBatches
from infotorch.data.targets import Targets, kind_of_targets
from infotorch.training.evaluate import evaluate_modules, first_output, plan_metrics
from infotorch.training.graph_caches import without_graph_caches
from infotorch.training.plan import Plan
from infotorch.training.reading import training_samples

if TYPE_CHECKING:
    from infotorch.data.typing import Samples

_WHERE = "fit: validation"


@dataclass(frozen=True)
class HeldOut:
    """Validation samples where the model is.

    Args:
        x: inputs.
        y: targets, or None.
    """

    x: Samples | LoaderBatches
    y: Tensor | None

    @classmethod
    def read(cls, model: nn.Module, data: Any, learnt: Tensor | None, *, batch_size: int, targets: Targets) -> HeldOut:
        """Samples of any kind that `fit` takes; `learnt` are the targets of the training samples.

        Raises:
            TypeError: samples that are no numbers, or targets of another kind than those of training.
            ValueError: samples that do not pair, are none or not finite, or a class that training never sees.
        """
        x, y = training_samples(
            model, data, batch_size=batch_size, seed=0, where=_WHERE, targets=targets, mask="val_mask"
        )
        if not isinstance(x, LoaderBatches) and not len(x):
            raise ValueError(f"{_WHERE}: x must have one sample or more, got none.")
        if y is None or learnt is None:
            return cls(x, y)
        kinds = kind_of_targets(learnt), kind_of_targets(y)
        if kinds[0] != kinds[1] or y.shape[1:] != learnt.shape[1:]:
            shapes = f"{kinds[0]} of shape {tuple(learnt.shape[1:])}", f"{kinds[1]} of shape {tuple(y.shape[1:])}"
            raise TypeError(f"{_WHERE}: y must be as the training targets, {shapes[0]}, got {shapes[1]}.")
        if kinds[0] == "classes" and y.max() > learnt.max():
            raise ValueError(
                f"{_WHERE}: y holds class {int(y.max())}, and the training samples have none above {int(learnt.max())}."
            )
        return cls(x, y)

    def check(self, plan: Plan) -> None:
        """Refuse what the plan cannot be measured on, before it trains.

        Raises:
            TypeError: no targets, where an objective needs them, or samples that the model cannot take.
            ValueError: samples that the model cannot take.
        """
        if self.y is None and any(module.objective and module.objective.needs_labels for module in plan):
            raise TypeError(f"{_WHERE}: data must have targets, which objectives of the plan need, got y=None.")
        bodies = [module.body for module in plan]
        if any(is_lazy(parameter) for body in bodies for parameter in body.parameters()):
            return  # the shapes of such layers follow the training samples
        try:
            with without_graph_caches(bodies):
                first_output(plan, self.x)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{_WHERE}: {error}") from error

    def measure(self, plan: Plan) -> Callable[[list[str]], dict[str, dict[str, float]]]:
        """Names of modules -> module -> its numbers; the last one's are also the whole model's scores."""
        numbers = {module.name: number for number, module in enumerate(plan)}

        def measured(names: list[str]) -> dict[str, dict[str, float]]:
            with without_graph_caches(module.body for module in plan):
                found = evaluate_modules(plan, self.x, self.y, [numbers[name] for name in names])
            if plan[-1].name in found:
                found[plan[-1].name] |= self.scores(plan)
            return found

        return measured

    def scores(self, plan: Plan) -> dict[str, float]:
        """The whole model's scores."""
        with without_graph_caches(module.body for module in plan):
            return {} if self.y is None else plan_metrics(plan, self.x, self.y)
