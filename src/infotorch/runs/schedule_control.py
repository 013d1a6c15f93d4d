"""The schedules of a run that look at the information: measured after every epoch, moved after every step.

Other schedules know the number of steps alone, and move inside their update (`infotorch.recipes.optimizers`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from infotorch.data.folders import ImageFiles
from infotorch.data.sets import Split
from infotorch.numerics.states import check_keys
from infotorch.recipes.recipe import Recipe
from infotorch.runs.setup import Setup
from infotorch.schedules.anneal import InformationAnneal
from infotorch.schedules.decay import MutualInformationDecay
from infotorch.schedules.signal import InformationSignal, layer_groups
from infotorch.schedules.stopping import InformationStopping
from infotorch.training.plan import evaluating
from infotorch.training.position import StepInfo
from infotorch.updates.gradient import GradientUpdate

#: What LR_top is multiplied by when held-out samples say that the model overfits.
_SHRINK = 0.2


def information_signal(
    recipe: Recipe, model: nn.Module, samples: Split, seed: int, *, layerwise: bool | None = None
) -> InformationSignal:
    """What measures I(T; Y) as the recipe's schedule says: of the output or of every layer, on a few samples.

    Args:
        recipe: its `schedule` says of what, on how many samples and with which estimator.
        model: the recipe's.
        samples: of training, as a rule; where fewer than schedule.num_samples have a label, those.
        seed: decides which.
        layerwise: of every layer; None: as schedule.layerwise says.

    Raises:
        ValueError: the samples are graphs, the recipe is a denoiser's, or see `InformationSignal`.

    Example:
        >>> import torch
        >>> from infotorch.recipes.registry import find_recipe
        >>> x = torch.randn(80, 2, generator=torch.Generator().manual_seed(0))
        >>> signal = information_signal(find_recipe("demo"), nn.Linear(2, 2), Split(x, (x[:, 0] > 0).long()), seed=0)
        >>> len(signal.x), round(signal.ceiling, 2)
        (80, 0.7)
    """
    denoises = recipe.task == "denoising"
    if denoises or not isinstance(samples.x, torch.Tensor | ImageFiles):
        raise ValueError(
            f"{recipe.name}: information is measured on samples of numbers and their labels or targets, got "
            f"{'a denoiser, whose targets are images' if denoises else 'graphs'}; choose a schedule that needs none."
        )
    settings, y = recipe.schedule, samples.y
    usable = len(y) if y.is_floating_point() else int((y >= 0).sum())
    return InformationSignal(
        model,
        (samples.x, y),  # pyright: ignore[reportArgumentType]  # pictures on disk are indexed as a tensor is
        num_samples=max(2, min(settings.num_samples, usable)),
        layers=_layers(model) if (settings.layerwise if layerwise is None else layerwise) else None,
        estimator=settings.estimator,
        seed=seed,
        columns=settings.columns,
        ceiling=settings.ceiling,
    )


class ScheduleController:
    """The informed schedule of a run's optimiser.

    A recipe's run is one process (`launch`). Where its fabric is of several, the first measures and tells the others.

    Args:
        setup: prepared, of a recipe whose optimizer.schedule is one of `INFORMED`. The information is measured on
            training samples, and for `best` on validation samples too; the seed decides which.

    Attributes:
        finished: whether `best` has ended training, as no lower rate keeps the model from overfitting.

    Raises:
        ValueError: a range of rates or a signal that is not one, see `MutualInformationDecay`, `InformationAnneal` and
            `InformationSignal`; a warm-up of as many epochs as the run, or more.
    """

    #: Why training is over before its last epoch, for a reader.
    ending = "the information of validation samples fell at the lowest rate too"

    def __init__(self, setup: Setup) -> None:
        recipe, model, seed = setup.recipe, setup.model, setup.seed
        self.plan, self.fabric = setup.plan, setup.fabric
        self.stopping: InformationStopping | None = None
        self.lines: dict[str, dict[str, float | str | None]] = {}
        self.signal = information_signal(recipe, model, setup.dataset.train, seed)
        (module,) = self.plan
        assert isinstance(module.update, GradientUpdate)
        assert self.plan.num_steps is not None
        self.names = self.signal.layers or (module.name,)
        self.is_bound = recipe.schedule.estimator == "readout"
        self.schedule = self._make(recipe, module.update.optimizer, self.plan.num_steps // recipe.epochs)
        if recipe.optimizer.schedule == "best" and recipe.schedule.tolerance is not None:
            self.held_out = information_signal(recipe, model, setup.dataset.validation, seed, layerwise=False)
            parts = [model, module.update.optimizer, *([module.objective] if module.objective else [])]
            self.stopping = InformationStopping(
                parts, ceiling=self.held_out.ceiling, tolerance=recipe.schedule.tolerance
            )

    @property
    def finished(self) -> bool:
        """Whether training is over before its last epoch."""
        return self.stopping is not None and isinstance(self.schedule, InformationAnneal) and self.schedule.finished

    def _make(
        self, recipe: Recipe, optimizer: Optimizer, steps_per_epoch: int
    ) -> MutualInformationDecay | InformationAnneal:
        settings = recipe.schedule
        rates: dict[str, Any] = {"lr_top": recipe.optimizer.lr, "lr_min": settings.lr_min}
        common = {"threshold": settings.threshold, "ceiling": self.signal.ceiling}
        if recipe.optimizer.schedule == "information":
            if settings.warmup >= recipe.epochs:
                raise ValueError(
                    f"{recipe.name}: schedule.warmup must be below epochs, {recipe.epochs}, got {settings.warmup}."
                )
            return MutualInformationDecay(
                optimizer,
                lr_max=settings.lr_max,
                epochs=recipe.epochs - settings.warmup,
                initial=self._measure(),
                time_decay=settings.time_decay,
                warmup=settings.warmup,
                **rates,
                **common,
            )
        return InformationAnneal(
            optimizer,
            epochs=recipe.epochs,
            steps_per_epoch=steps_per_epoch,
            patience=settings.patience,
            hold=settings.hold,
            earliest=settings.earliest,
            **rates,
            **common,
        )

    def after_step(self, info: StepInfo) -> None:
        """Move the schedule; at the end of an epoch by what the network has learnt.

        `lines` then holds, for the network or each of its layers, the epoch's rate, the signal and what the schedule
        saw in it: `d_p` and `d_s`, or `gain`; and of a signal that is not reliable, what speaks against it.
        """
        schedule = self.schedule
        if not info.ends_epoch:
            if isinstance(schedule, InformationAnneal):
                schedule.step()
            return
        self.lines = {}
        if not all(torch.isfinite(weight).all() for module in self.plan for weight in module.parameters()):
            return  # the next loss says that the run has diverged
        rates = [float(group["lr"]) for group in schedule.optimizer.param_groups]
        signal, held_out = self._measure(), self._look_at_held_out(ends_training=info.ends_stage)
        schedule.step(signal)
        doubts = self._doubts(self.signal, "train")
        for name, rate, history, doubt in zip(self.names, rates, schedule.history, doubts, strict=True):
            seen = {key: value for key, value in history[-1].items() if key in {"d_p", "d_s", "gain"}}
            known = {key: value for key, value in seen.items() if value is not None}
            line = {"learning_rate": rate, "train_mi_ty_nats": history[-1]["signal"], **doubt, **known}
            self.lines[name] = line | ({"mi_ty_nats_bound": "lower"} if self.is_bound else {}) | held_out

    def _look_at_held_out(self, *, ends_training: bool) -> dict[str, float | str | None]:
        """Go back where validation samples say so; what is told of them, before that."""
        if self.stopping is None:
            return {}
        assert isinstance(self.schedule, InformationAnneal)
        found = self._measure(self.held_out)
        if self.stopping.step(found):
            self.schedule.lower(_SHRINK)
        elif ends_training:
            self.stopping.finish()
        (doubt,) = self._doubts(self.held_out, "validation")
        return {"validation_mi_ty_nats": found, **doubt, "times_gone_back": self.stopping.falls}

    def _measure(self, signal: InformationSignal | None = None) -> Any:
        if not self.fabric.is_global_zero:
            return self.fabric.broadcast(None)
        with evaluating(self.plan):
            return self.fabric.broadcast((signal or self.signal)())

    def _doubts(self, signal: InformationSignal, part: str) -> list[dict[str, float | str | None]]:
        """What speaks against each of the values measured last; empty where nothing does."""
        name = f"{part}_mi_ty_nats_reason"
        found = [{name: line["reason"]} if line["reliable"] is False else {} for line in signal.table()]
        return self.fabric.broadcast(found)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next rate depends on."""
        schedule = self.schedule.state_dict()
        return schedule if self.stopping is None else {"schedule": schedule, "stopping": self.stopping.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        if self.stopping is not None:
            check_keys(state, ("schedule", "stopping"), where="its schedule")
            self.stopping.load_state_dict(state["stopping"])
            state = state["schedule"]
        self.schedule.load_state_dict(state)


def _layers(model: nn.Module) -> list[str]:
    """Names of the layers whose parameters form a group each, in the groups' order."""
    return [str(group["name"]) for group in layer_groups(model)]
