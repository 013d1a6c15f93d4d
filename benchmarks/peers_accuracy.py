"""Accuracy beside other packages: each estimator through `infotorch.distributions.benchmark`, on the same samples.

    pip install -r benchmarks/peers_accuracy.txt && pip install --no-deps -e .       (an environment of its own)
    python benchmarks/peers_accuracy.py [--only gmm-mi ...] [--sets suite ...] [--fresh]

Hours on one core. Writes results/peers_accuracy.json and .md: error, coverage of the 95 % intervals, and processor
seconds. Goes on where it stopped, law by law; `--fresh` forgets what is measured again. A peer that is not installed
is left out, and without benchmark-mi so are its tasks. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import signal
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import infotorch
from infotorch.distributions import JointLaw, benchmark, high_information_suite, suite

RESULT = Path(__file__).parent / "results" / "peers_accuracy.json"
N, LIMIT_SECONDS, MOST_COLUMNS = 3000, 60.0, 5
MOST_STOPS = 3
SHAPES = ("1+0", "5+0", "10+15")
SETS = {
    "suite": "`suite()`: 41 laws of 0 to 2 nats",
    "high": f"`high_information_suite(5.0)`: every family in the shapes {', '.join(SHAPES)}",
    "tasks": f"the tasks of benchmark-mi with at most {MOST_COLUMNS} columns on a side",
}
NOT_MEASURED = {
    "mist-statinf 0.1.1": "its package holds code and settings, but no weights of a trained network, and it asks for "
    "another jax than benchmark-mi here",
}

Json = dict[str, Any]
Call = Callable[[Tensor, Tensor], object]


@dataclass(frozen=True)
class Value:
    """What a package says, in nats, with the standard deviation that it gives."""

    nats: float
    std_error: float

    def __float__(self) -> float:
        return self.nats


@dataclass(frozen=True)
class Task:
    """A task of benchmark-mi as a law.

    Args:
        task: has `sample(n, seed)` and `mutual_information`.
    """

    task: Any

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Its own sampler, seeded from the generator."""
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        x, y = self.task.sample(n, seed)
        return torch.tensor(np.array(x, np.float64)), torch.tensor(np.array(y, np.float64))

    def mutual_information(self) -> float:
        """As the package states it."""
        return float(self.task.mutual_information)


def _infomeasure(x: Tensor, y: Tensor) -> float:
    return float(import_module("infomeasure").mutual_information(x.numpy(), y.numpy(), approach="ksg", base="e"))


def _npeet(x: Tensor, y: Tensor) -> float:
    return float(import_module("npeet_plus.estimators").mi(x.numpy(), y.numpy(), base=math.e))


def _latentmi(x: Tensor, y: Tensor) -> float:
    """Bits of each sample of the half that the network did not see."""
    bits, _, _ = import_module("latentmi.lmi").estimate(x.numpy(), y.numpy())
    return float(np.nanmean(bits)) * math.log(2)


def _gmm(x: Tensor, y: Tensor) -> Value:
    return Value(*map(float, import_module("gmm_mi.mi").EstimateMI().fit_estimate(x.numpy(), y.numpy())))


def _bmi(name: str, x: Tensor, y: Tensor, **settings: object) -> float:
    return float(getattr(import_module("bmi").estimators, name)(**settings).estimate(x.numpy(), y.numpy()))


def _torch_mist(x: Tensor, y: Tensor) -> float:
    """SMILE, its default, whose value is taken on the samples that trained it, its default too."""
    estimate = import_module("torch_mist.utils.estimation").estimate_mi
    return float(estimate({"x": x.float(), "y": y.float()}, verbose=False, logger=False))


@dataclass(frozen=True)
class Estimator:
    """An estimator on the page.

    Args:
        package: its name on the index.
        call: (x, y) -> nats.
    """

    package: str
    call: Call


# The slow ones after the quick ones, ours last.
ESTIMATORS = {
    "infomeasure KSG": Estimator("infomeasure", _infomeasure),
    "npeet-plus KSG": Estimator("npeet-plus", _npeet),
    "benchmark-mi CCA": Estimator("benchmark-mi", partial(_bmi, "CCAMutualInformationEstimator")),
    "benchmark-mi KSG": Estimator("benchmark-mi", partial(_bmi, "KSGEnsembleFirstEstimator")),
    "gmm-mi": Estimator("gmm-mi", _gmm),
    "latentmi": Estimator("latentmi", _latentmi),
    "torch-mist SMILE": Estimator("torch-mist", _torch_mist),
    "benchmark-mi InfoNCE": Estimator("benchmark-mi", partial(_bmi, "InfoNCEEstimator", verbose=False)),
    "infotorch ksg": Estimator("infotorch", infotorch.ksg),
    "infotorch gaussianised_mi": Estimator("infotorch", infotorch.estimators.gaussianised_mi),
    "infotorch amortised": Estimator("infotorch", infotorch.estimators.amortised_mi),
    "infotorch fast": Estimator("infotorch", partial(infotorch.mutual_information, effort="fast")),
    "infotorch default": Estimator("infotorch", infotorch.mutual_information),
}
OURS = "infotorch default"


