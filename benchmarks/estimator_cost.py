"""Seconds of every estimator of two arrays at n = 1,000, 10,000 and 100,000, for docs/choosing-an-estimator.md.

x, y and what is given: two columns, float32; symbols: ten; channels: features of two columns. What would take more than
LIMIT seconds by the time at a tenth of the samples is not run, but told by the power with which its cost grows; so is
what would need more than MEMORY bytes. Writes results/estimator_cost.json; `make stubs` then writes the page.
Run alone on the machine, some minutes on two cores: python benchmarks/estimator_cost.py [ESTIMATOR ...]
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from infotorch import estimators as e

SIZES, LIMIT, MEMORY = (10**3, 10**4, 10**5), 60.0, 1.6e10
RESULT = Path(__file__).parent / "results" / "estimator_cost.json"


class Samples(NamedTuple):
    """What the estimators are given."""

    x: Tensor
    y: Tensor
    z: Tensor
    a: Tensor
    b: Tensor
    c: Tensor


class Cost(NamedTuple):
    """A call, the power of n in its time, and the bytes that it holds per n^2."""

    call: Callable[[Samples], object]
    power: int
    bytes: float = 0.0


def _chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# Two matrices of n x n in float32.
_BY_EIGENVALUES = (3, 2 * 4.0)
COSTS = {
    "mutual_information": Cost(lambda s: e.mutual_information(s.x, s.y, generator=_chance()), 1),
    "ksg": Cost(lambda s: e.ksg(s.x, s.y), 1),
    "ksg_ensemble": Cost(lambda s: e.ksg_ensemble(s.x, s.y), 1),
    "gaussianised_mi": Cost(lambda s: e.gaussianised_mi(s.x, s.y), 1),
    "amortised_mi": Cost(lambda s: e.amortised_mi(s.x, s.y), 1),
    "ross": Cost(lambda s: e.ross(s.x, s.a), 1),
    "mixed_ksg": Cost(lambda s: e.mixed_ksg(s.x, s.y), 1),
    "discrete_mi": Cost(lambda s: e.discrete_mi(s.a, s.b), 1),
    "binned_mi": Cost(lambda s: e.binned_mi(s.x, s.y, num_bins=10), 1),
    "gaussian_mi": Cost(lambda s: e.gaussian_mi(s.x, s.y), 1),
    "gaussian_mi_cca": Cost(lambda s: e.gaussian_mi_cca(s.x, s.y), 1),
    "gaussian_copula_mi": Cost(lambda s: e.gaussian_copula_mi(s.x, s.y), 1),
    "pairwise_bounds": Cost(lambda s: e.pairwise_bounds(s.x, 0.1), 2),
    "infonce_known_channel": Cost(lambda s: e.infonce_known_channel(s.x, 0.1, generator=_chance()), 2),
    "leave_one_out_bound": Cost(lambda s: e.leave_one_out_bound(s.x, 0.1, generator=_chance()), 2),
    "gaussian_channel_bound": Cost(lambda s: e.gaussian_channel_bound(s.x, 0.1), 1),
    "conditional_ksg": Cost(lambda s: e.conditional_ksg(s.x, s.y, s.z), 1),
    "conditional_mixed_ksg": Cost(lambda s: e.conditional_mixed_ksg(s.x, s.y, s.z), 1),
    "conditional_gaussian_mi": Cost(lambda s: e.conditional_gaussian_mi(s.x, s.y, s.z), 1),
    "conditional_discrete_mi": Cost(lambda s: e.conditional_discrete_mi(s.a, s.b, s.c), 1),
    "discrete_entropy": Cost(lambda s: e.discrete_entropy(s.a), 1),
    "kozachenko_leonenko_entropy": Cost(lambda s: e.kozachenko_leonenko_entropy(s.x), 1),
    "renyi_entropy": Cost(lambda s: e.renyi_entropy(s.x), *_BY_EIGENVALUES),
    "renyi_joint_entropy": Cost(lambda s: e.renyi_joint_entropy(s.x, s.y), *_BY_EIGENVALUES),
    "renyi_mi": Cost(lambda s: e.renyi_mi(s.x, s.y), *_BY_EIGENVALUES),
    "renyi_normalised_mi": Cost(lambda s: e.renyi_normalised_mi(s.x, s.y), *_BY_EIGENVALUES),
    "renyi_multivariate_mi": Cost(lambda s: e.renyi_multivariate_mi([s.x, s.z], s.y), *_BY_EIGENVALUES),
    "renyi_total_correlation": Cost(lambda s: e.renyi_total_correlation(s.x, s.y), *_BY_EIGENVALUES),
    "renyi_entropy_randomised": Cost(lambda s: e.renyi_entropy_randomised(s.x, generator=_chance()), 2),
    "renyi_mi_randomised": Cost(lambda s: e.renyi_mi_randomised(s.x, s.y, generator=_chance()), 2),
    "hsic": Cost(lambda s: e.hsic(s.x, s.y), 2),
    "cka": Cost(lambda s: e.cka(s.x, s.y, kernel="rbf"), 2),
    "canonical_correlations": Cost(lambda s: e.canonical_correlations(s.x, s.y), 1),
}


def samples(n: int) -> Samples:
    """Of n samples, two columns and ten symbols each."""
    generator = _chance()
    x, noise, other = torch.randn(3, n, 2, generator=generator)
    a, b, c = torch.randint(10, (3, n), generator=generator)
    return Samples(x, x + noise, x + other, a, b, c)


def measure(cost: Cost, data: dict[int, Samples]) -> list[dict[str, object]]:
    """Each size's seconds, and whether they were measured; or the bytes that are too many."""
    cost.call(data[SIZES[0]])  # compiles
    found: list[dict[str, object]] = []
    before, seconds = 0, 0.0
    for n in SIZES:
        foreseen = seconds * (n / before) ** cost.power if before else 0.0
        if cost.bytes * n * n > MEMORY:
            found.append({"n": n, "bytes": cost.bytes * n * n})
            continue
        measured = foreseen <= LIMIT
        before, seconds = n, _seconds(cost.call, data[n]) if measured else foreseen
        found.append({"n": n, "seconds": float(f"{seconds:.2g}"), "measured": measured})
    return found


def _seconds(call: Callable[[Samples], object], own: Samples) -> float:
    """Of one call, or the median of three short ones."""
    spent = []
    while len(spent) < 3 and sum(spent) < 1:
        began = time.perf_counter()
        call(own)
        spent.append(time.perf_counter() - began)
    return median(spent)


def main() -> None:
    """Measure those that are named, or all, print and keep."""
    data, chosen = {n: samples(n) for n in SIZES}, sys.argv[1:]
    rows = json.loads(RESULT.read_text())["rows"] if chosen else {}
    for name in chosen or COSTS:
        rows[name] = measure(COSTS[name], data)
        print(name, *(f"{cell.get('seconds', 'memory')}{'' if cell.get('measured') else ' ~'}" for cell in rows[name]))
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, Python {platform.python_version()}"
    content = {"unit": "seconds", "machine": f"{machine}, torch {torch.__version__}", "rows": rows}
    RESULT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
