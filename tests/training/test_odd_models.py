"""Models and targets that people have: trained as a loop by hand would train them, or refused in one line."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from campaign.odd_models import Odd, odd
from infotorch.data.batches import TensorBatches
from infotorch.networks.segments import split
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.fit import fit
from infotorch.training.loop import train
from infotorch.training.plan import Plan


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def layerwise(one: Odd, objectives="Y,CE", **options) -> Plan:
    return Plan.layerwise(one.model, one.layers, objectives, optimizer=adam, **options)


def finish(plan: Plan, one: Odd, epochs=1):
    infos = list(train(plan, TensorBatches(one.x, one.y, batch_size=8), epochs=epochs))
    return infos[-1]


def by_hand(one: Odd) -> nn.Module:
    """One epoch of cross-entropy in the order in which the plan sees the samples."""
    optimizer = adam(one.model.parameters())
    for batch in TensorBatches(one.x, one.y, batch_size=8).epoch(0):
        optimizer.zero_grad()
        F.cross_entropy(one.model(batch.x), batch.y).backward()
        optimizer.step()
    return one.model


@pytest.mark.parametrize(
    "name",
    [
        "pruned weights", "spectral norm", "weight norm", "double", "hooks", "traced", "scripted", "data parallel",
        "tied weights", "a layer used twice", "a running mean reassigned in forward", "a buffer reassigned in forward",
        "a recurrent state kept on the model", "a frozen layer", "a parameter that forward never reads",
    ],
)  # fmt: skip
def test_plain_backpropagation_equals_a_loop_by_hand(name):
    one, two = odd(name), odd(name)
    finish(Plan.end_to_end(one.model, optimizer=adam), one)
    expected = by_hand(two).state_dict()
    for key, value in one.model.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_pruned_weights_stay_zero_layer_by_layer():
    one = odd("pruned weights")
    mask = one.model[2].weight_mask.clone()
    finish(layerwise(one), one)
    one.model(one.x)
    assert torch.equal(one.model[2].weight == 0, mask == 0)
    assert 0 < int(mask.sum()) < mask.numel()


@pytest.mark.parametrize(
    "name",
    ["a buffer reassigned in forward", "a running mean reassigned in forward", "a buffer that is None at first"],
)
def test_a_buffer_that_forward_sets_anew_is_refused_where_it_is_cut_and_left_as_it_was(name):
    one = odd(name)
    before = {key: copy.copy(value) for key, value in one.model._buffers.items()}
    with pytest.raises(ValueError, match=r"cuts: .*forward sets the attribute '(count|mean|scale)' of .*copy_"):
        split(one.model, one.layers)
    assert {key: type(value) for key, value in one.model._buffers.items()} == {
        key: type(value) for key, value in before.items()
    }
    one.model(one.x)  # nothing of the trace is left in it


def test_a_buffer_changed_in_place_counts_on_where_it_is_cut():
    one = odd("a buffer changed in place")
    plan = layerwise(one, "frozen,CE")
    finish(plan, one)
    assert one.model.count == 3  # steps; the look at the shapes before them does not count


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data parallel", "cuts: a DataParallel cannot be traced; give the model within it, model.module"),
        ("traced", "cuts: a .*Module cannot be traced; give the model as it was before torch.jit"),
        ("scripted", "cuts: a .*Module cannot be traced; give the model as it was before torch.jit"),
        ("an output that was detached", "module '2' gives an output without a gradient.*detached"),
        ("an output through numpy", "module '2' gives an output without a gradient"),
        ("complex output", "module '2' must give real numbers, .* got torch.complex64"),
        ("gives classes and not scores", "module '2' must give real numbers, .* got torch.int64"),
        ("gives a number", r"module '2' must give a row for each of 8 samples, got shape \(\)"),
        ("fewer rows than it is given", r"module '2' must give a row for each of 8 samples, got shape \(7, 3\)"),
        ("sparse gradients", "optimizer: Adam takes no sparse gradients; make the embedding with sparse=False"),
        ("on meta", "Plan: the weight '0.weight' lies on the meta device"),
        ("made under inference_mode", "Plan: the weight '0.weight' was made under torch.inference_mode"),
        ("batch norm on one sample", "module '2' cannot take a tensor of shape .*: Expected more than 1 value"),
        ("a label of 2**62", "ReadoutInformation: classes count from 0, got 4611686018427387904"),
    ],
)
def test_what_cannot_train_is_refused_in_one_line(name, message):
    one = odd(name)
    with pytest.raises(ValueError, match=message) as caught:
        finish(layerwise(one), one)
    assert "\n" not in str(caught.value)


def test_a_module_whose_output_was_detached_is_refused_beside_others_that_train():
    one = odd("an output that was detached")
    with pytest.raises(ValueError, match="module '2' gives an output without a gradient"):
        finish(layerwise(one, order="simultaneous", isolated=False), one)


def test_training_under_no_grad_is_refused():
    one = odd("a plain perceptron")
    with torch.no_grad(), pytest.raises(ValueError, match="does this run under torch"):
        fit(one.model, (one.x, one.y), plan="CE", cuts=())


def test_a_proximal_split_of_one_sample_names_batch_norm():
    one = odd("batch norm on one sample")
    plan = Plan.proximal(one.model, "2", optimizer=adam, step_size=0.1)
    with pytest.raises(ValueError, match="module 'network' has a batch norm, which needs two samples a step"):
        finish(plan, one)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("half", ValueError, "fit: float16 weights cannot be trained by Adam"),
        ("on meta", ValueError, "fit: the weight '0.weight' lies on the meta device"),
        ("needs a keyword", TypeError, "module 'network' cannot take a tensor .*keyword-only argument: 'scale'"),
        ("labels in a dict", TypeError, "fit: y must be a tensor or an array of real numbers, got dict"),
    ],
)
def test_fit_refuses_in_one_line(name, error, message):
    one = odd(name)
    with pytest.raises(error, match=message):
        fit(one.model, (one.x, one.y), plan="CE", cuts=())


@pytest.mark.parametrize("name", ["takes a dict", "takes two tensors"])
def test_a_model_of_several_inputs_trains_whole_and_cut(name):
    one = odd(name)
    for plan in ("CE", "Y,CE"):
        cuts = () if plan == "CE" else one.layers
        assert fit(one.model, (one.x, one.y), plan=plan, cuts=cuts, epochs=1).diverged is None


def test_half_precision_trains_by_an_optimizer_of_ones_own():
    one, two = odd("half"), odd("half")
    finish(Plan.end_to_end(one.model, optimizer=lambda p: torch.optim.SGD(p, lr=0.1)), Odd(one.model, one.x.half()))
    optimizer = torch.optim.SGD(two.model.parameters(), lr=0.1)
    for batch in TensorBatches(two.x.half(), two.y, batch_size=8).epoch(0):
        optimizer.zero_grad()
        F.cross_entropy(two.model(batch.x).float(), batch.y).backward()
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))


def test_a_plan_that_tries_copies_refuses_a_model_that_cannot_be_copied():
    one = odd("pruned weights")
    with pytest.raises(ValueError, match="fit: a plan of 'auto' tries each assignment on a copy"):
        fit(one.model, (one.x, one.y), plan="auto")


def test_no_samples_for_a_plan_to_choose_on_are_named():
    one = odd("no samples")
    with pytest.raises(ValueError, match="fit: class labels must have one row or more, got none"):
        fit(one.model, (one.x, one.y), plan="auto")


def test_a_plan_for_two_hundred_layers_names_the_first_few():
    one = odd("200 layers")
    with pytest.raises(ValueError, match=r"100 cuts \(2, 4, 6, 8, 10, 12, 14, 16, \.\.\.\) make 101 modules"):
        fit(one.model, (one.x, one.y), plan="X,Y,CE")


def test_bool_labels_are_classes_0_and_1():
    one = odd("bool labels")
    plan = layerwise(one)
    finish(plan, one)
    assert evaluate_modules(plan, one.x, one.y, [0, 1]) == evaluate_modules(plan, one.x, one.y.long(), [0, 1])


@pytest.mark.parametrize("objective", ["Y", "Y:hsic", "Y:forward-forward"])
def test_a_class_that_training_never_had_is_named_in_evaluation(objective):
    one = odd("a class absent from training")
    plan = layerwise(one, f"{objective},CE")
    finish(plan, one)
    with pytest.raises(ValueError, match="y holds class 2, and module '0' was trained on classes 0 to 1"):
        evaluate_modules(plan, one.x, odd("a plain perceptron").y, [0])
    # The last module has a score for it all the same.
    assert evaluate_modules(plan, one.x, odd("a plain perceptron").y, [1])["2"]["loss"] > 0


def test_nothing_is_printed_where_a_cut_model_fails(capfd):
    one = odd("a plain perceptron")
    with pytest.raises(ValueError, match=r"module '0' cannot take a tensor of shape \(8, 5\)"):
        finish(layerwise(one), Odd(one.model, one.x[:, :5]))
    assert capfd.readouterr() == ("", "")
