"""Stopping early by validation samples, whatever the schedule: back to the best weights once they are left behind."""

from __future__ import annotations

import math
from typing import Any

from infotorch.runs.scores import final_scores
from infotorch.runs.setup import Setup
from infotorch.schedules.stopping import InformationStopping
from infotorch.training.averaged_weights import using_averaged_weights
from infotorch.training.position import StepInfo
from infotorch.updates.gradient import GradientUpdate

# Any fall counts, however small.
_ANY = 1e-12


class EarlyStopping:
    """Ends a run as `schedule.stop_after` says, by the validation score that a search would maximise.

    Args:
        setup: prepared, of a recipe whose plan is one module.

    Attributes:
        finished: whether training is over before its last epoch.
        ending: why, for a reader.
        lines: what it tells beside a run's own metrics: nothing.
    """

    def __init__(self, setup: Setup) -> None:
        self.recipe, self.plan, self.model = setup.recipe, setup.plan, setup.model
        self.dataset, self.batches = setup.dataset, setup.batches
        patience = setup.recipe.schedule.stop_after
        (module,) = self.plan
        assert isinstance(module.update, GradientUpdate)
        assert patience is not None
        parts = [self.model, module.update.optimizer, *([module.objective] if module.objective else [])]
        self.stopping = InformationStopping(parts, ceiling=1.0, tolerance=_ANY, patience=patience)
        self.finished, self.ending = False, "the last looks at validation samples were worse than the best before"
        self.lines: dict[str, dict[str, float | str | None]] = {}

    def after_step(self, info: StepInfo) -> None:
        """Look, where the recipe looks at validation samples; at the end of training go back to the best weights."""
        epoch = info.position.epoch + 1
        if not info.ends_epoch or (epoch % self.recipe.validate_every and not info.ends_stage):
            return
        with using_averaged_weights(self.plan, self.batches):
            found = final_scores(self.recipe, self.plan, self.model, self.dataset, is_trial=True).metrics
        ((name, score),) = found.items()
        if not math.isfinite(score):
            return  # the next loss says that the run has diverged
        went_back = self.stopping.step(-score if name.endswith("_mae") else score)
        self.finished = went_back or (info.ends_stage and self.stopping.finish())

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next look depends on."""
        return self.stopping.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.stopping.load_state_dict(state)
        self.finished = self.stopping.falls > 0
