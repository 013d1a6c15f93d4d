"""What objectives are handed in place of a batch, or of the output they were built on: one line that names them."""

import numpy as np
import pytest
import torch

from infotorch.objectives import (
    CrossEntropy,
    ForwardForward,
    LocalBatch,
    ReadoutInformation,
    VariationalBottleneck,
)

X, Y = torch.ones(6, 4), torch.arange(6) % 2


def built(objective=None):
    objective = objective or ReadoutInformation()
    objective.build(LocalBatch(X, X, X, Y), Y)
    return objective


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("x", np.ones((6, 4)), "x must be a tensor, got ndarray"),
        ("output", [[1.0]], r"output must be a tensor, got \[\[1.0\]\]"),
        ("output", X.long(), r"output must be real-valued, got torch\.int64"),
        ("output", X.to_sparse(), "output must be a dense tensor, got a torch.sparse_coo one"),
        ("y", "labels", "y must be a tensor, got 'labels'"),
        ("y", X[:, 0].to(torch.complex64), r"y must be integers or real numbers, got torch\.complex64"),
    ],
)
def test_a_batch_holds_dense_tensors(part, value, message):
    with pytest.raises(TypeError, match=f"^LocalBatch: {message}"):
        LocalBatch(**{"x": X, "module_input": X, "output": X, "y": Y, part: value})


def test_an_objective_takes_what_it_was_built_on():
    objective = built()
    with pytest.raises(TypeError, match=r"^ReadoutInformation: takes a LocalBatch, got Tensor"):
        objective(X)
    with pytest.raises(ValueError, match=r"was built on an output of 2 axes and 4 columns, got shape \(6, 8\)"):
        objective(LocalBatch(X, X, torch.ones(6, 8), Y))
    with pytest.raises(TypeError, match=r"was built on an output of torch\.float32, got torch\.float64"):
        objective(LocalBatch(X, X, X.double(), Y))
    with pytest.raises(ValueError, match="y must have a value for each row of the output, 5, got 6"):
        objective(LocalBatch(X, X, X[:5], Y))
    with pytest.raises(TypeError, match=r"^ReadoutInformation: output must be a tensor, got ndarray"):
        objective.scores(X.numpy())
    with pytest.raises(TypeError, match=r"^VariationalBottleneck: output must be real-valued"):
        built(VariationalBottleneck(code=2)).scores(X.long())


@pytest.mark.parametrize("objective", [CrossEntropy, ReadoutInformation, ForwardForward])
def test_labels_are_a_tensor_of_integers(objective):
    for labels, message in (
        (np.ones(6), "build: labels must be a tensor, got ndarray"),
        (Y.bool(), "class labels must be integers"),
        (Y[:0], "class labels must have one row or more, got none"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^{objective.__name__}.*{message}"):
            objective().build(LocalBatch(X, X, X, Y), labels)


def test_an_inference_tensor_can_be_read():
    with torch.inference_mode():
        output = torch.ones(6, 4)
    assert built().scores(output).shape == (6, 2)
