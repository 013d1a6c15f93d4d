"""A range test of a recipe's learning rate, on its own data, model and optimizer; test samples are never looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.folders import FolderSplit, ImageFiles
from infotorch.data.graph_checks import is_graph
from infotorch.data.sets import Split
from infotorch.figures.page import can_draw, figure_page
from infotorch.numerics.checks import check_positive
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.build import build_network
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.records.files import write_atomic, write_json
from infotorch.records.progress import Progress
from infotorch.runs.schedule_control import information_signal
from infotorch.runs.setup import Setup
from infotorch.schedules.range_choice import Probe
from infotorch.schedules.range_test import RangeOptions, RangeTest, Search, lr_range_test
from infotorch.schedules.signal import InformationSignal
from infotorch.training.averaged_weights import using_averaged_weights
from infotorch.training.devices import launch
from infotorch.training.epoch_means import EpochMeans
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Batches
from infotorch.updates.gradient import GradientUpdate

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_WHERE = "lr-range"
#: Share of an epoch that counts as one in the cheap test: for 60,000 images some 30 steps of 128.
PART = 1 / 16
#: Fewer steps than these say little of a rate: of small sets the part is larger, a whole epoch at most. With more, the
#: three trials of 55,000 samples in batches of 256 would cost over 8 epochs (results/milr-mnist.ranges.json).
LEAST_STEPS = 18
#: Training samples whose accuracy is reported, drawn once.
SCORED_SAMPLES = 2000


@dataclass(frozen=True)
class RecipeRange:
    """What a range test of a recipe found.

    Args:
        recipe: the variant, with the settings that it was tested with.
        part: share of an epoch that counted as one.
        found: the range, and everything that was measured.
        options: how it was found.
        layers: names of the layers whose signals were measured; empty for the output's.
    """

    recipe: Recipe
    part: float
    found: RangeTest
    options: RangeOptions
    layers: tuple[str, ...] = ()

    @property
    def epochs(self) -> float:
        """Epochs of all training samples that were trained."""
        return self.found.epochs * self.part

    def summary(self) -> dict[str, Any]:
        """The content of range.json: the range, what it cost, and one line for each candidate of each trial."""
        found, how, recipe = self.found, self.options, self.recipe
        tested = {"recipe": recipe.name, "variant": recipe.variant, "seed": how.seed, "changed": list(recipe.changed)}
        tested |= {"attribute": found.attribute, "layers": list(self.layers)}
        ends = {name: getattr(found, name) for name in ("lr_min", "lr_top", "lr_max", "threshold", "edges")}
        cost = {"part": self.part, "epochs": self.epochs, "seconds": round(found.seconds, 3)}
        constants = {"c1": how.c1, "c2": how.c2, "search": how.search, "rule": how.rule}
        return tested | ends | constants | cost | {"table": self.table()}

    def table(self) -> list[dict[str, Any]]:
        """One line for each candidate of each trial, see `RangeTest.table`."""
        return self.found.table()

    def figure(self) -> Figure:
        """The figure of the range test, with the recipe's name, see `RangeTest.figure`."""
        figure = self.found.figure()
        figure.update_layout(title=f"{self.recipe.name} {self.recipe.variant}: range test of the learning rate")
        return figure

    def columns(self) -> list[tuple[str, ...]]:
        """What a person reads: for each rate and trial the last value of what chose, and after how many parts."""
        trials = sorted({probe.trial for probe in self.found.probes})
        cells: dict[float, dict[int, str]] = {}
        for probe in self.found.probes:
            cells.setdefault(probe.rate, {})[probe.trial] = self._cell(probe)
        lines = [(f"{rate:g}", *(cells[rate].get(trial, "-") for trial in trials)) for rate in sorted(cells)]
        return [("lr", *(f"trial {trial}" for trial in trials)), *lines]

    def _cell(self, probe: Probe) -> str:
        if probe.failed:
            return "crashed" if probe.crashed else "dead"
        sign = -1 if self.found.attribute == "loss" else 1
        keys = [name for name in probe.values if name.split(" ")[0] == self.found.attribute]
        return f"{' '.join(f'{sign * probe.last(key):.4f}' for key in keys)} ({probe.epochs})"

    def ranges(self) -> list[tuple[str, ...]]:
        """The range in lines: one column, or one for each layer."""
        found = self.found
        ends = {"lr_min": found.lr_min, "lr_top": found.lr_top, "lr_max": found.lr_max, "threshold": found.threshold}
        listed = {name: value if isinstance(value, list) else [value] for name, value in ends.items()}
        lines = [(name, *("none" if v is None else f"{v:.4g}" for v in values)) for name, values in listed.items()]
        edges = found.edges if isinstance(found.edges, list) else [found.edges]
        lines.append(("at the edge", *(" ".join(ends) or "none" for ends in edges)))
        return [("layer", *self.layers), *lines] if len(self.layers) > 1 else lines

    def write(self, directory: Path) -> None:
        """Write range.json, and range.html with the figure where plotly is installed."""
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / "range.json", self.summary())
        if can_draw():
            write_atomic(directory / "range.html", figure_page(self.figure()).encode())


