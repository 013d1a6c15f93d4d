"""A run's metrics as other tools read them: TensorBoard's event files, or one table of comma-separated values."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from infotorch.numerics.extras import require
from infotorch.records.files import write_atomic
from infotorch.records.finding import find_runs, trials_of
from infotorch.records.forms import COUNT, TEXT, check_form
from infotorch.records.run_record import RunRecord
from infotorch.records.table_file import WORDS

#: What metrics can be written as.
LogFormat = Literal["csv", "tensorboard"]
#: What says which line of a run it is, and is no metric.
_PLACE = ("stage", "module", "epoch", "step")
#: What a line of TensorBoard needs beside.
_SCALARS = {"module": TEXT, "step": COUNT}
_LARGEST_STEP = 2**63 - 1
_RUN = ("recipe", "variant", "trial", "seed")


class _Logged(NamedTuple):
    """A run by its names: `trial` is that of a sweep or "", `settings` what decides it beside its seed."""

    recipe: str
    variant: str
    trial: str
    seed: int
    record: RunRecord
    settings: Mapping[str, str | int | float]

    @property
    def named(self) -> str:
        """The names in words."""
        return " ".join(filter(None, (self.recipe, self.variant, self.trial, f"seed {self.seed}")))


def write_logs(directories: Sequence[Path], out: Path, *, to: LogFormat) -> Path:
    """Write the metrics of all runs at or below some directories, finished or not.

    Run anew, it replaces what it wrote before; a run that went on from a checkpoint has each of its steps once.

    Args:
        directories: run directories, directories above them, directories of sweeps, whose trials are written, or
            tables' files.
        out: of "csv", the file: one line for each module and epoch of each run, with a column for each setting in which
            the runs of a variant differ. Of "tensorboard", a folder with one for each run, recipe/variant/seed-N, for
            `tensorboard --logdir`; of a trial recipe/variant/trial-003/seed-N; of runs of a variant with other settings
            recipe/variant-2/seed-N, and so on.
        to: "csv" or "tensorboard", whose scalars are module/metric by step, and final/metric of a finished run; its
            settings are a text.

    Returns:
        `out`.

    Raises:
        ValueError: an unknown format, directories that hold no run, a damaged run, or two runs of one name, seed and
            settings.
        FileNotFoundError: a directory does not exist.
        ModuleNotFoundError: TensorBoard is not installed; the message holds the command that installs it.

    Example:
        >>> import tempfile
        >>> from infotorch.records.run_record import RunRecord
        >>> folder = Path(tempfile.mkdtemp())
        >>> record = RunRecord(folder / "run")
        >>> record.begin({"name": "demo", "variant": "bp", "seed": 0}, {"python": "3.11"})
        >>> record.append({"stage": 0, "module": "fc1", "epoch": 1, "step": 10, "train_loss": 0.5})
        >>> print(write_logs([folder], folder / "metrics.csv", to="csv").read_text().strip())
        recipe,variant,seed,stage,module,epoch,step,train_loss
        demo,bp,0,0,fc1,1,10,0.5
    """
    if to not in get_args(LogFormat):
        raise ValueError(f"write_logs: to must be one of {', '.join(get_args(LogFormat))}, got {to!r}.")
    if not directories:
        raise ValueError("write_logs: directories is empty; give at least one run directory.")
    sweeps = dict.fromkeys(place for place in map(Path, directories) if (place / "sweep.json").is_file())
    others = [place for place in map(Path, directories) if place not in sweeps]
    runs = [_logged(record) for record in find_runs(*others)]
    runs += [_logged(record, record.directory.parent.name) for place in sweeps for record in trials_of(place)]
    varying = _varying(runs)
    seen: dict[tuple[object, ...], RunRecord] = {}
    for run in runs:
        if (other := seen.setdefault((*run[:4], *_apart(run, varying)), run.record)) is not run.record:
            raise ValueError(
                f"write_logs: {other.directory} and {run.record.directory} are both {run.named}; write one at a time."
            )
    out = Path(out)
    if to == "csv":
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, _table(runs, varying).encode())
        return out
    for run, variant in zip(runs, _folders(runs, varying), strict=True):
        _write_events(run.record, out.joinpath(run.recipe, variant, run.trial, f"seed-{run.seed}"))
    return out


def _logged(record: RunRecord, trial: str = "") -> _Logged:
    recipe = record.recipe()
    settings = _flat({name: value for name, value in recipe.items() if name not in WORDS | {"name", "variant"}})
    names = str(recipe["name"]), str(recipe.get("variant") or "default"), trial, int(recipe.get("seed") or 0)
    return _Logged(*names, record, {key: value for key, value in settings.items() if key != "seed"})


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float]:
    """Dotted setting -> value; what is no word and no number as `--set` takes it."""
    flat: dict[str, str | int | float] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            flat[prefix + name] = value
        else:
            flat[prefix + name] = "none" if value is None else json.dumps(value)
    return flat


def _varying(runs: Sequence[_Logged]) -> dict[tuple[str, str], list[str]]:
    """Recipe and variant -> settings in which its runs differ, of those that all of them know."""
    groups: dict[tuple[str, str], list[Mapping[str, object]]] = {}
    for run in runs:
        groups.setdefault(run[:2], []).append(run.settings)
    known = {names: [key for key in group[0] if all(key in one for one in group)] for names, group in groups.items()}
    return {
        names: [key for key in known[names] if len({one[key] for one in group}) > 1] for names, group in groups.items()
    }


def _apart(run: _Logged, varying: Mapping[tuple[str, str], Sequence[str]]) -> tuple[object, ...]:
    """What tells a run from others of its variant; trials have names for this."""
    return () if run.trial else tuple(run.settings[key] for key in varying[run[:2]])


def _folders(runs: Sequence[_Logged], varying: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    """The variant of each run as a folder: "bp", and "bp-2" for its second settings, as in a table's file."""
    seen: dict[tuple[str, str], dict[tuple[object, ...], str]] = {}
    folders = []
    for run in runs:
        known = seen.setdefault(run[:2], {}) if not run.trial else {}
        number = len(known) + 1
        folders.append(known.setdefault(_apart(run, varying), f"{run.variant}-{number}" if number > 1 else run.variant))
    return folders


