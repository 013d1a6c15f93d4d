"""Optimisers and schedules of recipes."""

import pytest
import torch
from torch import nn

from infotorch.data.sets import Dataset, Split
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.optimizers import layerwise, optimizer_of, scheduler_of
from infotorch.recipes.registry import find_recipe
from infotorch.runs.setup import load_samples


def settings(name, **more):
    return OptimizerSettings(name=name, lr=0.1, weight_decay=0.01, **more)


def stepped(settings, gradients, start=(3.0, 4.0)):
    """A weight matrix after one step along each of the gradients."""
    weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = optimizer_of(settings)([weight])
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
    return weight.detach()[0]


class TestOptimizers:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("adam", "Adam"), ("adamw", "AdamW"), ("averaged-adam", "AveragedAdam"), ("nadam", "NAdam"),
            ("rmsprop", "RMSprop"), ("sgd", "SGD"), ("adamp", "AdamP"), ("lars", "LARS"),
            ("schedule-free", "ScheduleFreeAdamW"),
        ],
    )  # fmt: skip
    def test_each_name_is_its_optimiser_with_rate_and_weight_decay(self, name, kind):
        if name in {"adamp", "lars", "schedule-free"}:
            pytest.importorskip("pytorch_optimizer")
        optimizer = optimizer_of(settings(name))([nn.Parameter(torch.zeros(2))])
        assert type(optimizer).__name__ == kind
        assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.1, 0.01)
        assert optimizer_of(settings(name), 0.5)([nn.Parameter(torch.zeros(2))]).defaults["lr"] == 0.5

    @pytest.mark.parametrize("name", ["adam", "adamw", "averaged-adam"])
    def test_the_decay_of_the_mean_of_gradients_is_a_setting(self, name):
        weight = [nn.Parameter(torch.zeros(2))]
        assert optimizer_of(settings(name))(weight).defaults["betas"] == (0.9, 0.999)
        assert optimizer_of(settings(name, beta1=0.5))(weight).defaults["betas"] == (0.5, 0.999)

    @pytest.mark.parametrize("nesterov", [False, True])
    def test_sgd_with_momentum_is_the_textbooks(self, nesterov):
        weight, velocity = torch.tensor([3.0, 4.0], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
        gradients = [[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]]
        for gradient in torch.tensor(gradients, dtype=torch.float64):
            gradient = gradient + 0.01 * weight
            velocity = 0.9 * velocity + gradient
            weight = weight - 0.1 * (gradient + 0.9 * velocity if nesterov else velocity)
        found = stepped(settings("sgd", momentum=0.9, nesterov=nesterov), gradients)
        assert torch.allclose(found, weight, rtol=1e-12)

    def test_lars_scales_by_norms_of_weights_and_gradients(self):
        """You et al. 2017, Eq. 6: |w| / (|g| + decay |w|), here with |w| = 5 and |g| = 10."""
        pytest.importorskip("pytorch_optimizer")
        found = stepped(settings("lars", momentum=0.5), [[6.0, 8.0]])
        trust = 5 / (10 + 0.01 * 5)
        expected = [3 - 0.1 * trust * (6 + 0.01 * 3), 4 - 0.1 * trust * (8 + 0.01 * 4)]
        assert found.tolist() == pytest.approx(expected, rel=1e-12)

    def test_lars_moves_weights_by_a_share_of_their_norm_and_biases_no_faster_than_sgd(self):
        pytest.importorskip("pytorch_optimizer")
        layer = nn.Linear(2, 1).double()
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
            layer.bias.fill_(7.0)
        optimizer = optimizer_of(OptimizerSettings(name="lars", lr=0.01, weight_decay=0.1))(list(layer.parameters()))
        layer.weight.grad, layer.bias.grad = torch.tensor([[6e-9, 8e-9]]).double(), torch.tensor([2.0]).double()
        optimizer.step()
        assert layer.bias.item() == pytest.approx(7 - 0.01 * 2.0, rel=1e-12)  # no scaling, no decay
        # decay alone is left of so small a gradient: |w| / (0.1 |w|) of 0.1 w, a share of lr of the weight
        assert layer.weight[0].tolist() == pytest.approx([2.97, 3.96], rel=1e-6)

    def test_the_paper_s_coefficient_beside_the_rate_leaves_weights_the_same(self):
        extra = pytest.importorskip("pytorch_optimizer")
        weight = nn.Parameter(torch.tensor([[3.0, 4.0]], dtype=torch.float64))
        optimizer = extra.LARS([weight], lr=100.0, momentum=0.9, nesterov=True, weight_decay=0.01)
        gradients = [[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]]
        for gradient in gradients:
            weight.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
        ours = stepped(settings("lars", momentum=0.9, nesterov=True), gradients)
        assert torch.allclose(ours, weight.detach()[0], rtol=1e-12)

    def test_schedule_free_is_its_three_sequences(self):
        """Defazio et al. 2024, Algorithm 1, against Adam's scaling in a loop of float64."""
        pytest.importorskip("pytorch_optimizer")
        generator = torch.Generator().manual_seed(0)
        gradients = torch.randn(5, 2, generator=generator, dtype=torch.float64)
        weight = nn.Parameter(torch.tensor([[3.0, 4.0]], dtype=torch.float64))
        optimizer = optimizer_of(OptimizerSettings(name="schedule-free", lr=0.1))([weight])
        z = x = torch.tensor([3.0, 4.0], dtype=torch.float64)
        second = torch.zeros(2, dtype=torch.float64)
        for number, gradient in enumerate(gradients, start=1):
            weight.grad = gradient[None].clone()
            optimizer.step()
            second = 0.999 * second + 0.001 * gradient**2
            z = z - 0.1 * gradient / ((second / (1 - 0.999**number)).sqrt() + 1e-8)
            x = x + (z - x) / number  # equal rates weigh equally
        assert torch.allclose(weight.detach()[0], 0.1 * z + 0.9 * x, rtol=1e-9)
        optimizer.eval()
        assert torch.allclose(weight.detach()[0], x, rtol=1e-9)

    def test_looking_ahead_needs_momentum(self):
        with pytest.raises(ValueError, match=r"milr-mnist: optimizer: nesterov needs momentum above 0"):
            change(find_recipe("milr-mnist"), {"optimizer.momentum": 0.0})

    def test_without_the_extra_the_message_says_what_to_install(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
        with pytest.raises(
            ModuleNotFoundError, match=r"LARS needs pytorch_optimizer: pip install 'infotorch\[optim\]'"
        ):
            optimizer_of(settings("lars"))


class TestLayerwise:
    def network(self):
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))

    def test_a_group_for_each_layer_with_the_normalisation_behind_it(self):
        network = self.network()
        optimizer = layerwise(lambda groups: torch.optim.SGD(groups, lr=0.1), network)(list(network.parameters()))
        assert [(group["name"], len(group["params"])) for group in optimizer.param_groups] == [("0", 4), ("3", 2)]

    def test_a_frozen_layer_has_no_group(self):
        network = self.network()
        network[3].requires_grad_(False)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = layerwise(lambda groups: torch.optim.SGD(groups, lr=0.1), network)(trained)
        assert [group["name"] for group in optimizer.param_groups] == ["0"]

    def test_parameters_of_no_layer_are_refused(self):
        network, readout = self.network(), nn.Linear(2, 2)
        make = layerwise(lambda groups: torch.optim.SGD(groups, lr=0.1), network)
        with pytest.raises(ValueError, match="layerwise: the objective has parameters of its own"):
            make([*network.parameters(), *readout.parameters()])


