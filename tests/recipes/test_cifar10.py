"""The speed run and its modules: what the variants differ in, rates told per 1,024 samples, and a resumed run."""

import pytest
import torch

from infotorch.data.batches import TensorBatches
from infotorch.data.sets import Dataset, Split
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe, variants_of
from infotorch.records.run_record import RunRecord
from infotorch.runs import setup
from infotorch.runs.resume import flat_settings
from infotorch.runs.runner import run
from infotorch.runs.scores import final_scores
from infotorch.runs.setup import Setup, load_samples
from infotorch.runs.sweep import sweep
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.loop import train

TABLE = {recipe.variant: recipe for recipe in variants_of("cifar10")}
NARROW = {"network.channels": (8, 8, 8), "batch_size": 16, "epochs": 2}
HELD_OUT = {"data.train_on_validation": False}


def made_up(name="cifar10", channels=3, rows=40, side=32):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(rows) % 10
    x = torch.randn(rows, channels, side, side, generator=generator) + y.view(-1, 1, 1, 1) / 3
    train_part, held_out, tested = (Split(x[part::3], y[part::3]) for part in range(3))
    return Dataset(name, "images", train_part, held_out, tested, num_classes=10)


def narrow(variant, **settings):
    return change(TABLE[variant], {**NARROW, **settings})


def steps_of(recipe, dataset, count=2):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_network(recipe, dataset)
    plan = build_plan(recipe, model)
    batches = TensorBatches(dataset.train.x, dataset.train.y, batch_size=recipe.batch_size, augment="shifts-flips")
    infos = []
    for info in train(plan, batches, epochs=recipe.epochs, micro_batches=recipe.micro_batches):
        infos.append(info)
        if len(infos) == count:
            break
    return plan, model, infos


class TestRows:
    def test_the_rows_of_the_issue_are_there(self):
        wanted = {"bp", "best", "layerwise", "label-free", "infopro", "predsim", "dgl", "deep-bp", "random"}
        assert set(TABLE) >= wanted | {"bp-checkpoint", "bp-accumulate"}

    def test_all_train_on_all_images_for_equally_long_and_are_scored_by_views(self):
        for name, recipe in TABLE.items():
            assert (recipe.epochs, recipe.batch_size) == (18 if name.endswith("-hour") else 10, 1024)
            assert recipe.data == TABLE["bp"].data
            assert recipe.data.train_on_validation
            assert recipe.plan.options["CE"] == {"label_smoothing": 0.2}

    def test_a_search_never_trains_on_what_it_is_judged_by(self):
        assert all(recipe.search.during["data.limit"] == 10000 for recipe in TABLE.values())

    def test_what_is_searched_starts_well_within_its_range(self):
        """A start near an end says that the range is the wrong one."""
        for name, recipe in TABLE.items():
            for key, where in recipe.search.space.items():
                assert 1.5 * where.low < where.start < where.high / 1.5, (name, key)

    def test_a_longer_row_is_the_shorter_one_for_longer_and_is_not_searched(self):
        for name in ("best", "layerwise"):
            short, long = (flat_settings(TABLE[row].model_dump(mode="json")) for row in (name, f"{name}-hour"))
            apart = {key for key in short | long if short.get(key) != long.get(key) and "search.space" not in key}
            assert apart == {"variant", "description", "epochs"}
            assert TABLE[f"{name}-hour"].search.space == {}

    @pytest.mark.parametrize("row", ["bp-checkpoint", "bp-accumulate"])
    def test_rows_for_memory_train_at_the_rate_of_bp(self, row):
        assert TABLE[row].optimizer == TABLE["bp"].optimizer
        assert TABLE[row].search.space == {}

    def test_modules_without_a_rate_for_the_output_module_have_a_high_one_under_adam(self):
        """Its scores are divided by 9: at 0.002 they hardly move."""
        adam = {name: recipe.optimizer for name, recipe in TABLE.items() if recipe.optimizer.name == "adamw"}
        assert set(adam) == {"infopro", "predsim", "label-free"}
        assert all((one.output_lr or one.lr) >= 0.01 for one in adam.values())

    def test_deep_bp_differs_from_best_in_isolation_alone(self):
        best, crossed = TABLE["best"].model_dump(), TABLE["deep-bp"].model_dump()
        assert best["plan"].pop("isolated")
        assert not crossed["plan"].pop("isolated")
        assert {key for key in best if best[key] != crossed[key]} == {"variant", "description"}

    def test_layerwise_has_every_convolution_in_a_module_of_its_own(self):
        plan, _, _ = steps_of(narrow("layerwise"), made_up(), 1)
        for module in plan:
            found = [layer for layer in module.body.modules() if isinstance(layer, torch.nn.Conv2d)]
            assert sum(layer.weight.requires_grad for layer in found) == 1

    @pytest.mark.parametrize("variant", ["bp", "best", "label-free", "random"])
    @pytest.mark.parametrize(("name", "side"), [("mnist", 28), ("fashion-mnist", 28)])
    def test_other_images_are_taken_by_name(self, variant, name, side):
        recipe = narrow(variant, **{"data.name": name})
        _, _, infos = steps_of(recipe, made_up(name, 1, side=side))
        assert recipe.published == {}
        assert all(info.diverged is None for info in infos)


