"""What our modules are handed in place of a tensor of real numbers: one line that names them."""

import numpy as np
import pytest
import torch
from torch import nn

from infotorch.networks import (
    GaussianLayer,
    GaussianNoise,
    LengthNorm,
    LogNormalLayer,
    LogNormalNoise,
    Parallel,
    Quantiser,
    SampleMean,
    fold_linear,
    mlp,
)

MODULES = {
    "GaussianNoise": lambda: GaussianNoise(0.5),
    "LogNormalNoise": lambda: LogNormalNoise(0.5),
    "Quantiser": lambda: Quantiser(3),
    "LengthNorm": LengthNorm,
    "GaussianLayer": lambda: GaussianLayer(3, 2),
    "LogNormalLayer": lambda: LogNormalLayer(3, 2),
    "SampleMean": lambda: SampleMean(2),
}
WRONG = {
    "an array": (np.ones((4, 3)), TypeError, "must be a tensor, got ndarray; torch.as_tensor"),
    "lists": ([[1.0, 2.0, 3.0]], TypeError, r"must be a tensor, got \[\[1.0, 2.0, 3.0\]\]"),
    "integers": (torch.ones(4, 3, dtype=torch.int64), TypeError, "must be real-valued, got torch.int64"),
    "complex": (torch.ones(4, 3, dtype=torch.complex64), TypeError, "must be real-valued, got torch.complex64"),
    "sparse": (torch.eye(4, 3).to_sparse(), TypeError, "must be a dense tensor, got a torch.sparse_coo one"),
    "a number": (torch.tensor(0.5), ValueError, "must have rows, got a single number"),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_tensor_of_real_numbers_is_refused_by_name(name, kind):
    values, error, message = WRONG[kind]
    with pytest.raises(error, match=rf"^{name}: the input {message}"):
        MODULES[name]()(values)


@pytest.mark.parametrize("name", ["GaussianLayer", "LogNormalLayer", "GaussianNoise", "Quantiser"])
def test_inference_tensors_are_taken(name):
    with torch.inference_mode():
        x = torch.ones(4, 3)
    module = MODULES[name]()
    result = module(x)
    assert result.shape[0] == 4
    if list(module.parameters()):
        result.sum().backward()
        assert all(parameter.grad is not None for parameter in module.parameters())


def test_rows_meet_the_weights_they_were_made_for():
    layer = GaussianLayer(3, 2)
    with pytest.raises(TypeError, match=r"must have the weights' type, torch\.float32, got torch\.float64"):
        layer(torch.ones(4, 3).double())
    with pytest.raises(ValueError, match=r"must have rows of 3 entries, got shape \(4, 6\)"):
        layer(torch.ones(4, 6))
    with pytest.raises(ValueError, match="must be on the weights' device, cpu, got meta"):
        layer(torch.ones(4, 3, device="meta"))
    with torch.autocast("cpu"):
        assert layer(torch.ones(4, 3).bfloat16()).shape == (4, 2)


def test_a_code_is_a_pair():
    with pytest.raises(TypeError, match=r"GaussianLayer: the code must be a pair of tensors"):
        GaussianLayer(3, 2).draw((torch.ones(4, 2),))
    with pytest.raises(ValueError, match=r"centre and deviation must have one shape, got \(4, 2\) and \(4, 3\)"):
        GaussianLayer(3, 2).draw((torch.ones(4, 2), torch.ones(4, 3)))


def test_settings_of_another_kind_are_refused():
    with pytest.raises(TypeError, match=r"fold_linear: first must be an nn.Linear, got Tensor"):
        fold_linear(torch.ones(2, 2), nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"fold_linear: second must be an nn.Linear, got Identity"):
        fold_linear(nn.Linear(2, 2), nn.Identity())
    with pytest.raises(TypeError, match="mlp: hidden must be a sequence of widths"):
        mlp(3, nn.Identity(), 2)
    with pytest.raises(ValueError, match=r"mlp: every width of hidden must be below 2\*\*31"):
        mlp(3, (2**62,), 2)
    with pytest.raises(TypeError, match="mlp: dropout must be a number, got str"):
        mlp(3, (2,), 2, dropout="half")
    with pytest.raises(TypeError, match="Quantiser: limits must be two numbers"):
        Quantiser(3, limits=object())
    with pytest.raises(TypeError, match="Parallel: branches must be a dict of modules by name"):
        Parallel([nn.Identity()])
