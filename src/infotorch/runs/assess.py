"""What a trained network is worth beside its accuracy: calibration, attacks, strangers, and P1 to P4 of one layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infotorch.assessment.attacks import fgsm, pgd, slope
from infotorch.assessment.calibration import calibration_error, negative_log_likelihood
from infotorch.assessment.detection import auroc, doubt_of_probability, predictive_entropy
from infotorch.assessment.robustness import affine
from infotorch.data.loading import load
from infotorch.data.sets import Dataset, Split
from infotorch.data.splits import stratified_samples
from infotorch.diagnostics.compression import compression
from infotorch.diagnostics.own_noise import own_noise
from infotorch.diagnostics.simplicity import decisions
from infotorch.networks.feature_extractor import FeatureExtractor, check_layers, in_double
from infotorch.numerics.columns import narrowed
from infotorch.numerics.seeds import SeedStreams, seed_streams
from infotorch.objectives.precision import unwatched
from infotorch.recipes.assessment_settings import AssessmentSettings
from infotorch.recipes.recipe import Recipe

# Rows a forward pass.
_CHUNK = 1000
#: data.scaling -> the range of pixels
_RANGES = {"signed": (-1.0, 1.0), "none": (0.0, 1.0), None: (0.0, 1.0)}


def load_outliers(recipe: Recipe, model: nn.Module, dataset: Dataset, seed: int) -> Tensor | None:
    """Test images of `recipe.assessment.outliers`, scaled and sized as the run's own; None without an assessment.

    Raises:
        ValueError: the run's data or the outliers are no images of one number of channels, pixels have no range, or the
            network has no layer `recipe.assessment.layer`.
        FileNotFoundError: the outliers cannot be found.
    """
    settings, where = recipe.assessment, f"{recipe.name}: assessment.outliers"
    if not settings.outliers:
        return None
    if dataset.kind != "images" or recipe.task != "classification":
        raise ValueError(f"{where} needs a network that classifies images, {dataset.name} has {dataset.kind}.")
    if recipe.data.scaling not in _RANGES:
        raise ValueError(f"{where} needs pixels with a range: data.scaling must be signed or none.")
    check_layers(model, [settings.layer], where=f"{recipe.name}: assessment.layer")
    own = tuple(dataset.train.x.shape[1:])
    found = load(settings.outliers, seed=seed, image_size=own[-1], scaling=recipe.data.scaling)
    if not isinstance(found, Dataset) or found.test.x.shape[1:] != own:
        raise ValueError(
            f"{where} must have images of shape {own}, as {dataset.name} has; {settings.outliers} has not."
        )
    return found.test.x


def assess(
    model: nn.Module,
    test: Split,
    outliers: Tensor,
    settings: AssessmentSettings,
    *,
    pixel_range: tuple[float, float],
    seed: int,
) -> dict[str, float]:
    """Numbers of a trained network on test rows, in evaluation mode and in float64.

    A network with noise ends in `SampleMean`: every number is that of its draws' mean probabilities, and the attacks
    see the gradient of that mean's loss, with new draws in every step.

    Args:
        model: images -> class scores; it is left as it was.
        test: images (n, channels, height, width) and classes.
        outliers: images of another kind, (m, channels, height, width).
        settings: what is measured.
        pixel_range: darkest and brightest pixel; radii are shares of its length.
        seed: decides the rows that are attacked and probed, the noise and every draw.

    Returns:
        `test_nll_nats`, `test_calibration_error`; `outlier_auroc_probability` and `outlier_auroc_entropy`; on
        `settings.rows` rows `unchanged_accuracy`, `affine_accuracy`, and for each radius r
        `gaussian_r_accuracy`, `fgsm_r_accuracy`, `pgd_r_accuracy` with `blind_share`, the rows at which attacks see no
        gradient; and of `settings.layer` P1 `layer_mi_ty_nats`, P2 `layer_mi_xt_nats` (not where the layer holds noise
        of its own that is not Gaussian), `layer_within_classes` and `layer_dimensions`, P3 `layer_linear_accuracy`,
        `layer_neighbour_accuracy` and `layer_network_accuracy`.

    Raises:
        ValueError: the network has no such layer.

    Example:
        >>> from torch import nn
        >>> x, y = torch.rand(60, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
        >>> x[y == 1] += 1
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> found = assess(model, Split(x / 2, y), torch.zeros(10, 1, 2, 2), AssessmentSettings(rows=60, layer="1"),
        ...     pixel_range=(0.0, 1.0), seed=0)
        >>> round(found["layer_linear_accuracy"], 1)
        1.0
    """
    check_layers(model, [settings.layer], where="assess")
    streams = seed_streams(seed)
    with unwatched(), streams.as_global_everywhere("assessment", device=test.x.device):
        twin, x = in_double(model, test.x)
        modes = [(layer, layer.training) for layer in twin.modules()]
        twin.eval()
        try:
            subject = _Subject(twin, Split(x, test.y), settings, pixel_range, streams)
            strangers = subject.scores(outliers.to(x))
            return {**subject.trust(strangers), **subject.robust(), **subject.layer()}
        finally:
            for layer, training in modes:
                layer.training = training


@dataclass(frozen=True)
class _Subject:
    """A network in evaluation mode and the rows that it is looked at with."""

    model: nn.Module
    test: Split
    settings: AssessmentSettings
    pixel_range: tuple[float, float]
    streams: SeedStreams

    def scores(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self.model(rows) for rows in x.split(_CHUNK)])

    def trust(self, strangers: Tensor) -> dict[str, float]:
        """Calibration, and the detection of strangers."""
        # On the CPU, as Apple's GPUs have no float64.
        own, y, strangers = self.scores(self.test.x).cpu(), self.test.y.cpu(), strangers.cpu()
        return {
            "test_nll_nats": negative_log_likelihood(own, y),
            "test_calibration_error": calibration_error(own, y),
            "outlier_auroc_probability": auroc(doubt_of_probability(strangers), doubt_of_probability(own)),
            "outlier_auroc_entropy": auroc(predictive_entropy(strangers), predictive_entropy(own)),
        }

    def robust(self) -> dict[str, float]:
        """P4: the network's own decision on changed images."""
        rows = self._some()
        gradient = slope(self.model, rows.x, rows.y).flatten(1)
        blind = float((gradient == 0).all(dim=1).double().mean())
        changed = {name: self._accuracy(x, rows.y) for name, x in self._changed(rows)}
        return {"blind_share": blind, **changed}

    def _changed(self, rows: Split) -> Iterator[tuple[str, Tensor]]:
        yield "unchanged_accuracy", rows.x
        yield "affine_accuracy", affine(rows.x, 1.0, self.streams)
        for kind, change in (("gaussian", self._gaussian), ("fgsm", self._fgsm), ("pgd", self._pgd)):
            for share in self.settings.radii:
                low, high = self.pixel_range
                yield f"{kind}_{share:g}_accuracy", change(rows, share * (high - low))

    def _gaussian(self, rows: Split, deviation: float) -> Tensor:
        noise = torch.randn(rows.x.shape, generator=self.streams.generator("assessment noise")).to(rows.x)
        return (rows.x + deviation * noise).clamp(*self.pixel_range)

    def _fgsm(self, rows: Split, radius: float) -> Tensor:
        return fgsm(self.model, rows.x, rows.y, radius, limits=self.pixel_range)

    def _pgd(self, rows: Split, radius: float) -> Tensor:
        settings = {"limits": self.pixel_range, "steps": self.settings.steps}
        return pgd(self.model, rows.x, rows.y, radius, **settings)

    def _accuracy(self, x: Tensor, y: Tensor) -> float:
        return float((self.scores(x).argmax(dim=1) == y).double().mean())

    def layer(self) -> dict[str, float]:
        """P1, P2 and P3 of one layer; of several draws of a row the first, and for I(X; T) their law."""
        rows, name = self._some(), self.settings.layer
        with torch.no_grad(), FeatureExtractor(self.model, [name]) as extract:
            t = narrowed(extract(rows.x)[name])
        told = decisions(t, rows.y, seed=self.streams.seed)
        own = own_noise(self.model, rows.x, [name], streams=self.streams).get(name)
        small = compression(t, rows.y, noise_levels=[self.settings.relative_noise], num_bins=(2,), own=own)
        found = {"layer_dimensions": small.dimensions}
        if small.own_noise != "other":  # without that noise the bound would say much more than the layer tells
            found["layer_mi_xt_nats"] = small.noisy[0].upper
        if small.within_classes is not None:
            found["layer_within_classes"] = small.within_classes
        if told is not None:
            found |= {
                "layer_mi_ty_nats": told.information,
                "layer_linear_accuracy": told.linear.accuracy,
                "layer_neighbour_accuracy": told.neighbours.accuracy,
                "layer_network_accuracy": told.network.accuracy,
            }
        return found

    def _some(self) -> Split:
        """The rows that are attacked and probed."""
        count = min(self.settings.rows, len(self.test))
        kept = stratified_samples(self.test.y.cpu(), count, self.streams.generator("assessed rows"))
        return self.test.select(kept.to(self.test.y.device))


def assess_run(recipe: Recipe, model: nn.Module, dataset: Dataset, outliers: Tensor, *, seed: int) -> dict[str, float]:
    """`assess` with the settings and the pixels of a recipe."""
    pixels = _RANGES[recipe.data.scaling]
    return assess(model, dataset.test, outliers, recipe.assessment, pixel_range=pixels, seed=seed)
