"""Samples that come as one dict of inputs and targets, as Hugging Face's data sets and collators give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What the targets are called, the first that is there.
TARGETS = ("labels", "label", "y")


def inputs_and_labels(samples: Mapping[str, Any], *, where: str) -> tuple[dict[str, Any], Any]:
    """The inputs of a dict, and its targets: what it calls "labels", "label" or "y".

    Raises:
        ValueError: none of them is there, or nothing else is.

    Example:
        >>> inputs_and_labels({"input_ids": [[3, 4]], "labels": [1]}, where="example")
        ({'input_ids': [[3, 4]]}, [1])
    """
    name = next((name for name in TARGETS if name in samples), None)
    inputs = {str(key): value for key, value in samples.items() if key != name}
    if name is None or not inputs:
        held = ", ".join(map(str, samples)) or "nothing"
        raise ValueError(
            f"{where}: a dict of samples must hold inputs and their 'labels' (or 'label', 'y'), got {held}; or give "
            "the pair (dict, y)."
        )
    return inputs, samples[name]
