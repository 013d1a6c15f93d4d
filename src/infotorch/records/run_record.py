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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infotorch.records.embedding import Embedding, read_embeddings, write_embeddings
from infotorch.records.files import json_values, partial_file, read_json, write_atomic, write_json
from infotorch.records.outcome import Outcome


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
        left = {*begun, *map(partial_file, [*begun, self.directory / "recipe.json"]), self.directory / "tuning"}
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
        """Write the embeddings of the run; see `write_embeddings`."""
        write_embeddings(self.directory / "embeddings.json", embeddings)

    def embeddings(self) -> list[Embedding]:
        """The embeddings of the run, in the order of its layers; empty where none were made.

        Raises:
            ValueError: embeddings.json is damaged.
        """
        path = self.directory / "embeddings.json"
        return read_embeddings(path) if path.exists() else []


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
