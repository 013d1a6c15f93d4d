"""Small work takes one thread, inside the library's own steps only, unless the environment decides."""

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.numerics.threads import SMALL, OperationCount, threads_for
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """Two threads that nobody asked for, as on a machine with two cores."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Watched(nn.Linear):
    """A layer that notes how many threads torch has when it is called."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.seen = []

    def forward(self, x):
        self.seen.append(torch.get_num_threads())
        return super().forward(x)


def plan_of(layer):
    return Plan.end_to_end(layer, optimizer=lambda p: torch.optim.SGD(p, lr=0.1))


@pytest.mark.parametrize(
    ("layer", "x", "operations"),
    [
        (nn.Linear(5, 3), torch.ones(7, 5), 2 * 7 * 5 * 3),
        (nn.Conv2d(2, 4, 3), torch.ones(6, 2, 8, 9), 2 * 6 * 4 * (6 * 7) * 2 * 9),
        (nn.Conv1d(4, 4, 3, groups=2), torch.ones(1, 4, 5), 2 * 4 * 3 * 2 * 3),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)), torch.ones(10, 2), 2 * 10 * (4 + 2)),
        (nn.ReLU(), torch.ones(3), 0),
    ],
)
def test_the_operations_of_products_and_convolutions_are_counted(layer, x, operations):
    with torch.no_grad(), OperationCount() as count:
        layer(x)
    assert count.total == operations


def test_counting_changes_no_output_and_warns_of_no_compiled_module(recwarn):
    layer = torch.compile(nn.Linear(4, 3), backend="eager")
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        recwarn.clear()
        with OperationCount() as count:
            counted = layer(x)
        assert torch.equal(counted, layer(x))
    assert count.total == 2 * 5 * 4 * 3
    assert not recwarn


@pytest.mark.parametrize(("operations", "threads"), [(None, 2), (0, 1), (SMALL - 1, 1), (SMALL, 2)])
def test_small_work_has_one_thread(operations, threads):
    with threads_for(operations):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_environment_decides(monkeypatch, name):
    monkeypatch.setenv(name, "2")
    with threads_for(0):
        assert torch.get_num_threads() == 2


def test_the_threads_come_back_after_an_error():
    with pytest.raises(KeyError), threads_for(0):
        raise KeyError
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("width", "threads"), [(8, 1), (1024, 2)])
def test_steps_and_evaluations_of_a_small_network_have_one_thread_and_the_caller_has_all(width, threads):
    layer, rows = Watched(width, width), 20
    plan, x, y = plan_of(layer), torch.eye(rows, width), torch.arange(rows) % width
    for _ in train(plan, TensorBatches(x, y, batch_size=rows), epochs=2):
        assert torch.get_num_threads() == 2
    steps = layer.seen[1:]  # the first call counts
    plan_accuracy(plan, x, y)
    assert plan.operations == 2 * rows * width**2
    assert (steps, layer.seen[-1]) == ([threads] * 2, threads)
    assert torch.get_num_threads() == 2


def test_a_small_network_learns_the_same_bits_on_one_core_and_on_two():
    x = torch.randn(300, 40, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()

    def learnt():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(40, 200), nn.ReLU(), nn.Linear(200, 2))
        plan = Plan.layerwise(model, objectives="Y,CE", optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
        for _ in train(plan, TensorBatches(x, y, batch_size=100), epochs=3):
            pass
        return [parameter.detach().clone() for parameter in model.parameters()]

    two = learnt()
    torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(two, learnt(), strict=True))
