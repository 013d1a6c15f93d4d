"""Figure 1 of Elad et al. 2019: I(X; F(X) + noise) as the noise vanishes, by plain and by architecture-aware MINE.

Two deterministic layers F of a Gaussian input: a linear one, whose information is known in closed form, and a
three-layer perceptron with random weights, whose information lies between bounds that need no critic, since the channel
is known. Both have outputs of variance 1, so that the noise has one meaning. Plain MINE sees (X, F(X) + noise); the
architecture-aware one passes X through F first. The paper gives neither widths nor dimensions: those here are ours.

Writes results/elad_figure1.json, which tells how long it took, and .svg:
OMP_NUM_THREADS=1 python benchmarks/elad_figure1.py
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import torch
from torch import Tensor, nn

import infotorch
from infotorch.estimators.architecture import architecture_aware_mine
from infotorch.estimators.channel import infonce_known_channel, leave_one_out_bound, pairwise_bounds
from infotorch.estimators.neural import neural_mi
from infotorch.numerics.extras import require
from infotorch.numerics.seeds import SeedStreams

Json = dict[str, Any]

RESULT = Path(__file__).parent / "results" / "elad_figure1.json"
INPUTS, WIDTH, OUTPUTS, ROWS = 100, 64, 5, 4000
VARIANCES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
SEEDS = (0, 1, 2)
CRITIC: Json = {"hidden": (128, 128), "batch_size": 128, "lr": 1e-3, "max_steps": 1000, "patience": 6}
# name -> how it is drawn; Okabe and Ito 2008: told apart with any colour vision
LINES: dict[str, Json] = {
    "exact": {"color": "black", "linewidth": 1.5},
    "pairwise, lower": {"color": "#009E73", "linestyle": "--", "marker": "v"},
    "InfoNCE, known channel (lower)": {"color": "#56B4E9", "linestyle": "--", "marker": "v"},
    "leave-one-out (upper)": {"color": "#CC79A7", "linestyle": "--", "marker": "^"},
    "architecture-aware MINE": {"color": "#D55E00", "marker": "o", "linewidth": 2},
    "plain MINE": {"color": "#0072B2", "marker": "s", "linewidth": 2},
}


class UnitVariance(nn.Module):
    """A network whose outputs are centred and divided by their deviation over some rows."""

    def __init__(self, network: nn.Module, rows: Tensor) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            outputs = network(rows)
        self.centre, self.deviation = outputs.mean(0), outputs.std(0)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs, (n, d)."""
        return (self.network(x) - self.centre) / self.deviation


def linear() -> nn.Module:
    """One layer."""
    return nn.Linear(INPUTS, OUTPUTS)


def perceptron() -> nn.Module:
    """Three layers with random weights."""
    return nn.Sequential(
        nn.Linear(INPUTS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, OUTPUTS)
    )


def exact(encoder: UnitVariance, variance: float) -> float:
    """1/2 log det(I + W W' / variance) of a linear layer on N(0, I), in nats."""
    assert isinstance(encoder.network, nn.Linear)
    weight = encoder.network.weight.detach().double() / encoder.deviation[:, None]
    return 0.5 * torch.logdet(torch.eye(OUTPUTS).double() + weight @ weight.T / variance).item()


def estimates(encoder: UnitVariance, x: Tensor, variance: float, streams: SeedStreams) -> dict[str, float]:
    """Every line of the figure at one noise variance, in nats."""
    noise_std, draw = math.sqrt(variance), streams.generator
    with torch.no_grad():
        clean = encoder(x)
    noisy = clean + noise_std * torch.randn(clean.shape, generator=draw("noise"))
    found = {} if not isinstance(encoder.network, nn.Linear) else {"exact": exact(encoder, variance)}
    return {
        **found,
        "pairwise, lower": float(pairwise_bounds(clean, noise_std)[0]),
        "InfoNCE, known channel (lower)": float(infonce_known_channel(clean, noise_std, generator=draw("infonce"))),
        "leave-one-out (upper)": float(leave_one_out_bound(clean, noise_std, generator=draw("loo"))),
        "architecture-aware MINE": float(
            architecture_aware_mine(encoder, x, noise_std, generator=draw("aware"), **CRITIC)
        ),
        "plain MINE": float(neural_mi(x, noisy, bound="mine", critic="joint", generator=draw("plain"), **CRITIC)),
    }


