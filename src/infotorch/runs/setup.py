"""What a run starts from: device, samples, model, plan and batches of a recipe and a seed; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from infotorch.data.augment import augmentation_for, check_augmentation
from infotorch.data.folders import ImageFolders, folders_as_dataset
from infotorch.data.graph_splits import graphs_as_dataset
from infotorch.data.loading import load
from infotorch.data.sets import Dataset, Graph, GraphSet, Split
from infotorch.data.splits import stratified_samples
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.training.assignment import assignments
from infotorch.training.batch_norm import update_batch_norm
from infotorch.training.devices import launch, resolve_device
from infotorch.training.image_views import check_views
from infotorch.training.inputs import batches_of


class Setup:
    """What a run of a recipe with a seed starts from, built and not yet trained.

    Args:
        recipe: a variant, with its settings.
        seed: decides the samples, the weights, the order of the batches and the noise.
        device: see `launch`.
        dataset: what `load_samples` returned, where it has been called already.

    Attributes:
        fabric: see `launch`.
        dataset: the samples, on the device.
        model: with its initial weights, on the device.
        plan: what trains the model, in place.
        batches: the training samples, a batch at a time.

    Raises:
        ValueError: the settings do not fit the data, or the device is not there.
        FileNotFoundError: a data file is missing and cannot be downloaded.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> setup = Setup(change(find_recipe("demo"), {"data.limit": 100}), seed=0, device="cpu")
        >>> len(setup.dataset.train), [module.name for module in setup.plan]
        (100, ['fc1', 'fc2', 'fc3', 'head'])
    """

    def __init__(self, recipe: Recipe, seed: int, device: str = "auto", *, dataset: Dataset | None = None) -> None:
        self.recipe, self.seed = recipe, seed
        self.fabric = launch(device, recipe.precision, together=True)
        self.dataset = (load_samples(recipe, seed) if dataset is None else dataset).to(self.fabric.device)
        with seed_streams(seed).as_global("init"):
            model = build_network(recipe, self.dataset)
        dtype = torch.float64 if recipe.precision == "64-true" else torch.float32
        self.model: nn.Module = model.to(self.fabric.device, dtype)
        self.plan = build_plan(recipe, self.model)
        train, augment = self.dataset.train, augmentation_for(self.dataset.name, recipe.data.augment)
        self.batches = batches_of(train.x, train.y, batch_size=recipe.batch_size, seed=seed, augment=augment)

    def prepare(self) -> None:
        """Make it ready for the first step: statistics of modules that nothing trains, read-outs and updates.

        Raises:
            ValueError: nothing is left to train, or the model cannot take the samples.
        """
        if self.plan[0].objective is None:  # the leading modules are random features
            update_batch_norm(self.plan, self.dataset.train.x, batch_size=self.recipe.batch_size)
        self.plan.prepare(self.batches, epochs=self.recipe.epochs, seed=self.seed)


class Setups:
    """Setups that share their samples: data of the same settings and seed are loaded once.

    So the runs of a table, the trials of a search and the check that comes before them read no file twice.

    Args:
        most_bytes: of samples and models that are kept; what would exceed it is loaded or built again at its turn.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> setups, small = Setups(), {"data.limit": 100}
        >>> first, second = (setups.take(change(find_recipe("demo", one), small), 0, "cpu") for one in ("bp", "random"))
        >>> first.dataset.train.x is second.dataset.train.x
        True
    """

    def __init__(self, most_bytes: int = 2**30) -> None:
        self.free_bytes = most_bytes
        self._samples: dict[str, Dataset] = {}
        self._ready: list[tuple[Setup, str]] = []

    def check(self, recipe: Recipe, seed: int, device: str = "auto") -> None:
        """Load the samples and build model and plan, as a run does before it trains; `take` hands out the same ones.

        They are built on the CPU: on an accelerator they would count in the memory of the run before theirs, so that
        only the samples are kept where the device is one.

        Raises:
            ValueError: the device is not there, or a setting does not fit.
            FileNotFoundError: a data file is missing and cannot be downloaded.
        """
        on_cpu = resolve_device(device).type == "cpu"
        setup = Setup(with_objectives(recipe), seed, "cpu", dataset=self._load(recipe, seed))
        if on_cpu and not recipe.tune and self._fits(setup.model.parameters()):
            self._ready.append((setup, device))

    def take(self, recipe: Recipe, seed: int, device: str = "auto") -> Setup:
        """The setup of a run, which is the caller's from then on.

        Raises:
            ValueError: see `Setup`.
            FileNotFoundError: see `Setup`.
        """
        for number, (setup, where) in enumerate(self._ready):
            if (setup.seed, where) == (seed, device) and setup.recipe == recipe:
                self.free_bytes += sum(weight.nbytes for weight in setup.model.parameters())
                return self._ready.pop(number)[0]
        return Setup(recipe, seed, device, dataset=self._load(recipe, seed))

    def _load(self, recipe: Recipe, seed: int) -> Dataset:
        key = f"{recipe.data.model_dump_json()} {recipe.precision == '64-true'} {seed}"  # all that `load_samples` reads
        if key in self._samples:
            return self._samples[key]
        loaded = load_samples(recipe, seed)
        if self._fits(_tensors(loaded)):
            self._samples[key] = loaded
        return loaded

    def _fits(self, tensors: Iterator[Tensor]) -> bool:
        size = sum(tensor.nbytes for tensor in tensors)
        fits = size <= self.free_bytes
        self.free_bytes -= size if fits else 0
        return fits


def _tensors(dataset: Dataset) -> Iterator[Tensor]:
    """The large ones; graphs are small, and pictures may stay on disk."""
    for split in (dataset.train, dataset.validation, dataset.test):
        yield from (values for values in (split.x, split.y) if isinstance(values, Tensor))


def with_objectives(recipe: Recipe) -> Recipe:
    """The recipe, with the first assignment where its objectives are still to be searched: then it can be built."""
    if not recipe.searches_objectives:
        return recipe
    return change(recipe, {"plan.objectives": assignments(len(recipe.plan.cuts) + 1)[0]})


def load_samples(recipe: Recipe, seed: int) -> Dataset:
    """The samples that a run of `recipe` with `seed` sees.

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
        for key, count in (("limit", wanted.limit), ("labels", wanted.labels)):
            if count is not None and count < loaded.num_classes:
                raise ValueError(
                    f"{recipe.name}: data.{key} must leave a sample of each of {loaded.num_classes} classes."
                )
    check_augmentation(wanted.augment, loaded.train.x, where=recipe.name)
    if wanted.test_views:
        check_views(loaded.train.x, where=recipe.name)
    if not wanted.holds_out:
        loaded = _with_validation(loaded)
    if wanted.labels is not None:
        loaded = _keep_labels(loaded, wanted.labels, seed)
    if recipe.precision == "64-true":
        doubled = {part: getattr(loaded, part) for part in ("train", "validation", "test")}
        loaded = replace(loaded, **{part: Split(split.x.to(torch.float64), split.y) for part, split in doubled.items()})
    return loaded


def _with_validation(dataset: Dataset) -> Dataset:
    """The data set with its validation samples among the training samples as well, behind them; scaling as before."""
    train, held_out = dataset.train, dataset.validation
    if not isinstance(train.x, Tensor):
        raise ValueError(f"{dataset.name}: data.train_on_validation must be false for samples that are no tensor.")
    x, y = torch.cat([train.x, held_out.x]), torch.cat([train.y, held_out.y])
    # The same memory: there may be much of it.
    return replace(dataset, train=Split(x, y), validation=Split(x[len(train) :], y[len(train) :]))


def _keep_labels(dataset: Dataset, count: int, seed: int) -> Dataset:
    """The data set with labels on `count` training samples alone."""
    y = dataset.train.y
    labelled = (y >= 0).nonzero().flatten()  # of one graph, all nodes are samples
    if count > len(labelled):
        raise ValueError(
            f"{dataset.name}: data.labels must be at most {len(labelled)}, the number of training samples, got {count}."
        )
    chosen = labelled[stratified_samples(y[labelled], count, seed_streams(seed).generator("labels"))]
    kept = torch.full_like(y, -1)
    kept[chosen] = y[chosen]
    return replace(dataset, train=Split(dataset.train.x, kept))
