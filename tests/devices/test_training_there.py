"""Every objective, order, update, optimiser and schedule on a device beside the CPU.

The losses of all steps, and with them the gradients that lead from one to the next, the weights and whatever else
belongs to the plan's state at the end, are the CPU's; and a step waits for the device where it says so here, and
nowhere else.
"""

import pytest
import torch
from tests.devices.trainings import BATCH, CASES, EPOCHS, SAMPLES, leaves, names_of, steps_of

from infotorch.objectives.registry import REGISTRY
from infotorch.training.epoch_means import EpochMeans
from infotorch.training.history import History

#: Read once a module and step: a loss that is not finite ends the run, and its module's weights stay as they were.
LOSS = "stage.py: if not math.isfinite(loss.total.item()):"
#: Where else a step waits: what the case's name begins with -> lines.
ALSO = {
    # Two kinds of products of distances, of which the values decide; eigenvalues, for which torch itself waits.
    "X:renyi": {"finite.py", "checks.py", "kernels.py", "symbols.py", "renyi_spectrum.py", "gradient.py"},
    "Y:renyi": {"finite.py", "checks.py", "kernels.py", "symbols.py", "renyi_spectrum.py", "gradient.py"},
    "X:graph-renyi": {"finite.py", "checks.py", "kernels.py", "symbols.py", "renyi_spectrum.py", "gradient.py"},
    "X:gmi": {"graph.py", "graph_nodes.py"},
    "X:node": {"graph.py"},
    "X:dgi": {"graph_summary.py"},
    "X:infograph": {"graph_summary.py"},
    "Y:graph-forward-forward": {"graph_forward_forward.py", "gradient.py"},
    "Y:hsic": {"finite.py", "kernels.py"},
    # Columns that do not vary are left out.
    "X:total-correlation": {"finite.py", "total_correlation.py", "gradient.py"},
    # Estimators for users' samples, which refuse what is not finite.
    "Y:soft-decision": {"decision.py", "finite.py", "checks.py"},
    "read-out of real": {"likelihoods.py"},
    # Whether slopes and products are finite, and whether order 2 has a curvature to follow, decides the step.
    "proximal": {"finite.py", "stall.py"},
    # An optimiser of another package.
    "optimizer adamp": {"gradient.py"},
    "optimizer lars": {"gradient.py"},
    "optimizer schedule-free": {"gradient.py"},
}
#: Labels that are missing are left out by their numbers, which are sent.
PARTLY = {"on_host.py"}


def trained(name, device):
    plan, steps = steps_of(name, device)
    losses = [loss.total.detach().cpu() for info in steps for loss in info.losses.values()]
    return torch.stack(losses), [one.detach().cpu() for one in leaves(plan.state_dict())]


@pytest.mark.parametrize("name", CASES)
def test_losses_and_weights_are_the_processors(place, name):
    wanted, weights = trained(name, "cpu")
    with place.drawing_alike():
        found, weights_there = trained(name, place.device)
    rtol, atol = max(place.accuracy, 1e-9), max(place.accuracy, 1e-10)
    assert wanted.isfinite().all()
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)
    assert len(weights) == len(weights_there)
    for one, other in zip(weights, weights_there, strict=True):
        torch.testing.assert_close(other, one, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CASES)
def test_a_step_waits_for_the_device_where_it_says_so_and_nowhere_else(place, name):
    """The second step: the first measures memory and warms up, the last of an epoch is checked."""
    _, steps = steps_of(name, place.device)
    next(steps)
    with place.watched() as waits:
        info = next(steps)
    assert not info.ends_epoch
    also = {file for begins, files in ALSO.items() if name.startswith(begins) for file in files}
    if name in REGISTRY and REGISTRY[name].needs == "graphs":
        also.add("graphs.py")  # which graphs are drawn decides how many nodes and edges a batch has
    if "partly" in name or "real" in name or "multilabel" in name or name == "micro-batches":
        also |= PARTLY
    elsewhere = [wait for wait in waits if not wait.startswith(LOSS) and wait.split(":")[0] not in also]
    assert not elsewhere
    assert len([wait for wait in waits if wait.startswith(LOSS)]) == len(info.losses)


@pytest.mark.parametrize("name", ["Y:readout", "Y:supcon", "X:infonce", "simultaneous", "crossing"])
def test_a_step_sends_nothing_and_reads_one_number_a_module(place, name):
    _, steps = steps_of(name, place.device)
    first = next(steps)
    assert place.copies(lambda: next(steps)) == {"there": 0, "back": len(first.losses)}


@pytest.mark.parametrize("keeper", [lambda: History(EPOCHS, None), EpochMeans])
def test_what_is_kept_of_the_losses_is_read_once_an_epoch(place, keeper):
    """By `fit` and by a run, which both count every step."""
    kept = []
    for device in ("cpu", place.device):
        means = keeper()
        _, steps = steps_of("simultaneous", device)
        with place.drawing_alike():
            for info in steps:
                with place.watched() as waits:
                    means.add(info)
                assert info.ends_epoch or not waits
        kept.append(means.lines if isinstance(means, History) else means.sums)
    assert_near(*kept, place)


def assert_near(wanted, found, place):
    """Equal in form, and in numbers to the place's accuracy."""
    if isinstance(wanted, dict):
        assert wanted.keys() == found.keys()
        wanted, found = list(wanted.values()), list(found.values())
    if isinstance(wanted, list):
        for one, other in zip(wanted, found, strict=True):
            assert_near(one, other, place)
    else:
        assert found == (pytest.approx(wanted, abs=place.accuracy) if isinstance(wanted, float) else wanted)


def test_no_objective_optimizer_or_schedule_is_left_out():
    assert set(REGISTRY) <= set(CASES)
    assert {f"optimizer {name}" for name in names_of("name")} <= set(CASES)
    assert {f"schedule {name}" for name in names_of("schedule")} <= set(CASES)
    assert SAMPLES % BATCH
