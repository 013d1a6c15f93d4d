"""Training examples of the amortised estimator: laws drawn at random, what it reads of their samples, the truth.

    cd benchmarks; python -m amortised.examples OUT --seed 1 --shards 100

Each shard holds 500 examples in one file, some 45 seconds of one core; a shard that is there already is not made again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.special
import torch

from amortised.families import FAMILIES, draw
from amortised.pairs import Pair, Rng, Rows, pool
from infotorch.estimators.amortised_inputs import MOST_SEEN, inputs_of
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.ensemble import ksg_ensemble
from infotorch.estimators.gaussianised import NotContinuous, enough_samples, gaussianised, independent_columns

PER_SHARD = 500
MOST_COLUMNS = 20
# Share of the examples that hold what `mutual_information` has beside.
_COSTLY = 0.4


def example(rng: Rng, pairs: list[Pair], large: float = 0.3) -> dict[str, np.ndarray]:
    """One law and one set of samples; `large`: the chance of 1,000 samples and more."""
    n, d_x, d_y = _size(rng, large)
    law = draw(n, d_x, d_y, pairs, rng)
    x, y = normal_scores(law.x), normal_scores(law.y)
    found = inputs_of(x, y)
    m, d = found.scores.shape
    scores: Rows = np.zeros((MOST_SEEN, MOST_COLUMNS), np.float16)
    rows = np.zeros((MOST_SEEN, found.rows.shape[1]), np.float16)
    columns = np.zeros((MOST_COLUMNS, 3), np.float16)
    scores[:m, :d], rows[:m], columns[:d] = found.scores, found.rows.clip(-60, 60), found.columns
    costly = _costly(law.x, law.y, x, y) if rng.uniform() < _COSTLY else np.full(9, np.nan)
    made: dict[str, Rows] = {
        "candidates": found.candidates,
        "shapes": found.shapes,
        "scores": scores,
        "columns": columns,
        "rows": rows,
        "size": np.array([n, d_x, d_y, m]),
        "costly": costly.astype(np.float32),
        "mi": np.array(law.mi, np.float32),
        "family": np.array(FAMILIES.index(law.family), np.int8),
    }
    return made


def _size(rng: Rng, large: float) -> tuple[int, int, int]:
    if rng.uniform() < 0.85:
        d_x, d_y = rng.integers(1, 6, size=2)
    else:
        d_x, d_y = rng.integers(1, MOST_COLUMNS // 2 + 1, size=2)
    if rng.uniform() < 0.4:
        d_y = d_x
    least, most = (50, 1000) if rng.uniform() > large else (1000, 6000 if d_x + d_y <= 6 else 3000)
    return int(np.exp(rng.uniform(np.log(least), np.log(most)))), int(d_x), int(d_y)


def normal_scores(rows: Rows) -> Rows:
    n = len(rows)
    return scipy.special.ndtri((rows.argsort(axis=0).argsort(axis=0) + 1) / (n + 1))


def _costly(x: Rows, y: Rows, u: Rows, v: Rows) -> np.ndarray:
    """Neighbours of all samples, Gaussianisation with and without margins: value, error, complete, thin."""
    a, b = torch.from_numpy(u), torch.from_numpy(v)
    with unexamined():
        found = [float(ksg_ensemble(a, b))]
    a, b = independent_columns(torch.from_numpy(x)), independent_columns(torch.from_numpy(y))
    for margins in (True, False):
        try:
            if not enough_samples(len(a), a.shape[1] + b.shape[1]):
                raise NotContinuous
            own = gaussianised(a, b, k=4, margins=margins)
        except NotContinuous:
            found += [np.nan] * 4
        else:
            found += [own.value, own.error, own.complete, own.thin]
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--large", type=float, default=0.3, help="share of sets of 1,000 samples and more")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pairs = pool(1000, np.random.default_rng([given.seed, 0]))
    for shard in range(given.shards):
        path = given.out / f"{given.seed}-{shard}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([given.seed, 1, shard])
        made = [example(rng, pairs, given.large) for _ in range(PER_SHARD)]
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, **{key: np.stack([one[key] for one in made]) for key in made[0]})  # pyright: ignore[reportArgumentType]
        part.replace(path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
