"""Checkpoints: one file, replaced atomically, read without executing anything (`weights_only`)."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from infotorch.records.files import write_atomic

_FILE = "state.pt"


def save_checkpoint(directory: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in `directory` by `state`: tensors, numbers, strings and containers of them.

    A crash at any moment leaves the old checkpoint or the new one.

    Example:
        >>> import tempfile
        >>> directory = Path(tempfile.mkdtemp())
        >>> save_checkpoint(directory, {"weight": torch.ones(2), "step": 3})
        >>> load_checkpoint(directory)["step"]
        3
    """
    directory.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomic(directory / _FILE, buffer.getvalue())


def has_checkpoint(directory: Path) -> bool:
    """Whether `directory` holds a checkpoint."""
    return (directory / _FILE).exists()


def load_checkpoint(directory: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The checkpoint in `directory`, its tensors on `device`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is damaged, or holds more than tensors and plain values.
    """
    path = directory / _FILE
    if not path.exists():
        raise FileNotFoundError(f"{directory} holds no checkpoint.")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is damaged, or not a checkpoint of infotorch: {reason}") from error
