"""A learning rate that follows mutual information, in a Lightning Trainer: a callback that resumes with it.

Needs Lightning: pip install 'infotorch[lightning]'
"""

import logging
import sys
from itertools import pairwise

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from infotorch import load

try:
    import lightning
except ModuleNotFoundError:
    sys.exit("rate_lightning.py needs Lightning: pip install 'infotorch[lightning]'")

from infotorch.lightning import MutualInformationDecay

data = load("digits")


class Digits(lightning.LightningModule):
    """A network of one's own."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x):
        """Class scores."""
        return self.model(x)

    def training_step(self, batch, _):
        """Cross-entropy."""
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def configure_optimizers(self):
        """The optimizer alone: its rate is the callback's."""
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
lightning.seed_everything(0, verbose=False)
model = Digits()
# infotorch, from here ...
rate = MutualInformationDecay(data, num_samples=500, lr_min=1e-3, lr_max=0.2, lr_top=0.1, threshold=0.01)
trainer = lightning.Trainer(
    max_epochs=10,
    callbacks=[rate],
    # ... to here
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, DataLoader(TensorDataset(data.train.x, data.train.y), batch_size=64, shuffle=True))
(lines,) = rate.history  # of the one parameter group
for epoch, (before, after) in enumerate(pairwise(lines), start=1):
    print(f"epoch {epoch}: rate {before['lr']:.4f}, I(T;Y) {after['signal']:.3f} nats")
with torch.no_grad():
    found = model.eval()(data.test.x).argmax(dim=1)
print(f"test accuracy {(found == data.test.y).float().mean():.3f}")
