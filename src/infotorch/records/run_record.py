"""The run directory: what a run decided, where it ran, what happened and how it ended. Plain files, no torch.

    recipe.json        everything that decides a number of the run
    environment.json   versions, commit (null outside a checkout), device, threads, precision, when it started
    metrics.jsonl      one flat JSON object a line, in the order of training; no wall-clock time, so that a run and its
                       resumed twin are equal byte for byte
    outcome.json       how it ended and its final numbers; absent while the run goes on
    embeddings.json    the raw data and every module's output as points in the plane; only where they were made
    diagnosis.json     what `infotorch diagnose` found; only where it was asked
    information_plane*.json  what an `InformationPlane` saw; only where one was told to write here
    demonstration.json       claims of the theory and data for figures; only of a demonstration
    test_right.json    which test samples are right, a bit each; only of a classifier
    denoised.png       test images without noise, with it and denoised, from above; only of a denoiser
    checkpoint/        the newest state that training can go on from
    traceback.txt      where a failed run failed; only then
    .lock              only while it is written: by which process

JSON has no NaN: a non-finite number is written as null.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infotorch.records.embedding import Embedding, parse_embeddings, write_embeddings
from infotorch.records.files import (
    check_own,
    json_values,
    naming,
    parse_json,
    parse_json_lines,
    partial_file,
    read_regular,
    write_atomic,
    write_json,
)
from infotorch.records.forms import PLAIN, TEXT, TRUTH, WHOLE, Each, Optional, check_form
from infotorch.records.lock import LOCK
from infotorch.records.outcome import Outcome, parse_outcome
from infotorch.records.right_samples import RIGHT_SAMPLES, RightSamples, parse_right_samples

#: What every reader of a run relies on; the settings beside are the recipe's own to check.
_RECIPE = {"name": TEXT, "seed": Optional(WHOLE)} | {
    name: Optional(TEXT) for name in ("variant", "title", "description", "source")
}
ENVIRONMENT = {"started": Optional(TEXT), "commit": Optional({"hash": TEXT, "dirty": TRUTH})}


def check_recipe(content: dict[str, Any], *, where: Path) -> dict[str, Any]:
    """The content of recipe.json, where it has what every reader of a run relies on.

    Raises:
        ValueError: it has not; or its name or its variant, which files are named after, is a path.

    Example:
        >>> check_recipe({"name": "../../demo"}, where=Path("recipe.json"))
        Traceback (most recent call last):
            ...
        ValueError: recipe.json is damaged: name must be a recipe's, and no path, got '../../demo'.
    """
    check_form(content, _RECIPE, where=where)
    for key, of in (("name", "recipe"), ("variant", "variant")):
        text = content[key] if key == "name" else content.get(key) or "default"
        if not text or text.startswith(".") or {"/", "\\"} & set(text) or not text.isprintable():
            raise ValueError(f"{where} is damaged: {key} must be a {of}'s, and no path, got {text!r:.60}.")
    return content


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
        return self.read("recipe.json") is not None

    def cut_short(self) -> bool:
        """Whether the directory holds nothing but a search of settings and what `begin` writes before it is done."""
        begun = [self._metrics_file, self.directory / "environment.json"]
        others = [self.directory / name for name in ("tuning", LOCK)]
        left = {*begun, *map(partial_file, [*begun, self.directory / "recipe.json"]), *others}
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
        with naming(self._metrics_file), self._metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json_values(line), ensure_ascii=False) + "\n")

    def metrics_mark(self) -> tuple[int, str]:
        """Length and SHA-256 of the metrics so far, which are on the disk from here on; a checkpoint remembers both."""
        with naming(self._metrics_file), self._metrics_file.open("r+b") as file:
            os.fsync(file.fileno())  # or a loss of power leaves them shorter than the checkpoint remembers
            written = file.read()
        return len(written), hashlib.sha256(written).hexdigest()

    def reopen(self, length: int, sha256: str) -> None:
        """Go on from a checkpoint: forget how the run ended, and the metrics written after the first `length` bytes.

        Args:
            length: of the metrics, as `metrics_mark` gave it.
            sha256: of so many bytes, as `metrics_mark` gave it.

        Raises:
            ValueError: the metrics are missing, a link, shorter, or begin otherwise; nothing has been changed.
        """
        check_own(self._metrics_file)
        written = (self.read(self._metrics_file.name) or b"")[:length]
        if len(written) < length or hashlib.sha256(written).hexdigest() != sha256:
            got = "others" if len(written) == length else len(written)
            raise ValueError(
                f"{self._metrics_file} is not as the checkpoint remembers it: expected {length} bytes, got {got}; "
                "put the file back, or start again in another --out."
            )
        self._forget_ending()
        with self._metrics_file.open("r+b") as file:
            file.truncate(length)

    def _forget_ending(self) -> None:
        ending = ("outcome.json", "traceback.txt", "embeddings.json", "denoised.png", "diagnosis.json", RIGHT_SAMPLES)
        for name in ending:
            (self.directory / name).unlink(missing_ok=True)

    def files(self) -> list[str]:
        """Names of the run's files that hold what happened, in order; no checkpoint and no search."""
        return sorted(path.name for path in self.directory.iterdir() if path.suffix in {".json", ".jsonl", ".png"})

    def read(self, name: str) -> bytes | None:
        """A file of the run as it stands there, or None where there is none.

        Raises:
            ValueError: it is no regular file, or too large.
        """
        return read_regular(self.directory / name)

    def content(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the run, or None where there is none.

        Raises:
            ValueError: the file is damaged; the message names it.
        """
        found = self.read(name)
        return None if found is None else parse_json(found, where=self.directory / name)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines so far; a last line that a crash cut short is left out.

        Raises:
            ValueError: a line is damaged; the message names it.
        """
        lines = parse_json_lines(self.read("metrics.jsonl") or b"", where=self._metrics_file)
        for number, line in enumerate(lines, start=1):
            check_form(line, Each(PLAIN), where=Path(f"{self._metrics_file}, line {number},"))
        return lines

    def recipe(self) -> dict[str, Any]:
        """What decided the run.

        Raises:
            FileNotFoundError: no run has begun here.
            ValueError: recipe.json is damaged, or holds no recipe.
        """
        return check_recipe(self._required("recipe.json"), where=self.directory / "recipe.json")

    def environment(self) -> dict[str, Any]:
        """Where the run was made.

        Raises:
            FileNotFoundError: the file is missing.
            ValueError: environment.json is damaged.
        """
        found = self._required("environment.json")
        check_form(found, ENVIRONMENT, where=self.directory / "environment.json")
        return found

    def _required(self, name: str) -> dict[str, Any]:
        found = self.content(name)
        if found is None:
            raise FileNotFoundError(f"{self.directory / name} is missing.")
        return found

    def outcome(self) -> Outcome | None:
        """How the run ended, or None while it goes on.

        Raises:
            ValueError: outcome.json is damaged, or of another run than recipe.json.
        """
        content = self.content("outcome.json")
        if content is None:
            return None
        where = self.directory / "outcome.json"
        outcome, recipe = parse_outcome(content, where=where), self.recipe()
        for name, key in (("recipe", "name"), ("variant", "variant"), ("seed", "seed")):
            if key in recipe and recipe[key] != getattr(outcome, name):
                raise ValueError(
                    f"{where} is of another run: its {name} is {getattr(outcome, name)!r}, and recipe.json says "
                    f"{recipe[key]!r}; remove the file, or put the run's own back."
                )
        return outcome

    def finish(self, outcome: Outcome) -> None:
        """Write how the run ended."""
        content = asdict(outcome)
        if outcome.isolation is None:
            del content["isolation"]
        write_json(self.directory / "outcome.json", content)

    def write_picture(self, content: bytes) -> None:
        """Write the picture of a denoiser, a PNG file."""
        write_atomic(self.directory / "denoised.png", content)

    def picture(self) -> bytes | None:
        """The picture of a denoiser, or None."""
        return self.read("denoised.png")

    def write_right_samples(self, found: RightSamples) -> None:
        """Write which test samples the run has right."""
        write_json(self.directory / RIGHT_SAMPLES, found.as_dict())

    def right_samples(self) -> RightSamples | None:
        """Which test samples the run has right, or None where that was not kept.

        Raises:
            ValueError: test_right.json is damaged.
        """
        content = self.content(RIGHT_SAMPLES)
        return None if content is None else parse_right_samples(content, where=self.directory / RIGHT_SAMPLES)

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
        content = self.content("embeddings.json")
        return [] if content is None else parse_embeddings(content, where=self.directory / "embeddings.json")
