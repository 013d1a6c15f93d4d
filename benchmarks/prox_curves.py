"""Figures 1 to 4 of Han et al. 2023, drawn from the committed runs below results/.

A panel for each optimiser and quantity; a line is the mean over seeds, its band goes from the lowest seed to the
highest. Where the paper has test curves, these are of validation rows: test rows are looked at once, after training.
Run: python benchmarks/prox_curves.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from infotorch.numerics.extras import require
from infotorch.records.finding import find_runs
from infotorch.records.run_record import RunRecord

RUNS = Path(__file__).parents[1] / "results"
RESULTS = Path(__file__).parent / "results"

COLOURS = {
    "bp": "tab:blue",
    "order2": "tab:red",
    "paper": "tab:orange",
    "order1": "tab:green",
    "hybrid": "tab:purple",
    "l1": "tab:brown",
    "huber": "tab:pink",
}
ACCURACY = {
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
}
PSNR = {
    "train_loss": "training loss",
    "train_psnr_db": "training PSNR, dB",
    "validation_psnr_db": "validation PSNR, dB",
}


class Figure(NamedTuple):
    """What one figure shows: a line of panels for every optimiser that has runs, a panel for every quantity."""

    table: str
    quantities: dict[str, str]
    optimizers: tuple[str, ...]
    updates: tuple[str, ...]


ALL = ("adam", "adamw", "nadam", "adamp")
FIGURES = {
    "prox_figure1_mnist": Figure("prox-mnist", ACCURACY, ALL, ("bp", "order2", "paper")),
    "prox_figure1_cifar10": Figure("prox-cifar10", ACCURACY, ALL, ("bp", "order2", "paper")),
    "prox_figure2_mnist": Figure("prox-vae-mnist", PSNR, ALL, ("bp", "order2", "paper")),
    "prox_figure2_cifar10": Figure("prox-vae-cifar10", PSNR, ALL, ("bp", "order2", "paper")),
    "prox_figure3": Figure("prox-binary", ACCURACY, ("sgd-paper", "sgd"), ("bp", "order2", "order1", "hybrid")),
    "prox_figure4": Figure("prox-vae-mnist", PSNR, ("nadam",), ("bp", "order1", "order2", "paper", "l1", "huber")),
}


def variant(optimizer: str, update: str) -> str:
    """The name of a row; that of the paper's own in the plane is `sgd-paper` alone."""
    return optimizer if (optimizer, update) == ("sgd-paper", "order2") else f"{optimizer}-{update}"


def lines_of(runs: Sequence[RunRecord], quantity: str) -> tuple[list[int], list[list[float]]]:
    """Epochs, and at each the value of every seed."""
    by_seed = [{line["epoch"]: line[quantity] for line in run.metrics() if quantity in line} for run in runs]
    epochs = sorted(set.intersection(*(set(seed) for seed in by_seed))) if by_seed else []
    return epochs, [[seed[epoch] for seed in by_seed] for epoch in epochs]


def draw(figure: Figure, path: Path) -> None:
    """Draw one figure."""
    matplotlib = require("docs", "matplotlib", "Han's figures")
    from matplotlib.figure import Figure as Drawing

    # Text stays text, and two drawings of the same numbers give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "infotorch", "svg.fonttype": "none", "font.family": "sans-serif"})
    found: dict[str, list[RunRecord]] = {}
    for run in find_runs(RUNS / f"{figure.table}.json"):
        found.setdefault(run.recipe()["variant"], []).append(run)
    shown = [name for name in figure.optimizers if any(variant(name, update) in found for update in figure.updates)]
    size = (4 * len(figure.quantities), 2.8 * len(shown))
    drawing = Drawing(figsize=size, layout="constrained")
    panels: Any = drawing.subplots(len(shown), len(figure.quantities), squeeze=False)
    for row, optimizer in zip(panels, shown, strict=True):
        for panel, (quantity, title) in zip(row, figure.quantities.items(), strict=True):
            for update in figure.updates:
                epochs, values = lines_of(found.get(variant(optimizer, update), ()), quantity)
                if not epochs:
                    continue
                panel.plot(epochs, [fmean(seeds) for seeds in values], color=COLOURS[update], label=update)
                band = [[edge(seeds) for seeds in values] for edge in (min, max)]
                panel.fill_between(epochs, *band, color=COLOURS[update], alpha=0.2, linewidth=0)
            panel.set(xlabel="epoch", title=f"{optimizer}: {title}")
            if quantity == "train_loss":
                panel.set_yscale("log")
        row[0].legend(fontsize=8, frameon=False)
    drawing.savefig(path, metadata={"Date": None})


def main() -> None:
    """Draw all of them."""
    for name, figure in FIGURES.items():
        if not (RUNS / f"{figure.table}.json").exists():
            print(f"{name}: no runs of {figure.table}", flush=True)
            continue
        draw(figure, RESULTS / f"{name}.svg")
        print(f"{name}.svg", flush=True)


if __name__ == "__main__":
    main()
