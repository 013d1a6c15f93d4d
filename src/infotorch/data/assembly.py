"""From what the publisher gives to a `Dataset`: the classes, validation taken from train, the limit, then the scaling.

The order matters: validation samples are the same for every limit, and the moments are those of the samples trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.data.sets import Dataset, Scaling, Split
from infotorch.data.splits import all_but, grouped_samples, num_samples_of, stratified_samples
from infotorch.numerics.checks import check_choice, check_count
from infotorch.numerics.seeds import seed_streams

#: How inputs are scaled: not at all, to zero mean and unit deviation, or pixels to [-1, 1].
ScalingName = Literal["none", "standard", "signed"]
#: Pixels of 0 to 1 become -1 to 1.
SIGNED = Scaling(torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.5))


@dataclass(frozen=True)
class Raw:
    """What a reader makes of the publisher's files.

    Args:
        kind: as in `Dataset`.
        train: samples of training and validation together; images may be uint8.
        test: samples of the final number.
        num_classes: None for regression.
        note: what a reader should know.
        validation: samples (int) or fraction (float) of train that become validation unless the caller says otherwise.
        standardise: whether scaling="standard" is the default.
        feature_names: one a column.
        target_names: one a target, for regression.
        target_forecasts: the features that foretell them, see `Dataset`.
        numeric: columns that are standardised; None for all of them.
        groups: samples of train that belong together, int64 (n,), or None; only for regression.
        held_out: the publisher's own validation samples, or None.
    """

    kind: Literal["vectors", "images", "regression"]
    train: Split
    test: Split
    num_classes: int | None
    note: str
    validation: int | float
    standardise: bool = False
    feature_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    target_forecasts: tuple[str, ...] = ()
    numeric: tuple[int, ...] | None = None
    groups: Tensor | None = None
    held_out: Split | None = None


@dataclass(frozen=True)
class Options:
    """What the caller of `load` chose; None leaves the choice to the set."""

    seed: int = 0
    validation: int | float | None = None
    limit: int | None = None
    scaling: ScalingName | None = None
    image_size: int | None = None
    classes: tuple[int, ...] | None = None

    def refuse(self, *names: str, reason: str) -> None:
        """Raise ValueError if one of the named options was chosen; scaling="none" chooses nothing."""
        for name in names:
            if getattr(self, name) not in {None, "none"}:
                raise ValueError(f"load: {name} cannot be chosen: {reason}.")


def assemble(raw: Raw, name: str, options: Options) -> Dataset:
    """The data set that `load` returns.

    Raises:
        TypeError: seed, validation or limit of a wrong type.
        ValueError: validation or limit that cannot be taken from the training samples, an unknown scaling, classes that
            are not there, or an option for images where there are none.
    """
    scaling = options.scaling or ("standard" if raw.standardise else "none")
    check_choice(scaling, get_args(ScalingName), where="load", name="scaling")
    if raw.kind != "images":
        options.refuse("image_size", reason=f"{name} has no images")
        if scaling == "signed":
            raise ValueError(f"load: scaling 'signed' is for images, and {name} has none.")
    if options.classes is not None:
        raw = _of_classes(raw, options.classes, name)
    train, held = _take_validation(raw, options)
    if options.limit is not None:
        train = train.select(limited_samples(train.y, options.limit, options.seed, stratified=raw.kind != "regression"))
    parts = {"train": _as_float(train), "validation": _as_float(held), "test": _as_float(raw.test)}
    if options.image_size is not None:
        parts = {part: Split(resized(split.x, options.image_size), split.y) for part, split in parts.items()}
    inputs = targets = None
    if scaling == "signed":
        inputs = SIGNED
        parts = {part: _scaled(split, inputs, None) for part, split in parts.items()}
    if scaling == "standard":
        inputs = fit_scaling(parts["train"].x, columns=raw.numeric)
        targets = fit_scaling(parts["train"].y) if raw.kind == "regression" else None
        parts = {part: _scaled(split, inputs, targets) for part, split in parts.items()}
    return Dataset(
        name=name,
        kind=raw.kind,
        **parts,
        num_classes=raw.num_classes,
        feature_names=raw.feature_names,
        note=raw.note,
        input_scaling=inputs,
        target_scaling=targets,
        target_names=raw.target_names,
        target_forecasts=raw.target_forecasts,
    )


def limited_samples(labels: Tensor, limit: int, seed: int, *, stratified: bool = True) -> Tensor:
    """`limit` training samples drawn by seed (stream "limit"), in ascending order; all samples when limit equals them.

    Raises:
        TypeError: limit is not an integer.
        ValueError: limit is outside 1 .. n.
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"load: limit must be a number of training samples, got {type(limit).__name__}.")
    if not 1 <= limit <= len(labels):
        raise ValueError(f"load: limit must lie in 1 to {len(labels)}, the training samples, got {limit}.")
    generator = seed_streams(seed).generator("limit")
    if stratified:
        return stratified_samples(labels, limit, generator)
    return torch.randperm(len(labels), generator=generator)[:limit].sort().values


