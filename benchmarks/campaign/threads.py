"""Eight threads at once: the numbers that one thread gets, bit for bit, and a process that is as it was.

In a fresh process eight threads meet at a barrier before their first import of infotorch and do every task, in another
order each; afterwards one thread does every task again.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from campaign.part import Part

THREADS, ROUNDS, LIMIT = 8, 5, 300
HERE = Path(__file__).parents[1]


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Every task in eight threads and in one; a small scale leaves out what takes most of the time."""
    part = Part()
    rounds, out = max(1, round(ROUNDS * scale)), scratch / "threads.json"
    tasks = [name for name in TASKS if scale >= 0.5 or name not in {"diagnose", "critic", "fit-by-three"}]
    command = [sys.executable, "-m", "campaign.threads", str(seed), str(rounds), str(out), *tasks]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        part.check(False, f"eight threads (seed {seed}): hung for {LIMIT} s")
        return part
    if done.returncode:
        part.check(False, f"eight threads (seed {seed}): exit code {done.returncode}, {done.stderr.strip()[-300:]}")
        return part
    found = json.loads(out.read_text())
    for key, value in found["eight"]:
        part.count(f"{key.split(' ')[0]}, beside seven others")
        alone = found["one"][key]
        part.check(value == alone, f"{key}: {value} in one of eight threads, {alone} in one alone")
    for key, alone in found["one"].items():
        part.check(": " not in alone, f"{key}, alone: {alone}")
    for name, (before, after) in found["state"].items():
        part.count("something of the process is as it was")
        part.check(before == after, f"{name} (seed {seed}): {before} before, {after} after eight threads")
    part.figures["slowest task in seconds"] = found["slowest"]
    return part


# In the fresh process; infotorch is imported by the tasks alone.


def _digest(*values: Any) -> str:
    """Of tensors, numbers and what holds them, all their bits."""
    import torch

    found = hashlib.blake2b(digest_size=8)
    for value in values:
        is_tensor = isinstance(value, torch.Tensor)
        found.update(value.detach().contiguous().numpy().tobytes() if is_tensor else repr(value).encode())
    return found.hexdigest()


def _data(seed: int) -> tuple[Any, Any]:
    import torch

    x = torch.randn(120, 6, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def _model(seed: int) -> Any:
    import torch
    from torch import nn
    from torch.nn.utils import skip_init

    # Weights that torch draws itself come from the generator that all threads share: no two runs would be alike.
    layers = [skip_init(nn.Linear, *shape) for shape in ((6, 12), (12, 8), (8, 3))]
    model = nn.Sequential(layers[0], nn.ReLU(), nn.Dropout(0.3), layers[1], nn.ReLU(), layers[2])
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def _estimators(seed: int) -> str:
    from infotorch.estimators.registry import describe_estimators, named

    x, y = _data(seed)
    values = []
    for name in set(describe_estimators()) - {"neural"}:
        function = named(name, where="campaign").load()
        second = y if name in {"ross", "discrete", "auto"} else x[:, 2:4] + x[:, :2]
        found = function(y if name == "discrete" else x[:, :2], second)
        values.append((name, float(found), found.std_error))
    import infotorch

    kernels = infotorch.hsic(x, y), infotorch.cka(x[:, :3], x[:, 3:]), infotorch.pairwise_bounds(x, 0.5)[1].value
    return _digest(sorted(values), *kernels)


def _critic(seed: int) -> str:
    import torch

    from infotorch import neural_mi

    x, _ = _data(seed)
    found = neural_mi(x[:, :2], x[:, 1:3], max_steps=20, generator=torch.Generator().manual_seed(seed))
    return _digest(float(found))


def _fit(plan: str, cuts: Sequence[str] | None = None) -> Callable[[int], str]:
    def task(seed: int) -> str:
        from infotorch import fit

        model = _model(seed)
        fit(model, _data(seed), plan=plan, cuts=cuts, epochs=2, batch_size=32, seed=seed)
        return _digest(*model.parameters())

    return task


def _diagnose(seed: int) -> str:
    from infotorch import diagnose

    found = diagnose(_model(seed), _data(seed))
    return _digest([(layer.name, layer.verdict) for layer in found.layers])


def _plane(seed: int) -> str:
    import infotorch

    x, y = _data(seed)
    return _digest(infotorch.InformationPlane(_model(seed), (x, y), noise_std=0.5, seed=seed)(0))


def _load(seed: int) -> str:
    from infotorch import load

    data = load("digits", seed=seed, limit=200)
    return _digest(data.train.x, data.test.y)


TASKS: dict[str, Callable[[int], str]] = {
    "estimators": _estimators,
    "critic": _critic,
    "fit-end-to-end": _fit("CE", cuts=()),
    "fit-by-layers": _fit("X,Y,CE"),
    "diagnose": _diagnose,
    "plane": _plane,
    "load": _load,
    "fit-by-three": _fit("X:infonce,Y:hsic,CE"),
}


def _state() -> dict[str, str]:
    """What belongs to the process."""
    import numpy as np
    import torch

    return {
        "torch's random state": _digest(torch.get_rng_state()),
        "random's state": _digest(random.getstate()),
        "numpy's random state": _digest(str(np.random.get_state())),  # noqa: NPY002
        "threads of torch": str(torch.get_num_threads()),
        "default dtype": str(torch.get_default_dtype()),
        "gradients": f"{torch.is_grad_enabled()} {torch.is_inference_mode_enabled()}",
        "algorithms": str(torch.are_deterministic_algorithms_enabled()),
        "ways to warn": str(warnings.showwarning),
    }


def _warn_once() -> bool:
    """Whether a warning is still shown, as after catch_warnings has been left in another order than it was entered."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.warn("told", UserWarning, stacklevel=1)
    return bool(seen)


def _done(task: str, seed: int) -> str:
    try:
        return TASKS[task](seed)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _work(seed: int, rounds: int, tasks: list[str]) -> dict[str, Any]:
    before = {**_state(), "warnings are shown": str(_warn_once())}
    eight: list[tuple[str, str]] = []
    meet, slowest = threading.Barrier(THREADS), [0.0]

    def thread(number: int) -> None:
        meet.wait()
        for own in range(seed, seed + rounds):
            for place in range(len(tasks)):
                task = tasks[(number + place) % len(tasks)]
                if task == "diagnose" and number > 1:
                    continue
                began = time.monotonic()
                eight.append((f"{task} (seed {own})", _done(task, own)))
                slowest.append(time.monotonic() - began)

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    after = {**_state(), "warnings are shown": str(_warn_once())}
    state = {name: (before[name], after[name]) for name in before}
    alone = {f"{task} (seed {own})": _done(task, own) for own in range(seed, seed + rounds) for task in tasks}
    return {"eight": eight, "one": alone, "state": state, "slowest": max(slowest)}


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(_work(int(sys.argv[1]), int(sys.argv[2]), sys.argv[4:])))
