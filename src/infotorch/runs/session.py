"""One process's share of a run: data, plan, training and records meet here."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from infotorch.data.augment import check_augmentation
from infotorch.data.folders import ImageFolders, folders_as_dataset
from infotorch.data.graph_splits import graphs_as_dataset
from infotorch.data.loading import load
from infotorch.data.sets import Dataset, Graph, GraphSet, Split
from infotorch.data.splits import stratified_samples
from infotorch.diagnostics.bottleneck import bottleneck_information
from infotorch.networks.segments import split
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.demonstration import AnyRecipe
from infotorch.recipes.recipe import Recipe
from infotorch.records.outcome import Outcome
from infotorch.records.png import png
from infotorch.records.run_record import RunRecord
from infotorch.runs.assess import assess_run, load_outliers
from infotorch.runs.planes import RunPlanes
from infotorch.runs.schedule_control import ScheduleController
from infotorch.runs.scores import final_scores
from infotorch.schedules.stuck import STUCK, StuckSignalError
from infotorch.training.averaged_weights import using_averaged_weights
from infotorch.training.batch_norm import update_batch_norm
from infotorch.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from infotorch.training.denoising import denoising_picture
from infotorch.training.devices import environment, launch, peak_device_bytes, reset_peak_device_bytes
from infotorch.training.epoch_means import EpochMeans
from infotorch.training.evaluate import evaluate_modules, evaluating_repeatably
from infotorch.training.inputs import batches_of
from infotorch.training.interrupts import stop_requests
from infotorch.training.loop import Position, StepInfo, train
from infotorch.training.plan import evaluating
from infotorch.training.regression import plan_error

#: Called with (what is going on, steps done, steps in all).
Progress = Callable[[str, int, int], None]
#: What is told of the training rows beside the epoch's own means, where a recipe asks for train_accuracy.
_SCORES = {"accuracy", "mae"}


def describe(recipe: AnyRecipe, seed: int) -> dict[str, Any]:
    """The content of recipe.json."""
    return {**recipe.model_dump(mode="json"), "seed": seed}


class Session:
    """One process's share of a run: data, plan and position, from the first step or a checkpoint to the end.

    Args:
        recipe: the row.
        record: the run directory.
        seed: see `run`.
        device: see `launch`.
        progress: told about every step.
        checkpoint_seconds: at most this much work is lost when the process is killed.
        is_trial: a trial of a search, which ends with its validation score and never looks at test rows.

    Attributes:
        failure: the exception that ended training, or None.
        stop_requested: Ctrl-C came, be it too late to interrupt this run.

    Raises:
        ValueError: the settings do not fit the data, or the device is not there.
    """

    def __init__(
        self,
        recipe: Recipe,
        record: RunRecord,
        seed: int,
        device: str,
        progress: Progress | None,
        checkpoint_seconds: float,
        *,
        is_trial: bool = False,
    ) -> None:
        self.recipe, self.record, self.seed = recipe, record, seed
        self.progress, self.checkpoint_seconds, self.is_trial = progress, checkpoint_seconds, is_trial
        streams = seed_streams(seed)
        self.fabric = launch(device, recipe.precision)
        self.device = self.fabric.device
        reset_peak_device_bytes(self.device)
        self.dataset = load_rows(recipe, seed).to(self.device)
        with streams.as_global("init"):
            model = build_network(recipe, self.dataset)
        dtype = torch.float64 if recipe.precision == "64-true" else torch.float32
        self.model = model.to(self.device, dtype)
        self.plan = build_plan(recipe, self.model)
        train_rows = self.dataset.train
        augment = recipe.data.augment
        self.batches = batches_of(train_rows.x, train_rows.y, batch_size=recipe.batch_size, seed=seed, augment=augment)
        # The same layers as the network's: what lies before the bottleneck is looked at on its own.
        self.halves: tuple[nn.Module, ...] = split(self.model, (recipe.split.at,)) if recipe.split.at else ()
        for half in self.halves:
            half.training = False  # of the two traced passes the one for evaluation; the layers' modes are the plan's
        update_batch_norm(self.plan, train_rows.x, batch_size=recipe.batch_size)
        self.plan.prepare(self.batches, epochs=recipe.epochs, seed=seed)
        self.controller = ScheduleController(recipe, self.plan, self.model, self.dataset, seed, self.fabric)
        stages = len(self.plan.stages())
        self.total_steps = stages * recipe.epochs * len(self.batches)
        watched = recipe.model_copy(update={"planes": None}) if is_trial else recipe
        self.planes = RunPlanes(watched, self.model, self.dataset, seed, stages=stages, directory=record.directory)
        self.position, self.sums = Position(), EpochMeans()
        self.peak = 0
        self.last_losses: dict[str, float] = {}
        self.elapsed = 0.0
        self.failure: Exception | None = None
        self.stop_requested = False

    def run(self, *, resume: bool) -> Outcome:
        """Train to the end, or to the first thing that ends training; whatever it was is the outcome.

        Raises:
            ValueError: the outliers of an assessment do not fit the data, or its layer is none of the network's.
        """
        # Before training, and not where a network is only built to be looked at.
        self.outliers = None if self.is_trial else load_outliers(self.recipe, self.model, self.dataset, self.seed)
        if resume and self.record.exists() and has_checkpoint(self.record.checkpoint_directory):
            self._go_on()
        else:
            self.record.begin(describe(self.recipe, self.seed), environment(self.device, self.recipe.precision))
        self.began = time.monotonic()
        try:
            return self._train()
        except KeyboardInterrupt:
            return self._outcome("interrupted", "interrupted within a step; --resume goes on from the last checkpoint")
        except Exception as error:  # whatever went wrong in training is how the run ended, and is written down
            self.failure = error
            (self.record.directory / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
            return self._outcome("failed", f"{type(error).__name__}: {error}")

    def _train(self) -> Outcome:
        saved_at = time.monotonic()
        settings = self.recipe.plan
        steps = train(
            self.plan,
            self.batches,
            epochs=self.recipe.epochs,
            seed=self.seed,
            start=self.position,
            cache=self.recipe.cache,
            handoff=settings.handoff,
            fabric=self.fabric,
        )
        if not self.position.steps:
            self.planes.look(0)
        with stop_requests() as stop:
            for info in () if self.controller.finished else steps:
                self.position = info.next
                self.peak = max(self.peak, info.peak_saved_activation_bytes or 0)
                if info.diverged is not None:
                    return self._diverged(info)
                self.sums.add(info)
                self.last_losses = {name: float(loss.total) for name, loss in info.losses.items()}
                try:
                    self.controller.after_step(info)
                except StuckSignalError:
                    return self._dead(info)
                if info.ends_epoch:
                    self._end_epoch(replace(info, ends_stage=info.ends_stage or self.controller.finished))
                self._tell(info)
                if self.controller.finished:
                    break
                if stop.is_set():
                    self._save()
                    return self._outcome("interrupted", f"interrupted after step {info.next.steps}; --resume goes on")
                if time.monotonic() - saved_at >= self.checkpoint_seconds:
                    self._save()
                    saved_at = time.monotonic()
            self._save()
            self._draw()
            self._show()
            outcome = self._outcome("completed", self._how_it_ended(), self._final_metrics())
            self.stop_requested = stop.is_set()
            return outcome

    def _how_it_ended(self) -> str:
        if not self.controller.finished:
            return "all stages trained"
        epochs = self.position.steps // len(self.batches)
        return (
            f"stopped after epoch {epochs} of {self.recipe.epochs}: the information of validation rows fell at the "
            "lowest rate too"
        )

    def _diverged(self, info: StepInfo) -> Outcome:
        last = self.last_losses.get(info.diverged or "")  # None in a stage's first step
        shown = "none" if last is None else f"{last:.6g}"
        return self._ended_badly(
            info, f"the loss of module {info.diverged!r} was not finite at step", f"; last finite loss {shown}", last
        )

    def _dead(self, info: StepInfo) -> Outcome:
        more = f": {STUCK} epochs have left its information as it was; a lower learning rate is needed"
        return self._ended_badly(info, "the network is dead at step", more, self.last_losses[self.plan[-1].name])

    def _ended_badly(self, info: StepInfo, what: str, more: str, last: float | None) -> Outcome:
        step = info.position
        return self._outcome(
            "diverged",
            f"{what} {step.steps} (stage {step.stage}, epoch {step.epoch + 1}){more}",
            {"diverged_at_step": step.steps} | ({} if last is None else {"last_finite_loss": last}),
        )

    def _end_epoch(self, info: StepInfo) -> None:
        epoch = info.position.epoch + 1
        self.planes.look(info.position.stage * self.recipe.epochs + epoch)
        if epoch % self.recipe.log_every and not info.ends_stage:
            return
        numbers = [n for n, module in enumerate(self.plan) if module.name in info.losses]
        validation: dict[str, dict[str, float]] = {}
        again: dict[str, dict[str, float]] = {}
        if epoch % self.recipe.validate_every == 0 or info.ends_stage:
            with using_averaged_weights(self.plan, self.batches):
                validation = self._look(self.dataset.validation, numbers)
                if self.recipe.train_accuracy and not self.is_trial:
                    again = self._look(self.dataset.train, numbers)
        for number in numbers:
            module = self.plan[number].name
            line = self._place(info, module)
            if module in self.controller.lines or not self.controller.lines:  # else every layer has its own
                line["learning_rate"] = info.learning_rates[module]
            line |= {f"train_{name}": value for name, value in self.sums.of(module).items()}
            objective = self.plan[number].objective
            assert objective is not None
            line |= {f"{name}_bound": side for name, side in objective.bounds.items() if name.startswith("mi_")}
            line |= {f"train_{name}": value for name, value in again.get(module, {}).items() if name in _SCORES}
            line |= {f"validation_{name}": value for name, value in validation.get(module, {}).items()}
            line |= self._bottleneck_information() if validation else {}
            line |= self.controller.lines.get(module, {})
            self.record.append(line)
        for layer, told in self.controller.lines.items():
            if layer not in info.losses:
                self.record.append(self._place(info, layer) | told)
        self.sums = EpochMeans()

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
        """Both coordinates of the bottleneck of a split network, on validation rows."""
        if not self.halves or self.is_trial:
            return {}
        held_out = self.dataset.validation
        classes = held_out.y if self.dataset.num_classes is not None else None
        with evaluating_repeatably(self.plan):
            found = bottleneck_information(lambda x: self.halves[0](x, x), held_out.x, classes)
        return {f"validation_{name}": value for name, value in found.items()} | {"mi_xt_nats_bound": "upper"}

    def _final_metrics(self) -> dict[str, float]:
        with using_averaged_weights(self.plan, self.batches):
            metrics = final_scores(self.recipe, self.plan, self.model, self.dataset, is_trial=self.is_trial)
            if self.outliers is not None:
                with evaluating(self.plan):
                    metrics |= assess_run(self.recipe, self.model, self.dataset, self.outliers, seed=self.seed)
            return metrics | self.planes.metrics()

    def _show(self) -> None:
        """Keep a picture of some test images, noisy and denoised; one seed's are enough to look at."""
        if self.recipe.task == "denoising" and self.seed == 0 and not self.is_trial:
            noise, tested = self.model.get_submodule("noise"), self.dataset.test
            self.record.write_picture(png(denoising_picture(self.plan, noise, tested.x, tested.y)))

    def _draw(self) -> None:
        """Keep t-SNE pictures of the raw data and of every module; one seed's are enough to look at."""
        rows = self.recipe.embedding_rows
        if not rows or self.seed != 0 or self.is_trial:
            return
        from infotorch.diagnostics.embeddings import embed_modules  # scikit-learn takes a second to load

        parts = {"train": self.dataset.train, "validation": self.dataset.validation}
        splits = {name: (part.x, part.y) for name, part in parts.items()}
        self.record.write_embeddings(embed_modules(self.plan, splits, rows=2 * rows, seed=self.seed))

    def _go_on(self) -> None:
        state = load_checkpoint(self.record.checkpoint_directory, device=self.device)
        self.plan.load_state_dict(state["plan"])
        self.controller.load_state_dict(state.get("pace", {}))
        self.planes.load_state_dict(state.get("planes", {}))
        self.position = Position(**state["position"])
        self.sums = EpochMeans(state["epoch"])
        self.peak, self.last_losses, self.elapsed = state["peak"], state["last_loss"], state["seconds"]
        self.record.reopen(state["metrics_bytes"])

    def _save(self) -> None:
        state = {
            "plan": self.plan.state_dict(),
            "pace": self.controller.state_dict(),
            "planes": self.planes.state_dict(),
            "position": vars(self.position),
            "epoch": self.sums.sums,
            "peak": self.peak,
            "last_loss": self.last_losses,
            "seconds": self._seconds(),
            "metrics_bytes": self.record.metrics_bytes(),
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
        on_device = peak_device_bytes(self.device)
        if on_device is not None:
            memory["peak_device_bytes"] = on_device
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
        )


