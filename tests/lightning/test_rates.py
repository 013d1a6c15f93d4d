"""The callbacks that set rates and watch: the schedules' own numbers, checkpoints that go on, loggers, refusals."""

import csv
import importlib
import pickle
import sys

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn

import infotorch
import lightning
from infotorch.lightning import InformationAnneal, InformationPlane, LearningRateRange, MutualInformationDecay

from .conftest import Net, StopAfter, samples

DATA = samples()
RANGE = {"lr_min": 1e-3, "lr_max": 0.2, "lr_top": 0.1, "threshold": 0.5}


def decay(**settings):
    return MutualInformationDecay(DATA, **{**RANGE, "num_samples": 96, **settings})


def anneal(**settings):
    return InformationAnneal(DATA, **{"lr_top": 0.1, "lr_min": 0.01, "num_samples": 96, "threshold": 0.3, **settings})


def plane(**settings):
    return InformationPlane(DATA, ["model.0", "model.2"], num_bins=4, **{"num_samples": 48, **settings})


def weights(module):
    return list(module.state_dict().values())


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def seen(callback):
    return callback.plane.table() if isinstance(callback, InformationPlane) else callback.history


def test_the_rates_are_those_of_a_plain_loop_bit_for_bit(trainer, loader):
    torch.manual_seed(0)
    loop = Net()
    optimizer = loop.configure_optimizers()
    signal = infotorch.InformationSignal(loop, DATA, num_samples=96)
    schedule = infotorch.MutualInformationDecay(optimizer, **RANGE, ceiling=signal.ceiling, epochs=4)
    for _ in range(4):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(loop(x), y).backward()
            optimizer.step()
        schedule.step(signal())
    module, callback = Net(), decay()
    rates = []

    class Watch(lightning.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    made = trainer(callback, Watch())
    made.fit(module, loader)
    assert callback.history == schedule.history
    assert same(module, loop)
    assert rates[::6] == [line["lr"] for line in schedule.history[0][:4]]  # what the optimizer moved by
    assert len(set(rates)) > 1
    last = schedule.history[0][-1]
    assert made.callback_metrics["mi_ty_nats"].item() == pytest.approx(last["signal"], abs=1e-6)
    assert made.callback_metrics["learning_rate"].item() == pytest.approx(last["lr"], abs=1e-9)


def test_watching_moves_no_number_of_the_run(trainer, loader):
    watched, alone = Net(), Net()
    callback = plane()
    trainer(callback).fit(watched, loader)
    trainer().fit(alone, loader)
    assert same(watched, alone)
    assert [point.epoch for point in callback.plane.points] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("make", "during_validation"),
    [
        (decay, False),
        (anneal, False),
        (plane, False),
        (decay, True),
        pytest.param(anneal, True, marks=pytest.mark.slow),
        pytest.param(plane, True, marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(make, during_validation, trainer, loader, tmp_path):
    def run(stop=4, ckpt_path=None):
        module, callback = Net(), make()
        keep = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=not during_validation)
        made = trainer(callback, StopAfter(stop), keep, enable_checkpointing=True)
        made.fit(module, loader, loader, ckpt_path=ckpt_path)
        return module, callback

    whole, its = run()
    (tmp_path / "epoch=3.ckpt").unlink()
    run(2)
    resumed, gone_on = run(ckpt_path=tmp_path / "epoch=1.ckpt")
    assert seen(gone_on) == seen(its)
    assert same(resumed, whole)


@pytest.mark.parametrize("make", [decay, anneal, plane])
def test_a_run_that_goes_on_from_an_epochs_last_batch_measures_that_epoch(make, trainer, loader, tmp_path):
    def run(ckpt_path=None):
        module, callback = Net(), make()
        keep = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=6)  # as many as an epoch has
        trainer(callback, keep, max_epochs=3, enable_checkpointing=True).fit(module, loader, ckpt_path=ckpt_path)
        return module, callback

    whole, its = run()
    resumed, gone_on = run(tmp_path / "step=6.ckpt")
    assert seen(gone_on) == seen(its)
    assert same(resumed, whole)


def test_an_epoch_that_ends_early_takes_the_steps_that_it_lacks(trainer, loader):
    callback = anneal()
    trainer(callback, max_epochs=2, max_steps=9).fit(Net(), loader)
    assert callback.schedule.last_epoch == 12
    assert callback.schedule.get_last_lr() == [pytest.approx(0.01)]


def test_steps_are_those_of_the_optimizer_where_gradients_accumulate(trainer, loader):
    callback = anneal(hold=0.0)
    made = trainer(callback, accumulate_grad_batches=4)  # 6 batches: two steps an epoch, the second of two batches
    made.fit(Net(), loader)
    assert callback.schedule.steps_per_epoch == 2
    assert callback.schedule.last_epoch == made.global_step == 8
    assert callback.schedule.get_last_lr() == [pytest.approx(0.01)]


def test_every_logger_of_the_trainer_is_told(trainer, loader, tmp_path):
    trainer(decay(), plane(), logger=CSVLogger(tmp_path, name="", version="")).fit(Net(), loader)
    with (tmp_path / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    rates = [float(line["learning_rate"]) for line in lines if line["learning_rate"]]
    assert len(rates) == 4
    assert rates[-1] < rates[0]
    told = [line["model.2/mi_ty_nats"] for line in lines if line["model.2/mi_ty_nats"]]
    assert len(told) == 5  # before training, and after every epoch
    assert 0.2 < float(told[-1]) < 0.75  # of log 2, by four bins


def test_each_layer_can_follow_its_own_information(trainer, loader):
    class Layers(Net):
        def configure_optimizers(self):
            return torch.optim.SGD(infotorch.schedules.layer_groups(self), lr=0.1)

    module = Layers()
    names = [group["name"] for group in infotorch.schedules.layer_groups(module)]
    callback = decay(layers=names)
    made = trainer(callback, max_epochs=3)
    made.fit(module, loader)
    assert len(callback.history) == 2
    assert made.callback_metrics[f"mi_ty_nats/{names[0]}"] != made.callback_metrics[f"mi_ty_nats/{names[1]}"]


class Two(Net):
    """Two optimizers, stepped by hand."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        nn.functional.cross_entropy(self(batch[0]), batch[1]).backward()
        for optimizer in self.optimizers():
            optimizer.step()
            optimizer.zero_grad()

    def configure_optimizers(self):
        return [torch.optim.SGD(self.model[part].parameters(), lr=0.1) for part in (0, 4)]


def test_one_of_several_optimizers_is_chosen(trainer, loader):
    with pytest.raises(ValueError, match=r"must give one optimizer, got 2; choose one by optimizer=0"):
        trainer(decay()).fit(Two(), loader)
    with pytest.raises(ValueError, match=r"optimizer must be the number of one of 2 optimizers, got 2"):
        trainer(decay(optimizer=2)).fit(Two(), loader)
    callback = decay(optimizer=1)
    made = trainer(callback, max_epochs=2)
    made.fit(Two(), loader)
    assert made.optimizers[0].param_groups[0]["lr"] == 0.1
    assert made.optimizers[1].param_groups[0]["lr"] == callback.history[0][-1]["lr"] != 0.1


class Scheduled(Net):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


@pytest.mark.parametrize("callback", [decay(), anneal(), LearningRateRange()])
def test_another_schedule_of_the_same_rate_is_refused(callback, trainer, loader):
    with pytest.raises(ValueError, match=r"StepLR for this optimizer, and both would set its rate; return the opt"):
        trainer(callback).fit(Scheduled(), loader)


@pytest.mark.parametrize("callback", [decay(), anneal(), plane(), LearningRateRange()])
def test_several_devices_are_refused(callback, trainer):
    name = type(callback).__name__
    with pytest.raises(ValueError, match=rf"{name}: one device alone is supported, got 2; give Trainer\(devices=1"):
        callback.setup(trainer(devices=2, strategy="ddp"), Net(), "fit")


def test_a_run_without_an_end_is_refused(trainer, loader):
    with pytest.raises(ValueError, match=r"the epochs must be known, got max_epochs=-1; give max_epochs="):
        trainer(decay(), max_epochs=-1, max_steps=3).fit(Net(), loader)
    endless = torch.utils.data.DataLoader(Endless(), batch_size=16)
    with pytest.raises(ValueError, match=r"the steps of an epoch must be known, and the training loader has no length"):
        trainer(anneal()).fit(Net(), endless)


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(zip(*DATA, strict=True))


@pytest.mark.parametrize("make", [decay, pytest.param(anneal, marks=pytest.mark.slow), plane])
def test_a_callback_can_be_pickled_and_used_again(make, trainer, loader):
    first, fresh = make(), make()
    trainer(first).fit(Net(), loader)
    copied = pickle.loads(pickle.dumps(first))
    assert copied.state_dict() == first.state_dict()
    trainer(copied).fit(Net(), loader)  # from the start, as nothing was loaded into this trainer
    trainer(fresh).fit(Net(), loader)
    assert seen(copied) == seen(fresh)


def test_without_a_top_rate_the_untrained_network_decides_it_and_checkpoints_are_plain_values(
    trainer, loader, tmp_path
):
    callback, module = decay(lr_top=None), Net()
    untrained = infotorch.InformationSignal(module, DATA, num_samples=96)
    first = max(untrained() / untrained.ceiling * RANGE["lr_max"], RANGE["lr_min"])
    made = trainer(callback, plane(), max_epochs=1)
    made.fit(module, loader)
    assert callback.history[0][0]["lr"] == first
    made.save_checkpoint(tmp_path / "one.ckpt")
    assert set(torch.load(tmp_path / "one.ckpt", weights_only=True)["callbacks"]) == {
        "MutualInformationDecay{'optimizer': None}",
        "InformationPlane",
    }
    resumed = decay(lr_top=None)
    trainer(resumed, plane(), max_epochs=2).fit(Net(), loader, ckpt_path=tmp_path / "one.ckpt")
    assert resumed.history[0][:2] == callback.history[0]


def test_fast_dev_run_tries_all_hooks(trainer, loader):
    callbacks = [decay(), plane()]
    trainer(*callbacks, fast_dev_run=True).fit(Net(), loader, loader)
    assert [len(seen(callback)[0]) for callback in callbacks[:1]] == [2]


class Informed(Net):
    """The route through configure_optimizers."""

    def on_fit_start(self):
        self.signal = infotorch.InformationSignal(self, DATA, num_samples=96)

    def on_train_epoch_end(self):
        self.log("mi", self.signal())

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        self.schedule = infotorch.MutualInformationDecay(optimizer, **RANGE, ceiling=0.6931, epochs=4)
        told = {"monitor": "mi", "reduce_on_plateau": True} if self.handing_on else {}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.schedule, **told}}

    handing_on = True


def test_a_schedule_of_configure_optimizers_gets_the_logged_information(trainer, loader):
    module, callback = Informed(), decay(ceiling=0.6931)
    trainer().fit(module, loader)
    trainer(callback).fit(Net(), loader)
    through_log = [line["signal"] for line in module.schedule.history[0][1:]]
    assert through_log == pytest.approx([line["signal"] for line in callback.history[0][1:]], abs=1e-6)  # float32
    assert module.schedule.get_last_lr() == pytest.approx(callback.schedule.get_last_lr(), abs=1e-6)


def test_a_checkpoint_of_an_epochs_end_lacks_its_step_of_such_a_schedule(trainer, loader, tmp_path):
    """As of `ReduceLROnPlateau`; docs/lightning.md says to take the callback, which has it."""
    keep = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    trainer(keep, enable_checkpointing=True, max_epochs=2).fit(whole := Informed(), loader)
    resumed = Informed()
    trainer(max_epochs=2).fit(resumed, loader, ckpt_path=tmp_path / "epoch=0.ckpt")
    assert len(whole.schedule.history[0]) == 3
    assert len(resumed.schedule.history[0]) == 2


def test_a_trainer_that_hands_on_no_information_is_named(trainer, loader):
    module = Informed()
    module.handing_on = False
    told = r"Lightning's Trainer called it without; .* \"monitor\": \"mi\", \"reduce_on_plateau\": True}, or give the"
    with pytest.raises(TypeError, match=rf"MutualInformationDecay: step\(signal\) needs .*{told}"):
        trainer().fit(module, loader)


def test_a_schedule_of_every_step_is_sent_to_its_callback(trainer, loader):
    class Annealed(Net):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            schedule = infotorch.InformationAnneal(
                optimizer, lr_top=0.1, lr_min=0.0, ceiling=0.7, epochs=4, steps_per_epoch=len(loader)
            )
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    told = (
        r"Lightning's Trainer called it without; give the Trainer the callback infotorch.lightning.InformationAnneal\.$"
    )
    with pytest.raises(TypeError, match=rf"InformationAnneal: step\(signal\) needs .*{told}"):
        trainer().fit(Annealed(), loader)


def test_without_lightning_one_line_says_what_to_install(monkeypatch):
    from infotorch.lightning import installed

    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(ModuleNotFoundError, match=r"infotorch.lightning needs lightning: pip install 'infotorch\[lig"):
        importlib.reload(installed)


def test_the_package_is_not_hidden():
    assert importlib.import_module("lightning") is lightning is not infotorch.lightning
    assert hasattr(lightning, "Trainer")
