"""What `fit` did: the trained plan, the numbers of every epoch, and scores on other data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from torch import nn

from infotorch.data.targets import Targets
from infotorch.figures.history import history_figure
from infotorch.numerics.checks import check_choice
from infotorch.training.evaluate import plan_metrics
from infotorch.training.history import HistoryLine
from infotorch.training.plan import Plan
from infotorch.training.reading import TrainingData, training_samples

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, repr=False)
class FitResult:
    """What `fit` did.

    It can be pickled and read elsewhere, without the optimisers, which functions of yours have made: the plan of a
    result that was read evaluates, and training it on needs a new plan of its model.

    Args:
        metrics: "<module>/<term>" -> mean over the module's last epoch (nats where the name says so), and
            "train_accuracy" (a fraction of one) where the network's output has a column for each class or label, or
            "train_mse" and "train_r2" where it has the shape of real targets, see `plan_metrics`; with validation data
            also "validation_accuracy" and so on.
        plan: the trained plan, with read-outs and optimisers.
        diverged: name of the module whose loss became non-finite, or None. Training ended there.
        assignments: where the plan was "auto", every assignment that was tried and its accuracy on samples held out.
        history: a line for each epoch and module: "epoch" (counted through the run, from 1), "module",
            "learning_rate", the means of "loss" and of its terms, and "validation_..." on validation data. For a table:
            `pandas.DataFrame(result.history)`.
        targets: what y was said to be.

    Example:
        >>> import torch
        >>> from infotorch import fit
        >>> result = fit(nn.Linear(2, 2), (torch.eye(2), [0, 1]), plan="CE", cuts=(), epochs=50, lr=0.1)
        >>> result.metrics["train_accuracy"], result.diverged
        (1.0, None)
        >>> result.evaluate((torch.eye(2), [0, 1]))
        {'accuracy': 1.0}
        >>> [line["epoch"] for line in result.history[-2:]]
        [49, 50]
    """

    metrics: dict[str, float]
    plan: Plan
    diverged: str | None = None
    assignments: dict[str, float] = field(default_factory=dict)
    history: list[HistoryLine] = field(default_factory=list)
    targets: Targets = "auto"

    def __repr__(self) -> str:
        scores = [f"{name} {value:.4g}" for name, value in self.metrics.items() if "/" not in name]
        ended = [] if self.diverged is None else [f"module {self.diverged!r} diverged"]
        told = ", ".join([*ended, *scores])
        head = f"FitResult of {len(self.plan)} modules, {self.plan.order}{told and f': {told}'}"
        lines = {line["module"]: line for line in self.history}
        return "\n".join([
            head,
            *(f"  {module}: {_told(lines[module.name])}" for module in self.plan if module.name in lines),
        ])

    def table(self) -> list[HistoryLine]:
        """The line of each module's last epoch; `history` has them all."""
        return list({line["module"]: line for line in self.history}.values())

    def figure(self, quantity: str = "loss") -> Figure:
        """A number of the history over the epochs: a colour a module, dotted in training, solid on validation data.

        Args:
            quantity: a column of the history, such as "loss", "accuracy" or "mi_ty_nats".

        Raises:
            ValueError: the history has no such column.
        """
        columns = dict.fromkeys(name.removeprefix("validation_") for line in self.history for name in line)
        known = tuple(name for name in columns if name not in ("epoch", "module"))
        check_choice(quantity, known, where="FitResult.figure", name="quantity")
        return history_figure(self.history, quantity)

    def evaluate(self, data: TrainingData, *, batch_size: int = 1000) -> dict[str, float]:
        """Scores of the model on other data: "accuracy", a fraction of one, or "mse" and "r2"; see `plan_metrics`.

        Args:
            data: any kind that `fit` takes, with targets; of a graph with masks the nodes of its `test_mask`.
            batch_size: samples a pass of a `Dataset` of torch.

        Raises:
            TypeError: data are of another kind.
            ValueError: targets that are none or do not fit the output, or samples that do not pair, are none or not
                finite.
        """
        where = "FitResult.evaluate"
        model = nn.ModuleList(module.body for module in self.plan)
        x, y = training_samples(
            model, data, batch_size=batch_size, seed=0, where=where, targets=self.targets, mask="test_mask"
        )
        if y is None:
            raise ValueError(f"{where}: data must have targets, got y=None.")
        scores = plan_metrics(self.plan, x, y)
        if not scores:
            raise ValueError(
                f"{where}: y must have a known target and fit the network's output, which has a column for each class "
                f"or label, or the shape of real targets, got {y.dtype} of shape {tuple(y.shape)}."
            )
        return scores

    def __getstate__(self) -> dict[str, object]:
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**state, "plan": self.plan.without_optimizers()}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, object]) -> FitResult:
        # Not by the state above: a copy in the same process trains on.
        return FitResult(**{one.name: copy.deepcopy(getattr(self, one.name), memo) for one in fields(self)})


def _told(line: HistoryLine) -> str:
    """The numbers of a line: of those on validation samples, the loss and the accuracy."""
    held_out = ("validation_loss", "validation_accuracy")
    names = [name for name in line if name in held_out or not name.startswith("validation_")]
    return ", ".join(f"{name} {line[name]:.4g}" for name in names if name not in ("epoch", "module", "learning_rate"))
