"""Schedules inside a run: their rates, their lines in metrics.jsonl, and runs that go on."""

import json
import math

import pytest
import torch
from tests.reference.mi_decay import algorithm_1
from torch import nn

from infotorch.data.sets import Split
from infotorch.recipes.changes import change, change_from_text
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.records.run_record import RunRecord
from infotorch.runs.runner import run
from infotorch.runs.schedule_control import ScheduleController, information_signal
from infotorch.runs.session import Session
from infotorch.runs.setup import Setup
from infotorch.schedules.anneal import InformationAnneal
from infotorch.schedules.decay import MutualInformationDecay
from infotorch.schedules.signal import InformationSignal

# 200 digits in batches of 50: 4 steps an epoch.
STEPS, EPOCHS = 4, 6
SMALL = {
    "data.name": "digits", "data.limit": 200, "data.validation": 60, "epochs": EPOCHS, "batch_size": 50,
    "network.architecture": "", "network.dropout": 0.0, "network.hidden": (16,), "schedule.num_samples": 100,
}  # fmt: skip


def small(variant="network", **settings):
    return change(find_recipe("milr-mnist", variant), {**SMALL, **settings})


def lines_of(directory, module="network"):
    return [line for line in RunRecord(directory).metrics() if line["module"] == module]


def rates_of(directory, module="network"):
    return [line["learning_rate"] for line in lines_of(directory, module)]


def session_of(recipe, where, seed=0):
    return Session(Setup(recipe, seed, "cpu"), RunRecord(where))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """variant -> the directory of its run, made once."""
    made = {}

    def directory(variant):
        if variant not in made:
            made[variant] = tmp_path_factory.mktemp("runs") / variant
            assert run(small(variant), made[variant], device="cpu").status == "completed"
        return made[variant]

    return directory


class TestInformation:
    def test_rates_are_those_of_algorithm_1_on_the_signals_told(self, runs, tmp_path):
        recipe, lines = small(), lines_of(runs("network"))
        controller = session_of(recipe, tmp_path / "r").controller
        before = controller.schedule.signals[0]
        signals = [*before, *(line["train_mi_ty_nats"] for line in lines)]
        expected = algorithm_1(
            signals,
            controller.signal.ceiling,
            lr_min=recipe.schedule.lr_min,
            lr_max=recipe.schedule.lr_max,
            lr_top=recipe.optimizer.lr,
            epsilon=recipe.schedule.threshold,
            epochs=EPOCHS,
        )
        assert [line["learning_rate"] for line in lines] == pytest.approx(expected)
        most, each = torch.tensor([100.0, 10.0]).digamma().tolist()  # Ross's largest value for ten rows of ten classes
        assert controller.signal.ceiling == pytest.approx(most - each, abs=5e-3)  # classes are not quite equal
        assert len(set(expected)) > 1

    def test_every_line_tells_the_signal_and_what_the_rule_saw_in_it(self, runs, tmp_path):
        controller = session_of(small(), tmp_path / "r").controller
        (signals,), ceiling = controller.schedule.signals, controller.signal.ceiling
        for line in lines_of(runs("network")):
            signals.append(line["train_mi_ty_nats"])
            assert line["d_p"] == pytest.approx(1 - max(signals) / ceiling)
            assert line["d_s"] == pytest.approx((signals[-1] - signals[-2]) / signals[-1])
            assert 0 < line["train_mi_ty_nats"] < ceiling + 0.2  # neighbours' noise on 100 rows
            assert "mi_ty_nats_bound" not in line

    def test_the_readouts_signal_is_a_lower_bound_and_says_so(self, tmp_path):
        assert run(small(epochs=2, **{"schedule.estimator": "readout"}), tmp_path / "r", device="cpu").status
        assert {line["mi_ty_nats_bound"] for line in lines_of(tmp_path / "r")} == {"lower"}

    def test_a_signal_that_is_not_reliable_says_why_in_its_line(self, tmp_path):
        """Neighbours fall short of what a linear readout finds in many columns, where samples are few."""
        settings = {"schedule.layerwise": True, "network.hidden": (512,), "schedule.num_samples": 40, "epochs": 2}
        session = session_of(small(**settings), tmp_path / "r")
        assert session.run(resume=False).status == "completed"
        table = {line["layer"]: line for line in session.controller.signal.table()}
        lines = {layer: lines_of(tmp_path / "r", layer)[-1] for layer in table}
        doubted = {layer: line["reason"] for layer, line in table.items() if not line["reliable"]}
        assert doubted
        name = "train_mi_ty_nats_reason"
        assert {layer: line[name] for layer, line in lines.items() if name in line} == doubted

    def test_the_signal_is_measured_on_the_weights_of_the_epochs_end(self, tmp_path):
        session = session_of(small(epochs=2), tmp_path / "r")
        assert session.run(resume=False).status == "completed"
        assert lines_of(tmp_path / "r")[-1]["train_mi_ty_nats"] == pytest.approx(session.controller.signal(), abs=1e-12)

    def test_looking_at_validation_rows_more_seldom_moves_no_rate(self, runs, tmp_path):
        seldom = small(**{"validate_every": 3, "log_every": 2})
        assert run(seldom, tmp_path / "r", device="cpu").status == "completed"
        assert rates_of(tmp_path / "r") == rates_of(runs("network"))[1::2]

    def test_a_network_that_has_settled_goes_on(self, tmp_path):
        """Neighbours that no longer change give one signal, epoch after epoch."""
        settled = {"optimizer.lr": 1e-7, "schedule.lr_min": 1e-8, "schedule.lr_max": 2e-7, "epochs": 8}
        session = session_of(small(**settled), tmp_path / "r")
        session.controller.schedule.signals[0][0] -= 0.1  # it has learnt something before
        assert session.run(resume=False).status == "completed"
        assert len({line["train_mi_ty_nats"] for line in lines_of(tmp_path / "r")}) < 4


