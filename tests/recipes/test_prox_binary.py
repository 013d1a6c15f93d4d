"""The table of Figure 3: what its rows are, and that its networks side by side are its networks."""

import importlib.util
import warnings
from pathlib import Path

import pytest
import torch

from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe, variants_of
from infotorch.runs.runner import run
from infotorch.runs.setup import load_samples
from infotorch.training.inputs import batches_of
from infotorch.training.loop import train

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "prox_binary.py"


def rows():
    return {row.variant: row for row in variants_of("prox-binary")}


def benchmark():
    spec = importlib.util.spec_from_file_location("prox_binary_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rows_are_the_updates_under_the_papers_rates_and_under_searched_ones():
    updates = ("order2", "bp", "order1", "hybrid", "l1", "huber")
    optimizers = ("sgd", "adam", "adamw", "nadam", "adamp")
    searched = {f"{optimizer}-{update}" for optimizer in optimizers for update in updates}
    assert set(rows()) == searched | {"sgd-paper", "sgd-paper-bp", "sgd-paper-order1", "sgd-paper-hybrid"}
    assert next(iter(rows())) == "sgd-paper"
    for variant, row in rows().items():
        assert bool(row.search.space) == (variant in searched)
        update = variant.split("-")[-1]
        assert row.split.at == "fc3"  # where back-propagation's information is measured too
        assert row.optimizer.name == variant.split("-")[0]
        assert row.optimizer.weight_decay == (0.01 if row.optimizer.name == "adamw" else 0.0)
        assert row.split.order == {"bp": "bp", "order1": 1, "hybrid": "hybrid"}.get(update, 2)
        assert row.split.penalty == (update if update in {"l1", "huber"} else "l2")


def test_the_papers_rates():
    for variant in ("sgd-paper", "sgd-paper-order1", "sgd-paper-hybrid"):
        row = rows()[variant]
        assert (row.optimizer.lr, row.split.step_size, row.split.forward_lr) == (0.1, 10.0, 100.0)
    assert rows()["sgd-paper-bp"].optimizer.lr == 0.1
    assert {row.optimizer.schedule for row in rows().values()} == {"constant"}


def test_all_rows_differ_in_nothing_but_how_weights_move():
    kept = ("data", "network", "plan", "epochs", "batch_size", "precision")
    assert len({str([getattr(row, key) for key in kept]) for row in rows().values()}) == 1
    assert len({(row.search.trials, row.search.seeds) for row in rows().values()}) == 1
    lowest = {row.search.space["optimizer.lr"].low for row in rows().values() if row.search.space}
    assert len(lowest) == 2  # gradient descent, and the adaptive optimisers


def test_the_network_is_split_in_the_middle_of_its_four_hidden_layers():
    recipe = find_recipe("prox-binary")
    network = build_network(recipe, load_samples(recipe, 0))
    names = [name for name, _ in network.named_children()]
    before = names[: names.index(recipe.split.at)]
    assert [name for name in before if name.endswith("_sigmoid")] == ["fc1_sigmoid", "fc2_sigmoid"]
    assert names[-2:] == ["fc5", "squash"]


def test_order_1_is_back_propagation_with_ten_thousand_times_the_rate_before_the_bottleneck():
    """Under plain gradient descent, eq. 4: theta moves by beta gamma dL/dtheta."""
    recipe = change(
        rows()["sgd-paper-order1"], {"precision": "64-true", "split.forward_lr": 1.0}
    )  # so that 3 steps agree
    dataset = load_samples(recipe, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(recipe, dataset).double()
        by_hand = build_network(recipe, dataset).double()
    by_hand.load_state_dict(network.state_dict())
    batches = batches_of(dataset.train.x, dataset.train.y, batch_size=600, seed=0)
    list(train(build_plan(recipe, network), batches, epochs=3))
    targets = torch.nn.functional.one_hot(dataset.train.y, 2)
    for _ in range(3):
        by_hand.zero_grad()
        (by_hand(dataset.train.x) - targets).square().mean().backward()
        with torch.no_grad():
            for name, parameter in by_hand.named_parameters():
                parameter -= (10.0 if name[:3] in {"fc1", "fc2"} else 0.1) * parameter.grad
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter, by_hand.get_parameter(name), rtol=1e-9, atol=1e-12)


def test_every_rule_can_be_run(tmp_path):
    for rule in ("line", "quadrants", "sine"):
        recipe = change(find_recipe("prox-binary", "sgd-bp"), {"data.name": f"binary-{rule}", "epochs": 2})
        outcome = run(recipe, tmp_path / rule, device="cpu")
        assert outcome.status == "completed"
        assert 0.4 < outcome.metrics["majority_class"] < 0.6


@pytest.mark.parametrize("update", ["bp", "order1", "order2", "hybrid"])
def test_networks_side_by_side_move_as_each_would_alone(update):
    module = benchmark()
    starts = ("normal", "xavier")
    x = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = (x.prod(dim=2) > 0).long()

    def moved(numbers):
        model = module.side_by_side([module.network(starts[n], n).double() for n in numbers])
        step = module.bp_step(model, 3.0) if update == "bp" else module.split_step(model, module.ORDERS[update])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module.curves(step, x[numbers], y[numbers], 5)
        return [parameter.detach() for parameter in model.parameters()]

    together = moved([0, 1])
    for number in (0, 1):
        for both, alone in zip(together, moved([number]), strict=True):
            torch.testing.assert_close(both[number], alone[0], rtol=1e-9, atol=1e-12)


def test_one_network_side_by_side_is_the_recipes_own():
    module = benchmark()
    network = module.network("normal", 3)
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module.side_by_side([network])(x[None])[0], network(x))


def test_the_summary_counts_networks_that_end_above_the_mark():
    module = benchmark()
    seen = [torch.tensor([0.5, 0.5, 0.95]), torch.tensor([0.9, 0.6, 0.5]), torch.tensor([1.0, 0.8, 0.89])]
    found = module.summary(seen, ["line", "line", "sine"], ["normal"] * 3)
    assert found["line"]["normal"] == {"train_accuracy": 0.9, "learnt": 1, "steps": 1}
    assert found["sine"]["normal"] == {"train_accuracy": 0.89, "learnt": 0}
