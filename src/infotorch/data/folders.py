"""Folders of images, one folder a class: ImageNet, or the user's own. Pictures are decoded when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from infotorch.data.assembly import Options, Raw, assemble, limited_samples
from infotorch.data.reading import MEMORY_LIMIT, check_file, explained, from_home
from infotorch.data.sets import Dataset, Split
from infotorch.data.splits import holdout, num_samples_of
from infotorch.numerics.checks import shown
from infotorch.numerics.extras import require
from infotorch.numerics.indices import as_index
from infotorch.numerics.kinds import check_kind, check_path
from infotorch.numerics.seeds import seed_streams
from infotorch.records.progress import counted

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
# Pillow goes by a file's first bytes and not by its name; an EPS picture it would give to Ghostscript, which runs it.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
_IMAGENET_SIZE = 224
_IMAGENET_VALIDATION = 0.01
_FRACTION = 0.1


@dataclass(frozen=True)
class ImageFiles:
    """Pictures on disk that index like a float32 tensor (n, 3, size, size) with values in [0, 1].

    The largest centred square is taken and resized. Nothing is kept in memory; several pictures are decoded at once.

    Args:
        paths: one a picture.
        size: height and width of what is returned, in pixels.
        device: where decoded pictures lie.

    Example:
        >>> ImageFiles((Path("cat.png"), Path("dog.png")), size=32).shape
        torch.Size([2, 3, 32, 32])
    """

    paths: tuple[Path, ...]
    size: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"ImageFiles({len(self)} pictures, {self.size} x {self.size}, on {self.device})"

    @property
    def shape(self) -> torch.Size:
        """As if all were decoded."""
        return torch.Size((len(self.paths), 3, self.size, self.size))

    def to(self, device: torch.device | str) -> ImageFiles:
        """The same pictures, for a device; nothing is decoded."""
        return replace(self, device=torch.device(device))

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Decode one picture (3, size, size), or those of a slice or an int64 tensor (m, 3, size, size)."""
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"ImageFiles: there are {len(self)} pictures, and none of number {index}.")
            return _decode(self.paths[index], self.size).to(self.device).float().div_(255)
        rows = as_index(index, len(self), where="ImageFiles")
        chosen = self.paths[rows] if isinstance(rows, slice) else [self.paths[k] for k in torch.arange(len(self))[rows]]
        return replace(self, paths=tuple(chosen)).pixels().to(self.device).float().div_(255)

    def pixels(self, label: str = "decoding pictures") -> Tensor:
        """All pictures, uint8 (n, 3, size, size) on the CPU; with progress where there are many of them.

        Raises:
            ValueError: a file is not a picture, or cut short; the message names it.
        """
        out = torch.empty(self.shape, dtype=torch.uint8)
        # Pillow decodes without holding the interpreter's lock.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            decoded = pool.map(_decode, self.paths, repeat(self.size))
            for row, picture in zip(counted(range(len(self)), label), decoded, strict=True):
                out[row] = picture
        return out


@dataclass(frozen=True)
class FolderSplit:
    """Pictures on disk and their labels; indexes like a `Split`.

    Args:
        x: the pictures.
        y: labels, int64 (n,).
    """

    x: ImageFiles
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"FolderSplit({len(self)} pictures, {self.x.size} x {self.x.size})"

    def select(self, index: Tensor) -> FolderSplit:
        """The samples at `index`; nothing is decoded."""
        return FolderSplit(replace(self.x, paths=tuple(self.x.paths[k] for k in index.tolist())), self.y[index])


@dataclass(frozen=True)
class ImageFolders:
    """A set of pictures that stay on disk.

    Args:
        name: what `load` was asked for.
        train: what a network is fitted to.
        validation: what choices are made on.
        test: what the final number is measured on.
        num_classes: number of class folders.
        class_names: names of the class folders, in the order of the labels.
        note: what a reader should know.
        kind: always "image-files".

    Example:
        >>> part = FolderSplit(ImageFiles((Path("red/1.png"),), size=8), torch.tensor([0]))
        >>> len(ImageFolders("mine", part, part, part, 1, ("red",), note="").train)
        1
    """

    name: str
    train: FolderSplit
    validation: FolderSplit
    test: FolderSplit
    num_classes: int
    class_names: tuple[str, ...]
    note: str
    kind: Literal["image-files"] = "image-files"


