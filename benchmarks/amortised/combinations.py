"""Ways to combine what `mutual_information` reads that were tried and not taken: their errors beside today's.

    cd benchmarks; python -m amortised.combinations [--n 300 1000 3000] [--seeds 1]        half an hour on one core

On `tuning_suite` and on laws drawn as those that the network learns from; prints the mean of |estimate - truth|.
"""

from __future__ import annotations

import argparse
import math
import statistics
import warnings
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from amortised.families import draw
from amortised.pairs import pool
from infotorch.distributions import tuning_suite
from infotorch.estimators import weighed
from infotorch.estimators.amortised import Beside, middle, quantiles_of
from infotorch.estimators.amortised_inputs import inputs_of
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.ensemble import ksg_ensemble
from infotorch.estimators.normal_scores import scores_of
from infotorch.numerics.seeds import derive_seed

MOST_NATS, DRAWN, DRAWN_SEED = 4.0, 60, 777
ORDERS = (2, 4, 8)
SHARES = (0.25, 0.5)
ERRORS = (0.5, 1.0, 1.5)


def samples(kind: str, n: int, seed: int) -> Iterator[tuple[Tensor, Tensor, float]]:
    """x, y and the truth of each law of a kind."""
    if kind == "tuning":
        for name, law in tuning_suite().items():
            x, y = law.sample(n, torch.Generator().manual_seed(derive_seed(seed, f"explore {name}", n)))
            yield x.double(), y.double(), law.mutual_information()
        return
    pairs = pool(100, np.random.default_rng(DRAWN_SEED + seed))
    for index in range(DRAWN):
        rng = np.random.default_rng([DRAWN_SEED, n, seed, index])
        d_x, d_y = rng.integers(1, 6, size=2)
        law = draw(n, int(d_x), int(d_x if rng.uniform() < 0.5 else d_y), pairs, rng)
        if law.mi <= MOST_NATS:
            yield torch.from_numpy(law.x), torch.from_numpy(law.y), law.mi


def combined(x: Tensor, y: Tensor) -> dict[str, float] | None:
    """What each way tells; None where the network is not asked."""
    a, b = scores_of(x, y)
    candidates = [weighed._by_neighbours(a, b, few=False, many=False), *weighed._gaussianised(x, y)]
    maximum = float(weighed._weighed(candidates, x.shape[1] + y.shape[1]))
    if maximum > MOST_NATS:
        return None
    by_name = {candidate.short: candidate for candidate in candidates}
    with unexamined():
        single = x.shape[1] + y.shape[1] == 2
        neighbours = ksg_ensemble(a, b, ks=weighed._KS) if single else candidates[0].estimate
    maps = [by_name.get(name) for name in (weighed._WITH_MARGINS, weighed._WITHOUT_MARGINS)]
    beside = Beside(
        np.array([float(neighbours), *(math.nan if own is None else float(own.estimate) for own in maps)]),
        np.concatenate([weighed._about(own) for own in maps]),
    )
    orders = [
        np.random.default_rng(derive_seed(order, "amortised")).permutation(len(a)) for order in range(max(ORDERS))
    ]
    values = [middle(quantiles_of(inputs_of(a.numpy()[o], b.numpy()[o]), len(a), beside)) for o in orders]
    told = {"today": values[0]}
    told |= {f"mean over {most} orders of the samples": statistics.fmean(values[:most]) for most in ORDERS}
    told |= {f"{share:.0%} of the soft maximum": (1 - share) * values[0] + share * maximum for share in SHARES}
    for many in ERRORS:
        least = max(float(own.estimate) - many * own.estimate.std_error for own in candidates)
        told[f"at least any estimate less {many} standard errors"] = max(values[0], least)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for kind in ("tuning", "drawn"):
        for n in args.n:
            errors: dict[str, list[float]] = defaultdict(list)
            for seed in range(args.seeds):
                for x, y, truth in samples(kind, n, seed):
                    for way, value in (combined(x, y) or {}).items():
                        errors[way].append(abs(value - truth))
            for way, own in errors.items():
                print(f"{kind} n = {n}: {way}: {statistics.fmean(own):.4f} of {len(own)}", flush=True)


if __name__ == "__main__":
    main()
