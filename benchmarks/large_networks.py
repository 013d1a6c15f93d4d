"""Memory and time of large networks: back-propagation, its two usual savings, and isolated modules with their heads.

`cifar10`: the recipe's network, batches of 1,024 images, in bfloat16 as the recipe has it, and back-propagation in
float32 beside it. `resnet50`: ResNet-50 on images of 224 x 224, batches of 16, float32.
Memory is measured twice, each row in a process of its own: what autograd keeps at its highest, and how far the
process's peak lies above what stood before the first step. Times are ratios of processor time in one process, each
step beside one of `bp`. Run: python benchmarks/large_networks.py [--only cifar10]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.networks.recomputed import Recomputed
from infotorch.networks.residual import resnet
from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.runs.setup import Setup
from infotorch.training.loop import train
from infotorch.training.plan import Plan
from infotorch.training.position import StepInfo
from memory import time_ratios

HERE = Path(__file__).parent
RESULT, PAGE = HERE / "results" / "large_networks.json", HERE / "results" / "large_networks.md"
MIB = 2**20
#: Steps of a row's own process: the allocator reaches its peak in the first ones.
STEPS = 3
#: Of timed steps: each takes seconds.
ROUNDS = 3


class Row(NamedTuple):
    """Which way of training, in how many parts a batch is seen, and whether in float32 whatever the recipe says."""

    way: str
    parts: int = 1
    float32: bool = False

    @property
    def name(self) -> str:
        """The way, and what is not as usual."""
        return self.way + (f", {self.parts} parts" if self.parts > 1 else "") + (", float32" if self.float32 else "")


ROWS: Mapping[str, tuple[Row, ...]] = {
    "cifar10": (
        Row("bp"),
        Row("bp", float32=True),
        Row("bp-checkpoint"),
        *(Row("bp", parts) for parts in (2, 4, 8)),
        *(Row("best", parts) for parts in (1, 2, 4, 8)),
        *(Row("best-small-heads", parts) for parts in (1, 4)),
        *(Row("layerwise", parts) for parts in (1, 2, 4, 8)),
    ),
    "resnet50": (
        Row("bp"),
        Row("bp-checkpoint"),
        *(Row("bp", parts) for parts in (2, 4)),
        *(Row("four modules", parts) for parts in (1, 2, 4)),
        *(Row("every block", parts) for parts in (1, 2)),
    ),
}


def steps(network: str, row: Row) -> Iterator[StepInfo]:
    """The training steps of a row, without end."""
    return (_cifar10 if network == "cifar10" else _resnet50)(row)


def _cifar10(row: Row) -> Iterator[StepInfo]:
    found = find_recipe("cifar10", row.way)
    assert isinstance(found, Recipe)
    precision = "32-true" if row.float32 else found.precision
    recipe = change(found, {"data.limit": 4096, "epochs": 1000, "precision": precision})
    setup = Setup(recipe, 0, "cpu")
    setup.prepare()
    return train(setup.plan, setup.batches, epochs=recipe.epochs, fabric=setup.fabric, micro_batches=row.parts)


def _resnet50(row: Row) -> Iterator[StepInfo]:
    torch.manual_seed(0)
    model = resnet((3, 224, 224), 1000)
    blocks = [name for name, layer in model.named_children() if name.startswith("block")]
    if row.way == "bp-checkpoint":
        for name in blocks:
            setattr(model, name, Recomputed(model.get_submodule(name)))
    x = torch.randn(32, 3, 224, 224)
    batches = TensorBatches(x, torch.arange(32), batch_size=16)

    def sgd(weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, lr=0.1, momentum=0.9)

    if row.way.startswith("bp"):
        plan = Plan.end_to_end(model, optimizer=sgd)
    else:
        cuts = ["block2_1", "block3_1", "block4_1"] if row.way == "four modules" else blocks[1:]
        auxiliary = {"auxiliary": {"kind": "convolutions", "channels": 256, "locations": 4}}
        plan = Plan.layerwise(
            model, cuts, ["Y"] * len(cuts) + ["CE"], options={"Y": auxiliary}, order="simultaneous", optimizer=sgd
        )
    return train(plan, batches, epochs=1000, micro_batches=row.parts)


def memory_of(network: str, row: Row) -> dict[str, float]:
    """What autograd keeps and how far the process's memory grows, of a row in this process alone."""
    running = steps(network, row)
    before = _process_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    saved = next(running).peak_saved_activation_bytes
    assert saved is not None
    for _ in range(STEPS - 1):
        next(running)
    return {"saved_mib": saved / MIB, "process_mib": _process_mib("VmHWM") - before}