def laws_of(name: str) -> dict[str, JointLaw]:
    """The laws of a set, the quickest to estimate first; none where benchmark-mi is not there.

    Raises:
        KeyError: no set has that name.
    """
    if name == "suite":
        return suite()
    if name == "high":
        laws = high_information_suite(5.0)
        return {law: laws[law] for shape in SHAPES for law in laws if law.endswith(f" {shape}")}
    if name != "tasks":
        raise KeyError(name)
    try:
        tasks = import_module("bmi").BENCHMARK_TASKS
    except ImportError as error:
        print(f"no tasks of benchmark-mi: {error}", flush=True)
        return {}
    return {key: Task(task) for key, task in tasks.items() if max(task.dim_x, task.dim_y) <= MOST_COLUMNS}


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Stop what uses more processor time than that; a busy machine stops nothing.

    Raises:
        TimeoutError: inside, when the time is over.
    """

    def stop(*_: object) -> None:
        raise TimeoutError(f"stopped after {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)  # again every second: packages swallow exceptions
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def measure(name: str, set_name: str, law: str, made: JointLaw, seeds: int) -> Json:
    """One line: an estimator on a law, silent, stopped where it takes too long."""
    spent: list[float] = []

    def estimator(x: Tensor, y: Tensor) -> object:
        np.random.seed(0)  # noqa: NPY002 the packages draw from it
        torch.manual_seed(0)
        began = time.process_time()
        with limited(LIMIT_SECONDS), contextlib.redirect_stdout(io.StringIO()):
            estimate = ESTIMATORS[name].call(x.to(torch.float64), y.to(torch.float64))
        spent.append(time.process_time() - began)
        return estimate

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        result = benchmark(estimator, {law: made}, n=N, seeds=seeds)
    error = result.outcomes[0].absolute_error
    return {
        "estimator": name,
        "package": f"{ESTIMATORS[name].package} {version(ESTIMATORS[name].package)}",
        "set": set_name,
        "seeds": seeds,
        **result.table()[0],
        "absolute_error_nats": None if math.isnan(error) else error,
        "cpu_seconds": statistics.median(spent) if spent else None,
    }


def summary(lines: list[Json], reference: dict[str, float]) -> Json:
    """Over the laws of one estimator: errors, coverage, seconds, and the mean error of a reference on the same laws."""
    known = [line for line in lines if line["absolute_error_nats"] is not None]
    worst = max(known, key=lambda line: line["absolute_error_nats"], default=None)
    intervals = [line["coverage_95"] for line in known if line["coverage_95"] is not None]
    beside = [reference[line["law"]] for line in known if line["law"] in reference]
    return {
        "known": len(known),
        "mean": statistics.fmean(line["absolute_error_nats"] for line in known) if known else None,
        "largest": worst and worst["absolute_error_nats"],
        "worst law": worst and worst["law"],
        "coverage": statistics.fmean(intervals) if intervals else None,
        "seconds": statistics.median(line["cpu_seconds"] for line in known) if known else None,
        "reference": statistics.fmean(beside) if known and len(beside) == len(known) else None,
    }


def report(lines: list[Json]) -> str:
    """The page."""
    versions = sorted({line["package"] for line in lines})
    seeds = sorted({line["seeds"] for line in lines})
    page = [
        "# Accuracy beside other packages: error in nats",
        "",
        f"Made by `python benchmarks/peers_accuracy.py`; numbers in `peers_accuracy.json`. n = {N:,}, seeds: "
        f"{', '.join(map(str, seeds))}; every estimator sees the same samples, and is called as its package does by "
        f"default. Of {', '.join(versions)}.",
        "",
        "Error is |estimate - truth|, mean over the laws with a value; beside it stands the error "
        f"of `mutual_information` ({OURS.removeprefix('infotorch ')}) on just these laws. Why others have no value, or "
        "were not run, stands at the end. Seconds are the median processor time of a call on one thread; a call was "
        f"stopped after {LIMIT_SECONDS:g} s, and after {MOST_STOPS} such in a set the rest was not run. A dash: no "
        "interval, no value, or not run.",
        "",
        *[f"Not measured: {name}: {reason}." for name, reason in NOT_MEASURED.items()],
    ]
    for set_name, told in SETS.items():
        chosen = [line for line in lines if line["set"] == set_name]
        if chosen:
            page += ["", f"## On {told}", "", *_summaries(chosen), "", *_law_by_law(chosen)]
    return "\n".join([*page, *_failures(lines)]) + "\n"


def _by_estimator(lines: list[Json]) -> dict[str, list[Json]]:
    """In the order of `ESTIMATORS`, ours first."""
    order = sorted(ESTIMATORS, key=lambda name: ESTIMATORS[name].package != "infotorch")
    groups = {name: [line for line in lines if line["estimator"] == name] for name in order}
    return {name: group for name, group in groups.items() if group}


def _summaries(lines: list[Json]) -> list[str]:
    groups, laws = _by_estimator(lines), len({line["law"] for line in lines})
    ours = [line for line in groups.get(OURS, []) if line["absolute_error_nats"] is not None]
    reference = {line["law"]: line["absolute_error_nats"] for line in ours}
    head = ("estimator", "laws", "mean error", "`mutual_information` there", "largest error")
    page = ["| " + " | ".join((*head, "95 % intervals that hold the truth", "seconds")) + " |", "|---" * 7 + "|"]
    for name, group in groups.items():
        s = summary(group, reference)
        largest = "–" if s["largest"] is None else f"{s['largest']:.3f} ({s['worst law']})"
        cells = (
            name,
            f"{s['known']} of {laws}",
            _number(s["mean"], ".3f"),
            _number(s["reference"], ".3f"),
            largest,
            _number(s["coverage"], ".0%"),
            _number(s["seconds"], ".2g"),
        )
        page.append("| " + " | ".join(cells) + " |")
    return page


def _law_by_law(lines: list[Json]) -> list[str]:
    """Estimate - truth of every law."""
    groups = _by_estimator(lines)
    truths = {line["law"]: line["truth_nats"] for line in lines}
    errors = {(line["estimator"], line["law"]): line["mean_error_nats"] for line in lines}
    page = ["Estimate - truth:", "", "| law | truth | " + " | ".join(groups) + " |", "|---" * (len(groups) + 2) + "|"]
    for law, truth in truths.items():
        cells = [_number(errors.get((name, law)), "+.2f") for name in groups]
        page.append(f"| {law} | {_number(truth, '.2f')} | " + " | ".join(cells) + " |")
    return page


def _failures(lines: list[Json]) -> list[str]:
    """What each estimator said instead of a value, and on how many laws; how many were not run."""
    said = Counter((line["estimator"], line["message"].replace("|", "/")) for line in lines if line["failed"])
    laws = len({(line["set"], line["law"]) for line in lines})
    for name, group in _by_estimator(lines).items():
        if len(group) < laws:
            said[name, "not run"] = laws - len(group)
    page = [f"| {name} | {message} | {count} |" for (name, message), count in said.items()]
    return ["", "## Without a value", "", "| estimator | message | laws |", "|---|---|---|", *page] if page else []


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def too_slow(lines: list[Json], name: str, set_name: str) -> bool:
    """Whether an estimator was stopped so often in a set that the rest would be stopped too."""
    here = [line["message"] for line in lines if (line["estimator"], line["set"]) == (name, set_name)]
    return sum(message.startswith("TimeoutError: stopped") for message in here) >= MOST_STOPS


def write(lines: list[Json]) -> None:
    """Keep what is measured, and the page of it."""
    RESULT.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    RESULT.with_suffix(".md").write_text(report(lines), encoding="utf-8")


def _installed(name: str) -> bool:
    try:
        version(ESTIMATORS[name].package)
    except PackageNotFoundError:
        print(f"{name}: {ESTIMATORS[name].package} is not installed", flush=True)
        return False
    return True


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS), metavar="NAME")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--fresh", action="store_true", help="forget earlier lines of these estimators and sets")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines: list[Json] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else []
    if args.fresh:
        lines = [line for line in lines if line["estimator"] not in args.only or line["set"] not in args.sets]
    there = {(line["estimator"], line["set"], line["law"]) for line in lines}
    sets = {set_name: laws_of(set_name) for set_name in args.sets}
    for name in filter(_installed, args.only):
        for set_name, laws in sets.items():
            for law, made in laws.items():
                if (name, set_name, law) not in there and not too_slow(lines, name, set_name):
                    line = measure(name, set_name, law, made, args.seeds)
                    lines.append(line)
                    write(lines)
                    told = f"{_number(line['mean_error_nats'], '+.3f')} {_number(line['cpu_seconds'], '.2f')} s"
                    print(f"{name:26s} {set_name:6s} {law:34s} {told} {line['message']}", flush=True)
    write(lines)


if __name__ == "__main__":
    main()
