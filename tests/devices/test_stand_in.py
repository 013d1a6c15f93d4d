"""The stand-in device refuses and counts what a GPU would; the CPU's draws on another device are the CPU's."""

import pytest
import torch
from tests.devices.cpu_draws import CpuDraws
from tests.devices.stand_in import DEVICE, There, stand_in
from torch import nn


@pytest.fixture
def mode():
    with stand_in() as mode:
        yield mode


def on_device(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(DEVICE)


@pytest.mark.usefixtures("mode")
class TestRefused:
    def test_two_devices_in_one_operation(self):
        with pytest.raises(RuntimeError, match=r"add: expected all tensors to be on one device, got \(3,\) on lazy"):
            on_device(3) + torch.ones(3)

    def test_a_generator_of_another_device(self):
        for here, generator in ((DEVICE, torch.Generator()), ("cpu", torch.Generator(DEVICE))):
            with pytest.raises(RuntimeError, match="expected a generator of"):
                torch.randn(3, device=here, generator=generator)

    def test_an_array_of_what_lies_there(self):
        with pytest.raises(TypeError, match="can't convert a tensor of the stand-in device to numpy"):
            on_device(3).numpy()

    def test_a_shape_changed_in_place(self):
        with pytest.raises(NotImplementedError, match="cannot change a shape in place"):
            on_device(2, 3).t_()


def test_a_tensor_is_of_use_in_its_context_alone():
    with stand_in():
        values = on_device(3)
    with pytest.raises(RuntimeError, match="used outside of its context"):
        values + 1


@pytest.mark.parametrize(
    ("waits", "operation"),
    [
        (1, lambda t: t.sum().item()),
        (1, lambda t: bool(t.sum() > 0)),
        (1, lambda t: t.tolist()),
        (1, lambda t: t.cpu()),
        (1, lambda t: t.nonzero()),
        (1, lambda t: t[t > 0]),
        (1, lambda t: t.unique()),
        (1, lambda t: t[torch.tensor([1, 0])]),
        (1, lambda t: torch.tensor(2.0, device=t.device)),
        (1, lambda t: t.new_tensor(2.0)),
        (0, lambda t: t.new_full((), 2.0)),
        (0, lambda t: (t * 2.0 + torch.tensor(1.0)).relu().sum()),  # a number of the CPU may take part
        (0, lambda t: torch.where(t > 0, t, 0.0)),
        (0, lambda t: torch.zeros(3, device=t.device)),
        (0, lambda t: nn.functional.one_hot(t.argsort(), 4)),
    ],
)
def test_waits_are_counted(mode, waits, operation):
    t = on_device(4)
    mode.waits.clear()
    operation(t)
    assert len(mode.waits) == waits


def test_a_training_step_is_the_processors(mode):
    found = []
    for device in ("cpu", DEVICE):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(48, 2))
        model, x = model.to(device), torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(1)).to(device)
        adam = torch.optim.Adam(model.parameters(), lr=0.1)
        torch.manual_seed(2)
        for _ in range(3):
            adam.zero_grad()
            model(x).square().sum().backward()
            adam.step()
        found.append([value.cpu() for value in model.state_dict().values()])
    assert isinstance(model[0].weight, There)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_the_cpus_draws_of_the_cpu_are_themselves():
    """Every way of drawing that the GPU's tests replace, where it can be compared: on the CPU."""

    def draws():
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(1)
        rows = torch.linspace(0.1, 0.9, 12).reshape(3, 4)
        return [
            torch.randn(3, generator=generator),
            torch.randperm(5, generator=generator),
            torch.randint(4, (3,), generator=generator),
            torch.rand_like(rows),
            torch.bernoulli(rows),
            torch.normal(rows, 1.0),
            torch.empty(3).exponential_(generator=generator),
            torch.empty(3).uniform_(),
            nn.functional.dropout(rows, 0.5),
            nn.functional.dropout2d(rows[None, :, :, None], 0.5),
            torch.poisson(rows),
        ]

    wanted = draws()
    with CpuDraws("cpu"):
        found = draws()
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))
