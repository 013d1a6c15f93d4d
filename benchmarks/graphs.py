"""One training step on ten times Mutagenicity in a single mini-batch: seconds of the processor, and memory.

A graph convolution of 64 units on 43,370 copies of random molecules, 1.3 million nodes with 14 features and 2.7 million
directed edges, by each objective on nodes, in a process of its own. A matrix of all pairs of nodes would take 6.8 TB.
Run: python benchmarks/graphs.py
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import resource
import time
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Data

from infotorch.data.graphs import GraphSamples
from infotorch.networks.graph_convolutional import graph_network
from infotorch.training.inputs import batches_of
from infotorch.training.loop import train
from infotorch.training.plan import Plan

GRAPHS, NODES, FEATURES, WIDTH = 43_370, 30, 14, 64
# Not X:infograph: it sets every node against every graph of a mini-batch.
NAMES = ("X:node-mine", "X:gmi", "X:dgi", "X:graph-renyi")
RESULT = Path(__file__).parent / "results" / "graphs.json"
GIB = 2**30


def molecules() -> tuple[GraphSamples, Tensor]:
    """Chains of 30 atoms with a bond at random, and a class each."""
    generator = torch.Generator().manual_seed(0)
    chain = torch.stack([torch.arange(NODES - 1), torch.arange(1, NODES)])
    made = []
    for _ in range(GRAPHS):
        bonds = torch.cat([chain, torch.randint(NODES, (2, 2), generator=generator)], dim=1)
        kinds = torch.randint(FEATURES, (NODES,), generator=generator)
        made.append(Data(x=torch.eye(FEATURES)[kinds], edge_index=torch.cat([bonds, bonds.flip(0)], dim=1)))
    return GraphSamples(made), torch.arange(GRAPHS) % 2


def measure(name: str) -> dict[str, float]:
    """A step by this objective after one that warms up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows, y = molecules()
    network = graph_network(FEATURES, convolutions=(WIDTH,), outputs=2, readout="mean")
    plan = Plan.layerwise(network, ("readout",), [name, "frozen"], optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))
    before = peak_bytes()
    steps = train(plan, batches_of(rows, y, batch_size=GRAPHS), epochs=2)
    next(steps)
    began = time.process_time()
    next(steps)
    return {"seconds": time.process_time() - began, "peak_gib": peak_bytes() / GIB, "before_gib": before / GIB}


def peak_bytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Print the table and keep it."""
    rows = {}
    for name in NAMES:
        with multiprocessing.get_context("spawn").Pool(1) as alone:  # the peak is a process's own
            rows[name] = alone.apply(measure, (name,))
        print(f"{name:<15} {rows[name]['seconds']:6.1f} s {rows[name]['peak_gib']:6.2f} GiB", flush=True)
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": 1}
    content = {"graphs": GRAPHS, "nodes": GRAPHS * NODES, "width": WIDTH, "machine": machine, "rows": rows}
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
