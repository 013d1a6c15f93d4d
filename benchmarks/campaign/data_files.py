"""Damaged and hostile files for every reader of data, each read in a process of its own kind: limited, and watched.

A trial takes the small valid files of a reader, replaces one of them and reads. It must end in data that are sound or
in one line that names a file; never in a crash of the interpreter, a hang, gigabytes, or something executed.
"""

from __future__ import annotations

import multiprocessing
import os
import pickletools
import random
import resource
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from campaign.data_hostile import hostile
from campaign.data_samples import Reader, inner, readers, sound
from campaign.part import Part

_TRIALS = 12_000
_SECONDS = 30.0  # of a trial; the longest of a crafted file takes two on a slow machine
_MEMORY = 3 << 30  # bytes that a trial may add to the process
_HUGE = (2**15 - 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1, 0, 1)
_WORDS = (
    b"-1",
    b"0",
    b"99999999999999999999",
    b"1e999",
    b"nan",
    b"inf",
    b"2147483648",
    b"1" * 5000,
    b"\x00",
    b"\xff",
    b",",
)
_PLACES = ("a pipe", "a folder", "a link to itself", "a link to /dev/zero", "nothing")


@dataclass(frozen=True)
class Trial:
    """One file in the place of a valid one.

    Args:
        reader: whose files.
        path: the file that is replaced, below the reader's folder.
        what: the kind of damage, for the table.
        content: what stands there; None for one of `_PLACES`.
    """

    reader: str
    path: str
    what: str
    content: bytes | None


def run(seed: int, scale: float, scratch: Path) -> Part:
    """Every hostile file and every odd thing in a file's place once, and thousands of random changes."""
    part = Part()
    number = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is passed over in a damaged file
        while number is not None:
            number = _served(part, number, seed, scale, scratch)
    return part


def _served(part: Part, first: int, seed: int, scale: float, scratch: Path) -> int | None:
    """Trials from `first` on in one process, up to the end (None) or to a trial that ended it (the next)."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_serve, args=(theirs, first, seed, scale, scratch), daemon=True)
    process.start()
    theirs.close()
    running = None
    try:
        while ours.poll(_SECONDS):
            message = ours.recv()
            if message is None:
                return None
            if isinstance(message, tuple):
                running = message
                part.count(message[1])
            elif isinstance(message, float):
                part.figures["most memory that the trials added, MB"] = message
            else:
                part.failures.append(f"{_named(running)}: {message}")
        end = f"no end after {_SECONDS:g} s"
    except EOFError:
        process.join()
        end = f"the interpreter ended with code {process.exitcode}"
    finally:
        process.kill()
        process.join()
    part.failures.append(f"{_named(running)}: {end}")
    return None if running is None else running[0] + 1


def _named(running: tuple[int, str, str] | None) -> str:
    return "before the first trial" if running is None else f"trial {running[0]} ({running[1]}: {running[2]})"


def _serve(connection: Connection, first: int, seed: int, scale: float, scratch: Path) -> None:
    """The child: tells of each trial before it begins, and what went wrong after it."""
    torch.set_num_threads(1)
    before, most = _memory("VmSize"), _memory("VmHWM")
    resource.setrlimit(resource.RLIMIT_AS, (before + _MEMORY, before + _MEMORY))
    trace, known = scratch / "trace", readers()
    for name, reader in known.items():
        for path, content in reader.files.items():
            place = scratch / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    for number, trial in enumerate(trials(seed, scale, known, trace)):
        if number >= first:
            connection.send((number, trial.what, f"{trial.reader}, {trial.path}"))
            wrong = attempt(trial, known[trial.reader], scratch / trial.reader)
            if trace.exists():
                trace.unlink()
                wrong = "something in it was executed"
            if wrong:
                connection.send(wrong)
    connection.send(round((_memory("VmHWM") - most) / 2**20, 1))
    connection.send(None)


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def attempt(trial: Trial, reader: Reader, folder: Path) -> str | None:
    """Read with one file replaced, and put it back; what went wrong, or None."""
    place = folder / trial.path
    place.unlink()
    _put(place, trial)
    try:
        return None if sound(reader.read(folder)) else "was read, and is not sound"
    except (ValueError, OSError) as error:
        text = str(error)
        plain = "\n" not in text and len(text) < 1000 and (str(folder) in text or text.startswith("load: "))
        return None if plain else f"{type(error).__name__} that is not one line about a file: {text[:300]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]!r}"
    finally:
        place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink(missing_ok=True)
        place.write_bytes(reader.files[trial.path])


def _put(place: Path, trial: Trial) -> None:
    if trial.content is not None:
        place.write_bytes(trial.content)
    elif trial.what == "a pipe":
        os.mkfifo(place)
    elif trial.what == "a folder":
        place.mkdir()
    elif trial.what != "nothing":
        place.symlink_to(place if trial.what == "a link to itself" else "/dev/zero")


def trials(seed: int, scale: float, known: dict[str, Reader], trace: Path) -> Iterator[Trial]:
    """The trials of a seed: a share of those that someone thought of, and random changes of every reader's files."""
    draw = random.Random(seed)
    thought_of = [Trial(reader, path, f"hostile: {what}", content) for reader, path, what, content in hostile(trace)]
    thought_of += [
        Trial(name, path, what, None) for name, reader in known.items() for path in reader.files for what in _PLACES
    ]
    if scale < 1:
        thought_of = draw.sample(thought_of, round(scale * len(thought_of)))
    yield from thought_of
    names = list(known)
    for number in range(round(scale * _TRIALS)):
        name = names[number % len(names)]
        path = draw.choice(list(known[name].files))
        yield Trial(name, path, *changed(known[name].files[path], draw))


