"""What happens to a file of a run: damage of its bytes, of what it says, and of what it is. Seeded, one change a call.

A change takes the path and a `random.Random` and returns what it did, in words that are enough to do it again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from infotorch.training.checkpoint import load_checkpoint, save_checkpoint

Change = Callable[[Path, random.Random], str]

#: Values that stand where others are expected.
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 3, 2**63, 10**30, 10**400, 1e308, float("nan"), float("inf"), "", "text", "\ud800", "../../x",
    "<script>", "x" * 10_000, [], [1, "a"], [[[[]]]], {}, {"value": {"value": "x"}}, [None], {"": None},
)  # fmt: skip


def untouched(_path: Path, _: random.Random) -> str:
    """Nothing."""
    return "untouched"


def flip(path: Path, rng: random.Random) -> str:
    """One bit is another."""
    content = bytearray(path.read_bytes())
    place, bit = rng.randrange(len(content)), rng.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place} flipped"


def cut(path: Path, rng: random.Random) -> str:
    """The end is missing."""
    length = rng.randrange(path.stat().st_size)
    os.truncate(path, length)
    return f"cut to {length} bytes"


def empty(path: Path, _: random.Random) -> str:
    """Nothing is left."""
    path.write_bytes(b"")
    return "emptied"


def noise(path: Path, rng: random.Random) -> str:
    """Some bytes are others, no UTF-8 among them."""
    content, place = path.read_bytes(), rng.randrange(path.stat().st_size)
    path.write_bytes(content[:place] + b"\xff\xfe\x00" + rng.randbytes(5) + content[place + 8 :])
    return f"noise from byte {place}"


def deep(path: Path, rng: random.Random) -> str:
    """Nested without end, or just too deeply."""
    depth = rng.choice((60, 900, 100_000))
    path.write_bytes(b'{"name":' * depth + b"1" + b"}" * depth + b"\n")
    return f"nested {depth} deep"


def pipe(path: Path, _: random.Random) -> str:
    """A pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)
    return "a pipe"


def folder(path: Path, _: random.Random) -> str:
    """A folder."""
    path.unlink()
    path.mkdir()
    return "a folder"


def loop(path: Path, _: random.Random) -> str:
    """A link to itself."""
    path.unlink()
    path.symlink_to(path.name)
    return "a link to itself"


def device(path: Path, _: random.Random) -> str:
    """A device that never ends."""
    path.unlink()
    path.symlink_to("/dev/zero")
    return "a link to /dev/zero"


def gigantic(path: Path, _: random.Random) -> str:
    """A terabyte that takes no room."""
    os.truncate(path, 2**40)
    return "of a terabyte"


def swapped(path: Path, rng: random.Random) -> str:
    """Another file of the run."""
    others = sorted(one for one in path.parent.iterdir() if one.is_file() and one != path)
    other = rng.choice(others)
    path.write_bytes(other.read_bytes())
    return f"with the content of {other.name}"


#: Of every file.
OF_BYTES: tuple[Change, ...] = (flip, cut, empty, noise, deep, pipe, folder, loop, device, gigantic, swapped)


def odd_value(path: Path, rng: random.Random) -> str:
    """One value of a JSON file, or of a line of it, is of another kind, or missing."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.suffix == ".jsonl" else [path.read_text()]
    number = rng.randrange(len(lines) - 1) if len(lines) > 1 else 0
    content = json.loads(lines[number])
    said = put_odd(content, rng)
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines))
    return f"{said}{f' in line {number + 1}' if len(lines) > 1 else ''}"


def put_odd(content: Any, rng: random.Random) -> str:
    """Change one place of nested values, and say which."""
    places = list(_places(content))
    holder, key, name = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
        return f"{name} missing"
    holder[key] = value = rng.choice(ODD)
    return f"{name} = {value!r:.40}"


def _places(content: Any, name: str = "") -> Any:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(items):
        yield content, key, f"{name}/{key}"
        if not (isinstance(value, list) and len(value) > 100):
            yield from _places(value, f"{name}/{key}")


def sealed(path: Path, rng: random.Random) -> str:
    """One value of a checkpoint is odd, and its checksum is right."""
    state = load_checkpoint(path.parent)
    said = put_odd(state, rng)
    save_checkpoint(path.parent, state)
    return said


def half(path: Path, _: random.Random) -> str:
    """The weights of a module are float16."""
    return _with_weights(path, "float16 weights", lambda tensor: tensor.half())


def reshaped(path: Path, _: random.Random) -> str:
    """The weights of a module have another shape."""
    return _with_weights(path, "weights of another shape", lambda tensor: tensor[..., :1])


def _with_weights(path: Path, said: str, change: Callable[[torch.Tensor], torch.Tensor]) -> str:
    state = load_checkpoint(path.parent)
    module = next(iter(state["plan"].values()))
    module["body"] = {name: change(tensor) for name, tensor in module["body"].items()}
    save_checkpoint(path.parent, state)
    return said


def reseeded(path: Path, _: random.Random) -> str:
    """Of another seed."""
    state = load_checkpoint(path.parent)
    save_checkpoint(path.parent, state | {"seed": state["seed"] + 1})
    return "another seed"


def misplaced(path: Path, rng: random.Random) -> str:
    """At a place that the run has not."""
    state = load_checkpoint(path.parent)
    key, by = rng.choice(sorted(state["position"])), rng.choice((-100, 1, 100))
    state["position"][key] += by
    save_checkpoint(path.parent, state)
    return f"position.{key} moved by {by}"


def keyless(path: Path, rng: random.Random) -> str:
    """Without one of its parts."""
    state = load_checkpoint(path.parent)
    module = rng.choice(sorted(state["plan"]))
    parts = ((state, "seed"), (state, "plan"), (state["plan"], module), (state["plan"][module], "body"))
    holder, key = rng.choice(parts)
    del holder[key]
    save_checkpoint(path.parent, state)
    return f"without {key}"


class _Executed:
    """What a pickle would do, were it believed: make a file beside the run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def code(path: Path, rng: random.Random) -> str:
    """A pickle that makes the folder `executed`, with the right checksum, or by itself."""
    content = {"plan": _Executed(mark_of(path))}
    if rng.random() < 0.5:
        save_checkpoint(path.parent, content)
        return "code to execute, and its checksum"
    torch.save(content, path)
    return "code to execute"


def mark_of(path: Path) -> Path:
    """What the code of a checkpoint makes, where it is executed."""
    return path.parent.parent / "executed"


#: Of a checkpoint, each to be refused; what is `sealed` may also be right, or go wrong as training does.
OF_CHECKPOINTS: tuple[Change, ...] = (half, reshaped, reseeded, misplaced, keyless, code)


def bomb(path: Path, _: random.Random) -> str:
    """Curves that unpack to a gigabyte."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _megabyte in range(2**10):
            file.write(bytes(2**20))
    return "unpacks to a gigabyte"


def odd_curves(path: Path, rng: random.Random) -> str:
    """One value of curves is odd, and the table has their checksum."""
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    number = rng.randrange(len(lines) - 1)
    content = json.loads(lines[number])
    said = put_odd(content, rng)
    lines[number] = json.dumps(content)
    text = "\n".join(lines).encode()
    table = path.with_name(path.name.replace(".curves.jsonl.gz", ".json"))
    before = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    table.write_text(table.read_text().replace(before, hashlib.sha256(text).hexdigest()))
    path.write_bytes(gzip.compress(text))
    return f"{said} in line {number + 1}"
