"""A training step of networks for images in torch's two memory formats, as ratios.

Steps of both formats take turns in one process, on one thread; a ratio is that of the medians of processor time.
Run: python benchmarks/memory_format.py
"""

from __future__ import annotations

import copy
import json
import platform
import time
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from infotorch.networks.all_convolutional import all_cnn
from infotorch.networks.convolutional import convnet
from infotorch.networks.lenet import lenet5
from infotorch.networks.residual import resnet
from infotorch.networks.vgg import vgg16
from infotorch.networks.wide_residual import wide_resnet

ROUNDS = 7
RESULT = Path(__file__).parent / "results" / "memory_format.json"
FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def networks() -> dict[str, tuple[nn.Module, Tensor]]:
    """Name -> network and a batch of images, small enough for a CPU."""
    return {
        "three convolutions, 32 to 128": (
            convnet((1, 28, 28), (32, 64, 128), (), 10, norm="batch"),
            torch.randn(128, 1, 28, 28),
        ),
        "LeNet-5-like": (lenet5((1, 28, 28), 10), torch.randn(256, 1, 28, 28)),
        "All-CNN-C": (all_cnn((3, 32, 32), 10), torch.randn(32, 3, 32, 32)),
        "VGG-16": (vgg16((3, 32, 32), 10), torch.randn(32, 3, 32, 32)),
        "WRN-10-4": (wide_resnet((3, 32, 32), 10, depth=10, width=4), torch.randn(32, 3, 32, 32)),
        "ResNet-50": (resnet((3, 64, 64), 10), torch.randn(16, 3, 64, 64)),
    }


def seconds(model: nn.Module, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Processor time of one step."""
    began = time.process_time()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    return time.process_time() - began


def main() -> None:
    """Print the ratios, and keep them."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = {}
    for name, (network, x) in networks().items():
        y = torch.arange(len(x)) % 10
        models = {kind: copy.deepcopy(network).to(memory_format=one) for kind, one in FORMATS.items()}  # pyright: ignore
        optimizers = {kind: torch.optim.SGD(model.parameters(), lr=1e-3) for kind, model in models.items()}
        times: dict[str, list[float]] = {kind: [] for kind in FORMATS}
        for _ in range(ROUNDS):
            for kind, model in models.items():
                times[kind].append(seconds(model, x, y, optimizers[kind]))
        took = {kind: median(spent) for kind, spent in times.items()}
        rows[name] = {"batch": list(x.shape), "ratio": round(took["channels last"] / took["contiguous"], 3)}
        print(name, rows[name], flush=True)
    content = {
        "unit": f"processor time of a training step, channels last divided by contiguous, medians of {ROUNDS} steps",
        "machine": {"torch": torch.__version__, "python": platform.python_version(), "threads": 1},
        "rows": rows,
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