class TestSchedulers:
    def rates(self, recipe, num_steps):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=recipe.optimizer.lr)
        schedule = scheduler_of(recipe)(optimizer, num_steps)
        rates = []
        for _ in range(num_steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return rates

    def test_constant_and_informed_schedules_move_with_no_step(self):
        assert [scheduler_of(find_recipe("milr-mnist", v)) for v in ("adam", "network", "best")] == [None] * 3

    def test_step_falls_at_the_end_of_epochs(self):
        recipe = change(
            find_recipe("milr-mnist", "step"),
            {"epochs": 10, "optimizer.lr": 0.8, "schedule.drops": (0.3, 0.55), "schedule.drop_factor": 0.5},
        )
        # epochs 3 and round(5.5) = 6, of two steps each
        assert self.rates(recipe, 20) == pytest.approx([0.8] * 6 + [0.4] * 6 + [0.2] * 8)

    def test_step_begins_at_its_rate_in_the_shortest_run_too(self):
        for name in ("milr-mnist", "milr-cifar10-vgg16"):
            recipe = change(find_recipe(name, "step"), {"epochs": 1})
            assert self.rates(recipe, 4)[0] == recipe.optimizer.lr

    def test_vgg_halves_every_30_of_200_epochs_also_in_a_short_run(self):
        recipe = find_recipe("milr-cifar10-vgg16", "step")
        epochs = [0, 29, 30, 59, 60, 179, 180, 199]
        assert [self.rates(recipe, 200)[epoch] / recipe.optimizer.lr for epoch in epochs] == pytest.approx([
            1,
            1,
            1 / 2,
            1 / 2,
            1 / 4,
            1 / 32,
            1 / 64,
            1 / 64,
        ])
        assert self.rates(change(recipe, {"epochs": 20}), 20)[-1] < recipe.optimizer.lr / 60

    def test_onecycle_rises_to_the_rate_and_momentum_stays(self):
        recipe = change(find_recipe("milr-mnist", "onecycle"), {"optimizer.lr": 0.5})
        rates = self.rates(recipe, 100)
        assert max(rates) == pytest.approx(0.5, rel=1e-3)
        assert rates.index(max(rates)) == pytest.approx(29, abs=1)
        assert (rates[0], rates[-1]) == pytest.approx((0.5 / 25, 0.5 / 25e4), rel=1e-6)
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
        scheduler_of(recipe)(optimizer, 100)
        assert optimizer.param_groups[0]["momentum"] == 0.9

    def test_control_holds_and_falls_to_the_lowest_rate(self):
        recipe = change(find_recipe("milr-mnist", "control"), {"optimizer.lr": 0.4, "schedule.lr_min": 0.1})
        assert self.rates(recipe, 10) == pytest.approx([0.4] * 7 + [0.3, 0.2, 0.1])


class TestCheckSchedule:
    def plan(self, recipe):
        return build_plan(recipe, build_network(recipe, load_samples(recipe, 0)))

    def test_rates_of_a_whole_network_need_a_whole_network(self):
        recipe = change(
            find_recipe("demo", "bp"),
            {"optimizer.schedule": "information", "plan.cuts": ("fc2",), "plan.objectives": "Y,CE"},
        )
        with pytest.raises(ValueError, match=r"demo: optimizer.schedule=information moves the rates of one network"):
            self.plan(recipe)

    def test_rates_of_layers_need_information(self):
        recipe = change(find_recipe("demo", "bp"), {"schedule.layerwise": True})
        with pytest.raises(ValueError, match=r"demo: schedule.layerwise is for .*information or best, got cosine"):
            self.plan(recipe)


class TestRegressors:
    def data(self):
        split = Split(torch.zeros(6, 5), torch.zeros(6, 2))
        return Dataset("toy", "regression", split, split, split, num_classes=None)

    def test_an_output_for_each_target(self):
        network = build_network(find_recipe("milr-temperature"), self.data())
        shapes = [tuple(layer.weight.shape) for layer in network if isinstance(layer, nn.Linear)]
        assert shapes == [(64, 5), (32, 64), (2, 32)]
        assert isinstance(network[-1], nn.Linear)

    def test_cross_entropy_needs_classes(self):
        with pytest.raises(ValueError, match="toy has no classes; choose a data set for classification, or one module"):
            build_network(find_recipe("demo", "bp"), self.data())
