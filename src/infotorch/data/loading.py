"""`load`: one name, one data set, and the same splits for the same seed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack, overload

from infotorch.data import catalogue
from infotorch.data.adult import read_adult
from infotorch.data.assembly import Options, Raw, ScalingName, assemble
from infotorch.data.binary import READERS as BINARY_READERS
from infotorch.data.catalogue import Source
from infotorch.data.cifar import read_cifar10, read_cifar100
from infotorch.data.digits import read_digits
from infotorch.data.fetch import data_root, ensure
from infotorch.data.folders import ImageFolders, load_folder, load_imagenet
from infotorch.data.idnns import read_idnns
from infotorch.data.idx import read_mnist
from infotorch.data.planetoid import load_planetoid, read_planetoid, with_options
from infotorch.data.reading import from_home
from infotorch.data.sets import Dataset, Graph, GraphSet
from infotorch.data.temperature import read_temperature
from infotorch.data.tudataset import load_tudataset, read_tudataset
from infotorch.numerics.checks import shown
from infotorch.numerics.seeds import seed_streams

Loaded = Dataset | Graph | GraphSet | ImageFolders

_READERS: dict[str, Callable[[Mapping[str, Path], int], Raw]] = {
    "digits": read_digits,
    "mnist": read_mnist,
    "fashion-mnist": read_mnist,
    "cifar10": read_cifar10,
    "cifar100": read_cifar100,
    "adult": read_adult,
    **BINARY_READERS,
    "idnns": read_idnns,
    "temperature": read_temperature,
}
_FOLDER = "folder:"
_FAMILIES: dict[str, Callable[[str, Path, Options], Graph | GraphSet]] = {
    "planetoid": load_planetoid,
    "tudataset": load_tudataset,
}

#: Names of one kind each, so that a type checker knows what `load` returns for them.
DatasetName = Literal[
    "digits",
    "mnist",
    "fashion-mnist",
    "cifar10",
    "cifar100",
    "adult",
    "binary-circle",
    "binary-line",
    "binary-quadrants",
    "binary-sine",
    "idnns",
    "temperature",
]


class _LoadOptions(TypedDict, total=False):
    """The options of `load`, see there."""

    root: str | os.PathLike[str] | None
    seed: int
    validation: int | float | None
    limit: int | None
    scaling: ScalingName | None
    image_size: int | None
    classes: Sequence[int] | None


@overload
def load(name: DatasetName, **options: Unpack[_LoadOptions]) -> Dataset: ...
@overload
def load(name: Literal["cora"], **options: Unpack[_LoadOptions]) -> Graph: ...
@overload
def load(name: Literal["mutagenicity"], **options: Unpack[_LoadOptions]) -> GraphSet: ...
@overload
def load(name: Literal["imagenet"], **options: Unpack[_LoadOptions]) -> ImageFolders: ...
@overload
def load(name: str, **options: Unpack[_LoadOptions]) -> Loaded: ...
def load(
    name: str,
    *,
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    validation: int | float | None = None,
    limit: int | None = None,
    scaling: ScalingName | None = None,
    image_size: int | None = None,
    classes: Sequence[int] | None = None,
) -> Loaded:
    """A data set by name, with its train, validation and test splits.

    Files are looked for below `root`, compared with the publisher's checksums, and downloaded where they are missing.
    Images have pixels in [0, 1]. Samples of other classes than those chosen are left out of every split. Validation is
    taken from the official training samples, then the limit, then the scaling is fitted on the training samples that
    are left; test is never touched by any of them.

    Args:
        name: a listed set (`infotorch.data.names()`), "citeseer", "pubmed" or a well-known collection of TUDataset such
            as "mutag" or "proteins"; or "planetoid/NAME", "tudataset/NAME" or "folder:PATH". All but the listed ones
            are read from raw files whose checksum is not known. Case does not matter.
        root: the data folder; by default INFOTORCH_DATA, else the user's cache.
        seed: decides which samples become validation (stream "split") and which are kept by `limit` (stream "limit").
        validation: samples (int), or the fraction (float) of the official training samples. By default 5,000 for MNIST
            and its kin and CIFAR, 15 % for digits and 10 % elsewhere. Stratified by class; whole days for temperature.
        limit: this many training samples exactly, in the proportions of the classes. For one graph: labelled nodes.
        scaling: "standard" (zero mean and unit deviation of a column, or of a channel of images), "signed" (pixels in
            [-1, 1]) or "none". By default "standard" for adult (its six numbers) and temperature (inputs and targets),
            else "none".
        image_size: height and width of images in pixels: pictures in a folder are cut to a square and resized,
            others resized (bilinear).
        classes: rows of these classes alone, which are numbered from 0 in this order; None for all. Not for graphs
            nor folders.

    Returns:
        `Dataset` for vectors, images and regression; `Graph`; `GraphSet`; `ImageFolders` for ImageNet. What was
        dropped, and how the split was made, stands in `.note`.

    Raises:
        ValueError: an unknown name (near ones are suggested), a damaged file, or an option that does not fit.
        FileNotFoundError: a file is missing and cannot be downloaded; the message says where it belongs.
        TypeError: an option of the wrong type.

    Example:
        >>> digits = load("digits", limit=100)
        >>> tuple(digits.train.x.shape), len(digits.validation), len(digits.test)
        ((100, 1, 8, 8), 216, 359)
        >>> digits.train.y.bincount().tolist()
        [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    """
    options = Options(seed_streams(seed).seed, validation, limit, scaling, image_size, _classes(classes))
    if isinstance(name, str) and name.startswith(_FOLDER):
        return load_folder(from_home(Path(name.removeprefix(_FOLDER))), options, name=name)
    if isinstance(name, str):
        name = catalogue.KNOWN.get(name.strip().lower().replace("_", "-"), name)
    if isinstance(name, str) and "/" in name:
        return _load_unlisted(name, data_root(root), options)
    return load_source(catalogue.find(name), data_root(root), options)


def load_source(source: Source, root: Path, options: Options) -> Loaded:
    """A data set whose files and checksums are given; `load` passes the listed ones.

    Raises:
        ValueError: a damaged file, or an option that does not fit.
        FileNotFoundError: a file is missing and cannot be downloaded.
    """
    if source.kind == "image-files":
        return load_imagenet(root, options, page=source.page)
    paths = ensure(source, root)
    if source.name in _READERS:
        return assemble(_READERS[source.name](paths, options.seed), source.name, options)
    options.refuse("image_size", reason=f"{source.name} has no images")
    folder = next(iter(paths.values())).parent
    published = folder.parent.name  # both families keep the set NAME in NAME/raw
    if source.kind == "graph":
        return replace(with_options(read_planetoid(folder, published), options), name=source.name)
    return replace(read_tudataset(folder, published, options), name=source.name)


def _classes(classes: Sequence[int] | None) -> tuple[int, ...] | None:
    if classes is None:
        return None
    if not isinstance(classes, Sequence) or not all(type(label) is int for label in classes):
        raise TypeError(f"load: classes must be a list of integers, got {shown(classes)}.")
    return tuple(classes)


def _load_unlisted(name: str, root: Path, options: Options) -> Loaded:
    family, _, member = name.partition("/")
    if family not in _FAMILIES or not re.fullmatch(r"[\w-]+", member):
        raise ValueError(f"data: there is no data set {name!r}; beside the listed ones there are {catalogue.UNLISTED}.")
    if member.lower() in catalogue.SOURCES:
        return load_source(catalogue.find(member), root, options)
    options.refuse("image_size", reason=f"{name} has no pictures")
    return replace(_FAMILIES[family](member, root, options), name=name)
