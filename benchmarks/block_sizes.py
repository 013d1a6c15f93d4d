"""Block sizes and threads tried for two rows of speed.py near their goals: KSG in 10 + 10 columns, Rényi of order 2.

Both rows hold n = 1000; milliseconds of one call, the chosen setting first. Writes results/block_sizes.json.
Run alone on the machine: python benchmarks/block_sizes.py
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from infotorch.estimators.kraskov import ksg
from infotorch.estimators.renyi import renyi_entropy
from infotorch.numerics import blocks, kernels

N, REPEATS = 1000, 101
RESULT = Path(__file__).parent / "results" / "block_sizes.json"
Setting = dict[str, float]


def ways() -> dict[str, tuple[object, list[Setting], Callable[[], object]]]:
    """For each row: the module whose constants are set, the settings, and the work."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(N, 10, generator=random, dtype=torch.float64)
    y = x + torch.randn(N, 10, generator=random, dtype=torch.float64)
    wide = torch.randn(N, 64, generator=random)
    threaded: list[Setting] = [{"_CPU_ENTRIES": 2**k, "_THREADED_WORK": 0} for k in (16, 18)]
    return {
        "KSG, 10-d against 10-d": (
            blocks,
            [*({"_CPU_ENTRIES": 2**k} for k in (16, 15, 17, 18)), *threaded],
            lambda: ksg(x, y),
        ),
        "Renyi entropy, alpha = 2, 64-d, float32": (
            kernels,
            [{"_BLOCK_ENTRIES": 2**k} for k in (22, 20, 18, 16)],
            lambda: renyi_entropy(wide, alpha=2, bandwidth=128.0),
        ),
    }


def milliseconds(work: Callable[[], object]) -> float:
    """Median of many calls, after one that warms up."""
    spent = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1e3)
    return median(spent[1:])


def main() -> None:
    """Try every setting and keep the medians."""
    found: dict[str, list[dict]] = {}
    for name, (module, settings, work) in ways().items():
        found[name] = []
        for setting in settings:
            before = {constant: getattr(module, constant) for constant in setting}
            for constant, value in setting.items():
                setattr(module, constant, value)
            found[name].append({"setting": setting, "median_ms": milliseconds(work)})
            for constant, value in before.items():
                setattr(module, constant, value)
            print(f"{found[name][-1]['median_ms']:.2f} ms  {name}  {setting}")
    RESULT.write_text(json.dumps({"threads": torch.get_num_threads(), "n": N, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
