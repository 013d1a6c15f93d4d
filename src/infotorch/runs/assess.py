"""The assessment that a recipe asks for: its outliers, its settings, and the numbers that stand beside the accuracy."""

from __future__ import annotations

from torch import Tensor, nn

from infotorch.assessment.assess import assess
from infotorch.assessment.obfuscation import obfuscation_check
from infotorch.data.loading import load
from infotorch.data.sets import Dataset
from infotorch.diagnostics.properties import layer_properties
from infotorch.networks.feature_extractor import check_layers, in_double
from infotorch.numerics.seeds import seed_streams
from infotorch.recipes.recipe import Recipe
from infotorch.runs.surrogate import surrogate_network

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


def assess_run(recipe: Recipe, model: nn.Module, dataset: Dataset, outliers: Tensor, *, seed: int) -> dict[str, float]:
    """`assess` on test samples, with the settings and the pixels of a recipe, and P1 to P3 of the layer that it names.

    Args:
        recipe: says what is measured.
        model: trained; it is left as it was.
        dataset: whose test samples are looked at.
        outliers: from `load_outliers`.
        seed: of the run.

    Returns:
        The numbers of `infotorch.assessment.assess.assess` and of `infotorch.diagnostics.properties.layer_properties`,
        and with `recipe.assessment.restarts` those of `infotorch.assessment.obfuscation.obfuscation_check`.

    Raises:
        ValueError: the model has no layer `recipe.assessment.layer`.
    """
    settings, pixels = recipe.assessment, _RANGES[recipe.data.scaling]
    check_layers(model, [settings.layer], where="assess")
    device = str(dataset.test.x.device)
    other = surrogate_network(recipe, seed=seed, device=device) if settings.restarts else None

    def more(twin: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
        noise, streams = settings.relative_noise, seed_streams(seed)
        found = layer_properties(twin, settings.layer, x, y, relative_noise=noise, streams=streams)
        if other is None:
            return found
        surrogate, _ = in_double(other, x)
        return found | obfuscation_check(
            twin,
            surrogate,
            x,
            y,
            {share: share * (pixels[1] - pixels[0]) for share in settings.radii},
            streams=streams,
            limits=pixels,
            steps=settings.steps,
            strong_steps=settings.strong_steps,
            restarts=settings.restarts,
        )

    return assess(
        model,
        (dataset.test.x, dataset.test.y),
        outliers,
        pixel_range=pixels,
        num_samples=settings.num_samples,
        radii=settings.radii,
        steps=settings.steps,
        seed=seed,
        further=more,
    )
