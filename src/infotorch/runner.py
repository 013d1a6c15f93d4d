"""A recipe -> a run directory: the one place where data, plan, training and records meet."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.data.loading import load
from infotorch.data.sets import Dataset, Split
from infotorch.networks.mlp import fold_head
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.recipe import Recipe, change
from infotorch.recipes.search import search
from infotorch.records import Outcome, RunRecord
from infotorch.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from infotorch.training.devices import environment, launch, peak_device_bytes, reset_peak_device_bytes
from infotorch.training.evaluate import accuracy, evaluate_modules, evaluate_network
from infotorch.training.interrupts import stop_requests
from infotorch.training.loop import Position, StepInfo, train

#: Called with (what is going on, steps done, steps in all).
Progress = Callable[[str, int, int], None]

#: Seconds between two checkpoints: what a crash loses at most, at a fraction of a percent of the time.
CHECKPOINT_SECONDS = 10.0


def run(
    recipe: Recipe,
    directory: Path,
    *,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Outcome:
    """Run one row of a table with one seed.

    Args:
        recipe: the row.
        directory: the run directory; it is created.
        seed: decides the rows, the weights, the order of the batches and the noise.
        device: see `launch`.
        resume: go on from the checkpoint in the directory; without one start afresh; on a finished run
            return its outcome.
        progress: told about every step.
        checkpoint_seconds: at most this much work is lost when the process is killed; 0 saves after every step.

    Returns:
        How the run ended. Divergence, Ctrl-C (which ends at a step boundary, with a checkpoint) and an exception in
        training (whose traceback is kept in traceback.txt) are outcomes.

    Raises:
        FileExistsError: the directory holds something and resume is not asked for, or holds no run.
        ValueError: resume with another recipe or seed than the directory's, or settings that do not fit the data.

    Example:
        >>> import tempfile
        >>> from infotorch.recipes.registry import find_recipe
        >>> recipe = change(find_recipe("demo"), {"epochs": 1, "data.limit": 100})
        >>> run(recipe, Path(tempfile.mkdtemp()) / "run", device="cpu").status
        'completed'
    """
    record = RunRecord(directory)
    _check_directory(record, resume)
    if resume and record.exists():
        check_same(record, recipe, seed)
        outcome = record.outcome()
        if outcome is not None and outcome.status in {"completed", "diverged"}:
            return outcome
    if recipe.tune:
        recipe = change(recipe, _tune(recipe, directory / "tuning", device, progress, checkpoint_seconds))
    session = _Session(recipe, record, seed, device, progress, checkpoint_seconds)
    outcome = session.run(resume=resume)
    record.finish(outcome)
    return outcome


def run_table(
    rows: Sequence[Recipe],
    directory: Path,
    *,
    seeds: int,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    finished: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run every row with every seed, in `directory/<recipe>/<variant>/seed-<seed>`; `finished` hears of each at once.

    A row that diverges or fails is an outcome and the others go on; an interruption ends the table.

    Raises:
        ValueError: seeds below 1.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}.")
    outcomes: list[Outcome] = []
    for row in rows:
        for seed in range(seeds):
            where = directory / row.name / row.variant / f"seed-{seed}"
            try:
                outcome = run(row, where, seed=seed, device=device, resume=resume, progress=progress)
            except Exception as error:  # before training, in a search: this row fails, the others go on
                outcome = Outcome("failed", f"{type(error).__name__}: {error}", row.name, row.variant, seed)
            outcomes.append(outcome)
            if finished is not None:
                finished(outcome)
            if outcomes[-1].status == "interrupted":
                return outcomes
    return outcomes


def _tune(
    recipe: Recipe, directory: Path, device: str, progress: Progress | None, checkpoint_seconds: float
) -> dict[str, Any]:
    """Search the recipe's settings; an interrupted trial goes on from its checkpoint."""

    def run_trial(trial: Recipe, where: Path, seed: int) -> dict[str, float]:
        session = _Session(trial, RunRecord(where), seed, device, progress, checkpoint_seconds)
        outcome = session.run(resume=True)
        if outcome.status == "interrupted":
            raise KeyboardInterrupt
        if session.failure is not None:
            raise session.failure
        shutil.rmtree(RunRecord(where).checkpoint_directory, ignore_errors=True)
        return outcome.metrics if outcome.status == "completed" else {}

    return search(recipe, directory, run_trial)


