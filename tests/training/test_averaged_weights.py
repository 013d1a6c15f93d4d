"""Looking at averaged weights: what is seen, and that looking changes nothing."""

import copy

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.training.averaged_weights import using_averaged_weights
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan, evaluating

optimizers = pytest.importorskip("pytorch_optimizer")


def schedule_free(parameters):
    return optimizers.ScheduleFreeAdamW(parameters, lr=0.05)


def with_batch_norm():
    torch.manual_seed(0)  # the test's own networks
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2))


def trained(two_blobs, make, *, epochs=2, look=None):
    x, y = two_blobs
    network = with_batch_norm()
    plan = Plan.end_to_end(network, optimizer=make)
    batches = TensorBatches(x, y, batch_size=64)
    for info in train(plan, batches, epochs=epochs):
        if look is not None and info.ends_epoch:
            look(plan, batches)
    return network, plan, batches


def test_inside_weights_are_the_averages_and_statistics_are_theirs(two_blobs):
    network, plan, batches = trained(two_blobs, schedule_free)
    update = plan[0].update
    before = copy.deepcopy(network.state_dict())
    beta = 0.9
    with using_averaged_weights(plan, batches, num_batches=3):
        weight = network[0].weight
        z = update.optimizer.state[weight]["z"]
        # y = (1 - beta) z + beta x, solved for the average x
        expected = (before["0.weight"].double() - (1 - beta) * z.double()) / beta
        assert torch.allclose(weight.double(), expected, atol=1e-6)
        assert not torch.allclose(weight, before["0.weight"], atol=1e-4)
        inputs = [network[0](batch.x) for _, batch in zip(range(3), batches.epoch(0), strict=False)]
        means = torch.stack([hidden.mean(dim=0) for hidden in inputs]).mean(dim=0)
        variances = torch.stack([hidden.var(dim=0) for hidden in inputs]).mean(dim=0)
        assert torch.allclose(network[1].running_mean, means, atol=1e-6)
        assert torch.allclose(network[1].running_var, variances, atol=1e-6)
        assert not network[1].training
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert network.training
    assert network[1].momentum == 0.1


def test_looking_after_every_epoch_changes_no_bit_of_the_run(two_blobs):
    def look(plan, batches):
        with using_averaged_weights(plan, batches):
            plan_accuracy(plan, *two_blobs)

    watched, *_ = trained(two_blobs, schedule_free, look=look)
    alone, *_ = trained(two_blobs, schedule_free)
    for mine, theirs in zip(watched.state_dict().values(), alone.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_way_back_of_the_optimiser_itself_would_round(two_blobs):
    """Why own weights are kept: were this to pass bit for bit one day, the copy could go."""
    network, plan, _ = trained(two_blobs, schedule_free)
    before = copy.deepcopy(network.state_dict())
    for _ in range(3):
        plan[0].update.optimizer.eval()
        plan[0].update.optimizer.train()
    after = network.state_dict()
    assert not all(torch.equal(after[name], before[name]) for name in before)


def test_contexts_lie_within_each_other_and_end_with_an_error(two_blobs):
    network, plan, batches = trained(two_blobs, schedule_free)
    before = copy.deepcopy(network.state_dict())

    def look_and_fail():
        with evaluating(plan):
            inside = network[0].weight.clone()
            with using_averaged_weights(plan, batches), evaluating(plan):
                assert torch.equal(network[0].weight, inside)
            assert torch.equal(network[0].weight, inside)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        look_and_fail()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert plan[0].update.optimizer.param_groups[0]["train_mode"]


def test_other_optimisers_have_nothing_to_show(two_blobs):
    network, plan, batches = trained(two_blobs, lambda p: torch.optim.Adam(p, lr=0.01))
    before = copy.deepcopy(network.state_dict())
    with using_averaged_weights(plan, batches):
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        assert network.training


def test_averages_are_judged_better_than_what_the_gradient_is_taken_at(two_blobs):
    """A rate so high that the iterate jumps about: its average is what the optimiser promises."""
    x, y = two_blobs
    _, plan, batches = trained(
        two_blobs, lambda p: optimizers.ScheduleFreeAdamW(p, lr=1.0, betas=(0.5, 0.999)), epochs=10
    )
    with using_averaged_weights(plan, batches):
        averaged = plan_accuracy(plan, x, y)
    assert averaged > 0.9
