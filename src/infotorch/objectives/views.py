"""Information that survives a change which does not matter: InfoNCE between a module's outputs for two views of x.

A view is a random affine map of an image, mirrored or in other colours if wanted, or a row of a table with some of its
values replaced by those of other rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.estimators.bounds import infonce
from infotorch.estimators.spatial import inner_products
from infotorch.numerics.checks import (
    check_count,
    check_number,
    check_positive,
    check_share,
    check_size,
    check_widths,
    shown,
)
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.module_inputs import module_input
from infotorch.numerics.seeds import as_generator
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision, nothing_to_learn
from infotorch.objectives.locations import at_most_locations


def random_affine(
    images: Tensor,
    *,
    rotation: float = 15.0,
    scale: tuple[float, float] = (0.8, 1.2),
    shift: float = 0.1,
    shear: float = 10.0,
    generator: torch.Generator,
) -> Tensor:
    """Every image under an affine map of its own, about its centre; what comes from outside repeats the border.

    Args:
        images: shape (n, channels, height, width), real.
        rotation: angles are uniform within this many degrees on either side.
        scale: magnifications lie between these two, uniform in their logarithm.
        shift: offsets are uniform within this share of the width, and of the height, on either side.
        shear: angles are uniform within this many degrees on either side, below 90.
        generator: on the device of the images.

    Returns:
        The same shape, bilinear, without gradient.

    Example:
        >>> images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> still = {"rotation": 0, "scale": (1, 1), "shift": 0, "shear": 0}
        >>> same = random_affine(images, **still, generator=torch.Generator().manual_seed(0))
        >>> torch.allclose(same, images, atol=1e-6)
        True
    """
    n, _, height, width = images.shape
    drawn = torch.rand(5, n, generator=generator, device=images.device, dtype=images.dtype) * 2 - 1
    angle, slant = drawn[0] * math.radians(rotation), (drawn[1] * math.radians(shear)).tan()
    low, high = math.log(scale[0]), math.log(scale[1])
    zoom = ((low + high) / 2 + drawn[2] * (high - low) / 2).exp()
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    # affine_grid counts both axes from -1 to 1: a turn in pixels is one only after the sides' ratio is put in.
    across, down = height / width, width / height
    first = torch.stack([cosine, (cosine * slant - sine) * across, 2 * shift * drawn[3]], dim=1)
    second = torch.stack([sine * down, sine * slant + cosine, 2 * shift * drawn[4]], dim=1)
    with torch.no_grad():
        grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def random_colours(images: Tensor, *, jitter: float, grey: float, generator: torch.Generator) -> Tensor:
    """Every image with a brightness, contrast and saturation of its own; some of them without colour.

    Args:
        images: shape (n, channels, height, width), real, on whatever scale.
        jitter: brightness moves uniformly by up to this many standard deviations of the pixels; contrast, about the
            image's mean, and saturation, about the mean of its channels, by factors uniform within 1 +- jitter.
        grey: the share of the images whose channels all become their mean.
        generator: on the device of the images.

    Returns:
        The same shape, without gradient. Values are not cut off at white and black.

    Source: Chen, Kornblith, Norouzi & Hinton 2020 (SimCLR), arXiv:2002.05709, Appendix A, without the change of hue.

    Example:
        >>> images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> seen = random_colours(images, jitter=0.0, grey=1.0, generator=torch.Generator().manual_seed(0))
        >>> torch.allclose(seen, images.mean(dim=1, keepdim=True).expand_as(images))
        True
    """
    images = images.detach()
    shape = (4, len(images), 1, 1, 1)
    *moves, coin = torch.rand(shape, generator=generator, device=images.device, dtype=images.dtype)
    brightness, contrast, saturation = (jitter * (2 * drawn - 1) for drawn in moves)
    lightness = images.mean(dim=1, keepdim=True)
    seen = lightness + torch.where(coin < grey, 0.0, 1 + saturation) * (images - lightness)
    middle = seen.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (1 + contrast) * (seen - middle) + brightness * images.std()


def replace_features(rows: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
    """Samples in which a random share of the values is replaced by the same feature's value in other random samples.

    Args:
        rows: shape (n, d).
        share: the probability that a value is replaced, each for itself; the donor may be the sample itself.
        generator: on the device of the samples.

    Source: Bahri, Jiang, Tay & Metzler 2022 (SCARF), arXiv:2106.15147, Algorithm 1. They replace exactly a share of the
        features and draw from all training samples; we draw from the samples given.

    Example:
        >>> rows = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
        >>> seen = replace_features(rows, share=0.5, generator=torch.Generator().manual_seed(0))
        >>> set(seen[:, 1].tolist()) <= {10.0, 20.0, 30.0}
        True
    """
    donors = torch.randint(len(rows), rows.shape, generator=generator, device=rows.device)
    # Another type, such as the default one of a process in float64, would draw others.
    chosen = torch.rand(rows.shape, generator=generator, device=rows.device, dtype=torch.float32) < share
    return torch.where(chosen, rows.gather(0, donors), rows)


class ViewInformation(Objective):
    """Minus InfoNCE between the module's outputs for two views of the same raw input, in nats: label-free.

    Scores are cosine similarities of the outputs, projected by one network, over the temperature; the loss is the mean
    of both directions, and at least -log n for n samples.

    With one view, T of the sample itself is set against T' of a view. Given X, the view does not depend on T, so that
    I(T; T') <= I(T; X) and `mi_xt_nats` is a lower bound on I(X; T): of that information it finds the part which views
    share, and ignores the rest. With two views the same holds with a view in the place of the sample; of the samples as
    they are it says nothing, and the term is left out of `sides`.

    Args:
        rotation: images: degrees on either side (see `random_affine`, also for the next three).
        scale: images: least and largest magnification.
        shift: images: share of the width and of the height on either side.
        shear: images: degrees on either side.
        mirrored: images: half of the views are turned left to right.
        jitter: images: strength of random brightness, contrast and saturation (see `random_colours`).
        grey: images: share of the views without colour, likewise.
        corruption: vectors: the share of values replaced by those of other samples (see `replace_features`); of graphs,
            the features of nodes, on the same edges.
        noise_std: of Gaussian noise on views, in units of the deviation of x over the batch: of a feature, or of
            all pixels.
        temperature: what cosine similarities are divided by.
        locations: grids are averaged to at most this many rows and columns before the projection; None: as they are.
        hidden: widths of the projection's hidden layers; none makes it linear.
        embedding: number of outputs of the projection.
        num_views: 1 sets the batch's own output against that for one view; 2 compares two views, for one pass more.

    Raises:
        ValueError: a value out of range.
        TypeError: a width or a number of locations that is not an integer, or hidden is no sequence.

    Source: InfoNCE by van den Oord, Li & Vinyals 2018, arXiv:1807.03748; two views, cosine and temperature as in Chen,
        Kornblith, Norouzi & Hinton 2020 (SimCLR), arXiv:2002.05709, where the other samples of the same view are
        negatives too and projections have a hidden layer; vectors as in SCARF, Bahri et al. 2022, arXiv:2106.15147,
        whose share is 0.6 and temperature 1.

    Example:
        >>> x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> layer = nn.Conv2d(1, 4, 3)
        >>> batch = LocalBatch(x, x, layer(x), None, encode=layer)
        >>> objective = ViewInformation()
        >>> objective.build(batch, None)
        >>> bool(objective(batch).terms["mi_xt_nats"] <= math.log(6))
        True
    """

    knows_graphs: bool = True  # a view changes the features of nodes, whatever the output's rows are
    projection: nn.Sequential

    def __init__(
        self,
        *,
        rotation: float = 15.0,
        scale: tuple[float, float] = (0.8, 1.2),
        shift: float = 0.1,
        shear: float = 10.0,
        mirrored: bool = False,
        jitter: float = 0.0,
        grey: float = 0.0,
        corruption: float = 0.3,
        noise_std: float = 0.0,
        temperature: float = 0.2,
        locations: int | None = 4,
        hidden: Sequence[int] = (),
        embedding: int = 64,
        num_views: int = 1,
    ) -> None:
        super().__init__()
        _check_settings(rotation, scale, shift, shear, corruption, noise_std, num_views)
        check_kind(mirrored, bool, where="ViewInformation", name="mirrored", said="True or False")
        for name, value in (("jitter", jitter), ("grey", grey)):
            check_share(value, where="ViewInformation", name=name)
        check_positive(temperature, where="ViewInformation", name="temperature")
        check_size(embedding, where="ViewInformation", name="embedding")
        if locations is not None:
            check_count(locations, where="ViewInformation", name="locations")
        self.rotation, self.scale, self.shift, self.shear = rotation, scale, shift, shear
        self.mirrored, self.jitter, self.grey = mirrored, jitter, grey
        self.corruption, self.noise_std, self.temperature, self.num_views = (
            corruption,
            noise_std,
            temperature,
            num_views,
        )
        self.locations, self.widths = locations, (*check_widths(hidden, where="ViewInformation"), embedding)
        self.sides: Mapping[str, Side] = {"mi_xt_nats": "lower"} if num_views == 1 else {}

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the projection.

        Raises:
            TypeError: x is not real-valued.
            ValueError: x is neither images nor vectors.
        """
        if not example.x.is_floating_point():
            raise TypeError(f"ViewInformation: x must be real-valued, got {example.x.dtype}.")
        if example.x.ndim not in (2, 4):
            raise ValueError(
                "ViewInformation: x must be images (n, channels, height, width) or vectors (n, features), "
                f"got {tuple(example.x.shape)}."
            )
        like = example.output
        widths = [at_most_locations(like, self.locations)[0].numel(), *self.widths]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, device=like.device, dtype=like.dtype), nn.ReLU()]
        self.projection = nn.Sequential(*layers[:-1])

    def view(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A random view of every sample of x."""
        x = module_input(x, where="ViewInformation.view", name="x")
        as_generator(generator, where="ViewInformation.view")
        if len(x) == 0:
            raise ValueError("ViewInformation.view: x must have at least one row, got none.")
        if x.ndim == 4:
            seen = self._moved(x, generator)
        else:
            seen = replace_features(x, share=self.corruption, generator=generator)
        if self.noise_std > 0:
            # One row has no spread, and numbers alone would say NaN.
            spread = x.std() if x.ndim == 4 else x.std(dim=0, correction=min(1, len(x) - 1))
            drawn = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            seen = seen + self.noise_std * spread * drawn
        return seen

    def _moved(self, images: Tensor, generator: torch.Generator) -> Tensor:
        seen = random_affine(
            images, rotation=self.rotation, scale=self.scale, shift=self.shift, shear=self.shear, generator=generator
        )
        if self.mirrored:
            coin = torch.rand(len(seen), generator=generator, device=seen.device, dtype=seen.dtype) < 0.5
            seen = torch.where(coin[:, None, None, None], seen.flip(-1), seen)
        if self.jitter or self.grey:
            seen = random_colours(seen, jitter=self.jitter, grey=self.grey, generator=generator)
        return seen

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the mean of InfoNCE in both directions; zero for a single sample, which has nothing to be told from."""
        rows = len(batch.output)  # of graphs: nodes, or graphs behind the read-out
        if rows < 2:
            return nothing_to_learn(batch.output)
        generator = batch.generator("views")
        with torch.no_grad():
            views = [self.view(batch.x, generator) for _ in range(self.num_views)]
        encoded = batch.encode(torch.cat(views))
        if len(encoded) != rows * self.num_views:
            raise ValueError(
                f"ViewInformation: the module must give {rows} rows for a view, as for the batch, got {len(encoded)} "
                f"for {self.num_views}."
            )
        outputs = encoded.split(rows)
        first, second = outputs if self.num_views == 2 else (batch.output, *outputs)
        scores = inner_products(self._embedded(first), self._embedded(second)) / self.temperature
        information = (infonce(scores) + infonce(scores.T)) / 2
        return Loss(-information, {"mi_xt_nats": information.detach()})

    def _embedded(self, output: Tensor) -> Tensor:
        rows = at_most_locations(output, self.locations).flatten(1)
        return F.normalize(full_precision(self.projection(rows)), dim=1)


def _two_numbers(values: object) -> bool:
    return isinstance(values, Sequence) and len(values) == 2 and all(isinstance(value, Real) for value in values)


def _check_settings(
    rotation: float,
    scale: tuple[float, float],
    shift: float,
    shear: float,
    corruption: float,
    noise_std: float,
    num_views: int,
) -> None:
    for name, value in (("rotation", rotation), ("shift", shift), ("noise_std", noise_std)):
        check_number(value, where="ViewInformation", name=name)
        if not 0 <= value < math.inf:
            raise ValueError(f"ViewInformation: {name} must be at least 0 and finite, got {value}.")
    check_number(shear, where="ViewInformation", name="shear")
    if not 0 <= shear < 90:
        raise ValueError(f"ViewInformation: shear must be at least 0 and below 90 degrees, got {shear}.")
    if not _two_numbers(scale) or not 0 < scale[0] <= scale[1] < math.inf:
        raise ValueError(
            f"ViewInformation: scale must be two magnifications, 0 < least <= largest, got {shown(scale)}."
        )
    check_share(corruption, where="ViewInformation", name="corruption")
    if not isinstance(num_views, Real) or num_views not in (1, 2):
        raise ValueError(f"ViewInformation: num_views must be 1 or 2, got {shown(num_views)}.")
