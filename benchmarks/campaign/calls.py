"""Generated calls of every public name: a result or one clear error of ours, nobody's state moved, and no hang."""

from __future__ import annotations

import json
import linecache
import os
import random
import re
import resource
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor

import infotorch
from campaign import call_adverse
from campaign.call_adverse import adverse
from campaign.call_targets import Target, targets
from campaign.part import Part

CALLS = 10_000
# What one call may take: of the processor's time, and by the clock, after which a loop in native code is killed.
SECONDS, CLOCK = 20.0, 240.0
MEMORY = 8 * 2**30
OURS = str(Path(infotorch.__file__).parent)
CLEAR = (TypeError, ValueError, FileNotFoundError, ModuleNotFoundError, MemoryError, KeyError, IndexError)
# An estimator of scikit-learn's kind must refuse samples in scikit-learn's words, some of several lines.
CHECKS_OF_SCIKIT_LEARN = str(Path(OURS, "sklearn", "checks.py"))
OTHERS_FAULT = str(Path(__file__).parent)


class TooLong(BaseException):
    """A call that did not end in time; no `except Exception` may hide it."""


def run(seed: int, scale: float, scratch: Path) -> Part:
    """So many calls, in child processes that may die."""
    part, number, count = Part(), 0, max(1, round(CALLS * scale))
    everything = targets()
    while number < count:
        number = _a_child(part, everything, seed, number, count, scratch)
    return part


def _a_child(part: Part, everything: list[Target], seed: int, number: int, count: int, scratch: Path) -> int:
    """Calls from `number` on in a fork; the number of the first one that is still to be made."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            with os.fdopen(writing, "w", buffering=1) as told:
                tell = lambda line: told.write(json.dumps(line) + "\n")  # noqa: E731
                _make_calls(everything, seed, range(number, count), scratch, tell)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    ended, name = number, "before its first call"
    with os.fdopen(reading) as lines:
        while line := _line_of(lines, child):
            told = json.loads(line)
            if "begins" in told:
                name = told["begins"]
                continue
            ended, name = told["number"] + 1, ""
            part.count(told["outcome"])
            for failure in told["failures"]:
                part.failures.append(f"seed {seed}, call {told['number']}: {told['call']}: {failure}")
    _, status = os.waitpid(child, 0)
    if name or (status and ended < count):
        part.failures.append(f"seed {seed}, call {ended}: {name}: the process died, status {status}")
        part.count("death of the process")
        ended += 1
    return ended


def _line_of(lines: TextIO, child: int) -> str:
    """The next line that a child tells; one that says nothing for too long is killed."""
    if not select.select([lines], [], [], CLOCK)[0]:
        os.kill(child, signal.SIGKILL)
    return lines.readline()


def _make_calls(
    everything: list[Target], seed: int, numbers: range, scratch: Path, tell: Callable[[dict[str, Any]], object]
) -> None:
    _prepare_process(scratch)
    for number in numbers:
        chance = random.Random(f"{seed}:{number}")
        target = everything[number % len(everything)]
        arguments, written = _arguments(target, chance)
        call = f"infotorch.{target.name}({', '.join(f'{key}={value}' for key, value in written.items())})"
        tell({"begins": call})
        outcome, failures = judged(target, arguments)
        tell({"number": number, "call": call, "outcome": outcome, "failures": failures})


def _prepare_process(scratch: Path) -> None:
    """No network, a bounded memory, a data folder of its own; and quiet."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["INFOTORCH_DATA"] = str(scratch)
    os.chdir(scratch)
    warnings.simplefilter("ignore")
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network in this campaign")

    socket.socket.connect = refuse  # pyright: ignore[reportAttributeAccessIssue]
    socket.getaddrinfo = refuse  # pyright: ignore[reportAttributeAccessIssue]


def _arguments(target: Target, chance: random.Random) -> tuple[dict[str, Any], dict[str, str]]:
    """Valid arguments of which one or two are replaced; what was replaced, as it is written."""
    arguments = {name: make() for name, make in target.examples.items()}
    written = {}
    for name in chance.sample(target.parameters, min(len(target.parameters), 1 + (chance.random() < 0.3))):
        arguments[name], written[name] = adverse(arguments.get(name), name, chance)
    return arguments, written