def load_rows(recipe: Recipe, seed: int) -> Dataset:
    """The rows that a run of `recipe` with `seed` sees.

    Raises:
        ValueError: the recipe's network is for other data, or the settings do not fit them.
    """
    wanted = recipe.data
    loaded = load(
        wanted.name,
        seed=seed,
        image_size=wanted.side,
        **wanted.model_dump(include={"validation", "limit", "scaling", "classes"}),
    )
    if isinstance(loaded, Graph | GraphSet):
        loaded = graphs_as_dataset(loaded, label_columns=wanted.label_columns)
    if isinstance(loaded, ImageFolders):
        if recipe.precision == "64-true":
            raise ValueError(f"{recipe.name}: precision must not be 64-true: {wanted.name} is read file by file.")
        loaded = folders_as_dataset(loaded)
    if loaded.num_classes is not None:
        for key, rows in (("limit", wanted.limit), ("labels", wanted.labels)):
            if rows is not None and rows < loaded.num_classes:
                raise ValueError(f"{recipe.name}: data.{key} must leave a row of each of {loaded.num_classes} classes.")
    check_augmentation(wanted.augment, loaded.train.x, where=recipe.name)
    if wanted.labels is not None:
        loaded = _keep_labels(loaded, wanted.labels, seed)
    if recipe.precision == "64-true":
        doubled = {part: getattr(loaded, part) for part in ("train", "validation", "test")}
        loaded = replace(loaded, **{part: Split(split.x.to(torch.float64), split.y) for part, split in doubled.items()})
    return loaded


def _keep_labels(dataset: Dataset, count: int, seed: int) -> Dataset:
    """The data set with labels on `count` training rows alone."""
    y = dataset.train.y
    labelled = (y >= 0).nonzero().flatten()  # of one graph, all nodes are rows
    if count > len(labelled):
        raise ValueError(
            f"{dataset.name}: data.labels must be at most {len(labelled)}, the number of training rows, got {count}."
        )
    rows = labelled[stratified_samples(y[labelled], count, seed_streams(seed).generator("labels"))]
    kept = torch.full_like(y, -1)
    kept[rows] = y[rows]
    return replace(dataset, train=Split(dataset.train.x, kept))
