"""ResNet-110 in four modules and the wider speed run: what rows differ in, and how much a module keeps."""

import torch

from infotorch.data.batches import TensorBatches
from infotorch.data.sets import Dataset, Split
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.registry import variants_of
from infotorch.training.loop import train

TABLE = {recipe.variant: recipe for recipe in variants_of("cifar10-large")}
SMALL = {recipe.variant: recipe for recipe in variants_of("cifar10")}


def test_a_deep_rows_control_differs_in_the_plan_alone():
    for name in ("resnet110-infopro", "resnet110-readout"):
        row, control = TABLE[name].model_dump(), TABLE["resnet110"].model_dump()
        assert {key for key in row if row[key] != control[key]} == {"variant", "description", "plan"}
        assert TABLE[name].plan.isolated
        assert len(TABLE[name].plan.objectives) == 4


def test_wide_rows_are_those_of_the_small_table_but_for_channels_and_epochs():
    for name in ("bp", "layerwise", "predsim"):
        wide, small = TABLE[f"wide-{name}"].model_dump(), SMALL[name].model_dump()
        changed = {key for key in wide if wide[key] != small[key]} - {"name", "title", "variant", "description"}
        assert changed - {"published"} == {"network", "epochs"}
        assert TABLE[f"wide-{name}"].network.channels == (128, 512, 512)


def test_a_module_of_resnet110_keeps_less_than_two_fifths_of_what_all_keep():
    """What autograd keeps at its highest, of a step of four images: the goal of the row."""
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    split = Split(x, torch.arange(4) % 2)
    data = Dataset("cifar10", "images", split, split, split, num_classes=10)
    peaks = {}
    for name in ("resnet110", "resnet110-readout", "resnet110-infopro"):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            plan = build_plan(TABLE[name], build_network(TABLE[name], data))
        peaks[name] = next(train(plan, TensorBatches(x, split.y, batch_size=4), epochs=1)).peak_saved_activation_bytes
    assert peaks["resnet110-readout"] < 0.35 * peaks["resnet110"]
    assert peaks["resnet110-infopro"] < 0.40 * peaks["resnet110"]