def changed(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """A random change of a file: its name, and the changed content. What is packed is changed inside half the time."""
    pack = None
    if draw.random() < 0.5:
        content, pack = inner(content)
    if content[:1] == b"\x80" and draw.random() < 0.6:
        what, content = "a pickle's steps", _other_steps(content, draw)
    else:
        change = draw.choice(list(_CHANGES))
        for _ in range(draw.choice((1, 1, 1, 2, 5))):
            content = _CHANGES[change](content, draw)
        what = change
    return what, content if pack is None else pack(content)


def _flipped(content: bytes, draw: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        if found:
            found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _without(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    return content[:start] + content[start + draw.choice((1, 2, 4, 50)) :]


def _with_more(content: bytes, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(content) + 1), draw.choice((1, 2, 4, 50))
    return content[:start] + draw.randbytes(length) + content[start:]


def _twice(content: bytes, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(content) + 1), draw.choice((1, 10, 100, 1000))
    return content[: start + length] + content[start:]


def _with_huge_number(content: bytes, draw: random.Random) -> bytes:
    size = draw.choice((1, 2, 4, 8))
    # Numbers that size something stand in headers, at the beginning.
    start = draw.randrange(min(len(content), draw.choice((16, 200, 10**6))) + 1)
    value = (draw.choice(_HUGE) % 256**size).to_bytes(size, draw.choice(("little", "big")))
    return content[:start] + value + content[start + size :]


def _with_other_word(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    end = start + draw.choice((0, 1, 2, 4))
    return content[:start] + draw.choice(_WORDS) + content[end:]


_CHANGES = {
    "bits flipped": _flipped,
    "cut short": _cut,
    "bytes left out": _without,
    "bytes put in": _with_more,
    "bytes repeated": _twice,
    "a huge number": _with_huge_number,
    "another word": _with_other_word,
}


def _other_steps(content: bytes, draw: random.Random) -> bytes:
    """A pickle with steps left out, repeated, exchanged, or put in from all that pickles know."""
    places = [place for _, _, place in pickletools.genops(content)]
    steps = [content[a:b] for a, b in zip(places, [*places[1:], len(content)], strict=True)]
    for _ in range(draw.choice((1, 1, 2, 4))):
        k, other = draw.randrange(len(steps)), draw.randrange(len(steps))
        action = draw.randrange(5)
        if action == 0 and len(steps) > 1:
            del steps[k]
        elif action == 1:
            steps.insert(k, steps[other])
        elif action == 2:
            steps[k], steps[other] = steps[other], steps[k]
        elif action == 3:
            steps.insert(k, draw.choice(pickletools.opcodes).code.encode("latin1") + draw.randbytes(draw.randrange(5)))
        else:
            start = max(0, k - draw.randrange(6))
            steps[k:k] = steps[start:k]
    return b"".join(steps)
