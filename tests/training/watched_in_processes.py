"""What a user's own script sees in every process: `torchrun ... watched_in_processes.py OUT` writes OUT-<rank>.pt.

A plane that watches training, a signal and the schedule that follows it, a range test and a diagnosis.
"""

import os
import sys

import torch
from lightning_fabric import Fabric
from torch import nn

import infotorch
from infotorch import Plan, TensorBatches
from infotorch.networks.noise import GaussianNoise
from infotorch.training.loop import train

X = torch.randn(120, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = (X[:, 0] > 0).long() + (X[:, 1] > 1).long()


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), GaussianNoise(0.1), nn.Linear(8, 3)).double()


def plan_of(model, lr=0.1):
    return Plan.end_to_end(model, "CE", optimizer=lambda p: torch.optim.SGD(p, lr=lr))


def watched(fabric):
    """Points of a plane, the signal's values, and the rates of a schedule that follows it."""
    model = network()
    plan = plan_of(model)
    plane = infotorch.InformationPlane(model, (X, Y), layers=["0", "4"], num_bins=4)
    signal = infotorch.InformationSignal(model, (X, Y), num_samples=100)
    batches = TensorBatches(X, Y, batch_size=25)
    plan.prepare(batches, epochs=4, seed=5)
    settings = {"lr_min": 1e-3, "lr_max": 0.2, "lr_top": 0.1, "threshold": 0.1, "epochs": 4}
    schedule = infotorch.MutualInformationDecay(plan[0].update.optimizer, ceiling=signal.ceiling, **settings)
    signals, rates = [], []
    for info in plane.watch(train(plan, batches, epochs=4, seed=5, fabric=fabric)):
        if info.ends_epoch:
            signals.append(float(signal()))
            schedule.step(signals[-1])
            rates += schedule.get_last_lr()
    points = [(point.epoch, point.layer, float(point.mi_xt), float(point.mi_ty)) for point in plane.points]
    return {"plane": points, "signals": signals, "rates": rates}


def tested(fabric):
    """The rates that a range test finds, of a training in all processes."""
    model = network()
    plan = plan_of(model)
    batches = TensorBatches(X, Y, batch_size=25)
    plan.prepare(batches, epochs=1000, seed=5)

    def epoch():
        steps = train(plan, batches, epochs=1000, seed=5, fabric=fabric)
        loss = 0.0
        for info in steps:
            loss += info.losses[plan[0].name].total.item() / len(batches)
            if info.ends_epoch:
                break
        return {"loss": loss, "accuracy": (model.eval()(X).argmax(1) == Y).double().mean().item()}

    found = infotorch.lr_range_test(model, plan[0].update.optimizer, epoch, rates=[1e-3, 0.1, 1.0], trials=2, epochs=2)
    return {"top": found.lr_top, "table": found.table()}


def diagnosed():
    """Verdicts of layers."""
    return [(layer.name, layer.verdict) for layer in infotorch.diagnose(network(), (X, Y)).layers]


def main(out):
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=int(os.environ.get("WORLD_SIZE", "1")), precision="64-true")
    fabric.launch()
    found = {**watched(fabric), **tested(fabric), "diagnosis": diagnosed()}
    torch.save(found, f"{out}-{fabric.global_rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1])
