"""Trains the amortised estimator's network on the examples of a folder and writes its weights.

    cd benchmarks; python -m amortised.training EXAMPLES WEIGHTS --minutes 30

The learning rate falls to 0 over the minutes given, whatever the machine's speed, and the mean of the last weights is
kept. Every fiftieth shard is not trained on: its loss is printed.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from infotorch.estimators.amortised_inputs import Inputs, swapped
from infotorch.estimators.amortised_network import LEVELS, AmortisedNetwork, Batch

_BATCH = 128
_RATE, _WARM_UP, _DECAY = 1.2e-3, 0.03, 0.1
# Seen at once in training: what a mean over samples needs no more of.
_SEEN = 48


def batch_of(parts: dict[str, np.ndarray], seen: int) -> Batch:
    """Of examples as `examples` wrote them."""
    costly = parts["costly"]
    values = costly[:, [0, 1, 5]]
    candidates = np.concatenate([parts["candidates"], values], axis=1)
    shapes = np.concatenate([parts["shapes"], costly[:, [2, 3, 4, 6, 7, 8]]], axis=1)
    counts = parts["size"]
    most = int((counts[:, 1] + counts[:, 2]).max())

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32))

    return Batch(
        tensor(candidates),
        tensor(shapes),
        tensor(parts["scores"][:, :seen, :most]),
        tensor(parts["columns"][:, :most]),
        tensor(parts["rows"][:, :seen]),
        torch.arange(seen) < torch.from_numpy(counts[:, 3:]),
        tensor(counts[:, 0]),
    )


def loss_of(quantiles: Tensor, mi: Tensor) -> Tensor:
    """Pinball losses, the middle counted thrice, less where much is told and where little is certain.

    So that what can be told precisely is. The weight must not depend on the truth, or small truths would count for
    more than they are likely.
    """
    levels = torch.tensor(LEVELS)
    over = mi[:, None] - quantiles
    pinball = torch.maximum(levels * over, (levels - 1) * over)
    weights = torch.where(levels == 0.5, 3.0, 1.0)
    known = quantiles.detach()
    told, width = known[:, LEVELS.index(0.5)].clamp(0, 10), known[:, LEVELS.index(0.9)] - known[:, LEVELS.index(0.1)]
    return (pinball * weights).sum(1) / (0.05 + 0.1 * told + 0.5 * width.clamp(0, 10))


def read(paths: list[Path]) -> dict[str, np.ndarray]:
    shards = [np.load(path) for path in paths]
    return {key: np.concatenate([shard[key] for shard in shards]) for key in shards[0].files}


def fit(parts: dict[str, np.ndarray], held: dict[str, np.ndarray], minutes: float, seed: int) -> AmortisedNetwork:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sample = batch_of({key: values[:5000] for key, values in parts.items()}, _SEEN)
    network = AmortisedNetwork(sample.candidates.shape[1], sample.shapes.shape[1], sample.rows.shape[2])
    _standardise(network, sample)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY, betas=(0.9, 0.98))
    mean = copy.deepcopy(network).eval()
    began, step, said = time.perf_counter(), 0, 0
    while (share := (time.perf_counter() - began) / (60 * minutes)) < 1:
        rate = _RATE * min(share / _WARM_UP, 0.5 + 0.5 * math.cos(math.pi * share)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch, mi = _drawn(parts, rng)
        loss = loss_of(network(batch), mi).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            for kept, now in zip(mean.parameters(), network.parameters(), strict=True):
                kept.lerp_(now, max(0.005, 1 / step))
        if share * 6 >= said + 1:
            said += 1
            print(f"{share:.0%} {step} {report(mean, held)}", flush=True)
    print(f"end {step} {report(mean, held)}", flush=True)
    return mean


def _drawn(parts: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[Batch, Tensor]:
    """Sets of about as many columns, so that little is padded.

    What `mutual_information` has beside is hidden from a third of those that have it.
    """
    size = parts["size"]
    first = int(rng.integers(len(size)))
    wide = bool(size[first, 1] + size[first, 2] > 10)
    drawn = rng.integers(len(size), size=8 * _BATCH)
    drawn = drawn[(size[drawn, 1] + size[drawn, 2] > 10) == wide][:_BATCH]
    if len(drawn) == 0:
        drawn = np.array([first])
    own = {key: values[drawn] for key, values in parts.items()}
    own["costly"] = np.where(rng.uniform(size=(len(drawn), 1)) < 0.35, np.nan, own["costly"])
    # Others of the seen samples each time; those that are not there stand last.
    least = int(own["size"][:, 3].min())
    some = np.sort(rng.permutation(max(least, _SEEN))[:_SEEN])
    own["scores"], own["rows"] = own["scores"][:, some], own["rows"][:, some]
    return batch_of(_as_well(own, rng), _SEEN), torch.from_numpy(own["mi"])


def _as_well(parts: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Half of the sets with x and y swapped, and canonical pairs turned to any sign: all of it tells the same."""
    read = ("candidates", "shapes", "scores", "columns", "rows")
    given = Inputs(**{key: parts[key] for key in read})
    other, swap = swapped(given), rng.uniform(size=len(parts["mi"])) < 0.5
    mixed = {key: np.where(_along(swap, getattr(given, key)), getattr(other, key), getattr(given, key)) for key in read}
    place = np.rint(1 / mixed["columns"][..., 2].clip(1e-3)).astype(int)  # of the pair, from 1; 1,000 where none is
    signs = rng.choice([-1, 1], size=(len(place), 1001)).astype(np.float16)
    mixed["scores"] = mixed["scores"] * np.take_along_axis(signs, place, axis=1)[:, None]
    return parts | mixed