def folders_as_dataset(files: ImageFolders) -> Dataset:
    """The three splits as a network is trained and measured on them: rows whose pictures stay on disk.

    Example:
        >>> part = FolderSplit(ImageFiles((Path("red/1.png"),), size=8), torch.tensor([0]))
        >>> rows = folders_as_dataset(ImageFolders("mine", part, part, part, 1, ("red",), note=""))
        >>> rows.kind, tuple(rows.train.x.shape)
        ('images', (1, 3, 8, 8))
    """
    train, held, test = (Split(part.x, part.y) for part in (files.train, files.validation, files.test))
    return Dataset(files.name, "images", train, held, test, num_classes=files.num_classes, note=files.note)


def image_folders(
    folder: str | os.PathLike[str],
    *,
    size: int | None = None,
    seed: int = 0,
    validation: int | float | None = None,
    limit: int | None = None,
    name: str | None = None,
) -> ImageFolders:
    """Pictures of a folder, left on disk.

    With `train/` and `test/` or `val/` inside, those are the parts: the final number is measured on `test/`, or on
    `val/` where there is no `test/`. Otherwise the class folders lie directly inside, and a tenth of each class is
    test. Validation is `val/` when `test/` is there too, else rows of training drawn by seed.

    Args:
        folder: holds the parts or the classes.
        size: height and width of every picture, in pixels; None keeps the size that all square pictures share.
        seed: decides what is drawn.
        validation: pictures, or the fraction of those that are not test; a tenth by default.
        limit: training pictures, stratified.
        name: of the set; by default the folder's.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: no class folders, a class without pictures, classes that differ between parts, pictures of
            different sizes without `size`, or a number of samples that cannot be taken.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("black", "white"):
        ...     (folder / name).mkdir()
        ...     for k in range(10):
        ...         Image.new("L", (4, 4), name).save(folder / name / f"{k}.png")
        >>> files = image_folders(folder)
        >>> files.class_names, len(files.train), len(files.validation), len(files.test)
        (('black', 'white'), 16, 2, 2)
        >>> files.train.x[torch.tensor([0, 15])].amax(dim=(1, 2, 3)).tolist()
        [0.0, 1.0]
    """
    check_kind(name, (str, NoneType), where="image_folders", name="name", said="text or None")
    check_path(folder, where="image_folders", name="folder")
    folder = from_home(Path(folder))
    if not folder.is_dir():
        raise FileNotFoundError(f"{name or folder}: {folder} is not a folder.")
    train, held, test, classes, note = _parts(folder, seed)
    if held is None:
        count = num_samples_of(
            _FRACTION if validation is None else validation, len(train), where="load", name="validation"
        )
        kept, rows = holdout(train.y, count, seed_streams(seed).generator("split"))
        train, held = train.select(kept), train.select(rows)
    elif validation is not None:
        raise ValueError(f"load: validation cannot be chosen: {folder} brings its own validation pictures.")
    if limit is not None:
        train = train.select(limited_samples(train.y, limit, seed))
    size = _common_size([*train.x.paths, *held.x.paths, *test.x.paths]) if size is None else size
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"load: image_size must be a positive number of pixels, got {shown(size)}.")
    parts = (FolderSplit(replace(part.x, size=size), part.y) for part in (train, held, test))
    note = f"No checksum of these files is known. {note} Centred squares of {size} pixels."
    return ImageFolders(name or folder.name, *parts, num_classes=len(classes), class_names=classes, note=note)


def load_imagenet(root: Path, options: Options, *, page: str) -> ImageFolders:
    """ILSVRC 2012 below `imagenet/train` and `imagenet/val`; the official validation set is the test set.

    Raises:
        FileNotFoundError: the folders are not there; nobody but the publisher may pass them on.
        ValueError: as in `image_folders`, or a scaling.
    """
    options.refuse("scaling", reason="pictures that stay on disk have values in [0, 1]")
    options.refuse("classes", reason="every folder is a class")
    folder = root / "imagenet"
    for part in ("train", "val"):
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"imagenet: there is no folder {folder / part}. It cannot be downloaded without an account: get it "
                f"from {page} and unpack it as {folder}/train/<class>/ and {folder}/val/<class>/."
            )
    return image_folders(
        folder,
        size=options.image_size or _IMAGENET_SIZE,
        seed=options.seed,
        validation=_IMAGENET_VALIDATION if options.validation is None else options.validation,
        limit=options.limit,
    )


