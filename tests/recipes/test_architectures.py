"""Published networks as settings of a recipe: what is built, and what does not go with them."""

import pytest
import torch
from pydantic import ValidationError

from infotorch.data.sets import Dataset, Split
from infotorch.networks.lenet import lenet5
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.registry import find_recipe

NAMES = ["lenet5", "all-cnn-c", "vgg16", "wrn-28-10", "resnet50", "resnet110"]


def recipe(**network):
    return find_recipe("ib-mnist-1pct", "ce").model_copy(update={"network": NetworkSettings(**network)})


def data(*shape, classes=10, kind="images"):
    rows = Split(torch.zeros(2, *shape), torch.tensor([0, 1]))
    return Dataset("toy", kind, rows, rows, rows, num_classes=classes)


def count(settings, dataset):
    with torch.device("meta"):
        return sum(p.numel() for p in build_network(recipe(**settings), dataset).parameters())


@pytest.mark.parametrize(
    ("settings", "shape", "classes", "parameters"),
    [
        ({"architecture": "lenet5"}, (1, 28, 28), 10, 431_080),
        ({"architecture": "all-cnn-c"}, (3, 32, 32), 10, 1_369_738),
        ({"architecture": "vgg16", "norm": "batch"}, (3, 32, 32), 10, 14_728_266),
        ({"architecture": "vgg16", "hidden": (512, 512)}, (3, 32, 32), 10, 15_245_130),
        ({"architecture": "wrn-28-10"}, (3, 32, 32), 100, 36_536_884),
        ({"architecture": "resnet50"}, (3, 64, 64), 1000, 25_557_032),
        ({"architecture": "resnet110"}, (3, 32, 32), 10, 1_727_962),
    ],
)
def test_the_network_is_the_published_one_for_the_datas_shape_and_classes(settings, shape, classes, parameters):
    assert count(settings, data(*shape, classes=classes)) == parameters


@pytest.mark.parametrize("name", ["lenet5", "all-cnn-c", "wrn-28-10"])
def test_dropout_is_the_settings_own_and_none_by_default(name):
    with torch.device("meta"):
        for share in (0.0, 0.3):
            network = build_network(recipe(architecture=name, dropout=share), data(3, 32, 32))
            found = {layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)} - {0.0}
            assert found == ({share} if share else set())


def test_initial_weights_are_drawn_from_the_stream_that_is_global_and_init_draws_them_anew():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wanted = lenet5((1, 28, 28), 10, dropout=0.0)
        torch.manual_seed(0)
        found = build_network(recipe(architecture="lenet5"), data(1, 28, 28))
        assert all(torch.equal(a, b) for a, b in zip(wanted.parameters(), found.parameters(), strict=True))
        found = build_network(recipe(architecture="lenet5", init="xavier"), data(1, 28, 28))
    assert torch.equal(found.get_submodule("fc1").bias, torch.zeros(500))


def test_a_plan_cuts_it_at_its_layers():
    row = find_recipe("ib-mnist-1pct", "ce").model_copy(update={"network": NetworkSettings(architecture="lenet5")})
    row = row.model_copy(update={"plan": row.plan.model_copy(update={"cuts": ("fc1",), "objectives": ("Y", "CE")})})
    plan = build_plan(row, build_network(row, data(1, 28, 28)))
    assert [module.name for module in plan] == ["conv1", "fc1"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("setting", "value"),
    {
        "hidden": (5,),
        "head": True,
        "channels": (4,),
        "kernel": 5,
        "norm": "batch",
        "dropout": 0.5,
        "activation": "sigmoid",
        "squash": True,
        "latent": 3,
        "noise_std": 1.0,
        "convolutions": (4,),
    }.items(),
)
def test_settings_that_are_no_choice_are_refused(name, setting, value):
    applies = {"vgg16": {"hidden", "norm", "dropout"}, "resnet50": set(), "resnet110": set()}.get(name, {"dropout"})
    if setting in applies:
        assert getattr(NetworkSettings(architecture=name, **{setting: value}), setting) == value
    else:
        with pytest.raises(ValidationError, match=f"{setting} is not a choice of {name}; leave it out"):
            NetworkSettings(architecture=name, **{setting: value})


def test_a_norm_by_length_is_refused():
    with pytest.raises(ValidationError, match='norm of vgg16 must be "batch" or "none"'):
        NetworkSettings(architecture="vgg16", norm="length")


def test_a_row_with_hidden_layers_says_what_to_leave_out():
    with pytest.raises(ValueError, match="hidden is not a choice of lenet5; leave it out"):
        change(find_recipe("ib-mnist-1pct", "ce"), {"network.architecture": "lenet5"})


def test_the_speed_runs_network_whitens_patches_of_the_training_images_and_keeps_its_own_start():
    rows = torch.randn(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    split = Split(rows, torch.arange(20) % 10)
    dataset = Dataset("toy", "images", split, split, split, num_classes=10)
    stem = build_network(recipe(architecture="airbench94", channels=(4, 4, 4)), dataset).get_submodule("stem")
    patches = (stem(rows) - stem.bias.view(1, -1, 1, 1)).detach().transpose(0, 1).flatten(1)
    assert torch.allclose(patches[:12].cov(), torch.eye(12), atol=2e-3)
    assert NetworkSettings(architecture="airbench94", recompute=True).recompute
    for setting, value in {"init": "xavier", "hidden": (5,), "norm": "batch", "dropout": 0.5}.items():
        with pytest.raises(ValidationError, match=f"{setting} is not a choice of airbench94; leave it out"):
            NetworkSettings(architecture="airbench94", **{setting: value})
    with pytest.raises(ValidationError, match='recompute is for the architecture "airbench94"'):
        NetworkSettings(hidden=(5,), recompute=True)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValidationError, match="'lenet5', 'all-cnn-c', 'vgg16', 'wrn-28-10', 'resnet50' or 'resnet110'"):
        NetworkSettings(architecture="alexnet")


@pytest.mark.parametrize("name", NAMES)
def test_data_without_images_are_refused(name):
    with pytest.raises(ValueError, match=f"ib-mnist-1pct: {name} needs images; toy has vectors"):
        build_network(recipe(architecture=name), data(12, kind="vectors"))
    with pytest.raises(ValueError, match=f"ib-mnist-1pct: {name} needs images; toy has graphs"):
        build_network(recipe(architecture=name), data(12, kind="graph"))


@pytest.mark.parametrize(("name", "least"), [("lenet5", 16), ("all-cnn-c", 9), ("vgg16", 32)])
def test_images_that_are_too_small_are_refused(name, least):
    with pytest.raises(ValueError, match=f"sides of at least {least}, got shape"):
        build_network(recipe(architecture=name), data(1, 8, 8))