class TestRates:
    def groups(self, variant="bp", batch_size=1024, **settings):
        recipe = change(narrow(variant), {"batch_size": batch_size, **settings})
        dataset = made_up()
        plan = build_plan(recipe, build_network(recipe, dataset))
        plan.prepare(TensorBatches(dataset.train.x, dataset.train.y, batch_size=7), epochs=5, seed=0)
        return plan, [module.update.optimizer.param_groups for module in plan]

    def test_they_are_the_papers_for_a_mean_over_the_batch(self):
        """11.5 per 1,024 samples, divided by 1 + 1 / (1 - 0.85), and a decay of 0.0153 that does not follow it."""
        for size in (1024, 256):
            _, ((weights, *_),) = self.groups(batch_size=size, **{"optimizer.lr": 11.5})
            assert weights["initial_lr"] == pytest.approx(11.5 * size / 1024 / (1 + 1 / 0.15))
            assert weights["initial_lr"] * weights["weight_decay"] == pytest.approx(
                0.0153 * size / 1024 / (1 + 1 / 0.15)
            )
            assert (weights["momentum"], weights["nesterov"], weights["num_steps"]) == (0.85, True, 10)

    def test_statistics_and_the_stems_bias_have_groups_of_their_own(self):
        plan, ((weights, stem, statistics),) = self.groups()
        model = plan[0].body
        assert [id(p) for p in stem["params"]] == [id(model.get_submodule("stem").bias)]
        wanted = [b for name, b in model.named_buffers() if name.endswith(("mean", "var"))]
        assert {id(b) for b in statistics["params"]} == {id(b) for b in wanted}
        assert len(weights["params"]) == 13

    def test_modules_have_the_statistics_beside_their_own_weights(self):
        _, groups = self.groups("layerwise")
        assert [len(one[-1]["params"]) for one in groups] == [2] * 6
        assert ["until" in one[1] for one in groups] == [True] + [False] * 5

    def test_the_stems_bias_moves_for_three_epochs_of_ten_and_then_needs_no_gradient(self):
        """It may move once more, when it next meets its slow copy."""
        recipe = narrow("bp", epochs=10, batch_size=2)
        plan, model, infos = steps_of(recipe, made_up(rows=30), 1)
        bias, steps = model.get_submodule("stem").bias, 5 * 10
        found, batches = [bias.tolist()], TensorBatches(made_up(rows=30).train.x, torch.arange(10), batch_size=2)
        for info in train(plan, batches, epochs=10, start=infos[0].next):
            found.append(bias.tolist())
            needed = any(parameter is bias for parameter in plan[0].update.moving())
            assert needed == (info.next.steps < 3 / 9.9 * steps)
        assert found[14] != found[13]
        assert found[-1] == found[19] != found[0]


class TestScores:
    def test_final_numbers_are_of_views_and_tell_what_they_are_without(self):
        recipe, dataset = narrow("bp", **HELD_OUT), made_up()
        plan, model, _ = steps_of(recipe, dataset)
        found = final_scores(recipe, plan, model, dataset, is_trial=False)
        plain = final_scores(change(recipe, {"data.test_views": False}), plan, model, dataset, is_trial=False)
        assert found.metrics["test_accuracy_without_views"] == plain.metrics["test_accuracy"]
        assert found.metrics["train_accuracy"] == plain.metrics["train_accuracy"]
        assert "test_accuracy_without_views" not in plain.metrics
        assert set(final_scores(recipe, plan, model, dataset, is_trial=True).metrics) == {"validation_accuracy"}
        assert plain.metrics["validation_accuracy"] == plan_accuracy(plan, dataset.validation.x, dataset.validation.y)

    def test_what_is_trained_on_gives_no_validation_numbers(self, tmp_path, monkeypatch):
        monkeypatch.setattr(setup, "load", lambda *_, **__: made_up(rows=60))
        told = {}
        for name, settings in (("all", {}), ("held out", HELD_OUT)):
            outcome = run(narrow("best", **settings), tmp_path / name, device="cpu")
            names = {*outcome.metrics, *(key for line in RunRecord(tmp_path / name).metrics() for key in line)}
            told[name] = {key for key in names if key.startswith("validation_") or key == "mi_ty_nats"}
        assert told["all"] == set()
        assert told["held out"] >= {"validation_accuracy", "validation_loss", "mi_ty_nats"}

    def test_no_rule_ends_training_by_samples_that_are_trained_on(self):
        for settings, rule in (
            ({"schedule.stop_after": 3}, "schedule.stop_after"),
            ({"optimizer.schedule": "best"}, "schedule.tolerance"),
        ):
            recipe, dataset = narrow("bp", **settings), made_up()
            model = build_network(recipe, dataset)
            with pytest.raises(ValueError, match=f"data.train_on_validation must be false .* as by {rule}"):
                build_plan(recipe, model)
            build_plan(change(recipe, HELD_OUT), model)