class TestLayerwise:
    def test_every_layer_has_its_own_rates_and_its_own_lines(self, runs, tmp_path):
        recipe, where = small("layerwise"), runs("layerwise")
        controller = session_of(recipe, tmp_path / "r").controller
        before = controller.schedule.signals
        per_layer = {}
        for layer, first in zip(("fc1", "fc2"), before, strict=True):
            lines = lines_of(where, layer)
            assert [line["epoch"] for line in lines] == list(range(1, EPOCHS + 1))
            assert set(lines[0]) - {"train_mi_ty_nats_reason"} == {
                "stage", "module", "epoch", "step", "learning_rate", "train_mi_ty_nats", "d_p", "d_s"
            }  # fmt: skip
            expected = algorithm_1(
                [*first, *(line["train_mi_ty_nats"] for line in lines)],
                controller.signal.ceiling,
                lr_min=1e-4,
                lr_max=recipe.schedule.lr_max,
                lr_top=recipe.optimizer.lr,
                epsilon=recipe.schedule.threshold,
                epochs=EPOCHS,
            )
            per_layer[layer] = [line["learning_rate"] for line in lines]
            assert per_layer[layer] == pytest.approx(expected)
        assert per_layer["fc1"] != per_layer["fc2"]

    def test_the_network_itself_has_losses_and_no_rate(self, runs):
        for line in lines_of(runs("layerwise")):
            assert "validation_accuracy" in line
            assert "learning_rate" not in line

    def test_the_optimiser_has_a_group_for_each_layer(self, tmp_path):
        session = session_of(small("layerwise"), tmp_path / "r")
        groups = session.plan[0].update.optimizer.param_groups
        assert [group["name"] for group in groups] == ["fc1", "fc2"]
        of_fc1 = list(session.model.get_submodule("fc1").parameters())
        assert all(mine is theirs for mine, theirs in zip(groups[0]["params"], of_fc1, strict=True))

    def test_a_layer_whose_rate_is_tiny_hardly_moves(self, tmp_path):
        session = session_of(small("layerwise", epochs=1), tmp_path / "r")
        session.plan[0].update.optimizer.param_groups[0]["lr"] = 1e-12
        before = {name: value.clone() for name, value in session.model.state_dict().items()}
        assert session.run(resume=False).status == "completed"
        moved = {name: (value - before[name]).abs().max().item() for name, value in session.model.state_dict().items()}
        assert moved["fc1.weight"] < 1e-9 < 1e-4 < moved["fc2.weight"]

    def test_every_layer_may_have_a_range_of_its_own(self, tmp_path):
        ends = {"schedule.lr_min": (1e-3, 0.02), "schedule.lr_max": [0.2, 0.15], "schedule.threshold": (1.0, 2.0)}
        recipe = small("layerwise", epochs=3, **ends)
        before = session_of(recipe, tmp_path / "before").controller
        assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
        for layer, low, high, epsilon, first in zip(
            ("fc1", "fc2"), (1e-3, 0.02), (0.2, 0.15), (1.0, 2.0), before.schedule.signals, strict=True
        ):
            lines = lines_of(tmp_path / "r", layer)
            expected = algorithm_1(
                [*first, *(line["train_mi_ty_nats"] for line in lines)],
                before.signal.ceiling,
                lr_min=low,
                lr_max=high,
                lr_top=recipe.optimizer.lr,
                epsilon=epsilon,
                epochs=3,
            )
            assert [line["learning_rate"] for line in lines] == pytest.approx(expected)
        resumed = Session(Setup(recipe, 0, "cpu"), RunRecord(tmp_path / "r")).controller.schedule
        assert (resumed.lr_min, resumed.lr_max, resumed.threshold) == ([1e-3, 0.02], [0.2, 0.15], [1.0, 2.0])

    @pytest.mark.parametrize(
        ("variant", "settings", "message"),
        [
            ("layerwise", {"schedule.lr_min": (1e-3,) * 3}, "lr_min must be .* one for each of 2 groups, got 3"),
            ("network", {"schedule.lr_max": (0.2, 0.3)}, "lr_max must be .* one for each of 1 groups, got 2"),
            ("best", {"schedule.threshold": (0.2, 0.3)}, "threshold must be .* one for each of 1 groups, got 2"),
            ("layerwise", {"schedule.lr_max": (0.2, 0.05)}, r"lr_top must lie from .* to 0\.05, got 0\.1"),
        ],
    )
    def test_ranges_that_do_not_fit_leave_nothing_behind(self, variant, settings, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            run(small(variant, **settings), tmp_path / "r", device="cpu")
        assert not (tmp_path / "r").exists()


class TestOptionsOfARow:
    def test_warm_up_takes_the_first_epochs_of_a_run(self, runs, tmp_path):
        recipe = small(**{"schedule.warmup": 3})
        assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
        top, rates = recipe.optimizer.lr, rates_of(tmp_path / "r")
        assert rates[:4] == pytest.approx([top / 4, top / 2, top * 3 / 4, top])
        assert len(rates) == EPOCHS
        signals = [line["train_mi_ty_nats"] for line in lines_of(tmp_path / "r")]
        controller = session_of(recipe, tmp_path / "other").controller
        assert controller.schedule.epochs == EPOCHS - 3
        missing = 1 - max(signals[:4]) / controller.signal.ceiling
        assert rates[4] == pytest.approx(max(missing * recipe.schedule.lr_max, recipe.schedule.lr_min))

    def test_a_warm_up_without_end_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"milr-mnist: schedule\.warmup must be below epochs, 6, got 6"):
            run(small(**{"schedule.warmup": 6}), tmp_path / "r", device="cpu")
        assert not (tmp_path / "r").exists()

    @pytest.mark.parametrize("time_decay", [True, False, "literal"])
    def test_the_time_decay_is_the_classs(self, time_decay, tmp_path):
        recipe = small(**{"schedule.time_decay": time_decay})
        assert session_of(recipe, tmp_path / "r").controller.schedule.time_decay == time_decay

    def test_the_ceiling_may_be_an_estimate_of_the_inputs_information(self, tmp_path):
        recipe = small(**{"schedule.ceiling": "estimate", "schedule.estimator": "ksg"})
        controller = session_of(recipe, tmp_path / "r").controller
        x, y = controller.signal.x, controller.signal.y
        expected = InformationSignal(
            nn.Identity(), (x, y), num_samples=len(x), estimator="ksg", ceiling="estimate"
        ).ceiling
        assert controller.schedule.ceiling == [controller.signal.ceiling]
        assert controller.signal.ceiling == pytest.approx(expected, abs=0.05)  # jitter falls on rows in another order
        assert controller.signal.ceiling < 2.0 < session_of(small(), tmp_path / "r").controller.signal.ceiling

    def test_nothing_has_changed_where_nothing_is_said(self):
        settings = find_recipe("milr-mnist").schedule
        assert (settings.ceiling, settings.time_decay, settings.warmup) == (None, True, 0)

    @pytest.mark.parametrize(
        ("text", "name", "value"),
        [
            ("schedule.lr_min=[0.001, 0.002]", "lr_min", (0.001, 0.002)),
            ("schedule.lr_max=0.1,0.2", "lr_max", (0.1, 0.2)),
            ("schedule.threshold=0.01", "threshold", 0.01),
            ("schedule.time_decay=literal", "time_decay", "literal"),
            ("schedule.time_decay=false", "time_decay", False),
            ("schedule.warmup=2", "warmup", 2),
            ("schedule.ceiling=estimate", "ceiling", "estimate"),
            ("schedule.ceiling=none", "ceiling", None),
        ],
    )
    def test_a_command_line_sets_them(self, text, name, value):
        row = change(find_recipe("milr-mnist", "layerwise"), {"schedule.threshold": (1.0, 2.0)})
        assert getattr(change_from_text(row, [text]).schedule, name) == value
        assert Recipe.model_validate_json(change_from_text(row, [text]).model_dump_json()).schedule.threshold

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("schedule.lr_min=[0.001,-1]", r"schedule\.lr_min\.1: input should be greater than 0, got -1"),
            ("schedule.lr_min=-1", r"schedule\.lr_min: input should be greater than 0, got -1"),
            ("schedule.lr_max=[]", r"schedule\.lr_max: .*at least 1 item"),
            ("schedule.lr_max=much", r"schedule\.lr_max: input should be a valid number"),
            (
                "schedule.time_decay=often",
                r"schedule\.time_decay: there is no value 'often'; allowed: true, false, literal",
            ),
            ("schedule.ceiling=high", r"schedule\.ceiling: there is no value 'high'; allowed: estimate"),
            ("schedule.num_samples=1", r"schedule\.num_samples: input should be greater than or equal to 2"),
        ],
    )
    def test_a_wrong_value_is_one_clear_complaint(self, text, complaint):
        with pytest.raises(ValueError, match=f"milr-mnist: {complaint}"):
            change_from_text(find_recipe("milr-mnist"), [text])


