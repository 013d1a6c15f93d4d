"""What a trained classifier is worth beside its accuracy: calibration, attacks, noise, out-of-distribution samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infotorch.assessment.attacks import fgsm, pgd, slope
from infotorch.assessment.calibration import calibration_error, negative_log_likelihood
from infotorch.assessment.detection import auroc, doubt_of_probability, predictive_entropy
from infotorch.assessment.robustness import affine
from infotorch.data.splits import stratified_samples
from infotorch.networks.feature_extractor import in_double
from infotorch.numerics.seeds import SeedStreams, seed_streams
from infotorch.objectives.layer_hook import hooks_paused

# Samples a forward pass.
_CHUNK = 1000

#: A model in evaluation mode and in float64, inputs and classes -> more numbers of it.
Further = Callable[[nn.Module, Tensor, Tensor], Mapping[str, float]]


def assess(
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    outliers: Tensor,
    *,
    pixel_range: tuple[float, float],
    num_samples: int = 1000,
    radii: Sequence[float] = (0.05, 0.1, 0.2),
    steps: int = 20,
    seed: int = 0,
    further: Further | None = None,
) -> dict[str, float]:
    """Numbers of a trained classifier of images on held-out samples, in evaluation mode and in float64.

    A model with noise ends in `SampleMean`: every number is that of its draws' mean probabilities, and the attacks
    see the gradient of that mean's loss, with new draws in every step.

    Args:
        model: images -> class scores; it is left as it was.
        data: (x, y): images (n, channels, height, width) and classes (n,).
        outliers: images of another kind, (m, channels, height, width).
        pixel_range: darkest and brightest pixel; radii are shares of its length.
        num_samples: samples that are attacked, drawn in the proportions of the classes.
        radii: of the attacks and of Gaussian noise (its deviation), in units of the pixels' whole range.
        steps: of projected gradient descent, each of 2.5 radii divided by their number.
        seed: decides the samples that are attacked, the noise and every draw.
        further: measures more of the same model on the samples that were attacked, after everything else.

    Returns:
        `test_nll_nats`, `test_calibration_error`; `outlier_auroc_probability` and `outlier_auroc_entropy`; on
        num_samples samples `unchanged_accuracy`, `affine_accuracy`, and for each radius r `gaussian_r_accuracy`,
        `fgsm_r_accuracy`, `pgd_r_accuracy` with `blind_share`, the samples at which attacks see no gradient; and what
        `further` gives.

    Raises:
        TypeError: a radius is no number, or steps or seed no integer.
        ValueError: a radius negative or not finite, steps below 1, or no samples.

    Example:
        >>> x, y = torch.rand(60, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
        >>> found = assess(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), (x, y), x, pixel_range=(0.0, 1.0))
        >>> round(found["outlier_auroc_entropy"], 6)  # outliers that are the samples themselves
        0.5
    """
    streams = seed_streams(seed)
    with hooks_paused(), streams.as_global_everywhere("assessment", device=data[0].device):
        twin, x = in_double(model, data[0])
        modes = [(layer, layer.training) for layer in twin.modules()]
        twin.eval()
        try:
            subject = _Subject(twin, x, data[1], pixel_range, streams)
            found = subject.trust(subject.scores(outliers.to(x)))
            some = subject.some(num_samples)
            found |= some.robust(radii, steps)
            return found if further is None else {**found, **further(twin, some.x, some.y)}
        finally:
            for layer, training in modes:
                layer.training = training


@dataclass(frozen=True)
class _Subject:
    """A model in evaluation mode and the samples that it is looked at with."""

    model: nn.Module
    x: Tensor
    y: Tensor
    pixel_range: tuple[float, float]
    streams: SeedStreams

    def some(self, num_samples: int) -> _Subject:
        """The same model with fewer samples."""
        count = min(num_samples, len(self.y))
        kept = stratified_samples(self.y.cpu(), count, self.streams.generator("assessed rows")).to(self.y.device)
        return _Subject(self.model, self.x[kept], self.y[kept], self.pixel_range, self.streams)

    def scores(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self.model(some) for some in x.split(_CHUNK)])

    def trust(self, outliers: Tensor) -> dict[str, float]:
        """Calibration, and the detection of out-of-distribution samples by their scores."""
        # On the CPU, as Apple's GPUs have no float64.
        own, y, outliers = self.scores(self.x).cpu(), self.y.cpu(), outliers.cpu()
        return {
            "test_nll_nats": negative_log_likelihood(own, y),
            "test_calibration_error": calibration_error(own, y),
            "outlier_auroc_probability": auroc(doubt_of_probability(outliers), doubt_of_probability(own)),
            "outlier_auroc_entropy": auroc(predictive_entropy(outliers), predictive_entropy(own)),
        }

    def robust(self, radii: Sequence[float], steps: int) -> dict[str, float]:
        """The model's own decision on changed images."""
        gradient = slope(self.model, self.x, self.y).flatten(1)
        blind = float((gradient == 0).all(dim=1).double().mean())
        return {"blind_share": blind, **{name: self._accuracy(x) for name, x in self._changed(radii, steps)}}

    def _changed(self, radii: Sequence[float], steps: int) -> Iterator[tuple[str, Tensor]]:
        low, high = self.pixel_range
        sizes = {share: share * (high - low) for share in radii}
        attacked = self.model, self.x, self.y
        yield "unchanged_accuracy", self.x
        yield "affine_accuracy", affine(self.x, 1.0, self.streams)
        for share, noise_std in sizes.items():
            yield f"gaussian_{share:g}_accuracy", self._noisy(noise_std)
        for share, radius in sizes.items():
            yield f"fgsm_{share:g}_accuracy", fgsm(*attacked, radius, limits=self.pixel_range)
        for share, radius in sizes.items():
            yield f"pgd_{share:g}_accuracy", pgd(*attacked, radius, limits=self.pixel_range, steps=steps)

    def _noisy(self, noise_std: float) -> Tensor:
        noise = torch.randn(self.x.shape, generator=self.streams.generator("assessment noise")).to(self.x)
        return (self.x + noise_std * noise).clamp(*self.pixel_range)

    def _accuracy(self, x: Tensor) -> float:
        return float((self.scores(x).argmax(dim=1) == self.y).double().mean())
