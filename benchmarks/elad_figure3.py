"""Figure 3 of Elad et al. 2019: does a large beta quantise the code of the first layer, or only shrink it?

The first layer of the MNIST perceptron (784-500, ReLU) is trained by the information bottleneck alone, with the paper's
two beta, in two ways: the paper's functional (a MINE for I(Y; L), an architecture-aware MINE as penalty) and ours (a
linear read-out, a Gaussian upper bound as penalty). The penalty's noise is of a fixed size, as in the paper: here about
that of an untrained layer's deviation. Or it follows the layer's deviation, so that shrinking gains nothing (Amjad &
Geiger 2019, footnote 3). The paper gives neither sigma, nor widths, nor epochs: those here are ours, and small.

The t-SNE pictures are of the first seed. The numbers beside them do not depend on the layer's scale, except
`deviation`. A code of few dimensions has near neighbours without being quantised: so `neighbour_distance` and
`outside_clusters` stand beside those of Gaussian rows with the same covariance.

What came out: with the paper's functional a large beta makes a picture of clumps, by dying units: a quarter to two
thirds of the images have the code 0, all others codes of their own, and a read-out reads 34-58 %. Ours dies outright.
With relative noise nothing is quantised: the code falls to one or two dimensions, and stays continuous.

Writes results/elad_figure3.json, which tells how long it took, and .svg:
OMP_NUM_THREADS=1 python benchmarks/elad_figure3.py
"""

from __future__ import annotations

import json
import math
import platform
import time
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import Tensor

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.data.sets import Dataset
from infotorch.diagnostics.embeddings import embed_rows, stratified
from infotorch.estimators.channel import pairwise_bounds
from infotorch.networks.perceptron import mlp
from infotorch.numerics.extras import require
from infotorch.numerics.seeds import SeedStreams, derive_seed
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.report.embeddings import CLASS_COLOURS
from infotorch.training.loop import train
from infotorch.training.plan import Plan

Json = dict[str, Any]

RESULT = Path(__file__).parent / "results" / "elad_figure3.json"
SEEDS = (0, 1, 2)
# At the small beta the penalty is too weak for its noise to matter.
PENALTIES = (("fixed", 1e-3), ("fixed", 1e2), ("relative", 1e2))
TRAIN_ROWS, HELD_OUT, READOUT_ROWS, COMPONENTS, CLUSTERS = 10_000, 1000, 3000, 50, 10
TRAINING: Json = {"epochs": 2, "batch_size": 128, "lr": 1e-3, "critic_lr": 1e-3}
# The deviation of an untrained layer's outputs is 0.09; relative noise is in units of the layer's own.
NOISE_STD = {"fixed": 0.1, "relative": 1.0}
# In units of the layer's deviation: a code of k tight clusters then has about log k nats, one of rows apart log n.
MEASURING_NOISE = 3.0
WAYS: dict[str, Json] = {
    "paper": {
        "precision": "mine",
        "penalty": "aamine",
        "lower_bound": "accept",
        "critic_hidden": (64, 64),
        "critic_steps": 5,
    },
    "ours": {"precision": "readout", "penalty": "gaussian"},
}


class Setting(NamedTuple):
    """How one layer is trained."""

    way: str
    noise: str
    beta: float

    def __str__(self) -> str:
        return f"{self.way}, {self.noise} noise, beta = {self.beta:g}"

    def objective(self) -> InformationBottleneck:
        """The objective."""
        return InformationBottleneck(
            beta=self.beta, noise=self.noise, noise_std=NOISE_STD[self.noise], **WAYS[self.way]
        )


class Picture(NamedTuple):
    """One panel: points (n, 2) and classes (n,)."""

    setting: Setting
    points: np.ndarray
    labels: np.ndarray


def network(seed: int) -> torch.nn.Sequential:
    """The paper's perceptron as initialised."""
    with SeedStreams(seed).as_global("weights"):
        return mlp(784, (500, 256), 10)


def trained(data: Dataset, setting: Setting | None, seed: int) -> tuple[Plan, Json]:
    """The network with its first layer trained, or as initialised, and the last step's bounds."""
    objective = None if setting is None else setting.objective()

    def adam(lr: float) -> Any:
        return lambda parameters: torch.optim.Adam(parameters, lr=lr)

    plan = Plan.layerwise(
        network(seed),
        ("fc2", "fc3"),
        (objective, None, None),
        optimizer=adam(TRAINING["lr"]),
        critic_optimizer=adam(TRAINING["critic_lr"]),
    )
    last: Json = {}
    if objective is not None:
        batches = TensorBatches(data.train.x, data.train.y, batch_size=TRAINING["batch_size"], seed=seed)
        for info in train(plan, batches, epochs=TRAINING["epochs"], seed=seed):
            last = {name: value.item() for name, value in info.losses[plan[0].name].terms.items()}
            last["diverged"] = info.diverged
    return plan, last


