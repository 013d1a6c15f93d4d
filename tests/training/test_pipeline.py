"""Isolated modules in processes of their own give the numbers of simultaneous order in one process, bit for bit."""

import contextlib
import itertools
from queue import SimpleQueue

import pytest
import torch
from tests.training.in_pipeline import CASES, STEPS, in_pipeline, plan_case, rows, run, slow_case
from torch import nn

from infotorch import Plan
from infotorch.data.batches import TensorBatches
from infotorch.numerics.ranks import Ranks
from infotorch.numerics.seeds import SeedStreams, global_states, set_global_states
from infotorch.training.division import Division, balanced, check_division, front_heavy, looks_back, unmoved
from infotorch.training.gathering import WeightsBefore
from infotorch.training.loop import train
from infotorch.training.messages import Last, Message
from infotorch.training.pipeline import Pipeline
from infotorch.training.position import Position
from infotorch.training.stage import Stage


def same(one, other):
    """Equal in every bit and every word, order included."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one.nan_to_num(-77), other.nan_to_num(-77))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def trained(tmp_path, *names, count):
    codes, _, found = in_pipeline(tmp_path / "out", *names, count=count)
    assert codes == [0] * count
    return found


def check_equal(tmp_path, names, count):
    """Losses and rates of every step, and all that a plan holds behind every epoch, in every process."""
    found = trained(tmp_path, *names, count=count)
    for name in names:
        one = run(name.partition("@")[0], None)
        for rank, each in enumerate(found):
            assert "error" not in each[name], (name, each[name])
            for what in ("losses", "rates", "epochs", "diverged", "peak"):
                assert same(one[what], each[name][what]), (name, rank, what)


@pytest.fixture(autouse=True)
def _one_thread():
    """As in the processes: with other threads some sums are added up in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_two_processes_are_one(tmp_path):
    check_equal(tmp_path, ["images", "views", "diverged last", "contrast@meet=1"], 2)


@pytest.mark.slow
def test_two_processes_are_one_for_every_kind_of_module(tmp_path):
    check_equal(tmp_path, [*CASES, "images@division=13", "critics@division=31"], 2)


@pytest.mark.slow
def test_three_processes_are_one(tmp_path):
    names = [name for name in CASES if name not in {"halves", "frozen within"}]
    check_equal(tmp_path, [*names, "images@division=121", "views@meet=1"], 3)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "count"), [("critics", 2), ("contrast", 3)])
def test_a_run_of_any_number_of_processes_goes_on_in_any_other(tmp_path, case, count):
    whole, halted = run(case, None), run(case, None, stop=4)
    torch.save(halted["saved"], tmp_path / "halted.pt")
    stops, resumes = f"{case}@stop=2", f"{case}@resume={tmp_path / 'halted.pt'}"
    found = trained(tmp_path, stops, resumes, count=count)
    for each in found:
        saved = each[stops]["saved"]
        assert 3 <= saved["position"]["steps"] < STEPS  # in the midst of an epoch, with nothing under way
        assert same(saved, found[0][stops]["saved"])
        assert [gathered for _, gathered in each[stops]["steps"]] == [*[False] * (saved["position"]["steps"] - 1), True]
        alone = run(case, None, resume=saved)
        assert same(alone["losses"], whole["losses"][saved["position"]["steps"] :])
        assert same(alone["epochs"][-1], whole["epochs"][-1])
        assert same(each[resumes]["losses"], whole["losses"][5:])
        assert same(each[resumes]["epochs"], whole["epochs"])


@pytest.mark.slow
@pytest.mark.parametrize(("case", "count", "failing"), [("raises", 2, 0), ("raises", 3, 1), ("raises last", 3, 2)])
def test_an_error_in_one_process_is_told_in_all(tmp_path, case, count, failing):
    codes, seconds, found = in_pipeline(
        tmp_path / "out", f"{case}@division={'22' if count == 2 else '121'}", count=count
    )
    assert codes == [0] * count
    assert seconds < 15
    for rank, each in enumerate(found):
        (told,) = each.values()
        other = "" if rank == failing else f"RuntimeError: train: process {failing} of {count} has failed: "
        assert told["error"] == f"{other}ValueError: the objective cannot go on"


