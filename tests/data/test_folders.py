from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from infotorch.data import ImageFiles, ImageFolders, folders, image_folders, load
from infotorch.data.batches import TensorBatches
from infotorch.records import progress

Image = pytest.importorskip("PIL.Image")
RED, BLUE = (255, 0, 0), (0, 0, 255)


def pictures(folder: Path, count: int, colour: tuple[int, int, int], size: tuple[int, int] = (4, 4)) -> None:
    folder.mkdir(parents=True)
    for k in range(count):
        Image.new("RGB", size, colour).save(folder / f"{k}.png")


def two_classes(folder: Path, count: int = 10) -> Path:
    pictures(folder / "blue", count, BLUE)
    pictures(folder / "red", count, RED)
    return folder


def test_a_folder_becomes_a_data_set(tmp_path):
    name = f"folder:{two_classes(tmp_path / 'mine', count=20)}"
    data = load(name, validation=4, limit=10)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [10, 4, 4]
    assert (data.kind, data.num_classes, data.name) == ("images", 2, name)
    assert data.note.startswith("No checksum of these files is known. No parts in the folder: 4 test pictures")
    for part in (data.train, data.validation, data.test):
        assert part.y.bincount().tolist() == [len(part) // 2] * 2
        assert part.x.dtype == torch.float32
        for picture, label in zip(part.x, part.y, strict=True):
            colour = RED if label == 1 else BLUE
            assert torch.equal(picture, torch.tensor(colour).reshape(3, 1, 1).expand(3, 4, 4) / 255)


def test_the_seed_draws_the_parts(tmp_path):
    two_classes(tmp_path / "mine")
    parts = [image_folders(tmp_path / "mine", seed=seed).test.x.paths for seed in (0, 0, 1, 2, 3)]
    assert parts[0] == parts[1]
    assert len(set(parts)) > 1


def test_parts_of_the_folder_are_kept(tmp_path):
    for part, count in (("train", 5), ("val", 2), ("test", 3)):
        two_classes(tmp_path / part, count)
    files = image_folders(tmp_path)
    assert [len(part) for part in (files.train, files.validation, files.test)] == [10, 4, 6]
    assert {path.parent.parent.name for path in files.test.x.paths} == {"test"}
    with pytest.raises(ValueError, match=r"validation cannot be chosen: .* brings its own validation pictures"):
        image_folders(tmp_path, validation=3)
    data = load(f"folder:{tmp_path}", scaling="standard")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [10, 4, 6]
    assert data.train.x.mean(dim=(0, 2, 3)).abs().max() < 1e-6


def test_pictures_stay_on_disk_and_index_like_a_tensor(tmp_path):
    files = image_folders(two_classes(tmp_path / "mine"), size=6, name="mine")
    assert isinstance(files, ImageFolders)
    x, y = files.train.x, files.train.y
    assert x.shape == (len(y), 3, 6, 6)
    every = x[torch.arange(len(y))]
    assert every.shape == x.shape
    assert torch.equal(x[3], every[3])
    assert torch.equal(x[2:5], every[2:5])
    pixels, labels, rows = next(TensorBatches(x, y, batch_size=3, seed=0).epoch(0))
    assert torch.equal(pixels, every[rows])
    assert torch.equal(labels, y[rows])


def test_the_centred_square_is_taken(tmp_path):
    wide = np.zeros((2, 6, 3), dtype=np.uint8)
    wide[:, 2:4] = 255
    for name in ("a", "b"):
        pictures(tmp_path / name, 2, RED)
        Image.fromarray(wide).save(tmp_path / name / "wide.png")
    files = image_folders(tmp_path, size=2, validation=1)
    everything = [path for part in (files.train, files.validation, files.test) for path in part.x.paths]
    chosen = [path for path in everything if path.name == "wide.png"]
    assert (ImageFiles(tuple(chosen), 2).pixels() == 255).all()


def test_grey_pictures_get_three_channels(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(5):
            Image.new("L", (2, 2), 51).save(tmp_path / name / f"{k}.PNG")
    assert torch.equal(load(f"folder:{tmp_path}").test.x[0], torch.full((3, 2, 2), 0.2))


def test_pictures_of_different_sizes_need_a_size(tmp_path):
    pictures(tmp_path / "a", 5, RED)
    pictures(tmp_path / "b", 5, RED, size=(5, 5))
    with pytest.raises(ValueError, match=r"b.*\.png is 5 x 5 pixels, .* 4 x 4: choose image_size"):
        load(f"folder:{tmp_path}")
    assert load(f"folder:{tmp_path}", image_size=3).train.x.shape[2:] == (3, 3)


@pytest.mark.parametrize("size", [0, -3, 2.5, True])
def test_a_size_that_is_none(tmp_path, size):
    with pytest.raises(ValueError, match="image_size must be a positive number of pixels"):
        image_folders(two_classes(tmp_path / "mine"), size=size)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    two_classes(tmp_path / "mine")
    whole = (tmp_path / "mine" / "red" / "0.png").read_bytes()
    for k in range(10):
        (tmp_path / "mine" / "red" / f"{k}.png").write_bytes(whole[:-30])
    with pytest.raises(ValueError, match=r"red.*\.png is not a picture"):
        load(f"folder:{tmp_path / 'mine'}")
    (tmp_path / "mine" / "blue" / "0.png").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"blue.*0\.png is not a picture"):
        load(f"folder:{tmp_path / 'mine'}")


def test_folders_without_what_is_needed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere is not a folder"):
        load(f"folder:{tmp_path / 'nowhere'}")
    pictures(tmp_path / "mine" / "only", 3, RED)
    with pytest.raises(ValueError, match="must hold a folder of pictures for each of at least two classes"):
        load(f"folder:{tmp_path / 'mine'}")
    (tmp_path / "mine" / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty holds no pictures \(\.bmp"):
        load(f"folder:{tmp_path / 'mine'}")


def test_parts_must_have_the_same_classes(tmp_path):
    two_classes(tmp_path / "train")
    two_classes(tmp_path / "val")
    pictures(tmp_path / "val" / "green", 1, RED)
    with pytest.raises(ValueError, match="must have the classes of training; green is in one of them alone"):
        image_folders(tmp_path)


def test_more_pixels_than_belong_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MEMORY_LIMIT", 100)
    with pytest.raises(ValueError, match=r"choose a smaller image_size or limit, or infotorch\.data\.image_folders"):
        load(f"folder:{two_classes(tmp_path / 'mine')}")


def test_without_pillow_the_error_says_what_to_install(tmp_path, monkeypatch):
    two_classes(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "PIL", None)
    for option in ({}, {"image_size": 4}):
        with pytest.raises(ModuleNotFoundError, match=r"Reading pictures needs PIL: pip install 'infotorch\[images\]'"):
            load(f"folder:{tmp_path / 'mine'}", **option)


def test_many_pictures_show_progress(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "MANY", 10)
    load(f"folder:{two_classes(tmp_path / 'mine', count=10)}")
    assert capsys.readouterr().err == "decoding 16 training pictures\n"


def test_imagenet_is_read_from_its_folders(tmp_path):
    two_classes(tmp_path / "imagenet" / "train")
    two_classes(tmp_path / "imagenet" / "val", count=2)
    files = load("imagenet", root=tmp_path, validation=4, limit=8)
    assert isinstance(files, ImageFolders)
    assert [len(part) for part in (files.train, files.validation, files.test)] == [8, 4, 4]
    assert files.train.x.shape[2:] == (224, 224)
    assert files.class_names == ("blue", "red")
    assert {path.parent.parent.name for path in files.test.x.paths} == {"val"}
    assert load("imagenet", root=tmp_path, validation=4, image_size=8).train.x.shape[2:] == (8, 8)


def test_imagenet_that_is_not_there_or_scaled(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"imagenet: there is no folder .*train\. It cannot be downloaded without"
    ):
        load("imagenet", root=tmp_path)
    with pytest.raises(ValueError, match="scaling cannot be chosen: pictures that stay on disk"):
        load("imagenet", root=tmp_path, scaling="standard")
    with pytest.raises(ValueError, match="classes cannot be chosen: every folder is a class"):
        load("imagenet", root=tmp_path, classes=[0])
    with pytest.raises(ValueError, match="classes cannot be chosen: every folder is a class; leave out"):
        load(f"folder:{tmp_path}", classes=[0])
