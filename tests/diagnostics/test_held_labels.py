"""Labels of the batch that a step holds itself are found in whatever form, and nothing else is touched."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from infotorch import audit_isolation
from infotorch.diagnostics.held_labels import relabel

Y, OTHER = torch.tensor([0, 2, 1, 0]), torch.tensor([1, 1, 0, 2])

FORMS = {
    "int64": lambda y: y.clone(),
    "int32": lambda y: y.int(),
    "float": lambda y: y.float(),
    "one-hot": lambda y: F.one_hot(y, 3),
    "one-hot, bfloat16": lambda y: F.one_hot(y, 4).bfloat16(),
    "array": lambda y: y.numpy().astype(np.uint8),
    "one-hot array": lambda y: np.eye(5)[y.numpy()],
    "list": lambda y: y.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("given", ["int64", "array", "list"])
def test_classes_are_found_in_every_form(form, given):
    held, wanted = FORMS[form](Y), FORMS[form](OTHER)
    relabel([None, "0", held], FORMS[given](Y), FORMS[given](OTHER))
    assert type(held) is type(wanted)
    assert np.array_equal(*(torch.as_tensor(one).double().numpy() for one in (held, wanted)))


def test_real_targets_are_found_by_their_bits():
    y, other = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 3.0])
    held = [y.clone(), y.double()]
    relabel(held, y, other)
    assert [one.tolist() for one in held] == [[2.0, 3.0], [0.5, -1.0]]


def test_what_only_resembles_them_stays():
    held = [Y[:3].clone(), Y + 1, [0, 2, 1, 0, 0], ["0", "2", "1", "0"], [Y, Y, Y, Y], 2 * F.one_hot(Y, 3), {0: 2}]
    held += [nn.Parameter(Y.float()), np.broadcast_to(Y.numpy(), (4, 4)), np.array(["0", "2", "1", "0"]), Y.sum()]
    before = repr(held)
    relabel(held, Y, OTHER)
    assert repr(held) == before


def test_unlabelled_samples_have_no_one_hot_form():
    y = torch.tensor([0, -1, 1])
    held = [torch.eye(3), y.clone()]
    relabel(held, y, y.flip(0))
    assert torch.equal(held[0], torch.eye(3))
    assert torch.equal(held[1], y.flip(0))


@pytest.mark.parametrize("form", FORMS)
def test_a_step_that_reads_its_own_labels_is_not_label_free(form):
    x = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(12) % 3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = [nn.Linear(6, 5), nn.Linear(5, 5)]
    optimizer = torch.optim.SGD([p for module in modules for p in module.parameters()], lr=0.1)
    held = FORMS[form](y)

    def step(x, _):
        labels = torch.as_tensor(held).double()
        labels = labels.argmax(dim=1) if labels.ndim == 2 else labels.long()
        optimizer.zero_grad()
        for module in modules:
            x = module(x.detach()).relu()
            F.cross_entropy(x, labels).backward()
        optimizer.step()

    audit = audit_isolation(step, x, y, modules=modules)
    assert audit.certified, audit
    assert audit.label_free == ()
    assert np.array_equal(*(torch.as_tensor(one).double().numpy() for one in (held, FORMS[form](y))))
