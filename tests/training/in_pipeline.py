"""Small trainings that one process and a pipeline of several run alike: `in_pipeline.py OUT [NAME ...]` in each.

OUT-<rank>.pt then has the weights, losses and whatever objectives and optimisers hold at the end of every epoch.
"""

import copy
import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from infotorch import Plan
from infotorch.data.batches import TensorBatches
from infotorch.networks.noise import GaussianNoise
from infotorch.objectives import Loss, Objective
from infotorch.objectives.names import parse_objectives
from infotorch.training.division import Division
from infotorch.training.local_module import LocalModule
from infotorch.training.loop import train
from infotorch.training.position import Position
from infotorch.training.reading import as_batches
from infotorch.training.split_module import SplitModule
from infotorch.updates.proximal import ProximalSplit

ROWS, BATCH, STEPS, EPOCHS = 130, 15, 9, 2  # the last batch of an epoch is shorter
CRITICS = {"hidden": (8,)}


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def one_cycle(optimizer, steps):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)


def images():
    """Convolutions with batch norm and dropout, in a layout of memory of their own."""
    torch.manual_seed(1)
    first = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.2))
    second = nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Dropout(0.3))
    third = nn.Sequential(nn.Conv2d(5, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
    model = nn.Sequential(first, second, third, nn.Sequential(nn.Flatten(), nn.Linear(24, 3)))
    return model.to(memory_format=torch.channels_last)


def vectors():
    torch.manual_seed(1)
    first = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
    second = nn.Sequential(nn.Linear(8, 6), nn.Tanh(), GaussianNoise(0.1))
    third = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.1))
    return nn.Sequential(first, second, third, nn.Linear(6, 3))


def plan_case(objectives, model=vectors, order="pipelined", options=None, **settings):
    settings = {"optimizer": adam} | settings
    plan = Plan.layerwise(model(), ("1", "2", "3"), objectives, order=order, options=options, **settings)
    shape = (ROWS, 1, 8, 8) if model is images else (ROWS, 6)
    return plan, (rows(*shape), torch.arange(ROWS) % 3)


class OnGraph(nn.Module):
    """Message passing on one graph."""

    def __init__(self):
        from torch_geometric.nn import GCNConv  # slow to load

        super().__init__()
        self.one, self.two, self.three = GCNConv(6, 8), GCNConv(8, 8), nn.Linear(8, 3)

    def forward(self, x, edge_index):
        x = self.one(x, edge_index).relu()
        return self.three(self.two(x, edge_index).relu())


def graph_case(order="pipelined"):
    from torch_geometric.data import Data

    torch.manual_seed(1)
    data = Data(x=rows(20, 6), edge_index=torch.stack([torch.arange(20), torch.arange(20).roll(1)]))
    data.y = torch.arange(20) % 3
    plan = Plan.layerwise(
        OnGraph(), ("two", "three"), "X:infonce,Y,CE", order=order, options={"X:infonce": CRITICS}, optimizer=adam
    )
    return plan, data


class Bad(Objective):
    """A loss that goes wrong at some step of the run, one way or another."""

    def __init__(self, how, at=12):
        super().__init__()
        self.how, self.at, self.seen = how, at, 0

    def forward(self, batch):
        step = batch.position[1] * STEPS + batch.position[2]
        total = batch.output.square().mean()
        if step == self.at:
            if self.how == "raise":
                raise ValueError("the objective cannot go on")
            if self.how == "kill":
                os.kill(os.getpid(), 9)
            if self.how == "diverge":
                total = total * float("nan")
        if step >= self.at and self.how == "look back":
            total = total + batch.encode(batch.x).square().mean()
        return Loss(total, {})


def bad_case(how, place, order="pipelined"):
    objectives = parse_objectives("Y,Y,Y,CE", None)
    objectives[place] = Bad(how)
    return plan_case(objectives, order=order)


class Slow(nn.Linear):
    """A layer that takes its time."""

    def forward(self, x):
        time.sleep(0.02)
        return super().forward(x)


def slow_case(order="pipelined", staleness=2, **settings):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 8), Slow(8, 3))
    plan = Plan.layerwise(
        model, ("1", "2", "3"), "Y,Y,Y,CE", order=order, staleness=staleness, optimizer=adam, **settings
    )
    return plan, (rows(10 * BATCH, 6), torch.arange(10 * BATCH) % 3)


def halves_case(order="pipelined"):
    """A module that a proximal split moves, behind one that its gradient moves."""
    torch.manual_seed(1)
    first, *halves = (
        nn.Sequential(nn.Linear(6, 8), nn.Tanh()),
        nn.Linear(8, 6),
        nn.Sequential(nn.Tanh(), nn.Linear(6, 3)),
    )
    one, two = parse_objectives("Y,CE", None)
    split = partial(ProximalSplit, order=2, step_size=0.1)
    modules = [
        LocalModule("one", first, one, optimizer=adam),
        SplitModule("two", nn.Sequential(*halves), two, halves=halves, optimizer=adam, make_split=split),
    ]
    return Plan(modules, order=order), (rows(ROWS, 6), torch.arange(ROWS) % 3)