def range_of_recipe(
    recipe: Recipe,
    *,
    device: str = "auto",
    rates: Sequence[float] | None = None,
    trials: int = 3,
    epochs: int = 5,
    part: float | None = None,
    layers: bool = False,
    options: RangeOptions | None = None,
    progress: Progress | None = None,
) -> RecipeRange:
    """Find the range of learning rates of a recipe whose whole network is one module.

    The rate stays constant within a probe, whatever the recipe's schedule. Reported are the mean training loss; of
    classes the accuracy on at most 2000 training samples, which chooses the range as in the paper; and I(T; Y) on
    training samples as `recipe.schedule` says, of the output or of every layer.

    Args:
        recipe: the variant.
        device: see `launch`.
        rates: see `lr_range_test`.
        trials: see `lr_range_test`.
        epochs: of each candidate at most.
        part: share of an epoch that counts as one, above 0 and at most 1; None: for "halving" a sixteenth, or more
            where that is fewer than 18 steps; for "exhaustive" 1.
        layers: a range for each layer, from its own I(T; Y), which then is the attribute where none is named; also
            where schedule.layerwise says so.
        options: see `lr_range_test`. Its seed decides the recipe's samples, their order and its weights as well; reset
            is the recipe's own. None: c1 and c2 are the recipe's, `schedule.c1` and `schedule.c2`.
        progress: told about every part.

    Raises:
        ValueError: several modules, an update by halves, critics, an objective to be searched, a part out of range, or
            what `lr_range_test` and the recipe refuse.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> recipe = change(find_recipe("demo", "bp"), {"data.limit": 200, "optimizer.name": "sgd"})
        >>> tested = range_of_recipe(recipe, device="cpu", trials=1, epochs=2)
        >>> tested.found.lr_min <= tested.found.lr_top <= tested.found.lr_max
        True
    """
    if part is not None:
        check_positive(part, where=_WHERE, name="part")
        if part > 1:
            raise ValueError(f"{_WHERE}: part must be at most 1, a whole epoch, got {part}.")
    how = options if options is not None else RangeOptions(c1=recipe.schedule.c1, c2=recipe.schedule.c2)
    layers = layers or recipe.schedule.layerwise
    trainee = Trainee(Setup(_at_constant_rate(recipe), how.seed, device), how.search, part)
    signal = trainee.signal(layers)
    if layers and signal is None:
        raise ValueError(
            f"{_WHERE}: layers need samples with targets, and {recipe.data.name} has none for {recipe.name}."
        )
    attribute = "information" if layers and how.attribute is None else how.attribute
    # An epoch draws from the global generators, which nobody has seeded.
    with seed_streams(how.seed).as_global("range-test-parts", device=trainee.device):
        found = lr_range_test(
            trainee.state,
            trainee.optimizer,
            trainee.epoch,
            signal=signal,
            rates=rates,
            trials=trials,
            epochs=epochs,
            options=replace(how, attribute=attribute, reset=trainee.reset),
            progress=progress,
        )
    names = signal.layers if layers and signal is not None else ()
    return RecipeRange(trainee.recipe, trainee.part, found, how, tuple(names or ()))


def _at_constant_rate(recipe: Recipe) -> Recipe:
    where = f"{_WHERE}: {recipe.name} {recipe.variant}"
    if recipe.searches_objectives:
        raise ValueError(f"{where} searches its objectives; name them with --set plan.objectives=....")
    if recipe.plan.cuts:
        raise ValueError(
            f"{where} trains {len(recipe.plan.cuts) + 1} modules, each with a rate of its own; choose a "
            "variant that trains the whole network, such as bp."
        )
    if recipe.split.at and recipe.split.order != "bp":
        raise ValueError(f"{where} moves two halves in turn, and this test one optimizer; choose a variant such as bp.")
    return change(recipe, {"optimizer.schedule": "constant", "schedule.layerwise": False})


