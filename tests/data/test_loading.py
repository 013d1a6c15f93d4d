from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import get_args

import pytest
import torch

from infotorch.data import load, loading
from infotorch.data.assembly import Options
from infotorch.data.catalogue import SOURCES, Download, File, Source


def idx(values: torch.Tensor) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.to(torch.uint8).numpy().tobytes())


@pytest.fixture
def small_mnist(publisher) -> Source:
    """MNIST with a hundred rows, at a publisher on this machine."""
    labels = torch.arange(100) % 10
    content = {
        "train-images-idx3-ubyte.gz": idx(labels[:, None, None].expand(100, 2, 2) * 25),
        "train-labels-idx1-ubyte.gz": idx(labels),
        "t10k-images-idx3-ubyte.gz": idx(labels[:20, None, None].expand(20, 2, 2) * 25),
        "t10k-labels-idx1-ubyte.gz": idx(labels[:20]),
    }
    publisher.content.update({f"/{name}": data for name, data in content.items()})
    files = tuple(
        File(
            f"mnist/MNIST/raw/{name}",
            len(data),
            (f"md5:{hashlib.md5(data).hexdigest()}",),
            (Download(f"{publisher.url}/{name}"),),
        )
        for name, data in content.items()
    )
    return Source("mnist", "images", "small", "https://example.org", files)


def test_from_the_publisher_to_the_splits(small_mnist, publisher, tmp_path):
    data = loading.load_source(small_mnist, tmp_path, Options(validation=20, limit=40))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [40, 20, 20]
    for part in (data.train, data.validation, data.test):
        assert torch.allclose(part.x[:, 0, 0, 0] * 255, part.y * 25.0)
        assert part.y.bincount().tolist() == [len(part) // 10] * 10
    assert len(publisher.asked) == 4
    before = sorted(path for path in tmp_path.rglob("*"))
    again = loading.load_source(small_mnist, tmp_path, Options(validation=20, limit=40))
    assert torch.equal(again.train.x, data.train.x)
    assert len(publisher.asked) == 4
    assert sorted(path for path in tmp_path.rglob("*")) == before  # nothing but downloads is written


def test_default_validation_needs_more_rows_than_there_are(small_mnist, tmp_path):
    with pytest.raises(ValueError, match="validation must leave samples on both sides, got 5000 of 100 samples"):
        loading.load_source(small_mnist, tmp_path, Options())


def test_a_listed_set_that_is_damaged(tmp_path):
    path = tmp_path / "idnns" / "var_u.mat"
    path.parent.mkdir()
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match=r"idnns: .*var_u\.mat is damaged: expected sha256:0ba9551878a8"):
        load("idnns", root=tmp_path)
    assert path.read_bytes() == b"short"


def test_the_environment_names_the_folder(tmp_path, monkeypatch):
    (tmp_path / "idnns").mkdir()
    (tmp_path / "idnns" / "var_u.mat").write_bytes(b"short")
    monkeypatch.setenv("INFOTORCH_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="is damaged"):
        load("idnns")


@pytest.mark.parametrize("name", ["planetoid/", "planetoid/../secret", "tudataset/a/b", "elsewhere/Cora", "/etc"])
def test_a_family_or_member_that_cannot_be(tmp_path, name):
    with pytest.raises(ValueError, match=r"there is no data set '.*'; beside the listed ones there are planetoid/NAME"):
        load(name, root=tmp_path)


def test_names_that_are_unknown_or_no_names(tmp_path):
    with pytest.raises(ValueError, match="Did you mean mnist"):
        load("minst", root=tmp_path)
    with pytest.raises(TypeError, match=r"must be a string, got \w*Path"):
        load(Path("mnist"), root=tmp_path)  # type: ignore[arg-type]


def test_images_of_another_size_range_and_choice_of_classes():
    digits = load("digits", image_size=16, scaling="signed", classes=[3, 5])
    assert digits.test.x.shape[1:] == (1, 16, 16)
    assert (digits.train.x.min(), digits.train.x.max()) == (-1, 1)
    assert digits.train.y.unique().tolist() == [0, 1]
    assert "Only the classes 3, 5" in digits.note


def test_options_that_do_not_fit():
    with pytest.raises(TypeError, match=r"load: classes must be a list of integers, got '01'"):
        load("digits", classes="01")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"load: classes must be a list of integers, got \[1.0\]"):
        load("digits", classes=[1.0])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="seed must be an integer, got str"):
        load("digits", seed="0")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed must be at least 0"):
        load("digits", seed=-1)
    with pytest.raises(ValueError, match="scaling must be one of none, standard, signed, got 'minmax'"):
        load("digits", scaling="minmax")


def test_a_publisher_that_cannot_be_reached(closed_port, tmp_path):
    file = File("idnns/var_u.mat", 1003, ("md5:" + "0" * 32,), (Download(f"{closed_port}/var_u.mat"),))
    source = Source("idnns", "vectors", "", "https://example.org", (file,))
    with pytest.raises(FileNotFoundError, match=r"idnns: var_u\.mat is not in .* no connection.*set INFOTORCH_DATA"):
        loading.load_source(source, tmp_path, Options())
    assert list(tmp_path.iterdir()) == []


def test_the_types_of_load_name_every_listed_set_by_what_it_returns():
    vectors = {"vectors", "images", "regression"}
    assert set(get_args(loading.DatasetName)) == {s.name for s in SOURCES.values() if s.kind in vectors}
    assert {s.name: s.kind for s in SOURCES.values() if s.kind not in vectors} == {
        "cora": "graph", "mutagenicity": "graph-set", "imagenet": "image-files",
    }  # fmt: skip
