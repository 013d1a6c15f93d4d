"""The range test before training: what it finds is the library's, and it leaves no trace but the rate."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import infotorch
from infotorch.lightning import LearningRateRange, MutualInformationDecay

from .conftest import Net, samples
from .test_rates import Two, same

DATA = samples()
QUICK = {"rates": [1e-3, 1e-1, 1.0], "trials": 1, "epochs": 2}


def test_it_finds_what_a_plain_loop_finds_and_trains_from_there(trainer, loader):
    module = Net()
    optimizer = module.configure_optimizers()

    def epoch():
        module.train()
        losses = []
        for x, y in loader:
            loss = nn.functional.cross_entropy(module(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return {"loss": float(torch.stack(losses).mean())}

    torch.manual_seed(0)
    known = infotorch.lr_range_test(module, optimizer, epoch, **QUICK)
    test = LearningRateRange(**QUICK)
    made = trainer(test, max_epochs=1)
    made.fit(Net(), loader)
    assert (test.found.lr_min, test.found.lr_top, test.found.lr_max) == (known.lr_min, known.lr_top, known.lr_max)
    assert test.found.probes == known.probes
    assert made.optimizers[0].param_groups[0]["lr"] == known.lr_top


class Telling(Net):
    def __init__(self):
        super().__init__()
        self.losses = []

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.losses.append(loss.item())
        return loss


@pytest.mark.parametrize("settings", [{"gradient_clip_val": 0.01}, {"accumulate_grad_batches": 4}])
def test_its_steps_are_those_of_the_trainer(settings, trainer, loader):
    module = Telling()
    with pytest.warns(UserWarning, match="lr_min equals lr_max"):
        trainer(LearningRateRange(rates=[0.1], trials=1, epochs=2), max_epochs=2, **settings).fit(module, loader)
    assert len(module.losses) == 4 * len(loader)
    assert module.losses[: 2 * len(loader)] == module.losses[2 * len(loader) :]  # those of the test, and of the run


class Dropping(Net):
    dropout, rate = 0.3, 0.1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate, momentum=0.9)


def test_it_leaves_no_trace_but_the_rate(trainer, loader):
    test = LearningRateRange(**QUICK)
    made = trainer(test, max_epochs=1)
    made.fit(searched := Dropping(), loader)
    plain = Dropping()
    plain.rate = test.found.lr_top
    trainer(max_epochs=1).fit(plain, loader)
    assert same(searched, plain)  # dropout too: random states were put back
    assert "log" not in vars(searched)
    assert float(made.callback_metrics["train_loss"]) > 0  # the run's own


def test_a_decay_behind_it_takes_its_range(trainer, loader):
    test = LearningRateRange(DATA, num_samples=96, **QUICK)
    rate = MutualInformationDecay(DATA, num_samples=96)
    trainer(test, rate, max_epochs=1).fit(Net(), loader)
    assert rate.schedule.lr_max == [test.found.lr_max]
    assert rate.schedule.threshold == [test.found.threshold]
    assert rate.history[0][0]["lr"] == test.found.lr_top
    with pytest.raises(ValueError, match=r"lr_min must be given, .* got neither: it stands behind this callback"):
        trainer(MutualInformationDecay(DATA, num_samples=96), LearningRateRange(**QUICK)).fit(Net(), loader)
    with pytest.raises(ValueError, match=r"threshold must be given, or LearningRateRange\(data\) stand before"):
        trainer(LearningRateRange(**QUICK), MutualInformationDecay(DATA, num_samples=96)).fit(Net(), loader)


def test_a_run_that_goes_on_does_not_search_again(trainer, loader, tmp_path):
    test = LearningRateRange(**QUICK)
    made = trainer(test, max_epochs=1)
    made.fit(Net(), loader)
    made.save_checkpoint(tmp_path / "one.ckpt")
    gone_on = LearningRateRange(**{**QUICK, "rates": [0.5, 0.6]})
    more = trainer(gone_on, max_epochs=2)
    more.fit(Net(), loader, ckpt_path=tmp_path / "one.ckpt")
    assert gone_on.found == test.found
    assert more.optimizers[0].param_groups[0]["lr"] == test.found.lr_top


def test_what_it_cannot_test_is_refused(trainer, loader):
    with pytest.raises(ValueError, match=r"workers must be 1, as a Trainer is not copied, got 2"):
        LearningRateRange(options=infotorch.RangeOptions(workers=2))
    with pytest.raises(ValueError, match=r"batches must be at least 1, got 0"):
        LearningRateRange(batches=0)
    with pytest.raises(ValueError, match=r"manual optimisation takes steps of its own"):
        trainer(LearningRateRange(optimizer=0, **QUICK)).fit(Two(), loader)
    with pytest.raises(ValueError, match=r"mixed precision must be off for the test, got precision='bf16-mixed'"):
        trainer(LearningRateRange(**QUICK), precision="bf16-mixed").fit(Net(), loader)
    with pytest.raises(ValueError, match=r"one training DataLoader is needed, got list"):
        trainer(LearningRateRange(**QUICK)).fit(Net(), [loader])
    lasting = DataLoader(TensorDataset(*DATA), batch_size=16, num_workers=1, persistent_workers=True)
    with pytest.raises(ValueError, match=r"must not persist; use persistent_workers=False"):
        trainer(LearningRateRange(**QUICK)).fit(Net(), lasting)


class Silent(Net):
    def training_step(self, batch):
        return {"loss": "none"}


def test_a_step_without_a_loss_is_refused(trainer, loader):
    with pytest.raises(TypeError, match=r"training_step must return a loss, got dict"):
        trainer(LearningRateRange(**QUICK)).fit(Silent(), loader)
