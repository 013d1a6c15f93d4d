"""Layers that torch.utils.checkpoint runs again: what they did for all rows of a batch they would do for some."""

from __future__ import annotations

import sys
from types import FrameType

import torch


def check_no_rerun(what: str) -> None:
    """Refuse something that torch.utils.checkpoint is to repeat in the backward pass.

    Several processes that share a batch draw and norm for all of its rows while a module runs forward, and torch has
    no place to tell that when it runs a part of the module again: the gradients would be of another forward pass.

    Args:
        what: is done, for the message.

    Raises:
        ValueError: the layer runs within `torch.utils.checkpoint.checkpoint`, and a backward pass will follow. The kind
            with use_reentrant=True is not seen, and cannot be trained: torch refuses `backward(inputs=...)` there.

    Example:
        >>> check_no_rerun("dropout")
    """
    frame: FrameType | None = sys._getframe(1) if torch.is_grad_enabled() else None
    while frame is not None:
        if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
            raise ValueError(
                f"several processes: {what} cannot run again within torch.utils.checkpoint, where it would be of a "
                'process\'s own rows; leave it out of the checkpoint, or use one process or order="pipelined".'
            )
        frame = frame.f_back
