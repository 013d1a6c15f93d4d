"""The run directory: what a run decided, where it ran, what happened and how it ended. Plain files, no torch.

    recipe.json        everything that decides a number of the run
    environment.json   versions, device, threads, precision, when it started
    metrics.jsonl      one flat JSON object a line, in the order of training; no wall-clock time, so that a run and its
                       resumed twin are equal byte for byte
    outcome.json       how it ended and its final numbers; absent while the run goes on
    embeddings.json    the raw data and every module's output as points in the plane; only where they were made
    diagnosis.json     what `infotorch diagnose` found; only where it was asked
    information_plane*.json  what an `InformationPlane` saw; only where one was told to write here
    demonstration.json       claims of the theory and data for figures; only of a demonstration
    denoised.png       test images without noise, with it and denoised, from above; only of a denoiser
    checkpoint/        the newest state that training can go on from
    traceback.txt      where a failed run failed; only then

JSON has no NaN: a non-finite number is written as null.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Status = Literal["completed", "diverged", "interrupted", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        status: "completed", "diverged" (a non-finite loss), "interrupted" or "failed".
        message: one line for people.
        recipe: name of the recipe.
        variant: the table row.
        seed: the run's seed.
        metrics: final numbers that a seed fixes; accuracies are fractions of one, information is in nats.
        published: metric name -> {"value", "source"}, from the paper.
        seconds: time spent training and evaluating, all sessions of the run together.
        memory: `peak_saved_activation_bytes` and the device's peak where there is one.
    """

    status: Status
    message: str
    recipe: str
    variant: str
    seed: int
    metrics: dict[str, float] = field(default_factory=dict)
    published: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Embedding:
    """One place of a network, the raw data or a module's output, as points in the plane.

    Args:
        place: "raw data" or the module's name.
        method: how the points were made, for people: "t-SNE", "its two columns", "constant" and the like.
        points: (n, 2) float32; NaN where the representation is not finite.
        labels: (n,) classes, -1 for unlabelled rows.
        split: (n,) names of the splits that the rows belong to.
        perplexity: t-SNE's, or None without it.
    """

    place: str
    method: str
    points: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    perplexity: float | None = None


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a reader, or a crash at any moment, sees the old file or the new one.

    What a crash leaves lies in a hidden file beside `path`, which the next write replaces.
    """
    # Not tempfile: its files are private to the user, and a report is there to be read.
    temporary = _partial(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one JSON object, atomically."""
    write_atomic(path, (json.dumps(json_values(content), indent=2, ensure_ascii=False) + "\n").encode())


def png(pixels: np.ndarray) -> bytes:
    r"""A PNG file.

    Args:
        pixels: 0 to 255, uint8, (height, width, 1) in grey or (height, width, 3) in colour.

    Raises:
        ValueError: another shape or type.

    Example:
        >>> import numpy as np
        >>> png(np.zeros((2, 3, 1), np.uint8))[:4]
        b'\x89PNG'
    """
    if pixels.dtype != "uint8" or pixels.ndim != 3 or pixels.shape[2] not in {1, 3} or not pixels.size:
        raise ValueError(
            f"png: pixels must be uint8 of shape (height, width, 1 or 3), got {pixels.dtype} of {pixels.shape}."
        )

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, channels = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)  # a zero before each: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        ValueError: the file is not a JSON object; the message names it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, got {type(content).__name__}.")
    return content


