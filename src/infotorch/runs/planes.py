"""The information planes that a run keeps: made, measured at some epochs, kept over interruptions, told in numbers."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from infotorch.data.sets import Dataset
from infotorch.diagnostics.information_plane import InformationPlane, log_epochs
from infotorch.diagnostics.plane_point import PlanePoint
from infotorch.networks.layers import ACTIVATIONS
from infotorch.numerics.states import check_keys
from infotorch.recipes.recipe import Recipe
from infotorch.records.forms import check_form
from infotorch.records.plane_points import POINT
from infotorch.runs.setup import Setup

#: Samples that are looked at, and epochs for each factor of ten: a look takes as long as several epochs of training.
NUM_SAMPLES, _PER_DECADE = 1000, 4


class RunPlanes:
    """An `InformationPlane` of the hidden layers for each assumption of a recipe.

    T are the outputs of the activations, and X is one of 1,000 samples, of training, validation and test together,
    drawn once by the seed in the proportions of the classes; all of them where there are fewer. For such an X the bins'
    values are exact, and the bounds under noise hold without an error of sampling.

    Args:
        setup: of a recipe whose `planes` name the assumptions; epochs are counted through the stages of its plan.
        directory: information_plane_<assumption>.json is written here after every look.

    Raises:
        ValueError: the data are no tensors with one row a sample, or the network has no hidden activation.
    """

    def __init__(self, setup: Setup, directory: Path) -> None:
        self.directory, self.planes = directory, dict[str, InformationPlane]()
        recipe, model, seed = setup.recipe, setup.model, setup.seed
        data = _all_samples(recipe, setup.dataset)
        kinds = tuple(ACTIVATIONS.values())
        layers = [name for name, layer in model.named_modules() if isinstance(layer, kinds)]
        if not layers:
            raise ValueError(f"{recipe.name}: planes need a network with hidden activations.")
        self.epochs = log_epochs(len(setup.plan.stages()) * recipe.epochs, per_decade=_PER_DECADE)
        for name, value in (recipe.planes or {}).items():
            assumed: dict[str, Any] = {name: int(value) if name == "num_bins" else value}
            self.planes[name] = InformationPlane(model, data, layers, num_samples=NUM_SAMPLES, seed=seed, **assumed)

    def look(self, epoch: int) -> None:
        """Measure and write, where the epoch is one of those that are looked at."""
        if epoch in self.epochs:
            for plane in self.planes.values():
                plane(epoch)
            self._write()

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far, as plain values."""
        return {name: [asdict(point) for point in plane.points] for name, plane in self.planes.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            ValueError: the state is of other planes.
        """
        check_form(state, {name: [POINT] for name in self.planes}, where=Path("its planes"))
        # A state from before reasons were kept lacks them.
        later = {field.name for field in fields(PlanePoint) if field.default is not MISSING}
        needed = [field.name for field in fields(PlanePoint) if field.name not in later]
        for name in self.planes:
            for point in state[name]:
                check_keys({key: point[key] for key in point if key not in later}, needed, where=f"its plane {name}")
        for name, points in state.items():
            self.planes[name].points = [PlanePoint(**point) for point in points]
        self._write()

    def metrics(self) -> dict[str, float]:
        """By how many nats I(X; T) of each hidden layer fell from its highest value to the last one.

        `<assumption>_layer_<k>_fall_nats`, at least 0; and where bounds bracket it `..._sure_fall_nats`, the highest
        lower bound less the last upper one: where it is above 0, there was compression in this sense.
        """
        found: dict[str, float] = {}
        for name, plane in self.planes.items():
            for number, layer in enumerate(plane.layers, start=1):
                points = [point for point in plane.points if point.layer == layer and point.mi_xt is not None]
                if points:
                    found |= {f"{name}_layer_{number}_{key}_nats": value for key, value in _falls(points).items()}
        return found

    def _write(self) -> None:
        for name, plane in self.planes.items():
            plane.write(self.directory / f"information_plane_{name}.json")


def _falls(points: list[PlanePoint]) -> dict[str, float]:
    values = [point.mi_xt for point in points if point.mi_xt is not None]
    lower = [point.mi_xt_lower for point in points if point.mi_xt_lower is not None]
    return {"fall": max(values) - values[-1]} | ({"sure_fall": max(lower) - values[-1]} if lower else {})


def _all_samples(recipe: Recipe, dataset: Dataset) -> tuple[Tensor, Tensor | None]:
    splits = (dataset.train, dataset.validation, dataset.test)
    inputs = [split.x for split in splits]
    if dataset.kind in {"graph", "graphs"} or not all(isinstance(x, Tensor) for x in inputs):
        raise ValueError(f"{recipe.name}: planes need tensors in memory; {dataset.name} has {dataset.kind}.")
    labels = None if dataset.num_classes is None else torch.cat([split.y for split in splits])
    return torch.cat(inputs), labels
