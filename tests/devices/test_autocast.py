"""Mixed precision on the processor and on CUDA: every objective, order and update in bfloat16 autocast.

Losses are finite and those of the first step near float32's: a bfloat16 has three digits.
"""

import math

import pytest
import torch
from lightning_fabric import Fabric
from tests.devices.cpu_draws import CpuDraws
from tests.devices.trainings import CASES, steps_of

#: By how much the first losses may differ, as a share or in nats.
NEAR = 0.1
#: A choice of every kind for the normal suite; the others are slow or a GPU's.
QUICK = ("X:infonce", "Y:readout", "Y:supcon", "simultaneous", "proximal hybrid")
#: Ratios of small numbers, of which bfloat16 features leave little.
COARSE = {"Y:hsic", "X:total-correlation"}


def losses(name, device, precision):
    fabric = Fabric(accelerator="cuda" if device.type == "cuda" else "cpu", devices=1, precision=precision)
    _, steps = steps_of(name, device, fabric=fabric, dtype=torch.float32)
    with CpuDraws(device.type):
        return [[loss.total.item() for loss in info.losses.values()] for info in steps]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    return torch.device(request.param, 0 if request.param == "cuda" else None)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in CASES])
def test_losses_are_finite_and_begin_near_those_of_float32(device, name):
    wanted, found = (losses(name, device, precision) for precision in ("32-true", "bf16-mixed"))
    assert all(math.isfinite(loss) for step in found for loss in step)
    assert len(found) == len(wanted)
    if name.split(",")[0] not in COARSE:
        assert found[0] == pytest.approx(wanted[0], rel=NEAR, abs=NEAR)
