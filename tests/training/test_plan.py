import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation
from infotorch.training.local_module import LocalModule
from infotorch.training.plan import Plan, evaluating


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def test_the_composition_of_a_plan_is_the_network(make_mlp, two_blobs):
    model = make_mlp()
    plan = Plan.layerwise(model, objectives="X,Y,CE", optimizer=sgd)
    assert [module.name for module in plan] == ["0", "2", "4"]
    assert torch.equal(plan.outputs(two_blobs[0])[-1], model(two_blobs[0]))
    assert len(plan.outputs(two_blobs[0], stop=2)) == 2


def test_stages_follow_the_order_and_leave_frozen_modules_out(make_mlp):
    def stages(order):
        return Plan.layerwise(make_mlp(), objectives="Y,frozen,CE", order=order, optimizer=sgd).stages()

    assert stages("sequential") == [[0], [2]]
    assert stages("simultaneous") == [[0, 2]]


def test_cuts_choose_the_modules(make_mlp):
    plan = Plan.layerwise(make_mlp(), ("4",), "Y,CE", optimizer=sgd)
    assert [len(list(module.body.parameters())) for module in plan] == [4, 2]


def test_each_module_may_have_its_own_optimizer(make_mlp, two_blobs):
    rates = (0.1, 0.2, 0.3)
    optimizers = [lambda p, lr=lr: torch.optim.SGD(p, lr=lr) for lr in rates]
    plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=optimizers)
    plan.prepare(TensorBatches(*two_blobs, batch_size=64), epochs=1, seed=0)
    assert tuple(module.update.learning_rate for module in plan) == rates


def test_read_outs_follow_the_seed_and_not_the_global_stream(make_mlp, two_blobs):
    def readout(seed, noise):
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=sgd)
        with torch.random.fork_rng():
            torch.manual_seed(noise)
            before = torch.get_rng_state()
            plan.prepare(TensorBatches(*two_blobs, batch_size=64), epochs=1, seed=seed)
            assert torch.equal(torch.get_rng_state(), before)
        return plan[0].objective.readout.weight.detach().clone()

    assert torch.equal(readout(0, 1), readout(0, 2))
    assert not torch.equal(readout(0, 1), readout(1, 1))


def test_a_module_cannot_be_given_to_another_plans_state(make_mlp, two_blobs):
    plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=sgd)
    with pytest.raises(ValueError, match="the state holds the modules network, the plan 0, 2, 4"):
        plan.load_state_dict(Plan.end_to_end(make_mlp(), optimizer=sgd).state_dict())


def test_evaluating_restores_every_layers_own_mode(make_mlp):
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
    model[1].eval()
    plan = Plan.end_to_end(model, optimizer=sgd)
    with evaluating(plan):
        assert not any(layer.training for layer in model.modules())
        assert not plan[0].objective.training
    assert [layer.training for layer in model] == [True, False, True]


