"""Gradients of a batch in parts: those of the whole batch, a part's memory at a time."""

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.training.loop import train
from infotorch.training.plan import Plan


def trained(micro_batches, objectives="Y,CE", rows=48, dtype=torch.float64, unlabelled=()):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(rows, 4, generator=generator, dtype=dtype), torch.arange(rows) % 3
    y[list(unlabelled)] = -1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 3)).to(dtype)
    plan = Plan.layerwise(
        model, ("2",), objectives, order="simultaneous", optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)
    )
    batches = TensorBatches(x, y, batch_size=20)
    infos = list(train(plan, batches, epochs=2, micro_batches=micro_batches))
    return infos, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("parts", [2, 3, 1000])
def test_the_steps_are_those_of_the_whole_batch_to_rounding(parts):
    """Also where a batch is not a multiple of the parts: 20, 20 and 8 samples, or parts of two."""
    whole, weights = trained(1)
    found, others = trained(parts)
    assert torch.allclose(others, weights, rtol=1e-9)
    for first, second in zip(whole, found, strict=True):
        for name, loss in first.losses.items():
            assert second.losses[name].total.item() == pytest.approx(loss.total.item())
            assert second.losses[name].terms.keys() == loss.terms.keys()


def test_a_loss_of_labelled_samples_is_averaged_over_these():
    """The first of two modules learns without labels; 31 of 48 samples have none, unevenly over the parts."""
    unlabelled = [*range(9), *range(20, 42)]
    whole, _ = trained(1, "X,CE", unlabelled=unlabelled)
    found, _ = trained(3, "X,CE", unlabelled=unlabelled)
    assert found[0].losses["2"].total.item() == pytest.approx(whole[0].losses["2"].total.item())


def test_autograd_keeps_a_part_at_a_time():
    peaks = [trained(parts, dtype=torch.float32)[0][0].peak_saved_activation_bytes for parts in (1, 4)]
    assert peaks[1] < 0.5 * peaks[0]


def test_what_has_no_parts_is_refused():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    plan = Plan.layerwise(model, ("1",), "Y,CE", order="simultaneous", isolated=False, optimizer=torch.optim.SGD)
    data = (torch.zeros(6, 4), torch.arange(6) % 3)
    with pytest.raises(ValueError, match="micro_batches must be 1 where gradients cross modules or a module is split"):
        train(plan, data, epochs=1, micro_batches=2)
    plan = Plan.end_to_end(model, optimizer=torch.optim.SGD)
    with pytest.raises(ValueError, match="train: micro_batches must be at least 1, got 0"):
        train(plan, data, epochs=1, micro_batches=0)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data), batch_size=3)
    with pytest.raises(ValueError, match="micro_batches must be 1 for samples that are not one tensor in memory"):
        train(plan, loader, epochs=1, micro_batches=2)
