"""Training module by module in a Lightning Trainer, beside back-propagation on the same network.

Needs Lightning: pip install 'infotorch[lightning]'
"""

import logging
import sys
from functools import partial

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from infotorch import Plan, audit_isolation, load

try:
    import lightning
except ModuleNotFoundError:
    sys.exit("local_lightning.py needs Lightning: pip install 'infotorch[lightning]'")

from infotorch.lightning import LocalLearning

data = load("digits")
adam = partial(torch.optim.Adam, lr=3e-3)


def network():
    """Three layers."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def accuracy_of(plan, model):
    """Test accuracy after fifteen epochs."""
    module = LocalLearning(model, plan)
    trainer = lightning.Trainer(
        max_epochs=15,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    torch.manual_seed(0)  # the loader's order
    trainer.fit(module, DataLoader(TensorDataset(data.train.x, data.train.y), batch_size=64, shuffle=True))
    (found,) = trainer.test(module, DataLoader(TensorDataset(data.test.x, data.test.y), batch_size=359), verbose=False)
    return found["test_accuracy"]


logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
model = network()
# infotorch, from here ...
plan = Plan.layerwise(model, objectives="Y,Y,CE", order="simultaneous", optimizer=adam)
print(f"module by module {accuracy_of(plan, model):.3f}")
# ... to here
whole = network()
print(f"back-propagation {accuracy_of(Plan.end_to_end(whole, optimizer=adam), whole):.3f}")
print(audit_isolation(plan, data.train.x[:64], data.train.y[:64]).summary)
