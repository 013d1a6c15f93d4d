"""What names that train are handed by mistake, and what they say of it: one line that names the place."""

import numpy as np
import pytest
import torch
from torch import nn

from infotorch import LocalModule, Plan, TensorBatches
from infotorch.objectives import CrossEntropy

X, Y = torch.ones(8, 3), torch.arange(8) % 2


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def plan() -> Plan:
    return Plan.end_to_end(nn.Linear(3, 2), "CE", optimizer=sgd)


def prepared() -> Plan:
    made = plan()
    made.prepare(TensorBatches(X, Y, batch_size=4), epochs=1, seed=0)
    return made


def made_with(**changes) -> LocalModule:
    settings = {"name": "a", "body": nn.Linear(3, 2), "objective": CrossEntropy(), "optimizer": sgd}
    return LocalModule(**settings | changes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: made_with(name=3), TypeError, "LocalModule: name must be a text, got 3"),
        (lambda: made_with(body="a"), TypeError, r"body must be a torch\.nn\.Module, got 'a'"),
        (lambda: made_with(objective="CE"), TypeError, "objective must be an Objective or None, got 'CE'"),
        (lambda: made_with(critic_optimizer=np.array(["a"])), TypeError, "critic_optimizer must make an optimiser"),
        (lambda: made_with(scheduler=1), TypeError, "scheduler must be a function, got 1"),
        (lambda: plan()[0](3, X), TypeError, "module 'network': an input must be a tensor or a torch_geometric graph"),
        (lambda: plan()[0].prepare(X, Y, None, 1), TypeError, "example must be a LocalBatch, got Tensor"),
        (lambda: prepared()[0].load_state_dict(()), ValueError, "module 'network'"),
        (lambda: Plan({"a"}), TypeError, "Plan: modules must be a list of LocalModule, got {'a'}"),
        (lambda: Plan(plan().modules, isolated=X), TypeError, "Plan: isolated must be True or False, got Tensor"),
        (lambda: plan()["network"], TypeError, "the number of a module must be an integer, got 'network'"),
        (lambda: plan()[1], IndexError, "the number of a module must be below 1, got 1"),
        (lambda: plan().outputs(X, stop="a"), TypeError, r"Plan\.outputs: stop must be an integer or None, got 'a'"),
        (lambda: plan().prepare(3, epochs=1, seed=0), TypeError, r"Plan\.prepare: batches must be TensorBatches"),
        (lambda: plan().load_state_dict([]), ValueError, "Plan: the state holds the modules list"),
        (lambda: next(TensorBatches(X, Y, batch_size=4).epoch("a")), TypeError, "epoch must be an integer, got 'a'"),
        (lambda: next(TensorBatches(X, Y, batch_size=4).epoch(0, start=-1)), ValueError, "start must be at least 0"),
    ],
)
def test_an_argument_of_another_kind_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
