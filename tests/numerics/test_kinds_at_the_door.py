"""Arguments of another kind, found by generated calls: each is one line that names the argument."""

import numpy as np
import pytest
import torch

from infotorch import Plan, TensorBatches
from infotorch.data.folders import image_folders
from infotorch.estimators.conditional import conditional_gaussian_mi
from infotorch.objectives import CrossEntropy, Ramp, ReadoutInformation

X, WORDS, EMPTY = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)), np.array(["a", "b"]), np.empty((0, 3))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: CrossEntropy(class_weights=WORDS), TypeError, "CrossEntropy: class_weights must be a number for each"),
        (
            lambda: ReadoutInformation(class_weights=torch.tensor(2)),
            TypeError,
            "class_weights must be a number for each",
        ),
        (
            lambda: conditional_gaussian_mi(X, X, X, unbiased=torch.tensor([])),
            TypeError,
            "unbiased must be True or False",
        ),
        (lambda: TensorBatches(X, None, batch_size=4, drop_last=EMPTY), TypeError, "drop_last must be True or False"),
        (lambda: TensorBatches(X, None, batch_size=4, shuffle=EMPTY), TypeError, "shuffle must be True or False"),
        (lambda: image_folders(".", name=EMPTY), TypeError, "image_folders: name must be text or None"),
        (
            lambda: Plan.end_to_end(torch.nn.Linear(2, 2), optimizer=torch.optim.SGD).prepare(
                TensorBatches(X, None, batch_size=4), epochs=1, seed=0, targets=WORDS
            ),
            ValueError,
            "targets must be one of auto, classes, real, multilabel",
        ),
    ],
)
def test_it_is_refused_in_a_line(call, kind, message):
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_ramp_ends_however_far_an_epoch_lies_behind_it():
    ramp = Ramp(0.0, 0.5, 4)
    assert [ramp(epoch, 0) for epoch in (0, 1, 4, 10**400)] == [0.0, 0.125, 0.5, 0.5]
