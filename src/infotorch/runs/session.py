"""One process's share of a run: training and records meet here."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from infotorch.data.sets import Split
from infotorch.diagnostics.bottleneck import bottleneck_information
from infotorch.networks.segments import split
from infotorch.numerics.ranks import lost_another
from infotorch.recipes.demonstration import AnyRecipe
from infotorch.recipes.optimizers import INFORMED
from infotorch.records.files import write_atomic
from infotorch.records.outcome import Outcome
from infotorch.records.png import png
from infotorch.records.progress import Progress
from infotorch.records.run_record import RunRecord
from infotorch.runs.assess import assess_run, load_outliers
from infotorch.runs.early_stopping import EarlyStopping
from infotorch.runs.isolation import audit_run
from infotorch.runs.planes import RunPlanes
from infotorch.runs.ranks import LOST, divided, ending
from infotorch.runs.saved_state import naming_checkpoint, saved_state
from infotorch.runs.schedule_control import ScheduleController
from infotorch.runs.scores import final_scores
from infotorch.runs.setup import Setup
from infotorch.runs.stopping import stop_requests
from infotorch.schedules.stuck import STUCK, StuckSignalError
from infotorch.training.averaged_weights import using_averaged_weights
from infotorch.training.checkpoint import has_checkpoint, save_checkpoint
from infotorch.training.checks import check_position
from infotorch.training.denoising import denoising_picture
from infotorch.training.devices import environment, peak_device_bytes, reset_peak_device_bytes
from infotorch.training.epoch_means import EpochMeans
from infotorch.training.evaluate import evaluate_modules, evaluating_repeatably
from infotorch.training.loop import train
from infotorch.training.memory import auxiliary_parameter_bytes
from infotorch.training.plan import evaluating
from infotorch.training.position import Position, StepInfo
from infotorch.training.processes import check_processes
from infotorch.training.regression import plan_error

#: Seconds between two checkpoints: what a crash loses at most, at a fraction of a percent of the time.
CHECKPOINT_SECONDS = 10.0
#: What is told of the training samples beside the epoch's own means, where a recipe asks for train_accuracy.
_SCORES = {"accuracy", "mae"}

#: Called for (epochs trained, epochs in all, the output's scores on validation samples) after every look at them;
#: returns why the run is to end there, or None.
Watch = Callable[[int, int, Mapping[str, float]], str | None]


def describe(recipe: AnyRecipe, seed: int) -> dict[str, Any]:
    """The content of recipe.json."""
    return {**recipe.model_dump(mode="json"), "seed": seed}


def _controller(setup: Setup) -> ScheduleController | EarlyStopping | None:
    """What looks at a run after every step, and may end it."""
    if setup.recipe.optimizer.schedule in INFORMED:
        return ScheduleController(setup)
    return None if setup.recipe.schedule.stop_after is None else EarlyStopping(setup)


class Session:
    """One process's share of a run: from the first step or a checkpoint to the end.

    Args:
        setup: what is trained; it is made ready for the first step here.
        record: the run directory.
        progress: told about every step.
        checkpoint_seconds: at most this much work is lost when the process is killed.
        is_trial: a trial of a search, which ends with its validation score and never looks at test samples.
        watch: may end the run before its last epoch, by the validation samples; it is pruned then.

    Attributes:
        failure: the exception that ended training, or None.
        stop_requested: Ctrl-C came, be it too late to interrupt this run.

    Raises:
        ValueError: the settings do not fit the data.
    """

    def __init__(
        self,
        setup: Setup,
        record: RunRecord,
        progress: Progress | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        *,
        is_trial: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self.recipe, self.seed, self.dataset, self.batches = setup.recipe, setup.seed, setup.dataset, setup.batches
        self.model, self.plan, self.fabric, self.device = setup.model, setup.plan, setup.fabric, setup.fabric.device
        self.record, self.is_trial, self.watch = record, is_trial, watch
        self.ranks = check_processes(setup.fabric, where=setup.recipe.name)
        self.progress, self.checkpoint_seconds = progress, checkpoint_seconds
        reset_peak_device_bytes(self.device)
        # The same layers as the model's: what lies before the bottleneck is looked at on its own.
        self.halves: tuple[nn.Module, ...] = split(self.model, (self.recipe.split.at,)) if self.recipe.split.at else ()
        for half in self.halves:
            half.training = False  # of the two traced passes the one for evaluation; the layers' modes are the plan's
        setup.prepare()
        self.division = None if self.ranks is None else divided(setup, self.ranks)
        self.controller = _controller(setup)
        self.planes = RunPlanes(setup, record.directory) if self.recipe.planes and not is_trial else None
        self.total_steps = len(self.plan.stages()) * self.recipe.epochs * len(self.batches)
        self.position, self.sums = Position(), EpochMeans()
        self.peak = 0
        self.last_losses: dict[str, Tensor | float] = {}
        self.elapsed = 0.0
        self.failure: Exception | None = None
        self.stop_requested = False
        self.isolation: str | None = None
        self.pruned_because: str | None = None

    def run(self, *, resume: bool) -> Outcome:
        """Train to the end, or to the first thing that ends training; whatever it was is the outcome.

        Raises:
            ValueError: the outliers of an assessment do not fit the data, or its layer is none of the network's.
        """
        # Before training, and not where a network is only built to be looked at.
        assesses = self.recipe.assessment.outliers and not self.is_trial
        self.outliers = load_outliers(self.recipe, self.model, self.dataset, self.seed) if assesses else None
        if self.plan.isolated and len(self.plan) > 1 and not self.is_trial:
            self.isolation = audit_run(self.recipe, self.seed, str(self.device), self.dataset)
            reset_peak_device_bytes(self.device)
        if resume and self.record.exists() and has_checkpoint(self.record.checkpoint_directory):
            self._go_on()
        else:
            parts = {} if self.division is None else {"modules": self.division.names(self.plan)}
            self.record.begin(describe(self.recipe, self.seed), environment(self.device, self.recipe.precision) | parts)
        self.began = time.monotonic()
        try:
            return self._train()
        except KeyboardInterrupt:
            return self._outcome("interrupted", "interrupted within a step; --resume goes on from the last checkpoint")
        except Exception as error:  # whatever went wrong in training is how the run ended, and is written down
            self.failure = error
            write_atomic(self.record.directory / "traceback.txt", traceback.format_exc().encode())
            if self.ranks is not None and lost_another(error):
                return self._outcome("failed", LOST)
            return self._outcome("failed", f"{type(error).__name__}: {error}")

    def _steps(self) -> Generator[StepInfo, None, None]:
        return train(
            self.plan,
            self.batches,
            epochs=self.recipe.epochs,
            seed=self.seed,
            start=self.position,
            cache=self.recipe.cache,
            handoff=self.recipe.plan.handoff,
            fabric=self.fabric,
            micro_batches=self.recipe.micro_batches,
            division=self.division,
        )

    def _train(self) -> Outcome:
        saved_at, steps = time.monotonic(), self._steps()
        if self.planes is not None and not self.position.steps:
            self.planes.look(0)
        with stop_requests() as stop, ending(steps):
            for info in () if self._finished_early() else steps:
                self.position = info.next
                self.peak = max(self.peak, info.peak_saved_activation_bytes or 0)
                if info.diverged is not None:
                    return self._diverged(info)
                self.sums.add(info)
                self.last_losses = {name: loss.total for name, loss in info.losses.items()}
                try:
                    if self.controller is not None:
                        self.controller.after_step(info)
                except StuckSignalError:
                    return self._dead(info)
                if info.ends_epoch:
                    self._end_epoch(replace(info, ends_stage=info.ends_stage or self._finished_early()))
                self._tell(info)
                if self._finished_early():
                    break
                due = time.monotonic() - saved_at >= self.checkpoint_seconds
                if not info.gathered:
                    if due or stop.is_set():
                        self.plan.gather_soon()
                    continue
                if self._anywhere(stop.is_set()):
                    self._save()
                    return self._outcome("interrupted", f"interrupted after step {info.next.steps}; --resume goes on")
                if self.pruned_because is not None:
                    epoch = self.position.steps // len(self.batches)
                    return self._outcome("pruned", f"pruned after epoch {epoch}: {self.pruned_because}")
                if due:
                    self._save()
                    saved_at = time.monotonic()
            self._save()
            self._draw()
            self._show()
            outcome = self._outcome("completed", self._how_it_ended(), self._final_metrics())
            self.stop_requested = stop.is_set()
            return outcome

    def _anywhere(self, asked: bool) -> bool:
        """Whether a stop was asked for in one process or more: all of them end behind the same step."""
        return asked if self.ranks is None else self.ranks.any(asked, self.device)

    def _finished_early(self) -> bool:
        """Whether what controls the run has ended training before its last epoch."""
        return self.controller is not None and self.controller.finished

    def _how_it_ended(self) -> str:
        if self.controller is None or not self.controller.finished:
            return "all stages trained"
        epochs = self.position.steps // len(self.batches)
        return f"stopped after epoch {epochs} of {self.recipe.epochs}: {self.controller.ending}"

    def _diverged(self, info: StepInfo) -> Outcome:
        last = self.last_losses.get(info.diverged or "")  # None in a stage's first step
        last = None if last is None else float(last)
        shown = "none" if last is None else f"{last:.6g}"
        return self._ended_badly(
            info, f"the loss of module {info.diverged!r} was not finite at step", f"; last finite loss {shown}", last
        )

    def _dead(self, info: StepInfo) -> Outcome:
        more = f": {STUCK} epochs have left its information as it was; a lower learning rate is needed"
        return self._ended_badly(info, "the network is dead at step", more, float(self.last_losses[self.plan[-1].name]))

    def _ended_badly(self, info: StepInfo, what: str, more: str, last: float | None) -> Outcome:
        step = info.position
        return self._outcome(
            "diverged",
            f"{what} {step.steps} (stage {step.stage}, epoch {step.epoch + 1}){more}",
            {"diverged_at_step": step.steps} | ({} if last is None else {"last_finite_loss": last}),
        )

    def _end_epoch(self, info: StepInfo) -> None:
        epoch = info.position.epoch + 1
        if self.planes is not None:
            self.planes.look(info.position.stage * self.recipe.epochs + epoch)
        if epoch % self.recipe.log_every and not info.ends_stage:
            return
        numbers = [n for n, module in enumerate(self.plan) if module.name in info.losses]
        lines = {} if self.controller is None else self.controller.lines
        looks = self._looks(numbers) if epoch % self.recipe.validate_every == 0 or info.ends_stage else {}
        bottleneck = self._bottleneck_information() if "validation" in looks else {}
        if self.watch is not None and info.next.steps < self.total_steps:
            at, epochs = info.next.steps // len(self.batches), self.total_steps // len(self.batches)
            self.pruned_because = self.watch(at, epochs, looks.get("validation", {}).get(self.plan[-1].name, {}))
        for number in numbers:
            module, objective = self.plan[number].name, self.plan[number].objective
            line = self._place(info, module)
            if module in lines or not lines:  # else every layer has its own
                line["learning_rate"] = info.learning_rates[module]
            line |= {f"train_{name}": value for name, value in self.sums.of(module).items()}
            assert objective is not None
            line |= {f"{name}_bound": side for name, side in objective.sides.items() if name.startswith("mi_")}
            for part in ("train", "test", "validation"):
                told = looks.get(part, {}).get(module, {})
                line |= {f"{part}_{k}": value for k, value in told.items() if part == "validation" or k in _SCORES}
            self.record.append(line | bottleneck | lines.get(module, {}))
        for layer, told in lines.items():
            if layer not in info.losses:
                self.record.append(self._place(info, layer) | told)
        self.sums = EpochMeans()

    def _looks(self, numbers: list[int]) -> dict[str, dict[str, dict[str, float]]]:
        """What the samples that the recipe asks for say of these modules: part -> module -> numbers."""
        parts = {"validation": self.dataset.validation} if self.recipe.data.holds_out else {}
        if self.recipe.train_accuracy and not self.is_trial:
            parts["train"] = self.dataset.train
        if self.recipe.test_scores and not self.is_trial:
            parts["test"] = self.dataset.test
        with using_averaged_weights(self.plan, self.batches):
            return {name: self._look(part, numbers) for name, part in parts.items()}

    def _look(self, part: Split, numbers: list[int]) -> dict[str, dict[str, float]]:
        found = evaluate_modules(self.plan, part.x, part.y, numbers)
        if self.dataset.kind == "regression":
            found[self.plan[-1].name]["mae"] = plan_error(self.plan, part, self.dataset.target_scaling)
        return found

    @staticmethod
    def _place(info: StepInfo, module: str) -> dict[str, Any]:
        at = info.position
        return {"stage": at.stage, "module": module, "epoch": at.epoch + 1, "step": info.next.steps}

    def _bottleneck_information(self) -> dict[str, Any]:
        """Both coordinates of the bottleneck of a split network, on validation samples."""
        if not self.halves or self.is_trial:
            return {}
        held_out = self.dataset.validation
        classes = held_out.y if self.dataset.num_classes is not None else None
        with evaluating_repeatably(self.plan):
            found = bottleneck_information(lambda x: self.halves[0](x, x), held_out.x, classes)
        return {f"validation_{name}": value for name, value in found.items()} | {"mi_xt_nats_bound": "upper"}

    def _final_metrics(self) -> dict[str, float]:
        with using_averaged_weights(self.plan, self.batches):
            metrics, right = final_scores(self.recipe, self.plan, self.model, self.dataset, is_trial=self.is_trial)
            if right is not None:
                self.record.write_right_samples(right)
            if self.outliers is not None:
                with evaluating(self.plan):
                    metrics |= assess_run(self.recipe, self.model, self.dataset, self.outliers, seed=self.seed)
            return metrics | self._best_on_the_way() | ({} if self.planes is None else self.planes.metrics())

    def _best_on_the_way(self) -> dict[str, float]:
        """The best test score of the output's module at any look, where the recipe has them."""
        if self.is_trial or not self.recipe.test_scores:
            return {}
        lines, found = [line for line in self.record.metrics() if line["module"] == self.plan[-1].name], {}
        for name, best, kind in (("mae", min, "lowest"), ("accuracy", max, "highest")):
            values = [told for line in lines if (told := line.get(f"test_{name}")) is not None]
            found |= {f"{kind}_test_{name}": best(values)} if values else {}
        return found

    def _show(self) -> None:
        """Keep a picture of some test images, noisy and denoised; one seed's are enough to look at."""
        if self.recipe.task == "denoising" and self.seed == 0 and not self.is_trial:
            noise, tested = self.model.get_submodule("noise"), self.dataset.test
            self.record.write_picture(png(denoising_picture(self.plan, noise, tested.x, tested.y)))

    def _draw(self) -> None:
        """Keep t-SNE pictures of the raw data and of every module; one seed's are enough to look at."""
        count = self.recipe.embedding_samples
        if not count or self.seed != 0 or self.is_trial:
            return
        from infotorch.diagnostics.embeddings import embed_modules  # scikit-learn takes a second to load

        parts = {"train": self.dataset.train, "validation": self.dataset.validation}
        splits = {name: (part.x, part.y) for name, part in parts.items()}
        self.record.write_embeddings(embed_modules(self.plan, splits, num_samples=2 * count, seed=self.seed))

    def _go_on(self) -> None:
        state = saved_state(self.record, seed=self.seed, device=self.device)
        with naming_checkpoint(self.record):
            self.position, stages = Position(**state["position"]), len(self.plan.stages())
            place = {"stages": stages, "epochs": self.recipe.epochs, "steps": len(self.batches)}
            check_position(self.position, **place, where="its position")
            self.plan.load_state_dict(state["plan"])
            if self.controller is not None:
                self.controller.load_state_dict(state["schedule"])
            if self.planes is not None:
                self.planes.load_state_dict(state["planes"])
        self.sums = EpochMeans(state["epoch"])
        self.peak, self.last_losses, self.elapsed = state["peak"], state["last_loss"], state["seconds"]
        self.record.reopen(state["metrics_bytes"], state["metrics_sha256"])

    def _save(self) -> None:
        length, sha256 = self.record.metrics_mark()
        state = {
            "plan": self.plan.state_dict(),
            "schedule": {} if self.controller is None else self.controller.state_dict(),
            "planes": {} if self.planes is None else self.planes.state_dict(),
            "position": vars(self.position),
            "epoch": self.sums.sums,
            "peak": self.peak,
            "last_loss": {name: float(loss) for name, loss in self.last_losses.items()},
            "seconds": self._seconds(),
            "metrics_bytes": length,
            "metrics_sha256": sha256,
            "seed": self.seed,
        }
        save_checkpoint(self.record.checkpoint_directory, state)

    def _seconds(self) -> float:
        return self.elapsed + time.monotonic() - self.began

    def _tell(self, info: StepInfo) -> None:
        if self.progress is not None:
            what = f"{self.recipe.variant} seed {self.seed}: {', '.join(info.losses)}"
            self.progress(what, info.next.steps, self.total_steps)

    def _outcome(self, status: Any, message: str, metrics: dict[str, float] | None = None) -> Outcome:
        memory = {"peak_saved_activation_bytes": self.peak}
        if (on_device := peak_device_bytes(self.device)) is not None:
            memory["peak_device_bytes"] = on_device
        if beside := auxiliary_parameter_bytes(module.objective for module in self.plan):
            memory["auxiliary_parameter_bytes"] = beside
        return Outcome(
            status,
            message,
            self.recipe.name,
            self.recipe.variant,
            self.seed,
            metrics or {},
            {name: number.model_dump() for name, number in self.recipe.published.items()},
            round(self._seconds(), 3),
            memory,
            self.isolation,
        )