class TestBestAndControl:
    def test_best_anneals_from_when_the_information_stands_still(self, runs, tmp_path):
        """Any gain counts as standing still: the line begins after the second epoch, whose gain is the first."""
        recipe = small("best", **{"schedule.threshold": 1e9})
        assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
        top, low, rates = recipe.optimizer.lr, recipe.schedule.lr_min, rates_of(tmp_path / "r")
        assert rates[:2] == [top, top]
        steps, begin = STEPS * EPOCHS, STEPS * 2
        last_steps = [STEPS * epoch - 1 for epoch in range(3, EPOCHS + 1)]  # lines tell the rate of the last step
        assert rates[2:] == pytest.approx([
            top + (low - top) * (step - begin + 1) / (steps - begin) for step in last_steps
        ])

    def test_best_tells_the_gain(self, runs, tmp_path):
        lines = lines_of(runs("best"))
        assert "gain" not in lines[0]
        best, ceiling = lines[0]["train_mi_ty_nats"], session_of(small(), tmp_path / "r").controller.signal.ceiling
        assert lines[1]["gain"] == pytest.approx((lines[1]["train_mi_ty_nats"] - best) / (ceiling - best))

    def test_best_without_a_stop_is_its_control(self, tmp_path):
        """A threshold that no epoch falls below: both anneal at the same time, to the same bits."""
        for variant in ("best", "control"):
            recipe = small(variant, epochs=4, **{"schedule.threshold": 1e-12, "schedule.patience": 4})
            assert run(recipe, tmp_path / variant, device="cpu").status == "completed"
        assert rates_of(tmp_path / "best") == rates_of(tmp_path / "control")
        accuracies = [[line["validation_accuracy"] for line in lines_of(tmp_path / v)] for v in ("best", "control")]
        assert accuracies[0] == accuracies[1]

    def test_control_never_measures(self, tmp_path):
        assert session_of(small("control"), tmp_path / "r").controller is None

    def test_best_may_be_layerwise(self, tmp_path):
        recipe = small("best", epochs=2, **{"schedule.layerwise": True})
        assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
        assert len(rates_of(tmp_path / "r", "fc1")) == 2