def codes(plan: Plan, x: Tensor) -> Tensor:
    """The first layer's outputs in float64, (n, 500)."""
    with torch.no_grad():
        return plan.outputs(x, stop=1)[0].double()


def neighbour_distance(rows: Tensor) -> float:
    """Median distance to the nearest other row, in units of the root mean square distance of two rows."""
    distances = torch.cdist(rows, rows).fill_diagonal_(0)
    squares = distances.square().sum() / (len(rows) * (len(rows) - 1))
    return (distances.fill_diagonal_(math.inf).min(dim=1).values.median() / squares.sqrt()).item()


def outside_clusters(rows: Tensor) -> float:
    """Share of the variance that is left within ten clusters of k-means: 0 for a code of ten points."""
    found = KMeans(CLUSTERS, n_init="auto", random_state=0).fit(rows.numpy())
    assert found.inertia_ is not None
    return found.inertia_ / (rows - rows.mean(dim=0)).square().sum().item()


def gaussian_rows(variances: Tensor, count: int, seed: int) -> Tensor:
    """Gaussian rows with these principal variances."""
    normal = torch.randn(
        count, len(variances), generator=SeedStreams(seed).generator("gaussian"), dtype=variances.dtype
    )
    return normal * variances.sqrt()


def measure(code: Tensor, seed: int) -> Json:
    """The numbers that say whether a code is quantised, none of which depends on its scale but `deviation`."""
    centred = code - code.mean(dim=0)
    deviation = centred.square().mean().sqrt().item()
    constant = ((code == code[0]).all(dim=0)).double().mean().item()
    counts = code.unique(dim=0, return_counts=True)[1]
    found: Json = {
        "deviation": deviation,
        "constant_units": constant,
        "silent_rows": (code == 0).all(dim=1).double().mean().item(),
        "distinct_rows": len(counts),
    }
    if len(counts) == 1:  # all else is 0 / 0
        return found
    unit = centred / deviation
    directions = torch.linalg.svd(unit, full_matrices=False)
    variances = directions.S.square() / len(unit)
    share = variances / variances.sum()
    like = gaussian_rows(variances, len(unit), seed)
    # Rotated onto the principal axes: the same distances, and as few columns as there is variance.
    unit = directions.U * directions.S
    lower, upper = pairwise_bounds(unit, MEASURING_NOISE)
    return {
        **found,
        "neighbour_distance": neighbour_distance(unit),
        "neighbour_distance_gaussian": neighbour_distance(like),
        "outside_clusters": outside_clusters(unit),
        "outside_clusters_gaussian": outside_clusters(like),
        "effective_dimensions": (1 / share.square().sum()).item(),
        "first_component": share[0].item(),
        "ten_components": share[:10].sum().item(),
        "mi_xt_lower_nats": float(lower),
        "mi_xt_upper_nats": float(upper),
    }


def readout_accuracy(plan: Plan, data: Dataset) -> float:
    """Of a logistic regression on the whitened principal components of some training rows' code, on all test rows."""
    few, test = data.train.select(torch.arange(READOUT_ROWS)), data.test
    reader = make_pipeline(PCA(COMPONENTS, whiten=True, svd_solver="covariance_eigh"), LogisticRegression())
    reader.fit(codes(plan, few.x).numpy(), few.y.numpy())
    return float(reader.score(codes(plan, test.x).numpy(), test.y.numpy()))


def held_out(data: Dataset, seed: int) -> tuple[Tensor, np.ndarray]:
    """The rows that are measured and drawn, and their classes."""
    chosen = stratified(data.test.y.numpy(), HELD_OUT, np.random.default_rng(derive_seed(seed, "held out")))
    rows = data.test.select(torch.from_numpy(chosen))
    return rows.x, rows.y.numpy()


