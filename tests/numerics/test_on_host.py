"""What the CPU knows of tensors elsewhere."""

import gc

import pytest
import torch
from tests.devices.stand_in import DEVICE, stand_in

from infotorch.numerics import on_host as kept
from infotorch.numerics.on_host import numbers_of, on_host, remember_on_host, rows_where


def test_of_the_cpu_nothing_is_kept():
    y = torch.tensor([1, 0, -1])
    remember_on_host(y, torch.zeros(3))
    assert on_host(y) is y
    assert y not in kept._COPIES


def test_what_was_told_is_read_without_a_wait_and_forgotten_with_its_tensor():
    with stand_in() as mode:
        here = torch.tensor([1, 0, -1])
        y = here.to(DEVICE)
        remember_on_host(y, here)
        mode.waits.clear()
        assert on_host(y) is here
        assert not mode.waits
        before = len(kept._COPIES)
        del y
        gc.collect()
        assert len(kept._COPIES) == before - 1


def test_what_was_not_told_is_copied_once():
    with stand_in() as mode:
        y = torch.tensor([1, 0, -1]).to(DEVICE)
        mode.waits.clear()
        assert on_host(y).tolist() == on_host(y).tolist() == [1, 0, -1]
        assert len(mode.waits) == 1


@pytest.mark.parametrize("chosen", [[True] * 3, [True, False, True], [False] * 3])
def test_rows_are_those_of_the_mask_on_every_device(chosen):
    values = torch.arange(6.0).reshape(3, 2)
    wanted = values[torch.tensor(chosen)]
    assert torch.equal(rows_where(values, torch.tensor(chosen)), wanted)
    with stand_in():
        there = values.to(DEVICE)
        remember_on_host(there, values)
        found = rows_where(there, torch.tensor(chosen))
        assert torch.equal(found.cpu(), wanted)
        assert torch.equal(on_host(found), wanted)


def test_numbers_of_several_types_are_read_together():
    with stand_in() as mode:
        here = [torch.tensor(0.1), torch.tensor([3]), 0.5, torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.2)]
        there = [value.to(DEVICE) if isinstance(value, torch.Tensor) else value for value in here]
        mode.waits.clear()
        assert numbers_of(there) == [float(value) for value in here]
        assert len(mode.waits) == 3  # float32, int64, float64
    assert numbers_of([]) == []
