"""Which test samples a run has right, a bit each: what a comparison of two runs sample by sample needs.

test_right.json    {"samples": 10000, "labels": SHA-256 of their labels, "right": the bits, most significant first,
padded with zeros to whole bytes, in base64}
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infotorch.records.forms import COUNT, TEXT, check_form

RIGHT_SAMPLES = "test_right.json"
_FORM = {"samples": COUNT, "labels": TEXT, "right": TEXT}


@dataclass(frozen=True, eq=False)
class RightSamples:
    """The labelled test samples of a run, in their order.

    Args:
        right: whether the run's class is the label, (n,).
        labels: SHA-256 of the labels, by which two runs know that they were tested on the same samples.

    Example:
        >>> found = RightSamples.of(np.array([True, False, True]), np.array([3, 1, 3]))
        >>> found.as_dict()["right"], found.as_dict()["labels"][:8]
        ('oA==', 'ffa99309')
    """

    right: NDArray[np.bool_]
    labels: str

    @classmethod
    def of(cls, right: NDArray[np.bool_], labels: NDArray[Any]) -> RightSamples:
        """From what was right and the labels, (n,) each.

        Raises:
            ValueError: they are not as many.
        """
        if right.shape != labels.shape or right.ndim != 1:
            raise ValueError(f"right and labels must be of one shape (n,), got {right.shape} and {labels.shape}.")
        return cls(right.astype(bool), hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest())

    def as_dict(self) -> dict[str, Any]:
        """The content of the file."""
        bits = base64.b64encode(np.packbits(self.right).tobytes()).decode()
        return {"samples": len(self.right), "labels": self.labels, "right": bits}


def parse_right_samples(content: Mapping[str, Any], *, where: Path) -> RightSamples:
    """What the file holds.

    Raises:
        ValueError: the file is damaged; the message names it.

    Example:
        >>> content = {"samples": 3, "labels": "ffa99309", "right": "oA=="}
        >>> parse_right_samples(content, where=Path("test_right.json")).right
        array([ True, False,  True])
    """
    check_form(content, _FORM, where=where)
    try:
        packed = base64.b64decode(content["right"], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{where} is damaged: right must be base64.") from None
    count = content["samples"]
    if len(packed) != (count + 7) // 8:
        raise ValueError(f"{where} is damaged: right must have a bit for each of {count} samples.")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))[:count]
    return RightSamples(bits.astype(bool), content["labels"])
