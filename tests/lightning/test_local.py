"""Training module by module in a trainer: the numbers of `fit`, certified, resumed, evaluated, copied."""

import copy
import math
import pickle

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import infotorch
import lightning
from infotorch import Plan, fit
from infotorch.lightning import LocalLearning
from infotorch.lightning.plan_optimizer import PlanOptimizer

from .conftest import Net, StopAfter, network, samples
from .test_rates import same

DATA = samples()


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def cosine(optimizer, steps):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def planned(model, **settings):
    return Plan.layerwise(model, ["4"], **{"objectives": "Y,CE", "optimizer": adam, "scheduler": cosine, **settings})


def made(model=None, **settings):
    model = network() if model is None else model
    return LocalLearning(model, planned(model, **settings))


@pytest.mark.parametrize(("order", "epochs"), [("sequential", 2), ("simultaneous", 4)])
def test_the_weights_and_losses_are_those_of_fit_bit_for_bit(order, epochs, trainer, loader):
    module, model = made(order=order), network()
    trained = trainer()
    trained.fit(module, loader, loader)
    known = fit(model, loader, plan=planned(model, order=order), epochs=epochs, progress=False)
    assert same(module.model, model)
    for line in known.table():
        name = line["module"]
        assert trained.callback_metrics[f"{name}/loss"].item() == pytest.approx(line["loss"], abs=1e-6)
    assert trained.global_step == 24  # batches
    rate = trained.optimizers[0].param_groups[-1]["lr"]
    assert rate == known.plan[1].update.learning_rate == pytest.approx(0, abs=1e-9)  # the end of the cosine


@pytest.mark.slow
def test_every_scheme_of_the_library_trains_alike(trainer, loader):
    """A proximal split, whose two optimisers are no gradient update's."""
    plans = [
        (model, Plan.proximal(model, "4", optimizer=adam, step_size=0.1, order=1)) for model in (network(), network())
    ]
    trainer(max_epochs=2).fit(LocalLearning(*plans[0]), loader)
    fit(plans[1][0], loader, plan=plans[1][1], epochs=2, progress=False)
    assert same(plans[0][0], plans[1][0])


def test_the_network_of_a_lightning_module_trains_without_its_own_step(trainer, loader):
    net, model = Net(), network(0.0)
    module = LocalLearning(net, planned(net.model))
    trainer().fit(module, loader)
    fit(model, loader, plan=planned(model), epochs=2, progress=False)
    assert same(net.model, model)


def test_its_step_is_certified(trainer, loader):
    module = made(order="simultaneous")
    trainer(max_epochs=1).fit(module, loader)
    assert infotorch.audit_isolation(module.plan, *DATA).certified
    crossing = made(order="simultaneous", isolated=False)
    trainer(max_epochs=1).fit(crossing, loader)
    assert not infotorch.audit_isolation(crossing.plan, *DATA).certified


@pytest.mark.parametrize("order", ["sequential", pytest.param("simultaneous", marks=pytest.mark.slow)])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(order, trainer, loader, tmp_path):
    def run(stop=4, ckpt_path=None):
        module = made(order=order)
        keep = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        trainer(StopAfter(stop), keep, enable_checkpointing=True).fit(module, loader, ckpt_path=ckpt_path)
        return module

    whole = run()
    (tmp_path / "epoch=3.ckpt").unlink()
    run(1)
    resumed = run(ckpt_path=tmp_path / "epoch=0.ckpt")
    assert same(resumed, whole)
    for one, other in zip(resumed.plan, whole.plan, strict=True):
        state, kept = one.objective.state_dict(), other.objective.state_dict()
        assert all(torch.equal(value, kept[key]) for key, value in state.items())  # the read-outs
        assert one.update.learning_rate == other.update.learning_rate


def test_a_checkpoint_becomes_a_module_that_predicts(trainer, loader, tmp_path):
    module = made()
    ran = trainer()
    ran.fit(module, loader)
    ran.save_checkpoint(tmp_path / "end.ckpt")
    assert torch.load(tmp_path / "end.ckpt", weights_only=True)["optimizer_states"]  # plain values
    fresh = network()
    loaded = LocalLearning.load_from_checkpoint(
        tmp_path / "end.ckpt", model=fresh, plan=planned(fresh), weights_only=False
    )
    outputs = torch.cat(trainer().predict(loaded, loader))
    assert torch.equal(outputs, module.model.eval()(DATA[0]).detach())
    assert trainer().predict(loaded, DataLoader(DATA[0], batch_size=96))[0].shape == (96, 2)
    plan = Plan.end_to_end(fresh, optimizer=adam)
    plan.prepare(DATA, epochs=1, seed=0)
    with pytest.raises(ValueError, match=r"the state holds the modules 0, 4, the plan network"):
        PlanOptimizer(plan).load_state_dict(ran.optimizers[0].state_dict())


def test_validation_and_test_are_measured_as_the_library_measures(trainer, loader):
    module = made()
    ran = trainer(LearningRateMonitor(), max_epochs=2, logger=[lightning.pytorch.loggers.CSVLogger("unused")])
    ran.loggers[0]._save_dir = ran.default_root_dir
    ran.fit(module, loader, loader)
    (found,) = ran.validate(module, loader, verbose=False)
    known = infotorch.evaluate_modules(module.plan, *DATA)
    for name, numbers in known.items():
        # Means of batches of 16, which of a mean over samples is the mean.
        assert found[f"{name}/validation_loss"] == pytest.approx(numbers["loss"], abs=1e-5)
        assert found[f"{name}/validation_accuracy"] == pytest.approx(numbers["accuracy"], abs=1e-6)
    right = (module.model.eval()(DATA[0]).argmax(1) == DATA[1]).double().mean().item()
    assert found["validation_accuracy"] == pytest.approx(right, abs=1e-6)
    (tested,) = ran.test(module, loader, verbose=False)
    assert tested["test_accuracy"] == pytest.approx(right, abs=1e-6)
    (unprepared,) = trainer().validate(made(), loader, verbose=False)
    assert set(unprepared) == {"validation_accuracy"}


