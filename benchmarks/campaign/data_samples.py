"""Small valid files for every reader of data, and what reads them: the ground from which damaged files are made."""

from __future__ import annotations

import collections
import gzip
import io
import pickle
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csr_matrix

from infotorch.data import load
from infotorch.data.adult import read_adult
from infotorch.data.assembly import Raw
from infotorch.data.cifar import read_cifar10
from infotorch.data.idnns import read_idnns
from infotorch.data.idx import read_mnist
from infotorch.data.sets import Dataset, Graph, GraphSet
from infotorch.data.tables import read_variable
from infotorch.data.temperature import FEATURES, TARGETS, read_temperature


@dataclass(frozen=True)
class Reader:
    """A reader of data with valid files.

    Args:
        files: path below the reader's folder -> content.
        read: from that folder to what it holds.
    """

    files: dict[str, bytes]
    read: Callable[[Path], Any]


def sound(found: Any) -> bool:
    """Whether what a reader returned can be relied on: paired, finite, and every number within its range."""
    if isinstance(found, np.ndarray):
        return found.ndim > 0 and found.dtype.kind in "fiub" and found.nbytes < 2**20
    if isinstance(found, Graph | GraphSet):  # whose own checks have run
        features = found.x if isinstance(found, Graph) else found.node_features
        return bool(torch.isfinite(features).all())
    assert isinstance(found, Raw | Dataset)
    for part in (found.train, found.test):
        if len(part.x) != len(part.y) or not bool(torch.isfinite(part.x.float()).all()):
            return False
        if found.num_classes is None:
            if not bool(torch.isfinite(part.y).all()):
                return False
        elif len(part.y) and not 0 <= int(part.y.min()) <= int(part.y.max()) < found.num_classes:
            return False
    return True


def readers() -> dict[str, Reader]:
    """Every reader by its name."""
    return {
        "idx": _of_paths(_idx(), read_mnist),
        "cifar": _of_paths(_cifar(), read_cifar10),
        "adult": _of_paths(_adult(), read_adult),
        "temperature": _of_paths(_temperature(), read_temperature),
        "idnns": _of_paths(_matlab(compressed=False), read_idnns),
        "idnns, compressed": _of_paths(_matlab(compressed=True), read_idnns),
        "planetoid": Reader(_planetoid(), lambda folder: load("planetoid/toy", root=folder)),
        "tudataset": Reader(_tudataset(), lambda folder: load("tudataset/TOY", root=folder)),
        "pictures": Reader(_pictures(), lambda folder: load(f"folder:{folder}", image_size=4)),
        "pictures, their size": Reader(_pictures(), lambda folder: load(f"folder:{folder}")),
        "measure": Reader(_array(), lambda folder: read_variable(folder / "x.npy").values),
        "measure, npz": Reader(_arrays(), lambda folder: read_variable(folder / "x.npz").values),
        "measure, csv": Reader(_table(), lambda folder: read_variable(folder / "x.csv").values),
    }


def _of_paths(files: dict[str, bytes], read: Callable[[Mapping[str, Path], int], Raw]) -> Reader:
    """A reader of listed files, which takes their paths and a seed."""
    return Reader(files, lambda folder: read({name: folder / name for name in files}, 0))


def _idx() -> dict[str, bytes]:
    def packed(values: np.ndarray) -> bytes:
        sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
        return gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes(), mtime=0)

    files = {}
    for part, count in (("train", 12), ("t10k", 4)):
        files[f"{part}-images-idx3-ubyte.gz"] = packed(np.arange(count * 6).reshape(count, 2, 3))
        files[f"{part}-labels-idx1-ubyte.gz"] = packed(np.arange(count) % 10)
    return files


def _cifar() -> dict[str, bytes]:
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    pixels = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    content = {b"data": pixels, b"labels": [3, 9], b"batch_label": b"toy", b"filenames": [b"a.png", b"b.png"]}
    return {name: pickle.dumps(content, protocol=2 + 2 * (k % 2)) for k, name in enumerate(names)}


def _adult() -> dict[str, bytes]:
    line = "39, State-gov, 77516, Bachelors, 13, Never-married, Sales, Not-in-family, White, Male, 2174, 0, 40, Peru"
    rows = [f"{line}, {'>50K' if k % 2 else '<=50K'}" for k in range(8)]
    rows[3] = rows[3].replace("State-gov", "Private").replace("39", "51")
    return {
        "adult.data": "\n".join(rows).encode(),
        "adult.test": "\n".join(["|1x3 Cross validator", *(f"{row}." for row in rows[:4])]).encode(),
    }


