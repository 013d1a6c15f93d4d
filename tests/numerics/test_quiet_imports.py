"""The caller's generators are as they were after the first use of anything, when other packages are imported."""

import subprocess
import sys

import pytest

PROGRAM = """
import random
import infotorch
import numpy as np
import torch

x, y = torch.randn(60, 4), torch.arange(60) % 2
model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
plan = infotorch.Plan.layerwise(model, (), "CE", optimizer=torch.optim.SGD)

def states():
    return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()

def embed():
    from infotorch.diagnostics import embed_modules
    embed_modules(plan, {"train": (x, y)}, num_samples=20)

def extras():
    import infotorch.assessment.robustness, infotorch.commands.main, infotorch.recipes.search, infotorch.report.page
    for name in ("torch_geometric.data", "optuna", "plotly.graph_objects", "numba", "pytorch_optimizer", "lightning"):
        try:
            __import__(name)
        except ModuleNotFoundError:
            pass

calls = {
    "load": lambda: infotorch.load("digits"),
    "embed_modules": embed,
    "diagnose": lambda: infotorch.diagnose(model, (x, y)),
    "extras": extras,
}
"""


def moved(*names: str) -> str:
    """Names of the calls, made in this order in a fresh process, after which a generator is another one."""
    asking = f"for name in {names}:\n    held = states(); calls[name]()\n    if states() != held: print(name)"
    program = f"{PROGRAM}\n{asking}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_first_load_moves_no_generator():
    assert moved("load") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["embed_modules", "diagnose", "extras"])
def test_the_first_use_of_what_loads_late_moves_no_generator(name):
    assert moved(name) == ""