def _of_classes(raw: Raw, classes: tuple[int, ...], name: str) -> Raw:
    """The samples of these classes alone, which are numbered from 0 in the order given.

    Raises:
        ValueError: no class, one named twice, or one that is not there.
    """
    if raw.num_classes is None:
        raise ValueError(f"load: classes cannot be chosen: {name} has none.")
    if not classes or len(set(classes)) < len(classes) or not set(classes) <= set(range(raw.num_classes)):
        raise ValueError(f"load: classes must differ and lie in 0 to {raw.num_classes - 1}, got {classes}.")

    def chosen(split: Split) -> Split:
        kept = split.select(torch.isin(split.y, torch.tensor(classes)).nonzero().flatten())
        return Split(kept.x, (kept.y[:, None] == torch.tensor(classes)).int().argmax(dim=1))

    return replace(
        raw,
        train=chosen(raw.train),
        test=chosen(raw.test),
        held_out=None if raw.held_out is None else chosen(raw.held_out),
        num_classes=len(classes),
        note=f"{raw.note} Only the classes {', '.join(map(str, classes))}, numbered from 0.".lstrip(),
    )


def resized(images: Tensor, size: int) -> Tensor:
    """Images (n, c, h, w) as squares of `size` pixels, bilinear; where they shrink, pixels between are averaged.

    Raises:
        TypeError: size is not an integer.
        ValueError: size is below 1 or above 16384.

    Example:
        >>> resized(torch.ones(2, 1, 28, 28), 32).shape
        torch.Size([2, 1, 32, 32])
    """
    check_count(size, where="load", name="image_size")
    if size > 2**14:
        raise ValueError(f"load: image_size must be at most {2**14} pixels, got {size}.")
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def _take_validation(raw: Raw, options: Options) -> tuple[Split, Split]:
    if raw.held_out is not None:
        options.refuse("validation", reason="the set brings its own validation samples")
        return raw.train, raw.held_out
    size = raw.validation if options.validation is None else options.validation
    count = num_samples_of(size, len(raw.train), where="load", name="validation")
    generator = seed_streams(options.seed).generator("split")
    if raw.groups is not None:
        held = grouped_samples(raw.groups, count, generator)
    else:
        held = stratified_samples(raw.train.y, count, generator)
    return raw.train.select(all_but(held, len(raw.train))), raw.train.select(held)


def fit_scaling(values: Tensor, *, columns: tuple[int, ...] | None = None) -> Scaling:
    """Mean and standard deviation (divided by n) of every column, or of every channel of images.

    Args:
        values: rows (n, d) or images (n, c, h, w).
        columns: leave all other columns of samples as they are; None standardises all.

    Returns:
        Moments of shape (d,) or (c, 1, 1); std is 1 where a column is constant, and at columns left alone.

    Example:
        >>> fit_scaling(torch.tensor([[0.0, 5.0], [2.0, 5.0]])).std.tolist()
        [1.0, 1.0]
    """
    if values.ndim == 4:
        std, mean = torch.std_mean(values, dim=(0, 2, 3), correction=0)
        return Scaling(mean.reshape(-1, 1, 1), torch.where(std > 0, std, 1.0).reshape(-1, 1, 1))
    std, mean = torch.std_mean(values.double(), dim=0, correction=0)
    kept = torch.ones_like(std, dtype=torch.bool)
    if columns is not None:
        kept[:] = False
        kept[list(columns)] = True
    # A column that is constant in exact arithmetic may show a deviation of rounding size.
    varies = kept & (values.amax(dim=0) > values.amin(dim=0))
    return Scaling(torch.where(kept, mean, 0.0).float(), torch.where(varies, std, 1.0).float())


def _as_float(split: Split) -> Split:
    """Pixels of 0 to 255 become 0 to 1."""
    return Split(split.x.float().div_(255), split.y) if split.x.dtype == torch.uint8 else split


def _scaled(split: Split, inputs: Scaling, targets: Scaling | None) -> Split:
    return Split(inputs.apply(split.x), split.y if targets is None else targets.apply(split.y))
