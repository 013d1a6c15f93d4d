from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from infotorch.data import load
from infotorch.data.cifar import read_batch, read_cifar10, read_cifar100


def batch(folder: Path, name: str, labels: object = (3, 9), key: bytes = b"labels", **changes: object) -> Path:
    """Two images: red where the row is even, blue at the last pixel of the second."""
    pixels = np.zeros((2, 3, 32, 32), dtype=np.uint8)
    pixels[:, 0, ::2] = 255
    pixels[1, 2, 31, 31] = 7
    content = {b"data": pixels.reshape(2, 3072), key: labels} | {k.encode(): v for k, v in changes.items()}
    (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder / name


def test_planes_rows_and_columns_are_where_they_belong(tmp_path):
    split = read_batch(batch(tmp_path, "data_batch_1", [3, 9]), b"labels", 10)
    assert split.x.dtype == torch.uint8
    assert split.x[0, 0, :3, 0].tolist() == [255, 0, 255]
    assert split.x[1, :, 31, 31].tolist() == [0, 0, 7]
    assert split.y.tolist() == [3, 9]


def test_batches_follow_each_other_in_order(tmp_path):
    names = [f"data_batch_{k}" for k in range(1, 6)]
    paths = {name: batch(tmp_path, name, [k, k]) for k, name in enumerate(names)}
    paths["test_batch"] = batch(tmp_path, "test_batch", [8, 9])
    raw = read_cifar10(paths, 0)
    assert raw.train.y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert raw.test.y.tolist() == [8, 9]


def test_fine_labels_of_cifar100(tmp_path):
    paths = {part: batch(tmp_path, part, [0, 99], key=b"fine_labels") for part in ("train", "test")}
    raw = read_cifar100(paths, 0)
    assert (raw.num_classes, raw.train.y.tolist()) == (100, [0, 99])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": b"others"}, "must hold 'data' and 'labels'"),
        ({"data": [1, 2]}, r"'data' must be bytes of shape \(n, 3072\)"),
        ({"data": np.zeros((2, 3072))}, r"'data' must be bytes of shape \(n, 3072\)"),
        ({"data": np.zeros((2, 100), dtype=np.uint8)}, r"'data' must be bytes of shape \(n, 3072\)"),
        ({"labels": [1]}, "holds 2 images and 1 labels"),
        ({"labels": [1, 10]}, "must hold labels 0 to 9, got 1 to 10"),
        ({"labels": ["cat", "dog"]}, "its labels are not integers"),
    ],
)
def test_a_file_that_is_no_batch_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=f"data_batch_1.*{message}"):
        read_batch(batch(tmp_path, "data_batch_1", **changes), b"labels", 10)


@pytest.mark.data
def test_the_official_counts_and_moments(real):
    data = load("cifar10", root=real("cifar10"))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [45000, 5000, 10000]
    assert (data.train.y.bincount() + data.validation.y.bincount()).tolist() == [5000] * 10
    assert data.validation.y.bincount().tolist() == [500] * 10
    assert data.test.y.bincount().tolist() == [1000] * 10
    (std, mean), (held_std, held_mean) = (
        torch.std_mean(part.x, dim=(0, 2, 3), correction=0) for part in (data.train, data.validation)
    )
    first = 0.9 * mean + 0.1 * held_mean
    second = 0.9 * (std**2 + mean**2) + 0.1 * (held_std**2 + held_mean**2)
    assert first.tolist() == pytest.approx([0.49139968, 0.48215841, 0.44653091], abs=1e-6)
    assert (second - first**2).sqrt().tolist() == pytest.approx([0.24703223, 0.24348513, 0.26158784], abs=1e-6)