#: Every epoch below the best counts as fallen: after a few, a network overfits 200 digits.
BY_HEART = {"schedule.tolerance": 1e-9, "epochs": 100, "schedule.lr_min": 0.01, "schedule.earliest": 0.7}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """(directory, session) of a run that ended early, with its rate held."""
    where = tmp_path_factory.mktemp("stopped") / "r"
    session = session_of(small("best", **BY_HEART), where)
    assert session.run(resume=False).status == "completed"
    return where, session


class TestBestAndHeldOutRows:
    def test_training_ends_where_no_lower_rate_is_left(self, stopped):
        where, session = stopped
        lines = lines_of(where)
        assert 6 < len(lines) < 70
        assert f"stopped after epoch {len(lines)} of 100" in session._how_it_ended()
        # 0.1, 0.02, and 0.004, which lies below LR_min
        assert [line["times_gone_back"] for line in lines][-1] == session.controller.stopping.falls == 2
        assert all("validation_loss" in line for line in lines)

    def test_the_weights_are_those_that_knew_most_of_the_validation_rows(self, stopped):
        where, session = stopped
        told = [line["validation_mi_ty_nats"] for line in lines_of(where)]
        assert session.controller.held_out() == pytest.approx(max(told), abs=1e-12)
        assert max(told) > told[-1]

    def test_after_three_fallen_epochs_the_rate_is_a_fifth_of_the_lines(self, stopped):
        lines = lines_of(stopped[0])
        back = next(number for number, line in enumerate(lines) if line["times_gone_back"])
        told = [line["validation_mi_ty_nats"] for line in lines[: back + 1]]
        assert all(value < max(told) for value in told[-3:])
        rates = [line["learning_rate"] for line in lines]
        assert rates == pytest.approx([0.1] * (back + 1) + [0.02] * (len(rates) - back - 1))

    def test_the_last_epochs_weights_go_back_where_they_have_fallen(self, tmp_path):
        session = session_of(small("best", **{**BY_HEART, "epochs": 2, "schedule.earliest": 0.0}), tmp_path / "r")
        session.controller.stopping.step(2.2)  # a best before the first epoch, of the untrained weights
        untrained = {name: value.clone() for name, value in session.model.state_dict().items()}
        assert session.run(resume=False).message == "all stages trained"
        assert all(torch.equal(value, untrained[name]) for name, value in session.model.state_dict().items())

    def test_layerwise_rates_look_at_the_output_of_held_out_rows(self, tmp_path):
        recipe = small("best", epochs=2, **{"schedule.layerwise": True})
        assert run(recipe, tmp_path / "r", device="cpu").status == "completed"
        told = [line["validation_mi_ty_nats"] for line in lines_of(tmp_path / "r", "fc1")]
        assert told == [line["validation_mi_ty_nats"] for line in lines_of(tmp_path / "r", "fc2")]

    def test_without_a_tolerance_nothing_is_looked_at(self, tmp_path):
        session = session_of(small("best", **{"schedule.tolerance": None}), tmp_path / "r")
        assert session.run(resume=False).status == "completed"
        assert session.controller.stopping is None
        assert not session.controller.finished
        assert all("validation_mi_ty_nats" not in line for line in lines_of(tmp_path / "r"))

    @pytest.mark.parametrize("stop", [34, 36])  # within an epoch, behind the first way back, and at its end
    def test_a_run_that_goes_on_ends_with_the_same_bits(self, stop, stopped, tmp_path):
        def kill(what, done, total):
            if done == stop:
                raise KeyboardInterrupt

        where, session = stopped
        recipe = small("best", **BY_HEART)
        assert run(recipe, tmp_path / "r", device="cpu", checkpoint_seconds=0, progress=kill).status == "interrupted"
        assert run(recipe, tmp_path / "r", device="cpu", resume=True).message == session._how_it_ended()
        assert (tmp_path / "r/metrics.jsonl").read_bytes() == (where / "metrics.jsonl").read_bytes()

    def test_a_checkpoint_of_a_run_that_is_over_trains_no_further(self, stopped, tmp_path):
        where, session = stopped
        again = session_of(small("best", **BY_HEART), where)
        before = (where / "metrics.jsonl").read_bytes()
        assert again.run(resume=True).message == session._how_it_ended()
        assert (where / "metrics.jsonl").read_bytes() == before