CASES = {
    "critics": partial(plan_case, "X:mine,X:infonce,Y,CE", options={"X:mine": CRITICS, "X:infonce": CRITICS}),
    "contrast": partial(plan_case, "Y:supcon,Y:supcon,Y:supcon,CE", scheduler=one_cycle),
    "images": partial(plan_case, "Y:predsim,Y,X,CE", model=images),
    "views": partial(plan_case, "X:views,X:views,X:views,CE"),
    "frozen first": partial(plan_case, "frozen,Y,Y:hsic,CE"),
    "frozen within": partial(plan_case, "Y,frozen,Y,CE"),
    "frozen last": partial(plan_case, "X:renyi,Y,Y,frozen"),
    "after": partial(plan_case, "Y,Y,Y,CE"),
    "micro-batches": partial(plan_case, "Y,Y,Y,CE"),
    "halves": halves_case,
    "graph": graph_case,
    "diverged": partial(bad_case, "diverge", 1),
    "diverged last": partial(bad_case, "diverge", 3),
}  # fmt: skip
TRAINING = {"micro-batches": {"micro_batches": 3}, "after": {"handoff": "after"}}
OTHERS = {
    "raises": partial(bad_case, "raise", 1),
    "raises last": partial(bad_case, "raise", 3),
    "killed first": partial(bad_case, "kill", 0),
    "killed last": partial(bad_case, "kill", 3),
    "looks back": partial(bad_case, "look back", 3),
    "slow": slow_case,
    "slow with a schedule": partial(slow_case, scheduler=one_cycle),
}


def leaves(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def state_of(plan):
    return [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves(plan.state_dict())]


def run(name, fabric, *, stop=None, leave=None, meet=False, resume=None, **settings):
    """Train a case: all of it, up to a step, from what was saved there, or with all processes meeting at every step."""
    plan, given = (CASES | OTHERS)[name]()
    batches = TensorBatches(*given, batch_size=BATCH, seed=3) if isinstance(given, tuple) else given
    start = None
    if resume is not None:
        if isinstance(given, tuple):
            plan.prepare(batches, epochs=EPOCHS, seed=5)
        else:
            plan.prepare(as_batches(given, plan[0].body, batch_size=BATCH, seed=5, where="here"), epochs=EPOCHS, seed=5)
        plan.load_state_dict(copy.deepcopy(resume["plan"]))  # an optimiser goes on in the tensors that it is given
        start = Position(**resume["position"])
    found = {"losses": [], "epochs": [], "rates": [], "diverged": None, "peak": None, "steps": [], "saved": None}
    for info in train(
        plan, batches, epochs=EPOCHS, seed=5, fabric=fabric, start=start, **TRAINING.get(name, {}), **settings
    ):
        found["losses"] += [{name: {"total": loss.total, **loss.terms} for name, loss in info.losses.items()}]
        found["rates"].append(info.learning_rates)
        found["steps"].append((info.position.steps, info.gathered))
        found["diverged"] = info.diverged
        found["peak"] = found["peak"] or info.peak_saved_activation_bytes
        if info.ends_epoch and info.diverged is None:
            found["epochs"].append(state_of(plan))
        if meet:
            torch.distributed.all_reduce(torch.ones(1))
        if leave == info.position.steps:
            break
        if stop is not None and info.position.steps >= stop:
            plan.gather_soon()
            if info.gathered:
                found["saved"] = {"plan": plan.state_dict(), "position": vars(info.next)}
                break
    return found


def asked(more, rank):
    """What is behind a case's name, as settings of `run`."""
    key, _, value = more.partition("=")
    if key == "leave":
        return {"leave": int(value[1:]) if rank == int(value[0]) else None}
    read = {
        "stop": int,
        "resume": torch.load,
        "meet": bool,
        "division": lambda counts: Division(tuple(map(int, counts))),
    }
    return {key: read[key](value)} if key else {}


def main(out, *names):
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=int(os.environ.get("WORLD_SIZE", "1")))
    fabric.launch()
    found = {}
    for name in names:
        what, _, more = name.partition("@")
        try:
            found[name] = run(what, fabric, **asked(more, fabric.global_rank))
        except (ValueError, TypeError, RuntimeError) as error:
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    torch.save(found, f"{out}-{fabric.global_rank}.pt")


def launched(program, *words, count):
    """A program in so many processes: their exit codes, and for how many seconds the last outlived the first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0"}
    command = [sys.executable, str(program), *map(str, words)]
    processes = [
        subprocess.Popen(command, env=os.environ | common | {"RANK": str(n), "LOCAL_RANK": str(n)})
        for n in range(count)
    ]
    first = None
    try:
        while None in (codes := [process.poll() for process in processes]):
            if first is None and any(code is not None for code in codes):
                first = time.monotonic()
            assert first is None or time.monotonic() - first < 30, "a process does not end"
            time.sleep(0.02)
    finally:
        for process in processes:
            process.kill()
    return codes, 0.0 if first is None else time.monotonic() - first


def in_pipeline(out, *names, count=2):
    """The cases in so many processes: exit codes, seconds as of `launched`, and what each process saved."""
    codes, seconds = launched(__file__, out, *names, count=count)
    files = [Path(f"{out}-{rank}.pt") for rank in range(count)]
    return codes, seconds, [torch.load(file) if file.exists() else None for file in files]


if __name__ == "__main__":
    main(*sys.argv[1:])
