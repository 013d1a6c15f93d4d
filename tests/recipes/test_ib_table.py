"""The layer-by-layer tables: the paper's own rows beside ours, and what a beta of 0 is."""

import pytest
import torch

from infotorch.objectives.base import LocalBatch
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.recipes.registry import find_recipe, variants_of

TABLES = ("ib-mnist", "ib-mnist-1pct", "ib-cifar10")


@pytest.mark.parametrize("name", TABLES)
class TestThePapersOwnRows:
    def test_mine_without_a_penalty_is_full_without_its_penalty(self, name):
        alone, full = find_recipe(name, "mi-only-mine"), find_recipe(name, "full")
        assert (alone.plan.objectives, alone.plan.precision, alone.plan.beta) == (full.plan.objectives, "mine", 0.0)
        assert (alone.plan.critic_hidden, alone.plan.critic_steps) == (full.plan.critic_hidden, full.plan.critic_steps)
        assert alone.epochs == find_recipe(name, "mi-only").epochs
        rates = {key for key in full.search.space if key.startswith("optimizer.")}
        assert set(alone.search.space) == rates
        assert alone.search.during == full.search.during
        assert alone.search.trials == full.search.trials

    def test_it_has_the_papers_number_and_mi_only_says_that_the_paper_has_mine(self, name):
        sources = {
            recipe.variant: recipe.published["test_accuracy"].source for recipe in variants_of(name) if recipe.published
        }
        assert sources["mi-only-mine"].endswith("Table 1: I(Y;L)")
        assert sources["mi-only"].endswith("I(Y;L), there with MINE")

    def test_the_search_of_full_may_leave_the_penalty_out(self, name):
        assert 0.0 in find_recipe(name, "full").search.space["plan.beta"].values


def test_full_at_the_epochs_of_the_others_is_full_but_for_its_epochs_and_what_its_search_will_find():
    short, whole = find_recipe("ib-mnist", "full"), find_recipe("ib-mnist", "full-equal-epochs")
    assert (short.epochs, whole.epochs, find_recipe("ib-mnist", "mi-only").epochs) == (3, 10, 10)
    found = {"plan": {"beta", "noise_std"}, "optimizer": {"lr", "critic_lr", "output_lr"}}
    for part, names in found.items():
        ours, theirs = getattr(whole, part).model_dump(), getattr(short, part).model_dump()
        assert {key for key in ours if ours[key] != theirs[key]} <= names
    assert whole.search == short.search


def test_a_beta_of_0_leaves_the_gradient_of_mine_alone():
    """The penalty of mi-only-mine is a closed form that costs no critic, that of full an adversary: 0 times either."""
    found = []
    for penalty in ("gaussian", "aamine"):
        torch.manual_seed(0)
        layer, y = torch.nn.Linear(6, 4), torch.arange(32) % 4
        x = torch.randn(32, 6)
        objective = InformationBottleneck(
            beta=0.0, noise_std=1.0, penalty=penalty, precision="mine", critic_hidden=(8,), lower_bound="accept"
        )
        batch = LocalBatch(x, x, layer(x), y)
        torch.manual_seed(1)
        objective.build(batch, y)
        loss = objective(batch)
        (gradient,) = torch.autograd.grad(loss.total, layer.weight)
        assert loss.total.item() == pytest.approx(-loss.terms["mi_ty_nats"].item())
        found.append(gradient)
    assert torch.equal(*found)
    assert found[0].abs().max() > 0