def load_folder(folder: Path, options: Options, *, name: str) -> Dataset:
    """The user's own folder of pictures, decoded into memory.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: as in `image_folders`, a file that is no picture, or more pixels than belong into memory.
    """
    options.refuse("classes", reason="every folder is a class; leave out those that are not wanted")
    files = image_folders(
        folder,
        size=options.image_size,
        seed=options.seed,
        validation=options.validation,
        limit=options.limit,
        name=name,
    )
    parts = (files.train, files.validation, files.test)
    needed = sum(4 * part.x.shape[0] * 3 * part.x.size**2 for part in parts)
    if needed > MEMORY_LIMIT:
        raise ValueError(
            f"{name}: its pictures take {needed / 2**30:.1f} GiB in memory, more than {MEMORY_LIMIT >> 30}: choose a "
            f"smaller image_size or limit, or infotorch.data.image_folders, which leaves them on disk."
        )
    words = ("training", "validation", "test")
    train, held, test = (
        Split(part.x.pixels(f"decoding {len(part)} {word} pictures"), part.y)
        for part, word in zip(parts, words, strict=True)
    )
    raw = Raw("images", train, test, files.num_classes, files.note, validation=_FRACTION, held_out=held)
    return assemble(raw, name, Options(seed=options.seed, scaling=options.scaling))


def _parts(folder: Path, seed: int) -> tuple[FolderSplit, FolderSplit | None, FolderSplit, tuple[str, ...], str]:
    """Training, validation where the folder has it, test, class names, and a remark."""
    own_test, own_validation = (folder / "test").is_dir(), (folder / "val").is_dir()
    if (folder / "train").is_dir() and (own_test or own_validation):
        train, classes = _scan(folder / "train")
        test, *others = [_same_classes(folder / part, classes) for part in ("test", "val") if (folder / part).is_dir()]
        return train, others[0] if others else None, test, classes, "Parts as the folder has them."
    every, classes = _scan(folder)
    count = num_samples_of(_FRACTION, len(every), where="load", name="test")
    kept, tested = holdout(every.y, count, seed_streams(seed).generator("test split"))
    note = f"No parts in the folder: {count} test pictures, stratified, drawn by the seed."
    return every.select(kept), None, every.select(tested), classes, note


def _scan(folder: Path) -> tuple[FolderSplit, tuple[str, ...]]:
    classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."))
    if len(classes) < 2:
        raise ValueError(f"{folder} must hold a folder of pictures for each of at least two classes.")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in SUFFIXES)
        if not found:
            raise ValueError(f"{folder / name} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
        paths += found
        labels += [label] * len(found)
    return FolderSplit(ImageFiles(tuple(paths), size=0), torch.tensor(labels)), classes


def _same_classes(folder: Path, classes: tuple[str, ...]) -> FolderSplit:
    split, found = _scan(folder)
    if found != classes:
        differing = sorted(set(found) ^ set(classes))
        raise ValueError(f"{folder} must have the classes of training; {', '.join(differing)} is in one of them alone.")
    return split


def _common_size(paths: list[Path]) -> int:
    first = _size_of(paths[0])
    for path in paths:
        size = _size_of(path)
        if size != first or size[0] != size[1]:
            raise ValueError(
                f"{path} is {size[0]} x {size[1]} pixels, {paths[0]} {first[0]} x {first[1]}: choose image_size."
            )
    return first[0]


@contextmanager
def _picture(path: Path) -> Iterator[Image.Image]:
    """An open picture; whatever goes wrong inside is an error about its file."""
    require("images", "PIL", "Reading pictures")
    from PIL import Image

    check_file(path)
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            yield picture
    # Pillow tells a damaged file by many different errors, each format by its own.
    except Exception as error:
        raise ValueError(f"{path} is not a picture: {explained(error)}.") from error


def _size_of(path: Path) -> tuple[int, int]:
    with _picture(path) as picture:
        return picture.size


def _decode(path: Path, size: int) -> Tensor:
    """Uint8 (3, size, size)."""
    require("images", "PIL", "Reading pictures")
    from PIL import Image, ImageOps

    with _picture(path) as picture:
        square = ImageOps.fit(picture.convert("RGB"), (size, size), method=Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)