def _table(runs: Sequence[_Logged], varying: Mapping[tuple[str, str], Sequence[str]]) -> str:
    differing = list(dict.fromkeys(key for keys in varying.values() for key in keys))
    lines = [
        dict(zip(_RUN, run[:4], strict=True)) | {key: run.settings.get(key) for key in differing} | line
        for run in runs
        for line in run.record.metrics()
    ]
    columns = dict.fromkeys([*_RUN, *differing, *_PLACE, *(key for line in lines for key in line)])
    if not any(run.trial for run in runs):
        del columns["trial"]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in line.items()} for line in lines)
    return text.getvalue()


def _write_events(record: RunRecord, folder: Path) -> None:
    purpose = "infotorch log --to tensorboard"
    records = require("log", "tensorboard.summary.writer.record_writer", purpose)
    event, summary = (require("log", f"tensorboard.compat.proto.{name}_pb2", purpose) for name in ("event", "summary"))
    tensor = require("log", "tensorboard.compat.proto.tensor_pb2", purpose)
    lines, outcome = record.metrics(), record.outcome()
    settings = f"```json\n{json.dumps(record.recipe(), indent=2)}\n```".encode()
    value = tensor.TensorProto(dtype="DT_STRING", string_val=[settings], tensor_shape={"dim": [{"size": 1}]})
    shown_as = {"plugin_data": {"plugin_name": "text"}}
    told = [(summary.Summary.Value(tag="settings", metadata=shown_as, tensor=value), 0)]

    def add_number(tag: str, value: object, step: int) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            told.append((summary.Summary.Value(tag=tag, simple_value=value), step))

    for number, line in enumerate(lines, start=1):
        where = Path(f"{record.directory / 'metrics.jsonl'}, line {number},")
        check_form(line, _SCALARS, where=where)
        if line["step"] > _LARGEST_STEP:
            raise ValueError(f"{where} is damaged: step must be at most {_LARGEST_STEP}, got {line['step']}.")
        for name in (name for name in line if name not in _PLACE):
            add_number(f"{line['module']}/{name}", line[name], line["step"])
    for name, value in ({} if outcome is None else outcome.metrics).items():
        add_number(f"final/{name}", value, lines[-1]["step"] if lines else 0)
    started = _started(record)
    events = [event.Event(wall_time=started, file_version="brain.Event:2")]
    events += [event.Event(wall_time=started, step=at, summary=summary.Summary(value=[value])) for value, at in told]
    held = io.BytesIO()  # not TensorBoard's own writer: its thread cannot say that a disk is full
    for one in events:
        records.RecordWriter(held).write(one.SerializeToString())
    # A name of its own each time, behind those before: TensorBoard goes on to the file whose name is the last.
    seconds, rest = divmod(time.time_ns(), 10**9)
    path = folder / f"events.out.tfevents.{seconds:010d}.{rest:09d}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, held.getvalue())
    # What cannot be read or written takes nothing away that was written before.
    for earlier in folder.glob("events.out.tfevents.*"):
        if earlier != path:
            earlier.unlink()


def _started(record: RunRecord) -> float:
    """When the run began: it keeps no other time."""
    told = record.environment().get("started")
    try:
        return datetime.fromisoformat(str(told)).timestamp()
    except (ValueError, OverflowError) as error:
        where = record.directory / "environment.json"
        raise ValueError(
            f"{where} is damaged: started must be a date and time by ISO 8601, got {told!r:.60}."
        ) from error