def _process_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def memory_rows(network: str) -> dict[str, dict[str, float]]:
    """Row -> its memory."""
    found: dict[str, dict[str, float]] = {}
    for number, row in enumerate(ROWS[network]):
        command = [sys.executable, __file__, "--memory-of", network, str(number)]
        found[row.name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(network, row.name, found[row.name], flush=True)
    return found


def time_rows(network: str) -> dict[str, dict[str, float]]:
    """Row -> the time of its step beside one of `bp`."""
    running: dict[str, Iterator[object]] = {row.name: steps(network, row) for row in ROWS[network]}
    for one in running.values():
        next(one)  # the first step watches its memory, which takes time
    return {name: {"time_ratio_to_bp": ratio} for name, ratio in time_ratios(running, "bp", ROUNDS).items()}


def page(content: Mapping[str, Any]) -> str:
    """The numbers as a page, with what they say of a win."""
    machine = content["machine"]
    lines = [
        "# Memory and time of large networks",
        "",
        "Made by `python benchmarks/large_networks.py`; numbers in `large_networks.json`. Saved: what autograd keeps",
        "for the backward pass at its highest. Process: the peak above what stood before the first step. Time: of a",
        f"step, `bp` = 1. {machine['threads']} threads, torch {machine['torch']}. cifar10 trains in bfloat16,",
        "as its recipe says, on a processor with instructions for it; resnet50 in float32.",
        "",
    ]
    for network, rows in content["networks"].items():
        lines += [
            f"## {network}",
            "",
            "| | saved, MiB | of `bp` | process, MiB | of `bp` | time |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        base = rows["bp"]
        for name, row in rows.items():
            shares = [row[key] / base[key] for key in ("saved_mib", "process_mib")]
            lines.append(
                f"| {name} | {row['saved_mib']:.0f} | {shares[0]:.0%} | {row['process_mib']:.0f} | {shares[1]:.0%} | "
                f"{row['time_ratio_to_bp']:.2f} x |"
            )
        lines += ["", verdict(rows), ""]
    return "\n".join(lines)


def verdict(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Whether isolated modules need at most half of what back-propagation and its savings need at about its speed.

    Example:
        >>> bp = {"saved_mib": 100.0, "process_mib": 100.0, "time_ratio_to_bp": 1.0}
        >>> for needed in (40.0, 60.0):
        ...     print(verdict({"bp": bp, "best": bp | {"process_mib": needed}}).rpartition("`best`, ")[2])
        40%), at most half of it.
        60%), more than half of it: no clear win.
    """
    usual = {name: row for name, row in rows.items() if name.startswith("bp") and row["time_ratio_to_bp"] <= 1 / 0.9}
    ours = {
        name: row for name, row in rows.items() if not name.startswith("bp") and row["time_ratio_to_bp"] <= 1 / 0.95
    }
    least = min(usual, key=lambda name: usual[name]["process_mib"])
    needed = usual[least]["process_mib"]
    said = (
        f"At 0.9 of `bp`'s speed or more the least of `bp`, its checkpoints and its parts is `{least}`, {needed:.0f} "
        "MiB of the process. "
    )
    if not ours:
        return said + "No row of isolated modules has 0.95 of `bp`'s speed: no win."
    best = min(ours, key=lambda name: ours[name]["process_mib"])
    share = ours[best]["process_mib"] / needed
    said += (
        f"At 0.95 or more isolated modules need {ours[best]['process_mib']:.0f} MiB at least (`{best}`, {share:.0%}), "
    )
    return said + ("at most half of it." if share <= 0.5 else "more than half of it: no clear win.")


def main() -> None:
    """Measure and write, or measure one row's memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(ROWS), action="append", help="networks; repeatable")
    parser.add_argument("--what", choices=("memory", "time"), action="append", help="repeatable; by default both")
    parser.add_argument("--memory-of", nargs=2, metavar=("NETWORK", "ROW"), help="of one row, as JSON")
    asked = parser.parse_args()
    if asked.memory_of:
        network, number = asked.memory_of
        print(json.dumps(memory_of(network, ROWS[network][int(number)])))
        return
    networks = json.loads(RESULT.read_text(encoding="utf-8"))["networks"] if RESULT.exists() else {}
    for network in asked.only or ROWS:
        for what in asked.what or ("memory", "time"):
            for name, found in (memory_rows if what == "memory" else time_rows)(network).items():
                networks.setdefault(network, {}).setdefault(name, {}).update(found)
    machine = {"torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads()}
    content = {"machine": machine, "networks": {network: networks[network] for network in ROWS if network in networks}}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if all("time_ratio_to_bp" in row for rows in networks.values() for row in rows.values()):
        PAGE.write_text(page(content), encoding="utf-8")


if __name__ == "__main__":
    main()