def json_values(value: Any) -> Any:
    """The same with None for every float that is NaN or infinite, which JSON has no word for, and lists for tuples.

    Example:
        >>> json_values({"error": float("nan"), "sizes": (0.5, float("inf"))})
        {'error': None, 'sizes': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class RunRecord:
    """One run directory.

    Example:
        >>> import tempfile
        >>> record = RunRecord(Path(tempfile.mkdtemp()) / "run")
        >>> record.begin({"name": "demo"}, {"python": "3.11"})
        >>> record.append({"epoch": 1, "train_loss": 0.5})
        >>> [line["train_loss"] for line in record.metrics()]
        [0.5]
    """

    directory: Path

    @property
    def checkpoint_directory(self) -> Path:
        """Where checkpoints lie."""
        return self.directory / "checkpoint"

    @property
    def _metrics_file(self) -> Path:
        return self.directory / "metrics.jsonl"

    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.directory / "recipe.json").exists()

    def cut_short(self) -> bool:
        """Whether the directory holds nothing but a search of settings and what `begin` writes before it is done."""
        begun = [self._metrics_file, self.directory / "environment.json"]
        left = {*begun, *map(_partial, [*begun, self.directory / "recipe.json"]), self.directory / "tuning"}
        return set(self.directory.iterdir()) <= left

    def begin(self, recipe: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Start the run: write what decides it, and empty the metrics."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._forget_ending()
        write_atomic(self._metrics_file, b"")
        write_json(self.directory / "environment.json", environment)
        write_json(self.directory / "recipe.json", recipe)  # last: its presence says that the run has begun

    def append(self, line: Mapping[str, Any]) -> None:
        """Add one line of metrics."""
        with self._metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json_values(line), ensure_ascii=False) + "\n")

    def metrics_bytes(self) -> int:
        """Length of the metrics so far; a checkpoint remembers it."""
        return self._metrics_file.stat().st_size

    def reopen(self, length: int) -> None:
        """Go on from a checkpoint: forget how the run ended, and the metrics written after the first `length` bytes."""
        self._forget_ending()
        with self._metrics_file.open("r+b") as file:
            file.truncate(length)

    def _forget_ending(self) -> None:
        for name in ("outcome.json", "traceback.txt", "embeddings.json", "denoised.png", "diagnosis.json"):
            (self.directory / name).unlink(missing_ok=True)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines so far; a last line that a crash cut short is left out."""
        if not self._metrics_file.exists():
            return []
        lines = self._metrics_file.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1] if line]

    def recipe(self) -> dict[str, Any]:
        """What decided the run."""
        return read_json(self.directory / "recipe.json")

    def environment(self) -> dict[str, Any]:
        """Where the run was made."""
        return read_json(self.directory / "environment.json")

    def outcome(self) -> Outcome | None:
        """How the run ended, or None while it goes on.

        Raises:
            ValueError: outcome.json is damaged.
        """
        path = self.directory / "outcome.json"
        if not path.exists():
            return None
        content = read_json(path)
        try:
            return Outcome(**content)
        except TypeError as error:
            raise ValueError(f"{path} is damaged: {error}.") from error

    def finish(self, outcome: Outcome) -> None:
        """Write how the run ended."""
        write_json(self.directory / "outcome.json", asdict(outcome))

    def write_picture(self, content: bytes) -> None:
        """Write the picture of a denoiser, a PNG file."""
        write_atomic(self.directory / "denoised.png", content)

    def picture(self) -> bytes | None:
        """The picture of a denoiser, or None."""
        path = self.directory / "denoised.png"
        return path.read_bytes() if path.exists() else None

    def write_demonstration(self, content: Mapping[str, Any]) -> None:
        """Write what a demonstration found."""
        write_json(self.directory / "demonstration.json", content)

    def write_embeddings(self, embeddings: Sequence[Embedding]) -> None:
        """Write pictures of one run, coordinates rounded to what a picture can show (a thousandth of its width).

        Raises:
            ValueError: there is none, or they are not of the same rows.
        """
        if not embeddings:
            raise ValueError("write_embeddings: embeddings is empty; leave the file out instead.")
        first = embeddings[0]
        for other in embeddings[1:]:
            if (other.labels.tolist(), other.split.tolist()) != (first.labels.tolist(), first.split.tolist()):
                raise ValueError(
                    f"write_embeddings: embeddings must be of the same rows, those of {first.place!r} and "
                    f"{other.place!r} differ."
                )
        places = [
            {"place": e.place, "method": e.method, "perplexity": e.perplexity}
            | {axis: _rounded(e.points[:, number].tolist()) for number, axis in enumerate("xy")}
            for e in embeddings
        ]
        content = json_values({"labels": first.labels.tolist(), "split": first.split.tolist(), "places": places})
        write_atomic(
            self.directory / "embeddings.json",
            (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode(),
        )

    def embeddings(self) -> list[Embedding]:
        """The run's pictures, in the order of the network; empty where none were made.

        Raises:
            ValueError: embeddings.json is damaged.
        """
        import numpy as np

        path = self.directory / "embeddings.json"
        if not path.exists():
            return []
        content = read_json(path)
        try:
            labels, split = np.array(content["labels"], np.int64), np.array(content["split"], np.str_)
            found = [
                Embedding(
                    str(place["place"]),
                    str(place["method"]),
                    np.array([place["x"], place["y"]], np.float32).T,
                    labels,
                    split,
                    place["perplexity"],
                )
                for place in content["places"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}.") from error
        if any(e.points.shape != (len(labels), 2) or split.shape != labels.shape for e in found):
            raise ValueError(f"{path} is damaged: its columns differ in length.")
        if not found:
            raise ValueError(f"{path} is damaged: it holds no place.")
        return found


def _rounded(values: list[float]) -> list[float]:
    finite = [value for value in values if math.isfinite(value)]
    span = max(finite) - min(finite) if finite else 0.0
    decimals = 3 - math.floor(math.log10(span)) if span > 0 else 6
    return [round(value, decimals) if math.isfinite(value) else value for value in values]


def find_runs(*directories: Path) -> list[RunRecord]:
    """Every run directory at or below the given ones; trials of a tuning are left out.

    Runs of one directory come as they were started, which is the order of the table that made them, then by path.

    Raises:
        FileNotFoundError: a directory does not exist.
        ValueError: a directory holds no run.
    """
    found: dict[Path, RunRecord] = {}
    for directory in directories:
        if not directory.is_dir():
            raise FileNotFoundError(f"{directory} is not a directory.")
        here = [path.parent for path in sorted(directory.rglob("recipe.json"))]
        here = [path for path in here if "tuning" not in path.relative_to(directory).parts]
        if not here:
            raise ValueError(f"{directory} holds no run: no recipe.json at or below it.")
        records = sorted((RunRecord(path) for path in here), key=_started)
        found.update((record.directory.resolve(), record) for record in records)
    return list(found.values())


def _started(record: RunRecord) -> str:
    try:
        return str(record.environment().get("started", ""))
    except FileNotFoundError:
        return ""