@pytest.mark.slow
@pytest.mark.parametrize(("case", "count", "killed"), [("killed first", 3, 0), ("killed last", 2, 1)])
def test_a_killed_process_ends_the_others(tmp_path, case, count, killed):
    codes, seconds, found = in_pipeline(tmp_path / "out", case, count=count)
    assert codes == [-9 if rank == killed else 0 for rank in range(count)]
    assert seconds < 15
    for rank in {*range(count)} - {killed}:
        assert f"process {killed} of {count} has failed: its connection has broken" in found[rank][case]["error"]


def test_a_broken_connection_gives_way_to_what_another_process_tells():
    """One that is gone may be noticed in a message to it, before the word of it that is under way has come."""
    pipeline = Pipeline.__new__(Pipeline)
    pipeline.ranks, pipeline.messages, pipeline.open, pipeline.failed = Ranks(2, 3), SimpleQueue(), {1}, None
    pipeline.ended = {}
    pipeline.messages.put(Message(1, Last((0, "its connection has broken"))))
    own = ValueError("of its own")
    assert pipeline._told_instead(own) is own
    told = pipeline._told_instead(RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection reset by peer"))
    assert str(told) == "train: process 0 of 3 has failed: its connection has broken"


class Collective:
    """One that is done when it has been asked for so many times."""

    def __init__(self, times):
        self.times = times

    def is_completed(self):
        self.times -= 1
        return self.times < 0

    def wait(self):
        """Nothing: it is done."""


@pytest.mark.parametrize(("yielded", "leaves"), [(6, True), (7, False)])
def test_a_collective_is_not_waited_for_where_a_process_has_left_before_its_step(yielded, leaves):
    """One that has left behind that step has taken part."""
    pipeline = Pipeline.__new__(Pipeline)
    pipeline.ranks, pipeline.messages, pipeline.open, pipeline.ended = Ranks(1, 2), SimpleQueue(), {0}, {}
    pipeline.messages.put(Message(0, Last(None, yielded)))
    told = pytest.raises(RuntimeError, match="process 0 of 2 has failed: it has left its loop before the others")
    with told if leaves else contextlib.nullcontext():
        pipeline._wait(7, Collective(3))


@pytest.mark.slow
@pytest.mark.parametrize(("leaving", "step", "count"), [(0, 3, 2), (1, 3, 3), (0, 7, 2), (1, 7, 3)])
def test_a_process_that_leaves_its_loop_ends_the_others(tmp_path, leaving, step, count):
    """Before the last step of an epoch too, behind which the others would wait for its modules."""
    (name,) = names = [f"contrast@leave={leaving}{step}"]
    found = trained(tmp_path, *names, count=count)
    assert len(found[leaving][name]["losses"]) == step + 1
    for rank in {*range(count)} - {leaving}:
        told = f"RuntimeError: train: process {leaving} of {count} has failed: it has left its loop before the others"
        assert found[rank][name]["error"].startswith(told)


@pytest.mark.slow
def test_what_cannot_be_divided_is_refused_in_all(tmp_path):
    names = ["contrast@division=21", "looks back@division=22", "contrast"]
    for each in trained(tmp_path, *names, count=2):
        assert "division must give each of 2 processes some of 4 trained modules, got (2, 1)" in each[names[0]]["error"]
        assert (
            "an objective passes other inputs through earlier modules from its first step on" in each[names[1]]["error"]
        )
        assert "error" not in each["contrast"]


@pytest.mark.slow
def test_at_its_own_pace_no_process_is_further_behind_than_it_may(tmp_path):
    names = ["slow@division=22", "slow with a schedule@division=13"]
    found = trained(tmp_path, *names, count=2)
    for name, first in zip(names, (2, 1), strict=True):
        one, other = (each[name] for each in found)
        assert same(one["losses"], other["losses"])
        assert same(one["epochs"], other["epochs"])
        assert [step for step, _ in one["steps"]] == list(range(20))
        used = [step["3"] for step in one["losses"] if "3" in step]
        stale = [loss["staleness_steps"].item() for loss in used]
        assert all(0 <= steps <= 2 for steps in stale)
        assert max(stale) == 2  # it waits for 20 ms where the others take one
        assert len(used) + sum(loss["skipped_batches"].item() for loss in used) == 20
        assert len(used) < 20
        for step in one["losses"]:
            assert all("staleness_steps" not in step[str(number)] for number in range(first))
        assert "3" in one["losses"][9]  # nothing is passed over where all are gathered
        assert "3" in one["losses"][19]
    # The schedule has come to its end, although not every step was taken.
    assert same(found[0][names[1]]["rates"], run("slow with a schedule", None)["rates"])


@pytest.mark.parametrize("staleness", [0, 3])
def test_in_one_process_it_is_simultaneous_order(staleness):
    told = []
    for settings in ({"order": "simultaneous"}, {"order": "pipelined", "staleness": staleness}):
        plan, samples = plan_case("Y,X,Y,CE", **settings)
        batches = TensorBatches(*samples, batch_size=15, seed=3)
        infos = list(train(plan, batches, epochs=2, seed=5))
        assert all(info.gathered for info in infos)
        told.append(([info.losses["3"].total for info in infos], plan.state_dict()))
    assert same(*told)


def test_settings_of_a_pipeline_are_refused():
    for staleness, error, message in (
        (-1, ValueError, "staleness must be at least 0, got -1"),
        (0.5, TypeError, "staleness must be an integer"),
    ):
        with pytest.raises(error, match=message):
            plan_case("Y,Y,Y,CE", staleness=staleness)
    with pytest.raises(ValueError, match=r'staleness must be 0 but in order="pipelined", got 2 in simultaneous order'):
        plan_case("Y,Y,Y,CE", order="simultaneous", staleness=2)
    with pytest.raises(ValueError, match="gradients can cross modules only in simultaneous order"):
        plan_case("Y,Y,Y,CE", isolated=False)


def test_divisions_are_refused():
    plan, _ = plan_case("Y,frozen,Y,CE")
    with pytest.raises(TypeError, match="division must be a Division, such as"):
        check_division((2, 1), plan, Ranks(0, 2), where="train")
    with pytest.raises(ValueError, match="4 processes have 3 to train; use 3"):
        check_division(None, plan, Ranks(0, 4), where="train")
    for counts in ((2, 2), (1, 1, 1)):
        with pytest.raises(ValueError, match="division must give each of 2 processes some of 3 trained modules"):
            check_division(Division(counts), plan, Ranks(0, 2), where="train")
    with pytest.raises(ValueError, match="each of counts must be at least 1, got 0"):
        Division((3, 0))
    check_division(Division((2, 1)), plan, Ranks(0, 2), where="train")


def test_every_module_from_the_first_that_trains_to_the_last_is_in_one_part():
    division = Division((1, 2))
    assert division.parts([1, 3, 4]) == [range(1, 2), range(2, 5)]
    plan, _ = plan_case("frozen,Y,X,CE")
    assert division.names(plan) == [["1"], ["2", "3"]]


def divided_by(function, most):
    """Of up to so many modules of random costs: the costs, what the function finds, and every division there is."""
    generator = torch.Generator().manual_seed(0)
    for modules, count in itertools.product(range(1, most + 1), range(1, 5)):
        if count > modules:
            continue
        costs = torch.rand(modules, generator=generator).tolist()
        found = function(costs, count)
        assert (len(found), sum(found), min(found) > 0) == (count, modules, True)
        every = itertools.product(range(1, modules + 1), repeat=count)
        yield costs, found, [counts for counts in every if sum(counts) == modules]


def shares(costs, counts):
    return [sum(costs[sum(counts[:n]) : sum(counts[: n + 1])]) for n in range(len(counts))]


def highest(costs, counts):
    return max(shares(costs, counts))


def test_the_costliest_share_is_as_cheap_as_can_be():
    for costs, found, every in divided_by(balanced, 7):
        assert highest(costs, found) == min(highest(costs, counts) for counts in every)


def test_at_its_own_pace_no_process_has_more_than_the_first_where_that_can_be():
    """Beside every division there is: the lowest highest share of those that are so, to a tenth."""
    unlike = 0
    for costs, found, every in divided_by(front_heavy, 6):
        allowed = [counts for counts in every if highest(costs, counts) <= 1.1 * shares(costs, counts)[0]]
        if allowed:
            assert highest(costs, found) <= 1.1 * min(highest(costs, counts) for counts in allowed)
            assert highest(costs, found) <= 1.1 * shares(costs, found)[0]
        else:
            assert found[0] == len(costs) - len(found) + 1
        unlike += found != balanced(costs, len(found))
    assert unlike > 3


def stage_of(objectives, **settings):
    plan, samples = plan_case(objectives, **settings)
    batches = TensorBatches(*samples, batch_size=15, seed=3)
    plan.prepare(batches, epochs=2, seed=5)
    return Stage(plan, SeedStreams(5), False, None, 1, None, plan.stages()[0]), next(iter(batches.epoch(0)))


def test_a_trial_moves_nothing():
    critics = {name: {"hidden": (8,)} for name in ("X:mine", "X:infonce")}
    scheduled = {
        "scheduler": lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2)
    }
    stage, batch = stage_of("X:mine,X:infonce,Y,CE", options=critics, **scheduled)
    before = {name: dict(state) for name, state in stage.plan.state_dict().items()}
    before = torch.load(_saved(before))
    with unmoved(stage.plan):
        for _ in range(5):  # beyond the end of the schedule
            stage.take(batch, Position())
        assert not same(stage.plan.state_dict(), before)
    assert same(stage.plan.state_dict(), before)
    assert all(weight.grad is None for module in stage.plan for weight in module.parameters())


