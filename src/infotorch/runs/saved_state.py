"""The checkpoint of a run as `Session` saves it: read, and refused where it is not of this run, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from infotorch.numerics.states import check_keys
from infotorch.records.forms import ANY, COUNT, NOT_NEGATIVE, NUMBER, TEXT, WHOLE, Each, check_form
from infotorch.records.run_record import RunRecord
from infotorch.training.checkpoint import checkpoint_file, load_checkpoint, ways_out

#: What is saved; the plan, the schedule and the planes check their own parts.
_FORM = {
    **dict.fromkeys(("plan", "schedule", "planes"), Each(ANY)),
    "position": dict.fromkeys(("stage", "epoch", "step", "steps"), COUNT),
    "epoch": Each(Each([NUMBER])),
    "peak": COUNT,
    "last_loss": Each(NUMBER),
    "seconds": NOT_NEGATIVE,
    "metrics_bytes": COUNT,
    "metrics_sha256": TEXT,
    "seed": WHOLE,
}


def saved_state(record: RunRecord, *, seed: int, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What a run has saved of itself.

    Args:
        record: the run directory.
        seed: the run's.
        device: where tensors are wanted.

    Raises:
        FileNotFoundError: there is no checkpoint.
        ValueError: it is damaged, or not of such a run; the message names the file and what to do.
    """
    state = load_checkpoint(record.checkpoint_directory, device=device)
    with naming_checkpoint(record):
        check_keys(state, _FORM, where="its state")
        check_keys(state["position"], _FORM["position"], where="its position")
        check_form(state, _FORM, where=Path("its state"))
        if not all(len(entry) == 2 for terms in state["epoch"].values() for entry in terms.values()):
            raise ValueError("its state is damaged: the means of the epoch must be pairs.")
        if state["seed"] != seed:
            raise ValueError(f"its seed is {state['seed']}, and the run's {seed}.")
    return state


@contextmanager
def naming_checkpoint(record: RunRecord) -> Iterator[None]:
    """A context whose errors name the run's checkpoint, and what to do.

    Raises:
        ValueError: in place of any other error about what the checkpoint holds.
    """
    directory = record.checkpoint_directory
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{checkpoint_file(directory)} is not of this run: {reason} {ways_out(directory)}") from error