def _temperature() -> dict[str, bytes]:
    header = ",".join(["station", "Date", *FEATURES, *TARGETS])
    cells = ",".join(f"{k}.5" for k in range(len(FEATURES + TARGETS)))
    rows = [f"1,{year}-07-0{day},{cells}" for year in (2013, 2016, 2017) for day in range(1, 5)]
    rows[2] = rows[2].replace("3.5", "", 1)
    return {"Bias_correction_ucl.csv": "\n".join([header, *rows, "," * (len(FEATURES + TARGETS) + 1)]).encode()}


def _matlab(*, compressed: bool) -> dict[str, bytes]:
    bits = np.array([[k >> b & 1 for b in range(4)] for k in range(16)], dtype=np.uint8)
    stream = io.BytesIO()
    savemat(stream, {"F": bits, "y": (bits.sum(axis=1) % 2)[None].astype(np.uint8)}, do_compression=compressed)
    return {"var_u.mat": stream.getvalue()}


def _planetoid() -> dict[str, bytes]:
    known, tested = list(range(504)), [506, 504, 508, 505]

    def words(nodes: list[int]) -> csr_matrix:
        return csr_matrix(np.array([[k >> b & 1 for b in range(10)] for k in nodes], dtype=np.float32))

    def one_hot(nodes: list[int]) -> np.ndarray:
        return np.eye(3, dtype=np.int32)[[k % 3 for k in nodes]]

    ring = collections.defaultdict(list, {k: [(k - 1) % 504, (k + 1) % 504] for k in known})
    content = {
        "x": words(known[:4]), "y": one_hot(known[:4]), "tx": words(tested), "ty": one_hot(tested),
        "allx": words(known), "ally": one_hot(known), "graph": ring,
    }  # fmt: skip
    files = {f"ind.toy.{part}": pickle.dumps(value, protocol=2) for part, value in content.items()}
    files["ind.toy.test.index"] = "\n".join(map(str, tested)).encode()
    return {f"planetoid/toy/raw/{name}": value for name, value in files.items()}


def _tudataset() -> dict[str, bytes]:
    nodes = range(1, 41)
    partner = {k: k + 1 if k % 2 else k - 1 for k in nodes}
    content = {
        "A": "\n".join(f"{k}, {partner[k]}" for k in nodes),
        "graph_indicator": "\n".join(str((k + 1) // 2) for k in nodes),
        "graph_labels": "\n".join("-1" if k % 2 else "1" for k in range(20)),
        "node_labels": "\n".join("7" if k % 2 else "3" for k in nodes),
        "node_attributes": "\n".join(f"{k}, 0.5" for k in nodes),
        "edge_labels": "\n".join(str(k % 3) for k in nodes),
    }
    return {f"tudataset/TOY/raw/TOY_{part}.txt": text.encode() for part, text in content.items()}


def _pictures() -> dict[str, bytes]:
    files = {}
    kinds = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "gif": "GIF", "ppm": "PPM", "tif": "TIFF", "webp": "WEBP"}
    for colour in ("black", "white"):
        for k in range(14):
            suffix, kind = list(kinds.items())[k % 7]
            stream = io.BytesIO()
            Image.new("RGB", (8, 8), colour).save(stream, kind)
            files[f"{colour}/{k}.{suffix}"] = stream.getvalue()
    return files


def _array() -> dict[str, bytes]:
    stream = io.BytesIO()
    np.save(stream, np.arange(24.0).reshape(8, 3))
    return {"x.npy": stream.getvalue()}


def inner(content: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """What is packed in a file, and how to pack it again: a change inside must get past the packing's own checks."""
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content), lambda changed: gzip.compress(changed, mtime=0)
    if content.startswith(b"MATLAB 5.0") and content[128] == 15:  # one compressed variable after the header
        size = int.from_bytes(content[132:136], "little")
        rest = content[136 + size :]

        def pack(changed: bytes) -> bytes:
            packed = zlib.compress(changed)
            return content[:132] + len(packed).to_bytes(4, "little") + packed + rest

        return zlib.decompress(content[136 : 136 + size]), pack
    return content, lambda changed: changed


def _arrays() -> dict[str, bytes]:
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(40, dtype=np.float64).reshape(20, 2))
    return {"x.npz": file.getvalue()}


def _table() -> dict[str, bytes]:
    return {"x.csv": "\n".join(["age,hours", *(f"{20 + k},{k / 4}" for k in range(20))]).encode()}