class TestRefusals:
    def test_as_many_objectives_as_modules(self, make_mlp):
        with pytest.raises(ValueError, match=r"2 cuts \(2, 4\) make 3 modules, and there are 2 objectives"):
            Plan.layerwise(make_mlp(), objectives="X,CE", optimizer=sgd)

    def test_as_many_optimizers_as_modules(self, make_mlp):
        with pytest.raises(ValueError, match="3 modules need as many optimizers, got 2"):
            Plan.layerwise(make_mlp(), objectives="X,Y,CE", optimizer=[sgd, sgd])

    def test_orders(self, make_mlp):
        with pytest.raises(
            ValueError, match="order must be one of sequential, simultaneous, pipelined, got 'parallel'"
        ):
            Plan.layerwise(make_mlp(), objectives="X,Y,CE", order="parallel", optimizer=sgd)
        with pytest.raises(ValueError, match="only in simultaneous order"):
            Plan.layerwise(make_mlp(), objectives="X,Y,CE", isolated=False, optimizer=sgd)

    def test_no_modules_or_two_of_one_name(self):
        with pytest.raises(ValueError, match="at least one local module"):
            Plan([])
        twice = [LocalModule("a", nn.Linear(2, 2), CrossEntropy(), optimizer=sgd) for _ in range(2)]
        with pytest.raises(ValueError, match="module names must differ, got a, a"):
            Plan(twice)

    def test_modules_that_share_a_layer(self):
        layer = nn.Linear(2, 2)
        modules = [LocalModule(name, layer, ReadoutInformation(), optimizer=sgd) for name in "ab"]
        with pytest.raises(ValueError, match="share the parameter 'weight'"):
            Plan(modules)

    def test_one_objective_for_two_modules(self, make_mlp):
        objective = ReadoutInformation()
        with pytest.raises(ValueError, match="each module needs an objective of its own"):
            Plan.layerwise(make_mlp(), objectives=[objective, objective, "CE"], optimizer=sgd)

    def test_a_state_for_a_plan_that_is_not_prepared(self, make_mlp, two_blobs):
        batches = TensorBatches(*two_blobs, batch_size=64)
        plan = Plan.end_to_end(make_mlp(), optimizer=sgd)
        plan.prepare(batches, epochs=1, seed=0)
        with pytest.raises(ValueError, match=r"module 'network': call plan\.prepare before load_state_dict"):
            Plan.end_to_end(make_mlp(), optimizer=sgd).load_state_dict(plan.state_dict())

    def test_a_cut_before_a_layer_that_works_in_place(self, two_blobs):
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
        batches = TensorBatches(*two_blobs, batch_size=64)
        with pytest.raises(ValueError, match="module '1' changes its input in place"):
            Plan.layerwise(model, ("1",), "Y,CE", optimizer=sgd).prepare(batches, epochs=1, seed=0)
        Plan.layerwise(model, ("2",), "Y,CE", optimizer=sgd).prepare(batches, epochs=1, seed=0)

    def test_a_module_of_several_outputs(self, two_blobs):
        class Pair(nn.Linear):
            def forward(self, x):
                return super().forward(x), x

        plan = Plan.end_to_end(Pair(4, 2), optimizer=sgd)
        with pytest.raises(TypeError, match="module 'network' must give one tensor, got tuple"):
            plan.prepare(TensorBatches(*two_blobs, batch_size=64), epochs=1, seed=0)

    def test_nothing_to_train(self, make_mlp, two_blobs):
        batches = TensorBatches(*two_blobs, batch_size=64)
        for order in ("sequential", "simultaneous"):
            plan = Plan.layerwise(make_mlp(), objectives="frozen,frozen,frozen", order=order, optimizer=sgd)
            with pytest.raises(ValueError, match="every module is frozen"):
                plan.prepare(batches, epochs=1, seed=0)

    def test_an_objective_for_a_module_without_parameters(self, two_blobs):
        model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        plan = Plan.layerwise(model, ("1",), "Y,CE", optimizer=sgd)
        with pytest.raises(ValueError, match="module 'input' has an objective and no parameter to train"):
            plan.prepare(TensorBatches(*two_blobs, batch_size=64), epochs=1, seed=0)


def test_an_objective_is_built_for_one_plan_at_a_time(make_mlp, two_blobs):
    """A second plan's read-out stood in the first one's, whose scores changed."""
    objectives = [ReadoutInformation(), ReadoutInformation(), CrossEntropy()]
    first = Plan.layerwise(make_mlp(), objectives=objectives, optimizer=sgd)
    first.prepare(two_blobs, epochs=1, seed=0)
    first.prepare(two_blobs, epochs=1, seed=0)
    read = objectives[0].state_dict()["readout.weight"].clone()
    second = Plan.layerwise(make_mlp(), objectives=objectives, optimizer=sgd)
    with pytest.raises(
        ValueError, match=r"module '0': its ReadoutInformation is built for a module of another plan, .*"
    ):
        second.prepare(two_blobs, epochs=1, seed=1)
    assert torch.equal(objectives[0].state_dict()["readout.weight"], read)
    del first
    second.prepare(two_blobs, epochs=1, seed=1)
    assert not torch.equal(objectives[0].state_dict()["readout.weight"], read)
