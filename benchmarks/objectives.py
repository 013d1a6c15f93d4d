"""What every registered objective costs: a training step of one module, against one with the read-out bound.

The module is a linear layer 784-256 with ReLU, a convolution to a grid of 32 x 14 x 14, or a graph convolution 16-64
with ReLU on random graphs of 4 to 12 nodes; batch 128, 10 classes.
Run: python benchmarks/objectives.py [--only vectors|grid|graphs] [--name NAME ...]; what is not measured, of columns
and of names, stays as it is.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.utils import erdos_renyi_graph

from infotorch.data.batches import TensorBatches
from infotorch.data.graphs import GraphSamples
from infotorch.networks.graph_layers import GraphConvolution
from infotorch.objectives.names import FROZEN, describe_objectives, objective_from_name
from infotorch.training.loop import train
from infotorch.training.plan import Plan

BATCH, CLASSES, ROUNDS, BASE = 128, 10, 9, "Y:readout"
KINDS = ("vectors", "grid", "graphs")
OPTIONS = {"Y:graph-forward-forward": {"columns": "first"}}  # these graphs have no columns free for a label
RESULT = Path(__file__).parent / "results" / "objectives.json"

Body = Callable[[], nn.Module]


def vectors() -> nn.Module:
    """Pixels to 256 numbers."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU())


def grid() -> nn.Module:
    """Pixels to 32 channels of 14 x 14 locations."""
    return nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))


class OnGraphs(nn.Module):
    """16 features of every node to 64."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = GraphConvolution(16, 64)

    def forward(self, data: Data) -> Tensor:
        """Rows of all nodes."""
        assert data.x is not None
        assert data.edge_index is not None
        return self.layer(data.x, data.edge_index).relu()


def small_graphs() -> GraphSamples:
    """As many graphs as a batch holds, each pair of nodes joined with probability 0.3."""
    sizes = torch.randint(4, 13, (BATCH,)).tolist()
    return GraphSamples([Data(x=torch.randn(size, 16), edge_index=erdos_renyi_graph(size, 0.3)) for size in sizes])


def class_scores() -> nn.Module:
    """Pixels to class scores: cross-entropy can train no other module."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, CLASSES))


def steps(body: Body, name: str) -> Iterator[object]:
    """The steps of a training without end."""
    torch.manual_seed(0)
    objective = objective_from_name(name, OPTIONS)
    plan = Plan.layerwise(
        body(), (), [objective], optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-4, fused=True)
    )
    x = small_graphs() if body is OnGraphs else torch.rand(BATCH, 1, 28, 28)
    batches = TensorBatches(x, torch.arange(BATCH) % CLASSES, batch_size=BATCH)
    return train(plan, batches, epochs=10**6)


def possible(body: Body, names: Sequence[str]) -> dict[str, Iterator[object]]:
    """Name -> its steps, for the objectives that can train this module; without the first, which measures memory."""
    begun: dict[str, Iterator[object]] = {}
    for name in names:
        if name == FROZEN or (name == "CE" and body is not class_scores):
            continue
        try:
            training = steps(body, name)
            next(training)
        except ValueError:  # it needs a grid, or graphs, or rows that are none
            continue
        begun[name] = training
    return begun


def seconds(training: Iterator[object]) -> float:
    """The processor's time for a step after one of its own, as other processes disturb a clock's time more."""
    next(training)  # puts its tensors back into the cache
    began = time.process_time()
    next(training)
    return time.process_time() - began


def ratios(body: Body, names: Sequence[str]) -> dict[str, float]:
    """Name -> median ratio to the step of a plan of its own, with the read-out bound, taken right before it."""
    running = possible(body, names)
    beside = steps(vectors if body is class_scores else body, BASE)
    next(beside)
    seen: dict[str, list[float]] = {name: [] for name in running}
    for turn in range(ROUNDS + 1):
        for name, training in running.items():
            base = seconds(beside)
            ratio = seconds(training) / base
            if turn:  # the first round warms up
                seen[name].append(ratio)
    return {name: median(values) for name, values in seen.items()}


def measured(kind: str, names: Sequence[str]) -> dict[str, float]:
    """Name -> ratio to the read-out bound's own, for one kind of module."""
    found = ratios(
        {"vectors": vectors, "grid": grid, "graphs": OnGraphs}[kind], [BASE, *(name for name in names if name != BASE)]
    )
    if kind == "vectors" and "CE" in names:
        found["CE"] = ratios(class_scores, ["CE"])["CE"]
    # The second of two equal steps finds memory ready, so that the read-out's own ratio is below 1.
    return {name: ratio / found[BASE] for name, ratio in found.items()}


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=KINDS, help="measure one column and keep the others")
    everyone = [name for name in describe_objectives() if name != FROZEN]
    told = "measure this objective alone and keep the others; repeatable"
    parser.add_argument("--name", action="append", choices=everyone, metavar="NAME", help=told)
    arguments = parser.parse_args()
    only, chosen = arguments.only, arguments.name
    torch.set_num_threads(1)
    columns = {kind: measured(kind, chosen or everyone) for kind in KINDS if only in {None, kind}}
    kept = json.loads(RESULT.read_text())["rows"] if only or chosen else {}
    table: dict[str, dict[str, float | None]] = {}
    print(f"{'':<24}" + "".join(f"{kind:>9}" for kind in KINDS))
    for name in everyone:
        again = [kind for kind in columns if not chosen or name in chosen]
        table[name] = {
            kind: columns[kind].get(name) if kind in again else kept.get(name, {}).get(kind) for kind in KINDS
        }
        shown = (f"{value:>9.1f}" if value is not None else f"{'–':>9}" for value in table[name].values())
        print(f"{name:<24}" + "".join(shown))
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    content = {"unit": f"processor time of a step, {BASE} = 1", "batch": BATCH, "machine": machine, "rows": table}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
