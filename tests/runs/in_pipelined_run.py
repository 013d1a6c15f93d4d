"""One process of a pipelined run that saves whenever it can: `in_pipelined_run.py DIRECTORY [WHAT RANK STEP] [N]`.

N is the staleness. WHAT is "kill", "raise" or "stop", by a signal of Ctrl-C; it happens in one process at one step.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from infotorch.commands.processes import joined_processes, rank
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.runs.runner import run
from infotorch.runs.session import Session
from infotorch.training.devices import join


def recipe(staleness=0):
    settings = {
        "epochs": 3,
        "data.limit": 600,
        "batch_size": 50,
        "plan.order": "pipelined",
        "plan.staleness": staleness,
    }
    return change(find_recipe("demo", "mole"), settings)


def main(directory, what="", where="0", when="0", staleness="0"):
    torch.set_num_threads(1)
    if joined_processes() > 1:
        join("cpu")
    tell = Session._tell

    def told(self, info):
        if what and rank() == int(where) and info.position.steps == int(when):
            if what == "raise":
                raise ValueError("nobody may go on")
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGINT}[what])
        tell(self, info)

    Session._tell = told
    try:
        run(recipe(int(staleness)), Path(directory), device="cpu", resume=True, checkpoint_seconds=0.0)
    finally:
        Session._tell = tell


if __name__ == "__main__":
    main(*sys.argv[1:])
