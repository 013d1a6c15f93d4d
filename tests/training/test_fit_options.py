"""What `fit` takes beside model, data and plan: held-out data, optimisers, schedules, devices, callbacks, progress."""

import copy
import io
import pickle
import sys
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, TensorDataset

from infotorch import Plan, evaluate_modules, fit, train
from infotorch.data.batches import TensorBatches
from infotorch.training.default_plan import default_objectives
from infotorch.training.plan import evaluating

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(160, 4, generator=GENERATOR)
Y = (X[:, 0] + X[:, 1] > 0).long()
HELD = (X[:40] + 0.1, Y[:40])
RATE = 1e-2


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def odd_model(seed=0):
    """Draws in training and counts its batches."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 8), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(8, 2))


def deep_model(depth):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        widths = [4, *[6] * (depth - 1), 2]
        layers = [nn.Sequential(nn.Linear(a, b), nn.Tanh()) for a, b in pairwise(widths[:-1])]
        return nn.Sequential(*layers, nn.Linear(widths[-2], 2))


def same(one, other):
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


class TestValidation:
    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    @pytest.mark.parametrize("plan", ["X,Y:supcon+Y,CE", "Y:mine,Y:vib,CE", None])
    def test_the_training_is_the_same_bit_for_bit(self, plan, order):
        models = odd_model(), odd_model()
        before = torch.get_rng_state()
        alone = fit(models[0], (X, Y), plan=plan, order=order, epochs=2, batch_size=32)
        watched = fit(models[1], (X, Y), plan=plan, order=order, epochs=2, batch_size=32, validation=HELD)
        assert same(*models)
        assert torch.equal(torch.get_rng_state(), before)
        assert {k: v for k, v in watched.metrics.items() if k != "validation_accuracy"} == alone.metrics
        objectives = [[module.objective for module in result.plan] for result in (alone, watched)]
        assert all(same(a, b) for a, b in zip(*objectives, strict=True) if a is not None)

    def test_the_history_holds_the_numbers_of_evaluate_modules(self):
        model = odd_model()
        result = fit(model, (X, Y), plan="X,Y,CE", epochs=3, validation=HELD)
        found = evaluate_modules(result.plan, *HELD)
        for line in result.table():
            for name, value in found[line["module"]].items():
                assert line[f"validation_{name}"] == pytest.approx(value, rel=1e-7)  # accuracy: a float32 mean there
        model.eval()
        right = float((model(HELD[0]).argmax(1) == HELD[1]).float().mean())
        assert (
            result.metrics["validation_accuracy"] == result.history[-1]["validation_accuracy"] == pytest.approx(right)
        )

    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    def test_a_loader_is_measured_as_its_samples_are(self, order):
        settings = {"plan": "Y,Y,CE", "epochs": 1, "order": order}
        lines = [
            fit(odd_model(), (X, Y), validation=held, **settings).history
            for held in (HELD, DataLoader(TensorDataset(*HELD), batch_size=40), TensorDataset(*HELD))
        ]
        assert lines[0] == lines[1] == lines[2]

    @pytest.mark.parametrize(
        ("held", "kind", "message"),
        [
            ((X[:8], Y[:7]), ValueError, "fit: validation: x and y must be paired row by row, got 8 and 7"),
            ((X[:8] * float("nan"), Y[:8]), ValueError, "fit: validation: x must be finite"),
            ((X[:0], Y[:0]), ValueError, "fit: validation: x must have one sample or more, got none"),
            ((X[:8], Y[:8] + 1), ValueError, "fit: validation: y holds class 2, and .* none above 1"),
            (
                (X[:8], Y[:8].float()),
                TypeError,
                r"y must be as the training targets, classes of shape \(\), got real",
            ),
            ((X[:8], None), TypeError, "fit: validation: data must have targets, which objectives"),
            ((X[:8, :3], Y[:8]), ValueError, r"fit: validation: module '0' cannot take a tensor of shape \(1, 3\)"),
            ("test", TypeError, "fit: validation: data must be the pair"),
        ],
    )
    def test_bad_samples_are_refused_before_a_weight_moves(self, held, kind, message):
        model = odd_model()
        with pytest.raises(kind, match=message):
            fit(model, (X, Y), validation=held)
        assert same(model, odd_model())

    def test_lazy_layers_follow_the_training_samples(self):
        model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
        assert fit(model, (X, Y), plan="Y,CE", validation=HELD, epochs=1).metrics["validation_accuracy"] >= 0


class TestHistory:
    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    def test_a_line_for_each_epoch_and_module(self, order):
        seen = []
        result = fit(odd_model(), (X, Y), plan="X,Y,CE", epochs=3, order=order, callbacks=[seen.append], batch_size=64)
        if order == "sequential":
            assert [(line["epoch"], line["module"]) for line in result.history] == [
                (1 + 3 * stage + epoch, name) for stage, name in enumerate("046") for epoch in range(3)
            ]
        else:
            assert [line["epoch"] for line in result.history] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
        for line in result.history:  # means of what a callback sees
            losses = [
                float(info.losses[line["module"]].total)
                for info in seen
                if line["module"] in info.losses
                and (info.position.stage * 3 + info.position.epoch + 1 == line["epoch"])
            ]
            assert line["loss"] == sum(losses) / len(losses)

    def test_the_last_lines_are_the_metrics(self):
        result = fit(odd_model(), (X, Y), plan="X,Y:supcon+Y,CE", epochs=2)
        terms = {
            f"{line['module']}/{name}": value
            for line in result.table()
            for name, value in line.items()
            if name not in ("epoch", "module", "learning_rate", "loss")
        }
        assert terms == {name: value for name, value in result.metrics.items() if "/" in name}

    def test_pandas_takes_it(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(fit(odd_model(), (X, Y), plan="X,Y,CE", epochs=2).history)
        assert frame.loc[frame["module"] == "6", "cross_entropy_nats"].notna().all()
        assert len(frame) == 6

    def test_figure_and_summary(self):
        result = fit(odd_model(), (X, Y), plan="X,Y,CE", epochs=2, validation=HELD)
        figure = result.figure("accuracy")
        assert [trace.name for trace in figure.data] == ["4, validation", "6, validation"]
        assert len(result.figure().data) == 6
        assert list(figure.data[1].x) == [5, 6]
        with pytest.raises(ValueError, match=r"FitResult.figure: quantity must be one of .*, got 'lossy'"):
            result.figure("lossy")
        lines = repr(result).splitlines()
        assert lines[0].startswith("FitResult of 3 modules, sequential: train_accuracy 0.")
        assert [line.split(":")[0] for line in lines[1:]] == ["  0 (X)", "  4 (Y)", "  6 (CE)"]


class TestCallbacks:
    def test_they_get_what_train_yields_and_change_nothing(self):
        models, seen, more = (odd_model(), odd_model()), [], []
        fit(models[0], (X, Y), plan="X,Y,CE", epochs=2, batch_size=64, callbacks=(seen.append, more.append))
        plan = Plan.layerwise(models[1], objectives="X,Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))
        by_hand = list(train(plan, (X, Y), epochs=2, batch_size=64))
        assert [info.position for info in seen] == [info.position for info in by_hand]
        assert all(a is b for a, b in zip(seen, more, strict=True))
        assert same(*models)

    def test_what_one_raises_passes_and_the_modes_come_back(self):
        def stop(info):
            if info.next.steps == 2:
                raise KeyboardInterrupt

        model = odd_model().eval()
        with pytest.raises(KeyboardInterrupt):
            fit(model, (X, Y), plan="X,Y,CE", callbacks=[stop])
        assert not any(layer.training for layer in model.modules())


class TestOptimisers:
    def test_an_optimiser_and_a_schedule_are_those_of_a_plan_by_hand(self):
        models = odd_model(), odd_model()
        given = fit(models[0], (X, Y), plan="X,Y,CE", epochs=2, optimizer=sgd, scheduler=CosineAnnealingLR)
        plan = Plan.layerwise(models[1], objectives="X,Y,CE", optimizer=sgd, scheduler=CosineAnnealingLR)
        for _ in train(plan, TensorBatches(X, Y, batch_size=128), epochs=2):
            pass
        assert same(*models)
        # half a cosine over 2 epochs of 2 steps: the rates of steps 2 and 4
        rates = [line["learning_rate"] for line in given.history if line["module"] == "0"]
        assert rates == pytest.approx([0.05 * (1 + 2**-0.5), 0.05 * (1 - 2**-0.5)])

    def test_one_for_each_module(self):
        result = fit(odd_model(), (X, Y), plan="X,Y,CE", epochs=1, optimizer=[sgd, torch.optim.Adam, torch.optim.AdamW])
        made = [type(module.update.optimizer).__name__ for module in result.plan]
        assert made == ["SGD", "Adam", "AdamW"]

    @pytest.mark.parametrize(
        ("wrong", "kind", "message"),
        [
            ({"optimizer": sgd, "lr": 0.1}, ValueError, "fit: lr must be left out where optimizer makes the rates"),
            ({"optimizer": sgd([nn.Parameter(X)])}, TypeError, "fit: optimizer must make an optimiser"),
            ({"scheduler": "cosine"}, TypeError, "fit: scheduler must be"),
            ({"callbacks": print}, TypeError, "fit: callbacks must be a list of functions"),
            ({"callbacks": ["print"]}, TypeError, "fit: a callback must be"),
            ({"progress": 3}, TypeError, "fit: progress must be True or False, got 3"),
            ({"device": "gpu"}, ValueError, "fit: device: must be auto, cpu, cuda"),
            ({"device": 3}, TypeError, "fit: device must be a name"),
            ({"precision": "bf16"}, ValueError, "fit: precision: must be one of 32-true, 64-true, bf16-mixed"),
        ],
    )
    def test_wrong_ones_are_refused(self, wrong, kind, message):
        with pytest.raises(kind, match=message):
            fit(odd_model(), (X, Y), **wrong)

    @pytest.mark.parametrize("name", ["optimizer", "scheduler"])
    def test_a_plan_of_ones_own_has_its_own(self, name):
        model = odd_model()
        with pytest.raises(ValueError, match=f"fit: {name} must be that of the plan"):
            fit(model, (X, Y), plan=Plan.end_to_end(model, optimizer=sgd), **{name: sgd})


class TestDevices:
    def test_the_cpu_changes_nothing(self):
        models = odd_model(), odd_model()
        fit(models[0], (X, Y), plan="X,Y,CE", epochs=1)
        fit(models[1], (X, Y), plan="X,Y,CE", epochs=1, device="cpu", precision="32-true")
        assert same(*models)

    def test_bfloat16_forward_passes_and_float32_weights(self):
        model, seen = odd_model(), set()
        model[4].register_forward_hook(lambda layer, inputs, output: seen.add((layer.training, output.dtype)))
        fit(model, (X, Y), plan="Y,Y,CE", epochs=1, precision="bf16-mixed", validation=HELD)
        assert (True, torch.bfloat16) in seen
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}

    def test_float64(self):
        model = odd_model()
        assert fit(model, (X, Y), plan="X,Y,CE", epochs=1, precision="64-true").diverged is None
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}


class TestDefaultPlan:
    @pytest.mark.parametrize("depth", range(1, 9))
    def test_it_fits_any_depth(self, depth):
        result = fit(deep_model(depth), (X, Y), epochs=1)
        assert len(result.plan) == depth
        assert str(result.plan[-1]).endswith("(CE)")

    def test_one_module_is_back_propagation(self):
        models = deep_model(1), deep_model(1)
        fit(models[0], (X, Y), epochs=2)
        fit(models[1], (X, Y), epochs=2, plan="CE", cuts=())
        assert same(*models)

    @pytest.mark.parametrize(
        ("y", "names"),
        [
            (torch.tensor([0, 1, -1]), ["Y:supcon+Y", "Y:supcon+Y", "CE"]),
            (torch.tensor([0.5, 1.0]), ["Y", "Y", "MSE"]),
            (torch.tensor([[0, 1], [-1, 1]]), ["Y", "Y", "CE"]),
            (torch.tensor([-1, -1]), ["X", "X", "X"]),
            (torch.tensor([torch.nan, torch.nan]), ["X", "X", "X"]),
            (None, ["X", "X", "X"]),
        ],
    )
    def test_it_follows_the_targets(self, y, names):
        assert default_objectives(3, y) == names

    def test_without_targets_it_is_about_the_input(self):
        unlabelled = fit(deep_model(3), (X, None), epochs=1)
        assert {name.partition("/")[2] for name in unlabelled.metrics} == {"log_likelihood_nats"}

    @pytest.mark.parametrize(
        ("y", "score"), [(X[:, :2] * torch.tensor([1.0, -2.0]), "train_r2"), ((X[:, :2] > 0).long(), "train_accuracy")]
    )
    def test_numbers_and_several_labels_are_learnt(self, y, score):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        assert fit(model, (X, y), epochs=30, batch_size=16, lr=3e-2).metrics[score] > 0.9

    def test_a_backbone_with_fixed_weights_stays_frozen(self):
        model = deep_model(3)
        kept = copy.deepcopy(model[0].requires_grad_(False))
        result = fit(model, (X, Y), epochs=1)
        assert result.plan[0].objective is None
        assert same(model[0], kept)


class TestPickling:
    PLANS = (None, "X:infonce,Y:renyi,CE", "Y:hsic,frozen,CE", "Y:mine,Y:vib,CE")

    @pytest.mark.parametrize("plan", PLANS)
    def test_a_result_that_was_read_says_the_same(self, plan):
        result = fit(odd_model(), (X, Y), plan=plan, epochs=1, validation=HELD, scheduler=CosineAnnealingLR)
        read = pickle.loads(pickle.dumps(result))
        assert (read.metrics, read.history, repr(read)) == (result.metrics, result.history, repr(result))
        assert read.evaluate(HELD) == result.evaluate(HELD) == {"accuracy": result.metrics["validation_accuracy"]}
        assert evaluate_modules(read.plan, *HELD) == evaluate_modules(result.plan, *HELD)
        with torch.no_grad(), evaluating(read.plan), evaluating(result.plan):
            assert all(torch.equal(a, b) for a, b in zip(read.plan.outputs(X), result.plan.outputs(X), strict=True))
        before = copy.deepcopy(read.plan[-1].body)
        with pytest.raises(ValueError, match="Plan: optimisers are not pickled, so that this plan cannot train on"):
            train(read.plan, (X, Y), epochs=1)
        assert same(before, read.plan[-1].body)

    def test_the_model_is_read_with_it(self):
        model = odd_model()
        result = fit(model, (X, Y), epochs=1)
        again, read = pickle.loads(pickle.dumps((model, result)))
        fit(again, (X, Y), epochs=1)  # the plan that was read sees the weights that were trained on
        with torch.no_grad(), evaluating(read.plan):
            assert torch.equal(again.eval()(X), read.plan.outputs(X)[-1])

    def test_the_result_itself_trains_on(self):
        result = fit(odd_model(), (X, Y), plan="X,Y,CE", epochs=1)
        pickle.dumps(result)
        copied = copy.deepcopy(result)
        for one in (result, copied):
            assert len(list(train(one.plan, (X, Y), epochs=1))) == 6

    def test_proximal_plans(self):
        model = odd_model()
        plan = Plan.proximal(model, "4", optimizer=lambda p: torch.optim.SGD(p, lr=0.1), step_size=0.1)
        result = fit(model, (X, Y), plan=plan, epochs=1)
        assert pickle.loads(pickle.dumps(result)).evaluate(HELD) == result.evaluate(HELD)


class TestModelsStayPlain:
    def test_state_dict_copy_and_compile(self):
        model = odd_model()
        keys = list(model.state_dict())
        fit(model, (X, Y), epochs=1, validation=HELD)
        assert list(model.state_dict()) == keys
        fresh = odd_model(1)
        fresh.load_state_dict(model.state_dict())
        model.eval()
        wanted = model(X)
        assert torch.equal(fresh.eval()(X), wanted)
        assert torch.equal(copy.deepcopy(model)(X), wanted)
        assert torch.equal(pickle.loads(pickle.dumps(model))(X), wanted)
        assert torch.allclose(torch.compile(model, backend="eager")(X), wanted, atol=1e-6)
        assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())

    def test_export(self):
        model = odd_model()
        fit(model, (X, Y), epochs=1)
        wanted = model.eval()(X)
        assert torch.allclose(torch.export.export(model, (X,)).module()(X), wanted, atol=1e-6)

    def test_onnx(self):
        pytest.importorskip("onnxscript")
        evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
        model = odd_model()
        fit(model, (X, Y), epochs=1)
        wanted = model.eval()(X)
        exported = torch.onnx.export(model, (X,), dynamo=True, verbose=False)
        graph = evaluator(exported.model_proto)
        (found,) = graph.run(None, {graph.input_names[0]: X.numpy()})
        assert torch.allclose(torch.from_numpy(found), wanted, atol=1e-5)


class TestEvaluate:
    def test_every_kind_of_data(self):
        result = fit(odd_model(), (X, Y), epochs=3)
        held = TensorDataset(*HELD)
        kinds = (HELD, tuple(part.numpy() for part in HELD), held, DataLoader(held, batch_size=7))
        found = [result.evaluate(kind)["accuracy"] for kind in kinds]
        assert len(set(found)) == 1
        with torch.no_grad(), evaluating(result.plan):
            right = (result.plan.outputs(HELD[0])[-1].argmax(1) == HELD[1]).float().mean()
        assert found[0] == pytest.approx(float(right))

    @pytest.mark.parametrize(
        ("data", "kind", "message"),
        [
            ((X, None), ValueError, "FitResult.evaluate: data must have targets, got y=None"),
            ((X, X[:, :1]), ValueError, "FitResult.evaluate: y must have a known target and fit"),
            (X, TypeError, "FitResult.evaluate: data must be the pair"),
        ],
    )
    def test_bad_data(self, data, kind, message):
        with pytest.raises(kind, match=message):
            fit(odd_model(), (X, Y), epochs=1).evaluate(data)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def _shown(self, monkeypatch, stream, **settings):
        monkeypatch.setattr(sys, "stderr", stream)
        clock = iter(range(10_000))
        monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
        fit(odd_model(), (X, Y), plan="X,Y,CE", epochs=2, **settings)
        return stream.getvalue()

    def test_a_bar_on_a_terminal_alone(self, monkeypatch):
        monkeypatch.setenv("TERM", "xterm")
        assert "%" in self._shown(monkeypatch, Terminal())
        assert self._shown(monkeypatch, io.StringIO()) == ""
        assert self._shown(monkeypatch, Terminal(), progress=False) == ""


def test_a_model_whose_weights_are_all_fixed_is_refused():
    with pytest.raises(ValueError, match="fit: model must have a weight to train, got none with requires_grad=True"):
        fit(deep_model(2).requires_grad_(False), (X, Y))


def test_a_plan_of_another_model_is_refused_and_trains_nothing():
    """It was trained in place of the model, in silence, and its score was told."""
    one, other = nn.Sequential(nn.Linear(4, 2)), nn.Sequential(nn.Linear(4, 2))
    before = other[0].weight.detach().clone()
    plan = Plan.end_to_end(other, optimizer=sgd)
    with pytest.raises(
        ValueError, match=r"fit: the plan is of another model, .*; make the plan of this model, or call"
    ):
        fit(one, (X, Y), plan=plan, epochs=1)
    assert torch.equal(other[0].weight, before)
    assert fit(other, (X, Y), plan=plan, epochs=1).plan is plan