class Trainee:
    """A recipe's model at the hands of a range test. It can be copied into a worker process.

    Args:
        setup: of the recipe at a constant rate; it is prepared here.
        search: see `RangeOptions`.
        part: see `range_of_recipe`.

    Attributes:
        part: share of an epoch that `epoch` trains.
        state: everything that training moves: the model and what its objective owns.

    Raises:
        ValueError: an objective with critics, or what a run of the recipe refuses.
    """

    def __init__(self, setup: Setup, search: Search = "halving", part: float | None = None) -> None:
        setup.prepare()
        self.recipe, self.seed, self.device = setup.recipe, setup.seed, str(setup.fabric.device)
        self.fabric, self.plan, self.model = setup.fabric, setup.plan, setup.model
        self.batches, self.dataset = setup.batches, setup.dataset
        (module,) = self.plan
        if module.critic_update is not None:
            raise ValueError(f"{_WHERE}: {self.recipe.name} {self.recipe.variant} trains critics beside its network.")
        assert isinstance(module.update, GradientUpdate)
        self.optimizer = module.update.optimizer
        self.state = nn.ModuleList(one for one in (self.model, module.objective) if one is not None)
        least = min(1.0, LEAST_STEPS / len(self.batches))
        default = 1.0 if search == "exhaustive" else max(PART, least)
        self.steps = max(1, round((default if part is None else part) * len(self.batches)))
        self.part = self.steps / len(self.batches)
        self.scored = self._scored_samples()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "fabric"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.fabric = launch(self.device, self.recipe.precision)

    def epoch(self) -> dict[str, float]:
        """Train on a part of the training samples, in an order that torch's global generator draws, and report."""
        number = int(torch.randint(2**31, ()))
        means, (module,) = EpochMeans(), self.plan
        part = _Part(self.batches, number, self.steps)
        for info in train(self.plan, part, epochs=1, seed=number, fabric=self.fabric):
            means.add(info)
            if info.diverged is not None:
                return {"loss": math.nan, **({"accuracy": math.nan} if self.scored is not None else {})}
        report = {"loss": means.of(module.name)["loss"]}
        if self.scored is not None:
            with using_averaged_weights(self.plan, self.batches):
                numbers = evaluate_modules(self.plan, self.scored.x, self.scored.y, [0])[module.name]
            report |= {name: value for name, value in numbers.items() if name == "accuracy"}
        return report

    def reset(self) -> None:
        """Other initial weights of the network, from torch's global generator."""
        self.model.load_state_dict(build_network(self.recipe, self.dataset).state_dict())

    def signal(self, layers: bool) -> InformationSignal | None:
        """I(T; Y) of the output or of every layer; None where the network restores its input, or takes graphs."""
        samples = self.dataset.train
        if self.recipe.task == "denoising" or not isinstance(samples.x, Tensor | ImageFiles):
            return None
        return information_signal(change(self.recipe, {"schedule.layerwise": layers}), self.model, samples, self.seed)

    def _scored_samples(self) -> Split | None:
        """The samples whose accuracy is reported; None where there are no classes."""
        samples = self.dataset.train
        if self.dataset.num_classes is None or self.recipe.task == "denoising":
            return None
        if is_graph(getattr(samples.x, "graph", None)):
            return samples  # all nodes of one graph are one pass
        known = (samples.y >= 0).nonzero().flatten()
        order = torch.randperm(len(known), generator=seed_streams(self.seed).generator("range-test-rows"))
        chosen = known[order[:SCORED_SAMPLES].to(known.device)]
        if isinstance(samples.x, ImageFiles):  # they stay on disk
            files = FolderSplit(samples.x, samples.y).select(chosen)
            return Split(files.x, files.y)
        return samples.select(chosen)


class _Part:
    """The first batches of an epoch of others.

    Args:
        whole: all batches.
        number: of the epoch.
        steps: how many batches.
    """

    def __init__(self, whole: Any, number: int, steps: int) -> None:
        self.whole, self.number, self.steps = whole, number, steps
        self.y = whole.y

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, *, start: int = 0) -> Any:
        """The batches from step `start` on; of one epoch, whichever is asked for."""
        return islice(self.whole.epoch(self.number, start=start), self.steps - start)

    def labelled(self) -> Batches:
        """The same part of the labelled samples alone."""
        labelled = getattr(self.whole, "labelled", None)
        return self if labelled is None else _Part(labelled(), self.number, self.steps)