def measure(make: Callable[[], nn.Module]) -> list[Json]:
    """One row for each noise variance: every line's value for every seed."""
    rows: list[Json] = [{"noise_variance": variance, "nats": {}} for variance in VARIANCES]
    for seed in SEEDS:
        streams = SeedStreams(seed)
        x = torch.randn(ROWS, INPUTS, generator=streams.generator("data"))
        with streams.as_global("weights"):
            encoder = UnitVariance(make(), x)
        for number, row in enumerate(rows):
            own = SeedStreams(streams.generator("variance", number).initial_seed())
            for name, value in estimates(encoder, x, row["noise_variance"], own).items():
                row["nats"].setdefault(name, []).append(value)
            print(f"{make.__name__} seed {seed} variance {row['noise_variance']:g}", flush=True)
    return rows


def summary(rows: list[Json]) -> list[Json]:
    """Mean and standard deviation over the seeds beside the values."""
    return [
        {
            **row,
            "mean_nats": {name: fmean(values) for name, values in row["nats"].items()},
            "spread_nats": {name: pstdev(values) for name, values in row["nats"].items()},
        }
        for row in rows
    ]


def draw(cases: dict[str, list[Json]], path: Path) -> None:
    """The figure: a panel for each layer, a line for each estimator with a band of one standard deviation."""
    matplotlib = require("docs", "matplotlib", "Elad's Figure 1")
    from matplotlib.figure import Figure

    # Text stays text, and two runs on the same numbers give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "infotorch", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = figure.subplots(1, len(cases))
    for panel, (title, rows) in zip(panels, cases.items(), strict=True):
        for name, style in LINES.items():
            if name in rows[0]["mean_nats"]:
                mean, spread = ([row[key][name] for row in rows] for key in ("mean_nats", "spread_nats"))
                panel.plot(VARIANCES, mean, label=name, **style)
                band = [[m + sign * s for m, s in zip(mean, spread, strict=True)] for sign in (-1, 1)]
                panel.fill_between(VARIANCES, *band, color=style["color"], alpha=0.15, linewidth=0)
        panel.axhline(math.log(ROWS), color="grey", linewidth=0.8, linestyle=":", label=f"log n, n = {ROWS}")
        panel.set(xscale="log", ylim=(-1, 26), xlabel="noise variance", ylabel="nats", title=title)
    panels[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, write the numbers, draw."""
    began = time.perf_counter()
    cases = {
        f"linear layer, {INPUTS} to {OUTPUTS}": summary(measure(linear)),
        f"perceptron with random weights, {INPUTS}-{WIDTH}-{WIDTH}-{OUTPUTS}": summary(measure(perceptron)),
    }
    about = {
        "made_by": "python benchmarks/elad_figure1.py",
        "seconds": round(time.perf_counter() - began),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "infotorch": infotorch.__version__,
        "rows": ROWS,
        "seeds": SEEDS,
        "critic": CRITIC,
    }
    RESULT.write_text(json.dumps({**about, "cases": cases}, indent=1) + "\n", encoding="utf-8")
    draw(cases, RESULT.with_suffix(".svg"))
    for title, rows in cases.items():
        print(title)
        for row in rows:
            means = (f"{name} {value:.2f}" for name, value in row["mean_nats"].items())
            print(f"  variance {row['noise_variance']:g}: " + ", ".join(means))


if __name__ == "__main__":
    main()