def test_of_several_loaders_each_has_its_own_names(trainer, loader):
    module, half = made(), DataLoader(TensorDataset(*(values[:40] for values in DATA)), batch_size=16)
    ran = trainer(max_epochs=2)
    ran.fit(module, loader, [loader, half])
    told = {name for name in ran.callback_metrics if "validation" in name}
    assert {name.rpartition("/")[2] for name in told} == {"0", "1"}
    for look, kind in ((ran.validate, "validation"), (ran.test, "test")):
        alone = [look(module, one, verbose=False)[0] for one in (loader, half)]
        together = {
            name: value for found in look(module, [loader, half], verbose=False) for name, value in found.items()
        }
        assert together == {f"{name}/{n}": value for n, found in enumerate(alone) for name, value in found.items()}
        assert f"{kind}_accuracy/1" in together
    first, second = ran.predict(module, [loader, half])
    assert len(torch.cat(first)) == 96
    assert torch.equal(torch.cat(second), torch.cat(first)[:40])


def test_real_targets_give_errors(trainer):
    x = DATA[0]
    loader = DataLoader(TensorDataset(x, x[:, :2] * 2), batch_size=16)
    module = made(objectives=["Y", nn.MSELoss()])
    ran = trainer(max_epochs=2)
    ran.fit(module, loader, loader)
    known = (module.model.eval()(x) - x[:, :2] * 2).square().mean().item()
    assert ran.callback_metrics["validation_mse"].item() == pytest.approx(known, abs=1e-5)


def test_dicts_of_inputs_train_as_in_fit(trainer):
    x, y = DATA
    rows = [{"input": row, "labels": label} for row, label in zip(x, y, strict=True)]
    module = made()
    trainer(max_epochs=2).fit(module, loader := DataLoader(rows, batch_size=16))
    model = network()
    fit(model, loader, plan=planned(model), epochs=1, progress=False)
    assert same(module.model, model)
    assert trainer().predict(module, loader)[0].shape == (16, 2)


def test_fast_dev_run_takes_a_step_of_the_first_module(trainer, loader):
    module, before = made(), network()
    trainer(fast_dev_run=True).fit(module, loader, loader)
    moved = [not torch.equal(a, b) for a, b in zip(module.model.parameters(), before.parameters(), strict=True)]
    assert moved == [True] * 4 + [False] * 2


def infinite(output, y):
    return output.sum() / 0


def test_a_loss_that_is_not_finite_ends_the_training(trainer, loader, capsys):
    module = made(scheduler=None, objectives=["frozen", infinite])
    ran = trainer(max_epochs=30)
    ran.fit(module, loader)
    assert module.last_step.diverged == "4"
    assert ran.global_step == 1
    assert "module '4' diverged: its loss or weights are not finite; training ends" in capsys.readouterr().out


def test_copies_train_on_and_pickles_evaluate(trainer, loader):
    module = made(scheduler=None)
    trainer(max_epochs=2).fit(module, loader)
    copied, read = copy.deepcopy(module), pickle.loads(pickle.dumps(module))
    assert trainer().validate(read, loader, verbose=False) == trainer().validate(module, loader, verbose=False)
    for one in (copied, module):
        trainer(max_epochs=2).fit(one, loader)
    assert same(copied.model, module.model)
    with pytest.raises(ValueError, match=r"optimisers are not pickled, so that this plan cannot train on"):
        trainer(max_epochs=2).fit(read, loader)


def test_what_does_not_fit_is_refused(trainer, loader):
    with pytest.raises(ValueError, match=r"plan must be one of this model, and module '0' has weights that it does"):
        LocalLearning(network(), planned(network()))
    with pytest.raises(TypeError, match=r"LocalLearning: plan must be a Plan"):
        LocalLearning(network(), "Y,CE")
    with pytest.raises(TypeError, match=r"LocalLearning: model must be a torch.nn.Module"):
        LocalLearning(math.sin, planned(network()))
    with pytest.raises(ValueError, match=r"max_epochs must be a multiple of 2, as the plan trains 2 modules one af"):
        trainer(max_epochs=3).fit(made(), loader)
    with pytest.raises(ValueError, match=r"mixed precision is not supported, got precision='bf16-mixed'"):
        trainer(precision="bf16-mixed").fit(made(), loader)
    with pytest.raises(ValueError, match=r"one training DataLoader that knows its length is needed, got list"):
        trainer().fit(made(), [loader, loader])
    with pytest.raises(MisconfigurationException, match=r"accumulation is not supported for manual optimization"):
        trainer(accumulate_grad_batches=2).fit(made(), loader)
    module = made()
    module.trainer = trainer(devices=2, strategy="ddp")
    with pytest.raises(ValueError, match=r"LocalLearning: one device alone is supported, got 2"):
        module.setup("fit")


@pytest.mark.slow
def test_graphs_are_refused():
    data = pytest.importorskip("torch_geometric.data")
    graph = data.Data(x=torch.zeros(3, 4), edge_index=torch.zeros(2, 0, dtype=torch.long), y=torch.tensor([0]))
    with pytest.raises(ValueError, match=r"LocalLearning: graphs are not supported here; use infotorch.fit"):
        made()._read(graph)
