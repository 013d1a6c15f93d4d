from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from infotorch.data import load
from infotorch.data.idx import read_idx, read_mnist


def idx(values: torch.Tensor) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.to(torch.uint8).numpy().tobytes()


def mnist_like(folder: Path, **changes: bytes) -> dict[str, Path]:
    """Twelve training and four test images of 2 x 3, gzipped; `changes` replaces a file's raw bytes."""
    content = {
        "train_images": gzip.compress(idx(torch.arange(72).reshape(12, 2, 3))),
        "train_labels": gzip.compress(idx(torch.arange(12) % 10)),
        "t10k_images": gzip.compress(idx(torch.zeros(4, 2, 3))),
        "t10k_labels": gzip.compress(idx(torch.arange(4))),
    } | changes
    paths = {}
    for key, data in content.items():
        part, what = key.split("_")
        name = f"{part}-{what}-idx{3 if what == 'images' else 1}-ubyte.gz"
        (folder / name).write_bytes(data)
        paths[name] = folder / name
    return paths


def test_what_was_written_is_read(tmp_path):
    raw = read_mnist(mnist_like(tmp_path), 0)
    assert raw.train.x.shape == (12, 1, 2, 3)
    assert raw.train.x.flatten().tolist() == list(range(72))
    assert raw.train.y.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert raw.test.y.tolist() == [0, 1, 2, 3]


def test_a_file_without_gzip_is_read_too(tmp_path):
    (tmp_path / "labels").write_bytes(idx(torch.tensor([3, 1])))
    assert read_idx(tmp_path / "labels").tolist() == [3, 1]


@pytest.mark.parametrize("length", [0, 5, 12, -1, -9])
def test_a_gzip_file_cut_short_anywhere(tmp_path, length):
    whole = gzip.compress(idx(torch.arange(12) % 10))
    paths = mnist_like(tmp_path, train_labels=whole[:length])
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte\.gz is not (a complete gzip|an IDX) file"):
        read_mnist(paths, 0)


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"<html>", b"\0\0\x0d\1\0\0\0\1abcd", b"\0\0\x08\0"])
def test_a_file_that_is_not_idx(tmp_path, content):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(ValueError, match="labels is not an IDX file of unsigned bytes"):
        read_idx(tmp_path / "labels")


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:6]])
def test_a_file_that_is_shorter_or_longer_than_its_header_says(tmp_path, change):
    (tmp_path / "images").write_bytes(change(idx(torch.zeros(2, 3, 3))))
    with pytest.raises(ValueError, match="images is cut short or too long: its header says"):
        read_idx(tmp_path / "images")


def test_files_that_do_not_belong_together(tmp_path):
    flat = gzip.compress(idx(torch.zeros(12)))
    with pytest.raises(ValueError, match=r"train-images.*must hold grey images \(n, h, w\), got shape \(12,\)"):
        read_mnist(mnist_like(tmp_path, train_images=flat), 0)
    with pytest.raises(ValueError, match=r"train-labels.*must hold a label for each of 12 images, got \(3,\)"):
        read_mnist(mnist_like(tmp_path, train_labels=gzip.compress(idx(torch.zeros(3)))), 0)
    with pytest.raises(ValueError, match=r"train-labels.*must hold labels 0 to 9, got 10"):
        read_mnist(mnist_like(tmp_path, train_labels=gzip.compress(idx(torch.full((12,), 10)))), 0)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "mean", "std"), [("mnist", 0.130660, 0.308108), ("fashion-mnist", 0.286041, 0.353024)]
)
def test_the_official_counts_and_moments(real, name, mean, std):
    data = load(name, root=real(name), validation=6000)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [54000, 6000, 10000]
    assert data.train.x.shape[1:] == (1, 28, 28)
    assert data.train.x.dtype == torch.float32
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)
    pixels = torch.cat([data.train.x, data.validation.x])
    assert pixels.mean().item() == pytest.approx(mean, abs=5e-6)  # published with six digits
    assert pixels.std(correction=0).item() == pytest.approx(std, abs=5e-6)
    counts = torch.cat([data.train.y, data.validation.y]).bincount().tolist()
    if name == "mnist":
        assert counts == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert data.test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    else:
        assert counts == [6000] * 10
        assert data.test.y.bincount().tolist() == [1000] * 10