def _check_directory(record: RunRecord, resume: bool) -> None:
    directory = record.directory
    if directory.exists() and not directory.is_dir():
        raise FileExistsError(f"{directory} is a file, and a run needs a directory.")
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not record.exists() and not (resume and record.cut_short()):
        raise FileExistsError(f"{directory} is not empty and holds no run; choose another --out.")
    if not resume:
        raise FileExistsError(
            f"{directory} holds a run already; add --resume to go on with it, or choose another --out."
        )


def check_same(record: RunRecord, recipe: Recipe, seed: int) -> None:
    """Refuse to go on with a run that other settings or another seed began: its numbers would be passed off as these.

    Raises:
        ValueError: they differ; the message names them.
    """
    recorded = record.recipe()
    wanted = describe(recipe, seed)
    searched = {"changed", *(recipe.search.space if recipe.tune else ())}  # what was typed decides no number
    differing = sorted(
        key for key, value in _flat(wanted).items() if _flat(recorded).get(key) != value and key not in searched
    )
    if differing:
        raise ValueError(
            f"{record.directory} was begun with other settings ({', '.join(differing)}); resume needs the same ones."
        )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def describe(recipe: Recipe, seed: int) -> dict[str, Any]:
    """The content of recipe.json."""
    return {**recipe.model_dump(mode="json"), "seed": seed}


@dataclass
class _EpochSums:
    """Running sums of one epoch's losses; part of the checkpoint, so that a resumed epoch has the same means."""

    steps: int = 0
    sums: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, info: StepInfo) -> None:
        self.steps += 1
        for module, loss in info.losses.items():
            sums = self.sums.setdefault(module, {})
            for name, value in {"loss": loss.total, **loss.terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value)

    def means(self, module: str) -> dict[str, float]:
        return {name: value / self.steps for name, value in self.sums[module].items()}


