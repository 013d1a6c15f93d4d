"""Which objectives `fit` gives to hidden modules of real targets by default: R² on validation samples.

    python benchmarks/default_plan_real.py [--seeds 3]        a few minutes on one core

The networks, optimiser and orders of default_plan.py, the last module trained by the squared error, beside
back-propagation with as many epochs a module and with as many in all. Two sets of scikit-learn, which need no network:
`diabetes` (442 patients) and `friedman1` (1,000 samples, noise of 1). A fifth of the samples is held out, others for
every seed; inputs and targets are standardised by the other four fifths. There are no test samples.
Writes results/default_plan_real.json and prints means over seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes, make_friedman1

import infotorch
from default_plan import Comparison
from infotorch.numerics.seeds import seed_streams

RESULTS = Path(__file__).parent / "results" / "default_plan_real.json"
EPOCHS = {"diabetes": 40, "friedman1": 40}
HIDDEN = {"Y": ("Y", "Y"), "X then Y": ("X", "Y")}


def samples(name: str, seed: int) -> tuple[Any, Any, int, int]:
    """(x, y) to learn from and (x, y) held out, standardised; columns of x, and of the output."""
    if name == "diabetes":
        x, y = load_diabetes(return_X_y=True)
    else:
        x, y = make_friedman1(n_samples=1000, noise=1.0, random_state=seed)
    order = torch.randperm(len(x), generator=seed_streams(seed).generator("validation"))
    held, learnt = order[: len(x) // 5], order[len(x) // 5 :]
    columns = [torch.as_tensor(np.asarray(part), dtype=torch.float32) for part in (x, y)]
    x, y = ((part - part[learnt].mean(0)) / part[learnt].std(0) for part in columns)
    return (x[learnt], y[learnt]), (x[held], y[held]), x.shape[1], 1


def r2(result: infotorch.FitResult, held: Any) -> float:
    """R² on held-out samples."""
    return result.evaluate(held)["r2"]


REAL = Comparison(EPOCHS, HIDDEN, "MSE", samples, r2, "r2", "validation R²", 3)

if __name__ == "__main__":
    REAL.main(RESULTS, __doc__)