def layer(data: Dataset, setting: Setting | None, seed: int) -> tuple[Json, np.ndarray]:
    """All numbers of one layer, and its code of the held-out rows."""
    plan, last = trained(data, setting, seed)
    code = codes(plan, held_out(data, seed)[0])
    numbers = measure(code, seed)
    if numbers["distinct_rows"] > 1:
        numbers["readout_accuracy"] = readout_accuracy(plan, data)
    return {**numbers, "last_step": last}, code.numpy()


def all_layers() -> tuple[list[Json], list[Picture]]:
    """One row for each setting, with every seed's numbers; and the first seed's t-SNE pictures."""
    settings = [None, *(Setting(way, noise, beta) for way in WAYS for noise, beta in PENALTIES)]
    rows: list[Json] = [{"name": str(setting or "untrained"), "seeds": []} for setting in settings]
    pictures: list[Picture] = []
    for seed in SEEDS:
        data = infotorch.load("mnist", seed=seed, limit=TRAIN_ROWS)
        assert isinstance(data, Dataset)
        for row, setting in zip(rows, settings, strict=True):
            numbers, code = layer(data, setting, seed)
            row["seeds"].append(numbers)
            if seed == SEEDS[0] and setting is not None:
                pictures.append(Picture(setting, embed_rows(code)[0], held_out(data, seed)[1]))
            print(f"seed {seed}, {row['name']}: {shown(numbers)}", flush=True)
    return [{**row, **summary(row["seeds"])} for row in rows], pictures


def summary(seeds: list[Json]) -> Json:
    """Mean and standard deviation of what every seed has."""
    names = [name for name in seeds[0] if name != "last_step" and all(name in values for values in seeds)]
    return {
        "mean": {name: fmean(values[name] for values in seeds) for name in names},
        "spread": {name: pstdev(values[name] for values in seeds) for name in names},
    }


def shown(numbers: Json) -> str:
    """Numbers for people."""
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items() if name != "last_step")


def draw(rows: list[Json], pictures: list[Picture], path: Path) -> None:
    """The figure: a panel for each setting, a row for each way; colour is the class."""
    matplotlib = require("docs", "matplotlib", "Elad's Figure 3")
    from matplotlib.figure import Figure

    # Text stays text, and two runs on the same numbers give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "infotorch", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(10, 7.5), layout="constrained", dpi=100)
    panels = figure.subplots(len(WAYS), len(PENALTIES)).flatten()
    first_seed = {row["name"]: row["seeds"][0] for row in rows}
    for panel, picture in zip(panels, pictures, strict=True):
        numbers = first_seed[str(picture.setting)]
        # Six thousand marks: as pixels, a tenth of the file.
        panel.scatter(
            *picture.points.T, c=[CLASS_COLOURS[label] for label in picture.labels], s=5, linewidths=0, rasterized=True
        )
        panel.set(xticks=[], yticks=[], aspect="equal", title=str(picture.setting), adjustable="datalim")
        panel.set_xlabel(
            f"deviation {numbers['deviation']:.2g}, constant units {numbers['constant_units']:.0%}\n"
            f"distinct rows {numbers['distinct_rows']}, read-out {numbers.get('readout_accuracy', math.nan):.0%}"
        )
        panel.title.set_fontsize(9)
    figure.suptitle(f"t-SNE of the first layer's code of {HELD_OUT} test images; colour is the digit", fontsize=11)
    figure.savefig(path, metadata={"Date": None})


def save(rows: list[Json], pictures: list[Picture], seconds: float, processor_seconds: float) -> None:
    """Write the numbers and draw."""
    about = {
        "made_by": "python benchmarks/elad_figure3.py",
        "seconds": round(seconds),
        "processor_seconds": round(processor_seconds),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "infotorch": infotorch.__version__,
        "seeds": SEEDS,
        "train_rows": TRAIN_ROWS,
        "held_out_rows": HELD_OUT,
        "readout_rows": READOUT_ROWS,
        "training": TRAINING,
        "noise_std": NOISE_STD,
        "measuring_noise": MEASURING_NOISE,
        "ways": WAYS,
    }
    RESULT.write_text(json.dumps({**about, "layers": rows}, indent=1) + "\n", encoding="utf-8")
    draw(rows, pictures, RESULT.with_suffix(".svg"))
    for row in rows:
        print(f"{row['name']}: {shown(row['mean'])}")


def main() -> None:
    """Train and measure, then write."""
    began, worked = time.perf_counter(), time.process_time()
    rows, pictures = all_layers()
    save(rows, pictures, time.perf_counter() - began, time.process_time() - worked)


if __name__ == "__main__":
    main()