class _Session:
    """One process's share of a run."""

    def __init__(
        self,
        recipe: Recipe,
        record: RunRecord,
        seed: int,
        device: str,
        progress: Progress | None,
        checkpoint_seconds: float,
    ) -> None:
        self.recipe, self.record, self.seed = recipe, record, seed
        self.progress, self.checkpoint_seconds = progress, checkpoint_seconds
        streams = seed_streams(seed)
        self.fabric = launch(device, recipe.precision)
        self.device = self.fabric.device
        reset_peak_device_bytes(self.device)
        self.dataset = _load(recipe, seed, self.device)
        with streams.as_global("init"):
            network = build_network(recipe, self.dataset)
        dtype = torch.float64 if recipe.precision == "64-true" else torch.float32
        self.network = network.to(self.device, dtype)
        self.plan = build_plan(recipe, self.network)
        train_rows = self.dataset.train
        self.batches = TensorBatches(train_rows.x, train_rows.y, batch_size=recipe.batch_size, seed=seed)
        self.plan.prepare(self.batches, epochs=recipe.epochs, seed=seed)
        self.total_steps = len(self.plan.stages()) * recipe.epochs * len(self.batches)
        self.position, self.sums = Position(), _EpochSums()
        self.peak = 0
        self.last_losses: dict[str, float] = {}
        self.elapsed = 0.0
        self.failure: Exception | None = None

    def run(self, *, resume: bool) -> Outcome:
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
        with stop_requests() as stop:
            for info in steps:
                self.position = info.next
                self.peak = max(self.peak, info.peak_saved_activation_bytes or 0)
                if info.diverged is not None:
                    return self._diverged(info)
                self.sums.add(info)
                self.last_losses = {name: float(loss.total) for name, loss in info.losses.items()}
                if info.ends_epoch:
                    self._end_epoch(info)
                self._tell(info)
                if stop.is_set():
                    self._save()
                    return self._outcome("interrupted", f"interrupted after step {info.next.steps}; --resume goes on")
                if time.monotonic() - saved_at >= self.checkpoint_seconds:
                    self._save()
                    saved_at = time.monotonic()
            self._save()
            return self._outcome("completed", "all stages trained", self._final_metrics())

    def _diverged(self, info: StepInfo) -> Outcome:
        step = info.position
        last = self.last_losses.get(info.diverged or "")  # None in a stage's first step
        shown = "none" if last is None else f"{last:.6g}"
        return self._outcome(
            "diverged",
            f"the loss of module {info.diverged!r} was not finite at step {step.steps} "
            f"(stage {step.stage}, epoch {step.epoch + 1}); last finite loss {shown}",
            {"diverged_at_step": step.steps} | ({} if last is None else {"last_finite_loss": last}),
        )

    def _end_epoch(self, info: StepInfo) -> None:
        epoch = info.position.epoch + 1
        numbers = [n for n, module in enumerate(self.plan) if module.name in info.losses]
        validation: dict[str, dict[str, float]] = {}
        if epoch % self.recipe.validate_every == 0 or info.ends_stage:
            held_out = self.dataset.validation
            validation = evaluate_modules(self.plan, held_out.x, held_out.y, numbers)
        for number in numbers:
            module = self.plan[number].name
            line = {"stage": info.position.stage, "module": module, "epoch": epoch, "step": info.next.steps}
            line["learning_rate"] = info.learning_rates[module]
            line |= {f"train_{name}": value for name, value in self.sums.means(module).items()}
            line |= {f"validation_{name}": value for name, value in validation.get(module, {}).items()}
            self.record.append(line)
        self.sums = _EpochSums()

    def _final_metrics(self) -> dict[str, float]:
        splits = {"train": self.dataset.train, "validation": self.dataset.validation, "test": self.dataset.test}
        metrics = {f"{name}_accuracy": evaluate_network(self.plan, split.x, split.y) for name, split in splits.items()}
        if self.recipe.network.head:
            metrics |= self._fold()
        common = torch.bincount(splits["train"].y).argmax()
        metrics["majority_class"] = float((splits["test"].y == common).float().mean())
        return metrics | self._information()

    def _fold(self) -> dict[str, float]:
        """Fold the last linear layer: the folded network is the result, and must give the same scores."""
        folded = fold_head(cast(nn.Sequential, self.network)).eval()
        x, y = self.dataset.test.x, self.dataset.test.y
        self.network.eval()
        with torch.no_grad():
            difference = (folded(x) - self.network(x)).abs().max().item()
        return {"test_accuracy": accuracy(folded, x, y), "folding_max_difference": difference}

    def _information(self) -> dict[str, float]:
        """Both coordinates of the deepest layer that an information objective trained, on the validation rows."""
        held_out = self.dataset.validation
        trained = [n for stage in self.plan.stages() for n in stage]
        local = evaluate_modules(self.plan, held_out.x, held_out.y, trained)
        found: dict[str, float] = {}
        for values in local.values():
            # Not merged: two coordinates of two layers are no point of any plane.
            found = {name: values[name] for name in ("mi_xt_nats", "mi_ty_nats") if name in values} or found
        return found

    def _go_on(self) -> None:
        state = load_checkpoint(self.record.checkpoint_directory, device=self.device)
        self.plan.load_state_dict(state["plan"])
        self.position = Position(**state["position"])
        self.sums = _EpochSums(state["epoch"]["steps"], state["epoch"]["sums"])
        self.peak, self.last_losses, self.elapsed = state["peak"], state["last_loss"], state["seconds"]
        self.record.reopen(state["metrics_bytes"])

    def _save(self) -> None:
        state = {
            "plan": self.plan.state_dict(),
            "position": vars(self.position),
            "epoch": {"steps": self.sums.steps, "sums": self.sums.sums},
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


def _load(recipe: Recipe, seed: int, device: torch.device) -> Dataset:
    wanted = recipe.data
    loaded = load(wanted.name, seed=seed, validation=wanted.validation, limit=wanted.limit, scaling=wanted.scaling)
    if not isinstance(loaded, Dataset):
        raise ValueError(f"{recipe.name}: {wanted.name} is a set of graphs; this recipe trains on vectors and images.")
    if recipe.precision == "64-true":
        doubled = {part: getattr(loaded, part) for part in ("train", "validation", "test")}
        loaded = replace(loaded, **{part: Split(split.x.double(), split.y) for part, split in doubled.items()})
    return loaded.to(device)
