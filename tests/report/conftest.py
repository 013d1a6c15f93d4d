"""Small run directories for the report's tests, written as a run writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infotorch.records.embedding import Embedding
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord
from infotorch.report import write_report

SOURCE = "Elad et al. 2019, Table 1"
ENVIRONMENT = {
    "infotorch": "0.1.0", "python": "3.12.4", "torch": "2.13.0", "platform": "Linux-6.1-x86_64", "processor count": 2, 
    "threads": 2, "device": "cpu", "precision": "float32",
}  # fmt: skip


def layerwise_lines(
    modules: list[str], *, epochs: int = 6, seed: int = 0, together: bool = False, gain: float = 0.0
) -> list[dict[str, Any]]:
    """Lines of a plan: its modules one after the other, or all of them in every epoch; smooth and free of chance."""
    places = [(0, m, e) for e in range(1, epochs + 1) for m in modules]
    if not together:
        places = [(s, m, e) for s, m in enumerate(modules) for e in range(1, epochs + 1)]
    lines = []
    for stage, module, epoch in places:
        depth = modules.index(module)
        way = 1 - math.exp(-epoch / 2.5)
        accuracy = (
            0.55 + gain + 0.08 * depth + (0.24 - 0.02 * depth) * way + 0.004 * math.sin(3.1 * seed + epoch + depth)
        )
        lines.append({
            "stage": stage, "module": module, "epoch": epoch, "step": 43 * (stage * epochs + epoch),
            "learning_rate": 1e-3 * (0.5 ** (epoch // 3) if together else 1.0),
            "train_loss": 2.3 - 1.9 * way - 0.1 * depth + 0.02 * seed,
            "train_mi_ty_nats": 2.2 * way + 0.02 * depth,
            "validation_loss": 2.3 - 1.7 * way - 0.08 * depth + 0.03 * seed,
            "validation_accuracy": accuracy,
            "validation_mi_ty_nats": 2.0 * way + 0.03 * depth,
        })  # fmt: skip
    return lines


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunRecord]:
    """A function that writes a run directory below the test's own folder."""
    return lambda *args, **settings: write_run(tmp_path / "runs", *args, **settings)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about two recipes."""
    root = tmp_path_factory.mktemp("report")
    made = datetime(2025, 5, 2, 10, 11, tzinfo=UTC)
    return write_report([populate(root / "runs")], root / "report.html", made=made)


def write_run(
    root: Path,
    recipe: str = "demo",
    variant: str = "bp",
    seed: int = 0,
    *,
    metrics: dict[str, float] | None = None,
    published: dict[str, float] | None = None,
    status: str | None = "completed",
    message: str = "",
    lines: list[dict[str, Any]] | None = None,
    seconds: float = 12.0,
    saved: int = 6 * 2**20,
    folder: str | None = None,
    started: str = "2025-05-02T10:00:00Z",
    **settings: Any,
) -> RunRecord:
    """Write one run; `status=None` leaves it unfinished."""
    record = RunRecord(root / (folder or f"{recipe}-{variant}-{seed}".replace("/", "_").replace("<", "_")))
    settings = {"title": f"The {recipe} table", "description": "Small runs.", "source": SOURCE, **settings}
    record.begin(
        {"name": recipe, "variant": variant, **settings, "seed": seed},
        {**ENVIRONMENT, "started": started, "command": f"run {seed}"},
    )
    for line in layerwise_lines(["fc1", "fc2"], seed=seed) if lines is None else lines:
        record.append(line)
    if status is not None:
        sources = {name: {"value": value, "source": SOURCE} for name, value in (published or {}).items()}
        memory = {"peak_saved_activation_bytes": saved}
        record.finish(Outcome(status, message, recipe, variant, seed, metrics or {}, sources, seconds, memory))  # type: ignore[arg-type]
    return record


def populate(root: Path) -> Path:
    """Two recipes, several variants and seeds, and every way in which a run can end; returns the folder."""
    _populate_mnist(root)
    _populate_vae(root)
    return root


_MNIST = {
    "title": "Information bottleneck on 1 % of MNIST",
    "description": "A fully connected network, trained layer by layer with an information bottleneck, beside cross "
    "entropy on the same network.",
    "data": {"name": "mnist", "fraction": 0.01},
    "epochs": 6,
}
# variant -> published, measured (None: two of three runs do not complete), saved MiB
_TABLE = {
    "ce": (0.8578, 0.8781, 66.0),
    "mi-only": (0.8657, 0.8702, 6.0),
    "full": (0.8657, None, 7.0),
    "full-bound": (None, 0.8745, 6.4),
    "best": (None, 0.9041, 6.0),
    "majority": (None, 0.1135, 0.0),
}


def _populate_mnist(root: Path) -> None:
    for place, (variant, (paper, ours, saved)) in enumerate(_TABLE.items()):
        modules, epochs = (["net"], 18) if variant == "ce" else (["fc1", "fc2", "readout"], 6)
        for seed in range(3):
            lines = layerwise_lines(modules, epochs=epochs, seed=seed, together=variant == "best", gain=0.02 * place)
            ending: dict[str, Any] = {"metrics": _mnist_metrics(ours or 0.862, seed)}
            if ours is None and seed > 0:
                lines = lines[: 5 + 4 * seed]
                lines[-1]["train_loss"] = math.nan
                ending = {"status": None if seed == 2 else "diverged", "message": "the loss of fc2 is not finite"}
            if variant.startswith("full"):
                for line in lines:
                    line |= {"validation_mi_xt_nats": 7.0 - line["validation_loss"], "mi_xt_nats_bound": "upper"}
            record = write_run(
                root,
                "ib-mnist-1pct",
                variant,
                seed,
                published={} if paper is None else {"test_accuracy": paper},
                lines=lines,
                seconds=31 + 4.2 * seed + saved,
                saved=int(saved * 2**20),
                started=f"2025-05-02T{10 + place}:00:0{seed}Z",
                **ending,
                **_MNIST,
            )
            if variant in {"ce", "full-bound"}:
                record.write_embeddings([pictures(place) for place in ("raw data", *modules)])


def pictures(place: str) -> Embedding:
    """A ring of ten clusters, train rows inside."""
    n = np.arange(200)
    radius = 20.0 + len(place) + 4 * (n >= 100) + np.sin(3.0 * n)
    angle = 2 * np.pi * (n % 10) / 10 + 0.2 * np.sin(7.0 * n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    split = np.repeat(["train", "test"], 100)
    return Embedding(place, "t-SNE", points.astype(np.float32), n % 10, split, 30.0)


def _mnist_metrics(accuracy: float, seed: int) -> dict[str, float]:
    accuracy += 0.004 * math.sin(2.0 + 3 * seed)
    return {
        "test_accuracy": accuracy,
        "validation_accuracy": accuracy + 0.006,
        "train_accuracy": 0.99,
        "majority_class": 0.1135,
        "mi_ty_nats": 1.9 + 0.03 * seed,
    }


def _populate_vae(root: Path) -> None:
    about = {"title": "Proximal split, VAE on MNIST", "description": "", "source": "Proximal 2024, Table 3"}
    for variant, gain in (("adamw-bp", 0.0), ("adamw-order2", 0.31), ("adamw-hybrid", 0.42)):
        for seed in range(2):
            failed = variant == "adamw-hybrid" and seed == 1
            psnr = 21.3 + gain + 0.1 * seed
            lines = layerwise_lines(["encoder", "decoder"], seed=seed, gain=gain)
            write_run(
                root,
                "prox-vae-mnist",
                variant,
                seed,
                metrics={} if failed else {"test_psnr_db": psnr, "test_mae": 0.0412, "validation_psnr_db": psnr + 0.2},
                published={"test_psnr_db": 21.0 + gain},
                status="failed" if failed else "completed",
                message="RuntimeError: out of memory <8 GiB>" if failed else "",
                lines=lines[:3] if failed else lines,
                **about,
            )
