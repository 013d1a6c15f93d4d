"""What cannot train is refused in one line that names it."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.training.fit import fit
from infotorch.training.loop import train
from infotorch.training.plan import Plan

PAIR = torch.eye(2), torch.tensor([0, 1])


def plan_of(model):
    return Plan.end_to_end(model, optimizer=torch.optim.SGD)


def batches():
    return TensorBatches(*PAIR, batch_size=2)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"plan": nn.Linear(2, 2)}, TypeError, "train: plan must be a Plan, such as .*, got Linear"),
        ({"batches": [PAIR]}, TypeError, "train: batches must be TensorBatches.*, got list"),
        ({"start": 3}, TypeError, "train: start must be a Position, the `next` of a StepInfo, got int"),
        ({"fabric": "cuda"}, TypeError, "train: fabric must be a lightning_fabric.Fabric or None, got str"),
    ],
)
def test_train_names_an_argument_of_another_kind(changed, error, message):
    arguments = {"plan": plan_of(nn.Linear(2, 2)), "batches": batches(), "epochs": 1, **changed}
    with pytest.raises(error, match=message):
        train(**arguments)


@pytest.mark.parametrize(
    ("lr", "error", "message"),
    [
        (None, TypeError, "fit: lr must be a number, got NoneType"),
        ("1e-3", TypeError, "fit: lr must be a number, got str"),
        (-1.0, ValueError, "fit: lr must be at least 0 and finite, got -1.0"),
        (float("nan"), ValueError, "fit: lr must be at least 0 and finite, got nan"),
    ],
)
def test_fit_names_a_rate_that_is_none(lr, error, message):
    with pytest.raises(error, match=message):
        fit(nn.Linear(2, 2), PAIR, plan="CE", cuts=(), lr=lr)


@pytest.mark.parametrize(
    "make",
    [
        lambda model, optimizer: Plan.layerwise(model, (), "CE", optimizer=optimizer),
        lambda model, optimizer: Plan.end_to_end(model, optimizer=optimizer),
    ],
)
def test_a_plan_names_a_model_and_an_optimizer_of_another_kind(make):
    with pytest.raises(TypeError, match=r"Plan\..*: model must be a torch.nn.Module, got str"):
        make("model", torch.optim.SGD)
    model = nn.Linear(2, 2)
    for optimizer, name in ((torch.optim.SGD(model.parameters()), "SGD"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"optimizer must make an optimiser of .*, got {name}"):
            make(model, optimizer)


@pytest.mark.filterwarnings("ignore")
def test_a_fabric_of_several_processes_that_are_not_joined_is_refused():
    before = (model := nn.Linear(2, 2)).weight.clone()
    with pytest.raises(ValueError, match=r"train: the fabric has 2 processes, and 1 of them is joined"):
        train(plan_of(model), batches(), epochs=1, fabric=Fabric(accelerator="cpu", devices=2, strategy="ddp"))
    assert torch.equal(model.weight, before)
    one = Fabric(accelerator="cpu", devices=1, strategy="ddp")
    assert len(list(train(plan_of(model), batches(), epochs=1, fabric=one))) == 1