def _saved(state):
    import io

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_who_looks_back_is_found_by_trying():
    stage, batch = stage_of("Y,X:views,Y,X:views")
    assert looks_back(stage, batch, Position()) == {1, 3}
    stage, batch = stage_of("Y,Y,Y,CE")
    assert looks_back(stage, batch, Position()) == frozenset()


def test_a_step_in_parts_is_the_step():
    whole, batch = stage_of("Y,X:views,Y,CE")
    parted, _ = stage_of("Y,X:views,Y,CE")
    taken = whole.take(batch, Position())
    first = parted.take(batch, Position(), part=range(1))
    second = parted.take(batch, Position(), part=range(1, 4), handed=first.handed)
    assert (taken.handed, second.handed) == (None, None)
    losses = {name: loss.total for name, loss in (first.losses | second.losses).items()}
    assert same({name: loss.total for name, loss in taken.losses.items()}, losses)
    assert same(whole.plan.state_dict(), parted.plan.state_dict())
    assert first.learning_rates | second.learning_rates == taken.learning_rates


def test_weights_of_modules_before_go_into_one_tensor_of_each_type_and_back():
    (one, _), (other, _) = plan_case("Y,Y,Y,CE"), plan_case("Y,Y,Y,CE")
    with torch.no_grad():
        for module in one:
            for weight in module.body.parameters():
                weight.add_(1)
    one[0].body(rows(15, 6), rows(15, 6))  # batch norm counts
    sent = WeightsBefore(one, [0, 2]).flat()
    assert [tensor.dtype for tensor in sent] == [torch.float32, torch.int64]
    WeightsBefore(other, [0, 2]).take(sent)
    for number in (0, 2):
        assert same(one[number].body.state_dict(), other[number].body.state_dict())
    assert not same(one[1].body.state_dict(), other[1].body.state_dict())


def test_random_numbers_go_on_from_where_they_stood():
    with SeedStreams(0).as_global("dropout"):
        torch.rand(3)
        states = global_states()
        wanted = nn.functional.dropout(torch.ones(9))
        torch.rand(5)
        set_global_states(states)
        assert torch.equal(nn.functional.dropout(torch.ones(9)), wanted)


def test_asking_to_gather_changes_nothing_in_one_process():
    plan, samples = slow_case(order="pipelined", staleness=0)
    plan.gather_soon()
    infos = list(train(plan, TensorBatches(*samples, batch_size=75), epochs=1))
    assert [info.gathered for info in infos] == [True, True]
    assert isinstance(plan, Plan)