def _along(which: np.ndarray, values: np.ndarray) -> np.ndarray:
    return which.reshape(-1, *[1] * (values.ndim - 1))


def _standardise(network: AmortisedNetwork, batch: Batch) -> None:
    shapes, rows = batch.shapes.double().numpy(), batch.rows[batch.seen].double().numpy()
    for name, values in (("shape", shapes), ("row", rows)):
        mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        getattr(network, f"{name}_mean").copy_(torch.from_numpy(mean))
        getattr(network, f"{name}_scale").copy_(torch.from_numpy(np.where(scale > 1e-6, scale, 1.0)))


@torch.no_grad()
def predicted(network: AmortisedNetwork, parts: dict[str, np.ndarray], *, costly: bool) -> np.ndarray:
    found = []
    for start in range(0, len(parts["mi"]), 256):
        own = {key: values[start : start + 256] for key, values in parts.items()}
        if not costly:
            own["costly"] = np.full_like(own["costly"], np.nan)
        found.append(network(batch_of(own, parts["scores"].shape[1])))
    return torch.cat(found).numpy()


def report(network: AmortisedNetwork, held: dict[str, np.ndarray]) -> str:
    known = np.isfinite(held["costly"][:, 0])
    said = []
    for name, which, costly in (("cheap", slice(None), False), ("costly", known, True), ("cheap there", known, False)):
        own = {key: values[which] for key, values in held.items()}
        quantiles, mi = predicted(network, own, costly=costly), own["mi"]
        inside = np.mean((mi >= quantiles[:, 0]) & (mi <= quantiles[:, -1]))
        loss = float(loss_of(torch.from_numpy(quantiles), torch.from_numpy(mi)).mean())
        said.append(f"{name}: loss {loss:.4f} error {np.abs(quantiles[:, 3] - mi).mean():.4f} inside {inside:.3f}")
    return "; ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    paths = sorted(given.examples.glob("*.npz"), key=lambda path: tuple(map(int, path.stem.split("-"))))
    held = [path for path in paths if int(path.stem.split("-")[1]) % 50 == 1]
    parts = read([path for path in paths if path not in held])
    print(f"{len(parts['mi'])} examples", flush=True)
    network = fit(parts, read(held), given.minutes, given.seed)
    save_file({name: values.half() for name, values in network.state_dict().items()}, given.weights)


if __name__ == "__main__":
    main()