def judged(target: Target, arguments: dict[str, Any]) -> tuple[str, list[str]]:
    """How the call ended, and what must not have happened."""
    before = state(target, arguments)
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        _consume(target.call(**_made(arguments)))
        outcome, failures = "a result", []
    except TooLong:
        outcome, failures = "too long", [f"no end within {SECONDS:.0f} s"]
    except BaseException as error:  # whatever comes is looked at
        outcome, failures = _of_error(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    after = state(target, arguments)
    failures += [f"moved {what}" for what, held in before.items() if after[what] != held]
    return outcome, failures


def _too_long(*_: object) -> None:
    raise TooLong


def _made(arguments: dict[str, Any]) -> dict[str, Any]:
    """A batch whose parts do not fit is made within the trial: that may be refused too."""
    return {k: v() if getattr(v, "__qualname__", "").startswith("adverse.") else v for k, v in arguments.items()}


def _consume(result: object) -> None:
    """A generator has done nothing until it is asked; a standard error is computed when first read."""
    if isinstance(result, Iterator):
        for _, _ in zip(range(3), result, strict=False):
            pass
    if isinstance(result, infotorch.Estimate):
        _ = result.std_error


def _of_error(error: BaseException) -> tuple[str, list[str]]:
    frames = list(_frames(error.__traceback__))
    inner = [file for file, _ in frames]
    text = str(error) if not isinstance(error, KeyError) else str(error.args[0] if error.args else "")
    last = f"{frames[-1][0].removeprefix(OURS)}:{frames[-1][1]}"
    said = f"{type(error).__name__} at {last}: {text[:160]!r}"
    if inner and inner[-1] == call_adverse.__file__:
        return "an error of the caller's own object", []
    if not any(file.startswith(OURS) for file in inner):
        return "an error of Python's", [] if isinstance(error, TypeError) else [f"raw {said}"]
    first = next(place for place, file in enumerate(inner) if file.startswith(OURS))
    if any(file.startswith(OTHERS_FAULT) for file in inner[first:]):
        return "an error of the caller's own function", []
    ours = [file for file in inner if file.startswith(OURS)]
    if ours[-1] == CHECKS_OF_SCIKIT_LEARN and isinstance(error, (*CLEAR, OverflowError)):
        return "an error of scikit-learn's", []
    if not isinstance(error, CLEAR) or not inner[-1].startswith(OURS) or not _raises(*frames[-1]):
        return "a raw error", [f"raw {said}"]
    if "\n" in text or not re.match(r"[\w.,()' -]+: ", text):
        return "an unclear error", [f"unclear {said}"]
    name = type(error).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}", []


def _frames(held: TracebackType | None) -> Iterator[tuple[str, int]]:
    while held:
        yield held.tb_frame.f_code.co_filename, held.tb_lineno
        held = held.tb_next


def _raises(file: str, line: int) -> bool:
    return linecache.getline(file, line).lstrip().startswith("raise ")


def state(target: Target, arguments: dict[str, Any]) -> dict[str, object]:
    """Everything that a call must leave as it is."""
    found: dict[str, object] = {
        "the default dtype": torch.get_default_dtype(),
        "the default device": torch.get_default_device(),
        "the number of threads": torch.get_num_threads(),
        "the grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "determinism": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "anomaly detection": torch.is_anomaly_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "the precision of products": torch.get_float32_matmul_precision(),
        "numpy's random state": str(np.random.get_state()),  # noqa: NPY002
        "Python's random state": hash(random.getstate()),
        "numpy's errors": str(np.geterr()),
        "the warnings filters": str(warnings.filters),
        "the environment": dict(os.environ),
        "the working folder": os.getcwd(),
    }
    if not target.draws:
        found["torch's random state"] = torch.get_rng_state().numpy().tobytes()
    for name, value in arguments.items():
        for number, held in enumerate(_tensors(value)):
            found[f"{name} ({number})"] = held
    return found


def _tensors(value: object) -> Iterator[object]:
    """What can be told of the tensors and arrays in an argument."""
    if isinstance(value, Tensor):
        plain = value.layout is torch.strided and not (value.is_nested or value.is_meta or value.is_quantized)
        version = None if value.is_inference() else value._version
        yield version, value.requires_grad, value.is_leaf and value.grad is None, plain and str(value.tolist())
    elif isinstance(value, np.ndarray):
        yield str(value.tolist())
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, infotorch.LocalBatch):
        yield from _tensors([value.x, value.module_input, value.output, value.y])


def _main() -> None:
    """Calls again what a failure names: python -m campaign.calls SEED CALL."""
    seed, number = map(int, sys.argv[1:3])
    everything = targets()
    target = everything[number % len(everything)]
    arguments, written = _arguments(target, random.Random(f"{seed}:{number}"))
    print(target.name, written)
    warnings.simplefilter("ignore")
    began = time.monotonic()
    try:
        print(target.call(**_made(arguments)))
    except Exception:
        traceback.print_exc()
    print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    _main()
