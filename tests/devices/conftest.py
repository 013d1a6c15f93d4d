"""Where the tests of this folder run: on the stand-in device, always, and on CUDA, where there is one."""

import pytest
import torch
from tests.devices.places import Cuda, StandInPlace
from tests.devices.stand_in import stand_in


@pytest.fixture(params=["stand-in", pytest.param("cuda", marks=pytest.mark.cuda)])
def place(request):
    """A device beside the CPU, and what a training or an estimate there waits for."""
    if request.param == "stand-in":
        with stand_in() as mode:
            yield StandInPlace(mode)
    elif torch.cuda.is_available():
        yield Cuda()
    else:
        pytest.skip("torch sees no CUDA device")
