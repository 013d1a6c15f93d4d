"""A run on pictures that stay on disk, as ImageNet does: the same numbers as when they are loaded into memory."""

import numpy as np
import pytest
import torch

from infotorch.data.folders import folders_as_dataset, image_folders
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.runner import run
from infotorch.runs.setup import load_samples

Image = pytest.importorskip("PIL.Image")


def pictures(folder, count, *, level, seed):
    """Grey noise around a level, by which the classes differ; wider than high."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        noise = rng.normal(level, 30, (20, 26, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02d}.png")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data folder with an `imagenet` of two classes."""
    folder = tmp_path_factory.mktemp("data")
    for part, count in (("train", 24), ("val", 8)):
        for seed, (name, level) in enumerate((("n01", 70), ("n02", 180))):
            pictures(folder / "imagenet" / part / name, count, level=level, seed=seed + 10 * count)
    return folder


@pytest.fixture
def imagenet(root, monkeypatch):
    monkeypatch.setenv("INFOTORCH_DATA", str(root))
    return root / "imagenet"


def recipe(name="imagenet", *, architecture="lenet5", side=16, **settings):
    row = find_recipe("demo", "bp")
    changed = {
        "data.name": name,
        "data.side": side,
        "data.limit": None,
        "data.validation": 0.25,
        "data.augment": "crops-flips",
        "network.architecture": architecture,
        "network.hidden": [],
        "optimizer.name": "adam",
        "optimizer.lr": 2e-3,
        "batch_size": 6,
        "epochs": 3,
        **settings,
    }
    return change(row, changed)


def in_memory(root, **settings):
    """The same pictures by the reader that decodes them all at once."""
    return recipe(f"folder:{root / 'imagenet'}", **settings)


def test_a_run_equals_the_one_whose_pictures_were_loaded_into_memory(imagenet, root, tmp_path):
    """Splits, batches, crops, training and every number that is evaluated: to the last bit."""
    on_disk = run(recipe(), tmp_path / "disk", device="cpu")
    loaded = run(in_memory(root), tmp_path / "memory", device="cpu")
    assert (on_disk.status, on_disk.message) == ("completed", "all stages trained")
    assert on_disk.metrics == loaded.metrics
    assert RunRecord(tmp_path / "disk").metrics() == RunRecord(tmp_path / "memory").metrics()
    assert on_disk.metrics["test_accuracy"] >= 0.9  # 16 pictures, whose means lie a hundred deviations apart


def test_a_residual_network_of_50_layers_trains_on_imagenets_folders(imagenet, tmp_path):
    row = recipe(architecture="resnet50", side=32, epochs=1, **{"data.limit": 12, "optimizer.name": "sgd"})
    outcome = run(row, tmp_path / "run", device="cpu")
    assert (outcome.status, outcome.message) == ("completed", "all stages trained")
    (line,) = RunRecord(tmp_path / "run").metrics()
    assert line["step"] == 2
    assert 0 < line["train_loss"] < 5
    assert set(outcome.metrics) >= {"train_accuracy", "validation_accuracy", "test_accuracy"}


def test_a_table_of_learning_rates_reads_its_signal_from_the_disk(imagenet, root, tmp_path):
    settings = {"optimizer.schedule": "information", "schedule.num_samples": 20, "epochs": 4}
    lines = []
    for name, row in (("disk", recipe(**settings)), ("memory", in_memory(root, **settings))):
        assert run(row, tmp_path / name, device="cpu").status == "completed"
        lines.append(RunRecord(tmp_path / name).metrics())
    assert lines[0] == lines[1]
    assert len({line["learning_rate"] for line in lines[0]}) > 1


def test_modules_trained_one_after_another_see_the_same_rows(imagenet, root, tmp_path):
    settings = {"plan.cuts": ["conv2", "fc1"], "plan.objectives": ["frozen", "Y", "CE"], "epochs": 1}
    first = run(recipe(**settings), tmp_path / "disk", device="cpu")
    assert first.status == "completed", first.message
    assert first.metrics == run(in_memory(root, **settings), tmp_path / "memory", device="cpu").metrics


def test_few_labels_keep_the_pictures_on_disk(imagenet):
    rows = load_samples(recipe(**{"data.labels": 4}), seed=0)
    assert type(rows.train.x).__name__ == "ImageFiles"
    assert int((rows.train.y >= 0).sum()) == 4
    assert len(rows.train) == 36


def test_rows_for_another_device_are_decoded_onto_it(imagenet):
    rows = folders_as_dataset(image_folders(imagenet, size=8)).to("meta")
    assert rows.train.x[torch.tensor([0, 3])].device.type == "meta"
    assert rows.train.x[1:3].device.type == "meta"
    assert rows.test.x[0].device.type == "meta"
    assert rows.test.y.device.type == "meta"


def test_double_precision_and_a_cache_are_refused(imagenet, tmp_path):
    with pytest.raises(ValueError, match="demo: precision must not be 64-true: imagenet is read file by file"):
        load_samples(recipe(precision="64-true"), seed=0)
    with pytest.raises(ValueError, match=r"cache and data\.augment exclude each other"):
        recipe(cache="memory")
    plain = recipe(cache="memory", **{"data.augment": "none"})
    assert (
        "a cache needs batches that hold their samples in memory" in run(plain, tmp_path / "run", device="cpu").message
    )
