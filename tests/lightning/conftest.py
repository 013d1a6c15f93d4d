"""Tiny trainers without output, and a module of one's own."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lightning

QUIET = {
    "accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
    "enable_model_summary": False, "log_every_n_steps": 1,
}  # fmt: skip


def samples(n=96):
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


def network(dropout=0.1):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))


class Net(lightning.LightningModule):
    dropout = 0.0  # Lightning's checkpoints do not hold torch's global generator

    def __init__(self):
        super().__init__()
        self.model = network(self.dropout)

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_step=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("validation_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


@pytest.fixture
def loader():
    return DataLoader(TensorDataset(*samples()), batch_size=16)


@pytest.fixture
def trainer(tmp_path):
    def make(*callbacks, **settings):
        torch.manual_seed(0)
        return lightning.Trainer(**{
            **QUIET,
            "max_epochs": 4,
            "default_root_dir": tmp_path,
            "callbacks": [*callbacks],
            **settings,
        })

    return make


class StopAfter(lightning.Callback):
    """Ends a run early, as a kill would."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs
