"""Small trainings for a device: every objective of the registry, every order and update, optimiser and schedule.

Each is a function that gives a plan and its samples, in float64, on the CPU.
"""

from functools import partial
from typing import get_args

import torch
from tests.training.in_processes import CASES as OF_TENSORS
from tests.training.in_processes import TRAINING, network, rows
from tests.training.test_isolation import OPTIONS, OnGraphs, graphs

from infotorch import Plan
from infotorch.data.batches import TensorBatches
from infotorch.objectives.names import objective_from_name
from infotorch.objectives.registry import REGISTRY
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.optimizers import optimizer_of, scheduler_of
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.training.loop import train


def of_graphs(name):
    torch.manual_seed(1)
    objective = objective_from_name(name, OPTIONS)
    plan = Plan.layerwise(
        OnGraphs().double(),
        ("layers.1", "layers.2"),
        (objective, None, None),
        optimizer=partial(torch.optim.SGD, lr=0.01),
    )
    return plan, (graphs(40).to(torch.float64), torch.arange(40) % 3)


def of_targets(kind):
    """The read-out of real targets or of several labels, with some missing."""
    generator = torch.Generator().manual_seed(2)
    y = torch.randint(2, (65, 3), generator=generator)
    y[::7, 1] = -1
    if kind == "real":
        y = torch.where(y < 0, torch.nan, y + rows(65, 3))
    plan = Plan.layerwise(network("vectors").double(), ("1", "2"), ("Y", "Y", None), optimizer=adam)
    return plan, (rows(65, 6), y)


def partly_labelled(name):
    plan, (x, y) = OF_TENSORS[name]()
    return plan, (x, torch.where(torch.arange(len(y)) % 5 == 0, -1, y))


def with_optimizer(name):
    settings = OptimizerSettings(name=name, lr=0.01, momentum=0.9 if name in {"sgd", "lars", "lookahead-sgd"} else 0.0)
    plan = Plan.layerwise(network("vectors").double(), ("1", "2"), "Y,X:infonce,CE", optimizer=optimizer_of(settings))
    return plan, (rows(65, 6), torch.arange(65) % 3)


def with_schedule(name):
    recipe = Recipe.model_validate(
        find_recipe("demo").model_dump() | {"optimizer": OptimizerSettings(schedule=name), "epochs": 4}
    )
    plan = Plan.layerwise(
        network("vectors").double(), ("1", "2"), "Y,X:infonce,CE", optimizer=adam, scheduler=scheduler_of(recipe)
    )
    return plan, (rows(65, 6), torch.arange(65) % 3)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3)


def names_of(field):
    """The values that a setting of recipes may have."""
    return get_args(OptimizerSettings.model_fields[field].annotation)


CASES = {
    # The stand-in moves a weight by its shape, and a lazy layer's has none yet.
    **{name: case for name, case in OF_TENSORS.items() if not name.startswith("experts")},
    **{name: partial(of_graphs, name) for name in REGISTRY if REGISTRY[name].needs == "graphs"},
    **{f"read-out of {kind} targets": partial(of_targets, kind) for kind in ("real", "multilabel")},
    **{f"{name}, partly labelled": partial(partly_labelled, name) for name in OF_TENSORS if name.startswith("Y:")},
    **{f"optimizer {name}": partial(with_optimizer, name) for name in names_of("name")},
    **{f"schedule {name}": partial(with_schedule, name) for name in names_of("schedule")},
}
#: Shorter than in_processes.py has them: two epochs of three batches, the last one of an odd number of rows.
SAMPLES, BATCH, EPOCHS = 40, 15, 2


def steps_of(name, device, *, fabric=None, dtype=torch.float64):
    """The plan on its device, and the steps of its training, not yet taken."""
    plan, (x, y) = CASES[name]()
    for module in plan:
        module.body.to(device, dtype)
    x, y = (x[:SAMPLES] if isinstance(x, torch.Tensor) else x).to(dtype).to(device), y[:SAMPLES].to(device)
    y = y.to(dtype) if y.is_floating_point() else y
    batches = TensorBatches(x, y, batch_size=BATCH, seed=3)
    return plan, train(plan, batches, epochs=EPOCHS, seed=5, fabric=fabric, **TRAINING.get(name, {}))


def leaves(value):
    """The tensors of a state."""
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    elif isinstance(value, torch.Tensor):
        yield value
