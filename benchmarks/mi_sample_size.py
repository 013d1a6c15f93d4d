"""Figure 1 of Vasudevan 2020: I(X; Y) of images and their classes against the number of images it is measured on.

KSG, as in the paper: k = 3, pixels in [0, 1], the largest coordinate as the distance, classes one-hot; its value
depends on the scale of the pixels. Beside it Ross's estimator, which `InformationSignal` takes for classes, and the
ceiling H(Y). Several samples of each size, drawn anew from the training rows. The paper chose 1,000.

Writes results/mi_sample_size.json, which tells how long it took, and .svg; INFOTORCH_DATA names the folder of the sets:
OMP_NUM_THREADS=1 python benchmarks/mi_sample_size.py [mnist cifar10 ...]
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import infotorch
from infotorch.data import load
from infotorch.data.sets import Dataset
from infotorch.estimators.discrete import discrete_entropy
from infotorch.estimators.ksg import ksg
from infotorch.estimators.ross import ross
from infotorch.numerics.checks import require
from infotorch.numerics.seeds import SeedStreams

Json = dict[str, Any]

RESULT = Path(__file__).parent / "results" / "mi_sample_size.json"
SETS = ("mnist", "cifar10")
SIZES = (100, 200, 500, 1000, 2000)
SAMPLES = 5
ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "KSG against one-hot classes": lambda x, y: ksg(x, F.one_hot(y, 10).float()),
    "Ross": ross,
}
# Okabe and Ito 2008: told apart with any colour vision
COLOURS = {"KSG against one-hot classes": "#D55E00", "Ross": "#0072B2"}


def measure(name: str) -> list[Json]:
    """One row for each size: every estimator's values and seconds."""
    dataset = load(name)
    assert isinstance(dataset, Dataset)
    train = dataset.train
    rows = []
    for size in SIZES:
        row: Json = {"rows": size, "ceiling_nats": [], "nats": {}, "seconds": {}}
        for sample in range(SAMPLES):
            generator = SeedStreams(0).generator("sample", size, sample)
            drawn = torch.randperm(len(train), generator=generator)[:size]
            x, y = train.x[drawn].flatten(1), train.y[drawn]
            row["ceiling_nats"].append(float(discrete_entropy(y)))
            for estimator, estimate in ESTIMATORS.items():
                began = time.process_time()
                row["nats"].setdefault(estimator, []).append(float(estimate(x, y)))
                row["seconds"].setdefault(estimator, []).append(round(time.process_time() - began, 4))
        rows.append(row)
        print(f"{name}, {size} rows: {told(row)}", flush=True)
    return rows


def told(row: Json) -> str:
    """The means and standard deviations of a row."""
    parts = (f"{name} {fmean(values):.3f} ± {stdev(values):.3f} nats" for name, values in row["nats"].items())
    return f"{', '.join(parts)}; H(Y) {fmean(row['ceiling_nats']):.3f}"


def draw(cases: dict[str, list[Json]], path: Path) -> None:
    """The figure: a panel for each set, mean and standard deviation of each estimator against the size."""
    matplotlib = require("docs", "matplotlib", "Vasudevan's Figure 1")
    from matplotlib.figure import Figure

    # Text stays text, and two runs on the same numbers give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "infotorch", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(5.2 * len(cases), 3.8), layout="constrained")
    panels = figure.subplots(1, len(cases), squeeze=False)[0]
    for panel, (title, rows) in zip(panels, cases.items(), strict=True):
        sizes = [row["rows"] for row in rows]
        for name, colour in COLOURS.items():
            values = [row["nats"][name] for row in rows]
            bars = {"yerr": [stdev(v) for v in values], "capsize": 3, "marker": "o", "color": colour}
            panel.errorbar(sizes, [fmean(v) for v in values], label=name, **bars)
        ceiling = [fmean(row["ceiling_nats"]) for row in rows]
        panel.plot(sizes, ceiling, color="grey", linestyle=":", label="H(Y)")
        panel.set(xscale="log", xlabel="images", ylabel="I(X; Y), nats", title=title)
    panels[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, write the numbers, draw."""
    began = time.perf_counter()
    cases = {name: measure(name) for name in sys.argv[1:] or SETS}
    about = {
        "made_by": "python benchmarks/mi_sample_size.py",
        "seconds": round(time.perf_counter() - began),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "infotorch": infotorch.__version__,
        "samples": SAMPLES,
    }
    RESULT.write_text(json.dumps({**about, "sets": cases}, indent=1) + "\n", encoding="utf-8")
    draw(cases, RESULT.with_suffix(".svg"))


if __name__ == "__main__":
    main()
