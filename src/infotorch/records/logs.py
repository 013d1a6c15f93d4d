"""A run's metrics as other tools read them: TensorBoard's event files, or one table of comma-separated values."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from infotorch.numerics.extras import require
from infotorch.records.files import write_atomic
from infotorch.records.finding import find_runs, trials_of
from infotorch.records.forms import COUNT, TEXT, check_form
from infotorch.records.run_record import RunRecord

#: What metrics can be written as.
LogFormat = Literal["csv", "tensorboard"]
#: What says which line of a run it is, and is no metric.
_PLACE = ("stage", "module", "epoch", "step")
#: What a line of TensorBoard needs beside.
_SCALARS = {"module": TEXT, "step": COUNT}
_LARGEST_STEP = 2**63 - 1
_RUN = ("recipe", "variant", "trial", "seed")
# Recipe, variant, trial of a sweep or "", and seed.
_Names = tuple[str, str, str, int]


def write_logs(directories: Sequence[Path], out: Path, *, to: LogFormat) -> Path:
    """Write the metrics of all runs at or below some directories, finished or not.

    Run anew, it replaces what it wrote before; a run that went on from a checkpoint has each of its steps once.

    Args:
        directories: run directories, directories above them, directories of sweeps, whose trials are written, or
            tables' files.
        out: of "csv", the file: one line for each module and epoch of each run. Of "tensorboard", a folder with one
            for each run, recipe/variant/seed-N, for `tensorboard --logdir`; of a trial recipe/variant/trial-003/seed-N.
        to: "csv" or "tensorboard", whose scalars are module/metric by step, and final/metric of a finished run; its
            settings are a text.

    Returns:
        `out`.

    Raises:
        ValueError: an unknown format, directories that hold no run, a damaged run, or two runs of one name and seed.
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
    runs = [(_names(record), record) for record in find_runs(*others)]
    runs += [(_names(record, record.directory.parent.name), record) for place in sweeps for record in trials_of(place)]
    seen: dict[_Names, RunRecord] = {}
    for names, record in runs:
        if (other := seen.setdefault(names, record)) is not record:
            said = " ".join(filter(None, (*names[:3], f"seed {names[3]}")))
            raise ValueError(
                f"write_logs: {other.directory} and {record.directory} are both {said}; write one at a time."
            )
    out = Path(out)
    if to == "csv":
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, _table(runs).encode())
        return out
    for names, record in runs:
        _write_events(record, out.joinpath(*names[:3], f"seed-{names[3]}"))
    return out


def _names(record: RunRecord, trial: str = "") -> _Names:
    recipe = record.recipe()
    return str(recipe["name"]), str(recipe.get("variant") or "default"), trial, int(recipe.get("seed") or 0)


def _table(runs: Sequence[tuple[_Names, RunRecord]]) -> str:
    lines = [dict(zip(_RUN, names, strict=True)) | line for names, record in runs for line in record.metrics()]
    columns = dict.fromkeys([*_RUN, *_PLACE, *(key for line in lines for key in line)])
    if not any(names[2] for names, _ in runs):
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
