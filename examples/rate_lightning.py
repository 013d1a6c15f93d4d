"""A learning rate that follows mutual information, in a Lightning Trainer: a callback that resumes with it.

Needs Lightning: pip install 'infotorch[lightning]'
"""

import logging
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from infotorch import InformationSignal, MutualInformationDecay, load

try:
    import lightning
except ModuleNotFoundError:
    sys.exit("rate_lightning.py needs Lightning: pip install 'infotorch[lightning]'")

EPOCHS = 10
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
        """The schedule is not Lightning's to step: it needs the information, which the callback measures."""
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


# infotorch, from here ...
class InformedRate(lightning.Callback):
    """Measures I(T; Y) after every epoch and sets the rate of the next one."""

    def __init__(self):
        self.schedule, self.saved = None, None

    def on_fit_start(self, trainer, module):
        """The optimiser is there, the weights are where they will be trained."""
        x, y = (part.to(module.device) for part in (data.train.x, data.train.y))
        self.signal = InformationSignal(module, (x, y), num_samples=500)
        self.schedule = MutualInformationDecay(
            trainer.optimizers[0],
            lr_min=1e-3,
            lr_max=0.2,
            lr_top=0.1,
            threshold=0.01,
            ceiling=self.signal.ceiling,
            epochs=trainer.max_epochs,
        )
        if self.saved is not None:
            self.schedule.load_state_dict(self.saved)

    def on_train_epoch_end(self, trainer, module):
        """The first process measures and tells the others, whose statistics of batch norm may differ."""
        rate = self.schedule.get_last_lr()[0]
        self.schedule.step(trainer.strategy.broadcast(self.signal() if trainer.is_global_zero else None))
        nats = self.schedule.history[0][-1]["signal"]
        print(f"epoch {trainer.current_epoch + 1}: rate {rate:.4f}, I(T;Y) {nats:.3f} nats")

    def state_dict(self):
        """Goes into the Trainer's checkpoints."""
        return self.schedule.state_dict()

    def load_state_dict(self, state_dict):
        """Comes before the schedule is made."""
        self.saved = state_dict


# ... to here

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
lightning.seed_everything(0, verbose=False)
model = Digits()
trainer = lightning.Trainer(
    max_epochs=EPOCHS,
    accelerator="cpu",
    callbacks=[InformedRate()],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, DataLoader(TensorDataset(data.train.x, data.train.y), batch_size=64, shuffle=True))
with torch.no_grad():
    found = model.eval()(data.test.x).argmax(dim=1)
print(f"test accuracy {(found == data.test.y).float().mean():.3f}")