class TestEveryStep:
    def test_step_falls_at_shares_of_the_epochs(self, runs):
        top = small("step").optimizer.lr
        # drops after 0.5 and 0.75 of six epochs: three, and 4.5 which rounds to four
        assert rates_of(runs("step")) == pytest.approx([top] * 3 + [top / 10] + [top / 100] * 2)

    def test_onecycle_ends_where_torch_ends_it(self, runs):
        recipe = small("onecycle")
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([parameter], lr=recipe.optimizer.lr)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=recipe.optimizer.lr, total_steps=STEPS * EPOCHS, cycle_momentum=False
        )
        rates = []
        for _ in range(STEPS * EPOCHS):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        assert rates_of(runs("onecycle")) == pytest.approx(rates[STEPS - 1 :: STEPS])

    def test_cosine_and_constant_are_what_they_were(self, runs):
        top = small("cosine").optimizer.lr
        steps = [STEPS * epoch - 1 for epoch in range(1, EPOCHS + 1)]
        expected = [top * (1 + math.cos(math.pi * step / (STEPS * EPOCHS))) / 2 for step in steps]
        assert rates_of(runs("cosine")) == pytest.approx(expected)
        assert set(rates_of(runs("adam"))) == {small("adam").optimizer.lr}


@pytest.mark.parametrize("variant", ["network", "layerwise", "best", "control", "step", "onecycle", "schedule-free"])
@pytest.mark.parametrize("stop", [9, 12])  # within the third epoch, and at its end
def test_a_run_that_goes_on_repeats_the_uninterrupted_one_bit_for_bit(variant, stop, runs, tmp_path):
    if variant == "schedule-free":
        pytest.importorskip("pytorch_optimizer")

    def kill(what, done, total):
        if done == stop:
            raise KeyboardInterrupt

    whole = runs(variant)
    outcome = run(small(variant), tmp_path / "r", device="cpu", checkpoint_seconds=0, progress=kill)
    assert outcome.status == "interrupted"
    assert run(small(variant), tmp_path / "r", device="cpu", resume=True).status == "completed"
    assert (tmp_path / "r/metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert RunRecord(tmp_path / "r").outcome().metrics == RunRecord(whole).outcome().metrics


class TestScheduleController:
    @pytest.mark.parametrize(
        ("schedule", "kind"), [("information", MutualInformationDecay), ("best", InformationAnneal)]
    )
    def test_other_processes_are_told_what_the_first_has_measured(self, schedule, kind):
        class Told:
            """A process that is not the first: it may not measure, and hears 1.25."""

            is_global_zero = False

            def broadcast(self, found):
                assert found is None
                return 1.25

        setup = Setup(small(**{"optimizer.schedule": schedule, "schedule.tolerance": None}), 0, "cpu")
        setup.prepare()
        setup.fabric = Told()
        controller = ScheduleController(setup)
        controller.signal = None
        assert isinstance(controller.schedule, kind)
        assert controller._measure() == 1.25

    def test_measuring_leaves_modes_gradients_and_random_state(self, tmp_path):
        session = session_of(small(), tmp_path / "r")
        session.model.train()
        state = torch.get_rng_state()
        assert session.controller._measure() == session.controller._measure()
        assert torch.equal(torch.get_rng_state(), state)
        assert all(layer.training for layer in session.model.modules())
        assert all(parameter.grad is None for parameter in session.model.parameters())

    def test_weights_that_are_not_finite_are_a_divergence_and_no_failure(self, tmp_path):
        outcome = run(small(**{"optimizer.lr": 1e30, "schedule.lr_max": 1e31}), tmp_path / "r", device="cpu")
        assert outcome.status == "diverged"

    def test_a_range_that_is_none_leaves_nothing_behind(self, tmp_path):
        with pytest.raises(ValueError, match=r"MutualInformationDecay: lr_min must lie below lr_max, got 0\.5"):
            run(small(**{"schedule.lr_min": 0.5}), tmp_path / "r", device="cpu")
        with pytest.raises(ValueError, match="InformationAnneal: lr_min must be at least 0 and below lr_top"):
            run(small("best", **{"schedule.lr_min": 0.5}), tmp_path / "r", device="cpu")
        assert not (tmp_path / "r").exists()


class Rows(list):
    """What a set of graphs looks like from here: rows that move to a device, and no tensor."""

    def to(self, _):
        return self


class TestInformationSignal:
    def rows(self, n=60):
        x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
        return Split(x, (x[:, 0] > 0).long())

    def test_all_rows_serve_where_there_are_fewer_than_asked_for(self):
        signal = information_signal(small(), nn.Linear(4, 2), self.rows(), seed=0)
        assert len(signal.x) == 60

    def test_rows_without_a_label_do_not(self):
        rows = self.rows()
        rows.y[:20] = -1
        assert len(information_signal(small(), nn.Linear(4, 2), rows, seed=0).x) == 40

    def test_layers_are_the_optimisers_groups(self):
        network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
        signal = information_signal(small("layerwise"), network, self.rows(), seed=0)
        assert signal.layers == ("0", "3")
        assert len(signal()) == 2

    def test_grids_are_averaged_to_the_columns_asked_for(self):
        x = torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        rows = Split(x, (x[:, 0].mean(dim=(1, 2)) > 0).long())
        network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Flatten(), nn.Linear(192, 2))
        signal = information_signal(small("layerwise", **{"schedule.columns": 12}), network, rows, seed=0)
        grid, output = signal._outputs()
        assert torch.allclose(grid, nn.functional.adaptive_avg_pool2d(network[0](signal.x), 2).flatten(1), atol=1e-6)
        assert torch.allclose(output, network(signal.x), atol=1e-6)

    def test_graphs_and_denoisers_are_refused(self):
        recipe = small()
        rows = Split(Rows([0] * 60), self.rows().y)
        with pytest.raises(ValueError, match=r"milr-mnist: information is measured on samples .*, got graphs"):
            information_signal(recipe, nn.Linear(4, 2), rows, seed=0)
        denoiser, images = find_recipe("prox-vae-mnist", "adam-bp"), torch.zeros(60, 1, 8, 8)
        with pytest.raises(ValueError, match=r"prox-vae-mnist: .* got a denoiser, whose targets are images"):
            information_signal(denoiser, nn.Identity(), Split(images, images), seed=0)

    @pytest.mark.parametrize("schedule", ["information", "best"])
    def test_a_run_of_a_denoiser_by_information_is_refused_before_it_begins(self, schedule, tmp_path):
        settings = {
            "data.name": "digits", "data.side": 8, "data.limit": 100, "data.validation": 40, "epochs": 2,
            "network.channels": (4, 4, 4), "network.latent": 5, "optimizer.schedule": schedule,
        }  # fmt: skip
        with pytest.raises(ValueError, match="choose a schedule that needs none"):
            run(change(find_recipe("prox-vae-mnist", "adam-bp"), settings), tmp_path / "r", device="cpu")
        assert not (tmp_path / "r").exists()

    def test_real_targets_are_read_with_ksg(self):
        x = self.rows().x
        signal = information_signal(small(), nn.Linear(4, 1), Split(x, x[:, :1] ** 2), seed=0)
        assert math.isfinite(signal())
        with pytest.raises(ValueError, match="'ross' is for class labels"):
            information_signal(small(**{"schedule.estimator": "ross"}), nn.Linear(4, 1), Split(x, x[:, :1]), seed=0)


def test_the_schedules_settings_stand_in_the_run(runs):
    content = json.loads((runs("network") / "recipe.json").read_text())
    assert content["optimizer"]["schedule"] == "information"
    assert content["schedule"]["num_samples"] == 100


@pytest.mark.parametrize(("variant", "rate"), [("network", 3.0), ("best", 1e3)])
def test_a_network_that_dies_ends_as_diverged(tmp_path, variant, rate):
    """A rate that throws all units out; the outputs are finite and equal for all rows from the second epoch on."""
    dead = {"optimizer.lr": rate, "schedule.lr_max": 10 * rate, "schedule.lr_min": rate / 2, "epochs": 8}
    outcome = run(small(variant, **dead), tmp_path / "r", device="cpu")
    assert outcome.status == "diverged"
    assert "the network is dead at step 23 (stage 0, epoch 6): 5 epochs have left its information" in outcome.message
    assert outcome.metrics["diverged_at_step"] == 23
    assert outcome.metrics["last_finite_loss"] > 2
