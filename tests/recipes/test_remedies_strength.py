"""Remedies at several strengths: what its variants may differ in, and a run from end to end on a few made-up images."""

import pytest
import torch

from infotorch.data.sets import Dataset, Split
from infotorch.recipes.build import build_network
from infotorch.recipes.changes import change
from infotorch.recipes.registry import variants_of
from infotorch.recipes.remedies_strength import STRENGTHS
from infotorch.runs import surrogate
from infotorch.runs.assess import assess_run
from infotorch.runs.surrogate import surrogate_network, surrogate_recipe

VARIANTS = {recipe.variant: recipe for recipe in variants_of("remedies-strength")}
CHOSEN = {recipe.variant: recipe for recipe in variants_of("remedies-mnist")}


def setting(recipe, key):
    value = recipe.model_dump()
    for part in key.split("."):
        value = value[part]
    return value


def test_every_remedy_of_the_table_has_its_strengths_and_the_papers_network_none():
    assert set(STRENGTHS) == {*CHOSEN, "total-correlation"} - {"bp", "vib-paper"}
    assert set(VARIANTS) == {"bp"} | {f"{name}-{s:g}" for name, (_, own) in STRENGTHS.items() for s in own}
    for _, own in STRENGTHS.values():
        assert len(own) == 4
        assert list(own) == sorted(own)


def test_a_variant_differs_from_the_chosen_one_in_its_strength_and_the_attacks_alone():
    for remedy, (key, own) in STRENGTHS.items():
        for strength in own:
            recipe, chosen = VARIANTS[f"{remedy}-{strength:g}"], CHOSEN.get(remedy, CHOSEN["bp"])
            assert setting(recipe, key) == strength
            for part in ("data", "network", "plan", "optimizer", "schedule", "epochs", "batch_size", "precision"):
                ours, theirs = getattr(recipe, part), getattr(chosen, part)
                if part == key.split(".")[0]:
                    ours, theirs = (one.model_copy(update={key.split(".")[1]: None}) for one in (ours, theirs))
                assert ours == theirs, (recipe.variant, part)
            assert not recipe.search.space


def test_the_strength_that_accuracy_chose_lies_among_those_that_are_tried():
    for remedy, (key, own) in STRENGTHS.items():
        if remedy in CHOSEN:
            assert own[0] <= setting(CHOSEN[remedy], key) <= own[-1], remedy


def test_all_variants_are_assessed_alike_and_the_other_tables_run_no_strong_attack():
    assert len({str(recipe.assessment) for recipe in VARIANTS.values()}) == 1
    assert VARIANTS["bp"].assessment.restarts == 5
    assert {recipe.assessment.restarts for recipe in CHOSEN.values()} == {0}


class TestSurrogate:
    def test_it_is_one_plain_network_for_all_variants(self):
        assert len({surrogate_recipe(recipe).model_dump_json() for recipe in VARIANTS.values()}) == 1
        plain = surrogate_recipe(VARIANTS["dropout-0.7"])
        assert (plain.remedy.system, plain.network.dropout, plain.plan.objectives) == ("plain", 0.0, ("CE",))
        assert not plain.assessment.outliers

    def test_it_is_trained_once_and_apart_from_the_runs(self, monkeypatch):
        small = {"data.name": "digits", "data.validation": None, "epochs": 3, "optimizer.lr": 1e-2}
        recipe = change(VARIANTS["bp"], {**small, "network.hidden": (16,), "data.limit": 300})
        seeds = []
        setup = surrogate.Setup
        monkeypatch.setattr(surrogate, "Setup", lambda *rest: seeds.append(rest[1]) or setup(*rest))
        surrogate._trained.cache_clear()
        with torch.random.fork_rng():
            before = torch.get_rng_state()
            first = surrogate_network(recipe, seed=0, device="cpu")
            assert torch.equal(torch.get_rng_state(), before)
        assert surrogate_network(change(recipe, {"remedy.weight": 0.5}), seed=0, device="cpu") is first
        assert len(seeds) == 1
        assert seeds[0] >= 10_000
        assert not any(weight.requires_grad for weight in first.parameters())
        surrogate._trained.cache_clear()


def images(n=60):
    """Two classes of images, a bright left or right half, with noise."""
    y = torch.arange(n) % 2
    x = torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(0)) - 1
    x[y == 0, :, :, :3] += 1
    x[y == 1, :, :, 3:] += 1
    return x, y


@pytest.mark.parametrize("variant", ["bp", "vib-0.01"])
def test_the_strong_attack_adds_numbers_and_moves_none(variant, monkeypatch):
    x, y = images()
    split = Split(x, y)
    dataset = Dataset("halves", "images", split, split, split, num_classes=2)
    settings = {"network.hidden": (8,), "remedy.code": 4, "assessment.num_samples": 50, "assessment.strong_steps": 3}
    recipe = change(VARIANTS[variant], settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, other = build_network(recipe, dataset), build_network(change(VARIANTS["bp"], settings), dataset)
    monkeypatch.setattr("infotorch.runs.assess.surrogate_network", lambda *_, **__: other.eval())
    monkeypatch.setattr("infotorch.runs.assess.layer_properties", lambda *_, **__: {"layer_dimensions": 1.0})
    found = {
        restarts: assess_run(change(recipe, {"assessment.restarts": restarts}), model, dataset, x.flip(3), seed=0)
        for restarts in (0, 2)
    }
    added = {f"pgd_{kind}_{radius}_accuracy" for kind in ("restarts", "transfer") for radius in (0.05, 0.1)}
    assert set(found[2]) - set(found[0]) == added | {"obfuscation_signs"}
    assert {name: found[2][name] for name in found[0]} == found[0]
