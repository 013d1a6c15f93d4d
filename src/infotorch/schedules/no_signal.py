"""What the error of a step without information says: who left it out."""

from __future__ import annotations

from types import FrameType


def no_signal(schedule: FrameType, advice: str, *, where: str) -> str:
    """The message of a `TypeError`, of `step()` where a signal is due.

    Args:
        schedule: the frame of the schedule's own `step`, whose caller is named.
        advice: what to do instead of a schedule of schedules.
        where: the schedule's name.

    Example:
        >>> import sys
        >>> no_signal(sys._getframe(), "give warmup=", where="Decay")
        'Decay: step(signal) needs the information I(T; Y) that was measured after the epoch, got none.'
    """
    needs = f"{where}: step(signal) needs the information I(T; Y) that was measured after the epoch"
    own, caller = schedule.f_locals.get("self"), schedule.f_back
    while caller is not None and own is not None and caller.f_locals.get("self") is own:
        caller = caller.f_back  # torch's schedules begin by the schedule's own first step
    package = str(caller.f_globals.get("__name__", "")).partition(".")[0] if caller is not None else ""
    if caller is not None and package == "torch":
        outer = type(caller.f_locals.get("self")).__name__
        return f"{needs}, which {outer} of torch does not hand on; {advice}."
    if package in {"lightning", "pytorch_lightning"}:
        callback = f"give the Trainer the callback infotorch.lightning.{where}"
        if getattr(own, "steps_per_epoch", 1) > 1:  # the Trainer has either a signal or every step
            return f"{needs}, and Lightning's Trainer called it without; {callback}."
        return (
            f'{needs}, and Lightning\'s Trainer called it without; log the information as "mi" and return '
            f'{{"scheduler": ..., "monitor": "mi", "reduce_on_plateau": True}}, or {callback}.'
        )
    return f"{needs}, got none."