class TestSearches:
    @pytest.mark.parametrize("search", ["tune", "sweep"])
    def test_trials_hold_out_what_they_are_judged_by(self, search, tmp_path, monkeypatch):
        pytest.importorskip("optuna")
        seen, dataset = [], made_up(rows=60)
        monkeypatch.setattr(setup, "load", lambda *_, **__: dataset)

        def judged(recipe, plan, model, dataset, *, is_trial):
            seen.append((is_trial, len(dataset.train)))
            return final_scores(recipe, plan, model, dataset, is_trial=is_trial)

        monkeypatch.setattr("infotorch.runs.session.final_scores", judged)
        recipe = narrow("bp", epochs=1, **{"search.trials": 2})
        recipe = recipe.model_copy(update={"search": recipe.search.model_copy(update={"during": {}})})
        if search == "tune":
            run(change(recipe, {"tune": True}), tmp_path / "run", device="cpu")
            assert seen == [(True, 20), (True, 20), (False, 40)]
        else:
            found = sweep(recipe, tmp_path / "sweep", device="cpu")
            assert seen == [(True, 20)] * 2
            assert found.recipe.data.train_on_validation


class TestSamples:
    def test_training_on_validation_puts_its_samples_behind_the_others(self, monkeypatch):
        dataset = made_up()
        monkeypatch.setattr(setup, "load", lambda *_, **__: dataset)
        found = load_samples(TABLE["bp"], 0)
        assert torch.equal(found.train.x, torch.cat([dataset.train.x, dataset.validation.x]))
        assert torch.equal(found.validation.x, dataset.validation.x)
        assert torch.equal(found.test.x, dataset.test.x)
        assert len(found.train.y) == len(dataset.train) + len(dataset.validation)
        for settings in ({"data.limit": 14}, {"data.train_on_validation": False}):
            assert torch.equal(load_samples(change(TABLE["bp"], settings), 0).train.x, dataset.train.x)

    def test_mnist_is_not_mirrored(self, monkeypatch):
        monkeypatch.setattr(setup, "load", lambda name, **_: made_up(name, 1, side=28))
        kinds = {name: Setup(narrow("bp", **{"data.name": name}), 0, "cpu") for name in ("mnist", "fashion-mnist")}
        assert {name: made.batches.augment for name, made in kinds.items()} == {
            "mnist": "shifts",
            "fashion-mnist": "shifts-flips",
        }


class TestMemory:
    def test_checkpointing_gives_the_numbers_of_bp_to_the_last_bit(self):
        models = [steps_of(narrow(variant), made_up())[1] for variant in ("bp", "bp-checkpoint")]
        assert all(torch.equal(*pair) for pair in zip(*(m.state_dict().values() for m in models), strict=True))

    def test_both_ways_keep_less_than_bp(self):
        wide = {"network.channels": (16, 16, 16)}
        kept = {
            variant: steps_of(narrow(variant, **wide), made_up(rows=48), 1)[2][0].peak_saved_activation_bytes
            for variant in ("bp", "bp-checkpoint", "bp-accumulate")
        }
        assert kept["bp-checkpoint"] < 0.9 * kept["bp"]
        assert kept["bp-accumulate"] < 0.5 * kept["bp"]


@pytest.mark.parametrize("variant", ["best", "bp-accumulate"])
def test_a_run_that_was_interrupted_within_an_epoch_goes_on_bit_for_bit(variant, tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "load", lambda *_, **__: made_up(rows=120))

    def stop(_what, done, _total):
        if done == 7:
            raise KeyboardInterrupt

    recipe = narrow(variant)
    assert run(recipe, tmp_path / "whole", device="cpu").status == "completed"
    assert run(recipe, tmp_path / "cut", device="cpu", progress=stop, checkpoint_seconds=0).status == "interrupted"
    assert run(recipe, tmp_path / "cut", device="cpu", resume=True).status == "completed"
    whole, resumed = RunRecord(tmp_path / "whole"), RunRecord(tmp_path / "cut")
    assert whole.metrics() == resumed.metrics()
    assert whole.outcome().metrics == resumed.outcome().metrics


def test_the_published_number_stands_beside_bp():
    assert find_recipe("cifar10", "bp").published["test_accuracy"].value == 0.9401
