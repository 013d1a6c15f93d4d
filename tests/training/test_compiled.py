"""Bodies that are compiled in place before training: the same losses but for rounding, and a state that fits both."""

import pytest
import torch
from torch import nn

from infotorch import Plan, TensorBatches
from infotorch.networks.thin_residual import thin_resnet
from infotorch.training.loop import train


class Crossing(nn.Module):
    """Layers called in forward's own way, so that a module is a segment of the traced network."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        hidden = self.first(x).relu()
        return self.last(hidden + self.second(hidden).tanh())


def trained(make, cuts, x, *, compiled):
    torch.manual_seed(0)
    plan = Plan.layerwise(
        make(), cuts, ("Y", "CE"), order="simultaneous", optimizer=lambda p: torch.optim.SGD(p, lr=0.05)
    )
    if compiled:
        for module in plan:
            module.body.compile(backend="aot_eager")  # all that compiling does but for writing C++
    batches = TensorBatches(x, torch.arange(len(x)) % 3, batch_size=8)
    losses = [loss.total.item() for info in train(plan, batches, epochs=2) for loss in info.losses.values()]
    return losses, plan.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "cuts", "shape"),
    [
        (Crossing, ("last",), (16, 6)),
        (lambda: thin_resnet((3, 8, 8), 3, depth=8, width=4), ("block2_1",), (16, 3, 8, 8)),
    ],
)
def test_compiled_bodies_train_as_plain_ones(make, cuts, shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    (wanted, state), (found, its_state) = (trained(make, cuts, x, compiled=compiled) for compiled in (False, True))
    assert found == pytest.approx(wanted, abs=1e-5)
    keys = [
        [sorted(part) for part in one["modules"]] if "modules" in one else sorted(one) for one in (state, its_state)
    ]
    assert keys[0] == keys[1]
