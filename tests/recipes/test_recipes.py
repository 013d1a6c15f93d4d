import json
import sys

import pytest
import torch

from infotorch.commands.main import main
from infotorch.data.sets import Dataset, Split
from infotorch.objectives.auxiliary import auxiliary_kind
from infotorch.objectives.names import objective_from_name
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change, change_from_text, settable_keys
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe, recipe_names, variants_of
from infotorch.recipes.search import search
from infotorch.recipes.search_settings import SearchRange
from infotorch.runs.setup import load_samples, with_objectives


def training_variants(name):
    return [row for row in variants_of(name) if isinstance(row, Recipe)]


#: Tables that train; `milr-sample-size` looks at data alone.
TRAINING = [name for name in recipe_names() if training_variants(name)]


#: Table, or how its name begins -> variants that keep it honest. The first that fits counts; a new table needs none.
HONEST = {
    "mole-mnist-1pct": {"bp", "label-free", "random"},
    "mole-cora": {"bp", "gmi-mine", "dgi", "label-free", "best", "deep-bp", "random"},
    "mole-": {"bp", "matrix", "mine", "label-free", "best", "deep-bp", "random"},
    "prox-binary": {f"sgd-{update}" for update in ("bp", "order1", "order2", "hybrid")},
    "prox-": {f"adam-{update}" for update in ("bp", "order1", "order2", "hybrid")},
    "milr-": {"network", "layerwise", "best", "control", "adam", "cosine", "onecycle"},
    "remedies-mnist": {"bp", "dropout", "vib", "vib-paper", "nonlinear-ib", "information-dropout", "noisy"},
    "cifar10-large": {"resnet110", "resnet110-infopro", "wide-bp", "wide-layerwise"},
    "cifar10": {"bp", "best", "layerwise", "label-free", "infopro", "predsim", "dgl", "deep-bp", "random"},
    "why-ib-fails": {"figure-1", "figure-2", "figure-3", "plane-tanh", "plane-relu"},
    "demo": {"full-bound", "mi-only", "weight-decay", "deep-bp", "random", "bp"},
    "ib-": {"full-bound", "mi-only", "weight-decay", "deep-bp", "random", "ce"},
}


def test_every_table_has_the_variants_that_keep_it_honest():
    for name in TRAINING:
        wanted = next((wanted for begins, wanted in HONEST.items() if name.startswith(begins)), set())
        assert {recipe.variant for recipe in variants_of(name)} >= wanted, name


def test_the_first_look_is_a_short_one():
    """README counts its variants; those with critics take minutes a seed."""
    variants = training_variants("demo")
    assert len(variants) == 8
    assert all(recipe.plan.precision != "mine" for recipe in variants)


def test_every_row_of_a_table_has_the_same_search_budget():
    """`wide-...` are searched apart from the others, and alike among themselves."""
    for name in TRAINING:
        for wide in (False, True):
            rows = [row for row in training_variants(name) if row.variant.startswith("wide-") == wide]
            assert len({(row.search.trials, row.search.seeds) for row in rows}) <= 1


def test_no_search_seed_is_a_seed_of_a_table():
    assert all(min(row.search.seeds) >= 1000 for name in recipe_names() for row in training_variants(name))


def test_rows_that_train_all_layers_at_once_get_at_least_twice_a_stages_epochs():
    """The stages of a layer-wise row together cost about as much arithmetic as one end-to-end pass."""
    for name in TRAINING:
        epochs: dict[bool, set[int]] = {True: set(), False: set()}
        for row in map(with_objectives, training_variants(name)):
            # As long as its paper says, or for an hour, and said to be.
            if row.variant == "vib-paper" or row.variant.endswith("-hour"):
                continue
            trained = sum(objective != "frozen" for objective in row.plan.objectives)
            epochs[row.plan.order == "sequential" and trained > 1].add(row.epochs)
        # One length for each optimiser, and for each network.
        assert len(epochs[False]) == 1 or name.startswith(("prox-", "cifar10-large"))
        # Their networks are one module, or have modules that all train at once.
        if not name.startswith(("prox-", "milr-", "remedies-", "why-", "cifar10", "arena")):
            assert min(epochs[False]) >= 2 * max(epochs[True])


def test_published_numbers_name_their_table():
    published = find_recipe("ib-mnist-1pct", "ce").published["test_accuracy"]
    assert (published.value, published.source) == (0.8578, "Elad et al. 2019, Table 1: cross-entropy")


def test_a_recipe_survives_json():
    for row in variants_of("ib-mnist"):
        assert Recipe.model_validate(json.loads(row.model_dump_json())) == row


class TestChanging:
    def test_nested_settings_are_replaced_and_validated(self):
        changed = change_from_text(
            find_recipe("ib-mnist"), ["data.limit=5000", "optimizer.lr=1e-2", "plan.cuts=fc2,fc3,head", "cache=none"]
        )
        assert (changed.data.limit, changed.optimizer.lr, changed.cache) == (5000, 0.01, None)
        assert changed.plan.cuts == ("fc2", "fc3", "head")
        assert changed.changed == ("data.limit=5000", "optimizer.lr=1e-2", "plan.cuts=fc2,fc3,head", "cache=none")

    def test_a_single_value_is_a_list_of_one(self):
        changed = change_from_text(find_recipe("ib-mnist", "ce"), ["network.hidden=64", "plan.objectives=CE"])
        assert (changed.network.hidden, changed.plan.objectives) == ((64,), ("CE",))

    def test_one_class_alone_is_a_list_of_one(self):
        assert change_from_text(find_recipe("demo"), ["data.classes=3"]).data.classes == (3,)
        assert change_from_text(find_recipe("demo"), ["data.classes=3,5"]).data.classes == (3, 5)

    def test_none_is_no_value_or_the_choice_of_that_name(self):
        demo = find_recipe("demo")
        assert change_from_text(demo, ["network.norm=none", "data.augment=None"]).network.norm == "none"
        made = change(demo, {"cache": "memory", "optimizer.output_lr": 0.1})
        made = change_from_text(made, ["cache=none", "optimizer.output_lr=none"])
        assert (made.cache, made.optimizer.output_lr) == (None, None)
        with pytest.raises(ValueError, match=r"demo has no setting 'network\.nom'"):
            change_from_text(demo, ["network.nom=none"])

    def test_classes_size_and_range_of_images_reach_the_rows(self):
        settings = ["data.classes=7,1", "data.side=12", "data.scaling=signed", "data.limit=40"]
        loaded = load_samples(change_from_text(find_recipe("demo"), settings), 0)
        assert loaded.train.x.shape == (40, 1, 12, 12)
        assert loaded.train.y.bincount().tolist() == [20, 20]
        assert loaded.train.x.min() == -1

    def test_other_data_have_no_published_number(self):
        assert find_recipe("ib-mnist").published
        assert change(find_recipe("ib-mnist"), {"data.name": "fashion-mnist"}).published == {}

    @pytest.mark.parametrize(
        ("assignment", "message"),
        [
            ("epochs", "--set takes key=value, got 'epochs'"),
            ("epoch=3", "has no setting 'epoch'; did you mean epochs"),
            ("data.limt=3", "did you mean data.limit"),
            ("lr=3", r"did you mean optimizer\.lr\?"),
            ("variant=ce", "has no setting 'variant'"),
            ("data=3", "has no setting 'data'"),
            ("epochs=" + "9" * 5000, "a setting must be a value or a list of values, got '999"),
            ("network.hidden=" + "[" * 5000, r"a setting must be a value or a list of values, got '\[\["),
            ("epochs=0", r"epochs: input should be greater than or equal to 1, got 0\."),
            ("epochs=many", "epochs: input should be a valid integer, .* got 'many'"),
            (
                "plan.penalty=mine",
                "plan.penalty: there is no value 'mine'; did you mean aamine or infonce",
            ),
            ("optimizer.lr=-1", "optimizer.lr: input should be greater than 0, got -1"),
            ("optimizer.lr=inf", "optimizer.lr: input should be a finite number, got 'inf'"),
            (
                "network.hidden=[]",
                r"network: hidden must name a layer's width, where there is no convolution and no message passing\.$",
            ),
            ("network.layer=gnc", "network.layer: there is no value 'gnc'; did you mean gin or gcn"),
            ("data.scaling=log", "data.scaling: there is no value 'log'; allowed: none, standard, signed"),
        ],
    )
    def test_bad_assignments_get_one_clear_line(self, assignment, message):
        with pytest.raises(ValueError, match=message) as raised:
            change_from_text(find_recipe("ib-mnist"), [assignment])
        assert "\n" not in str(raised.value)

    def test_what_names_a_row_cannot_be_set(self):
        keys = settable_keys(find_recipe("ib-mnist"))
        assert {"data.name", "plan.beta", "optimizer.lr", "epochs", "tune"} <= set(keys)
        assert not {"name", "variant", "published", "title"} & set(keys)


class TestFinding:
    def test_unknown_names_suggest_near_misses(self):
        with pytest.raises(ValueError, match="no recipe 'ib-mnst'; did you mean ib-mnist"):
            find_recipe("ib-mnst")
        with pytest.raises(ValueError, match="no recipe 'zzz'; recipes: demo, ib-mnist-1pct"):
            find_recipe("zzz")
        with pytest.raises(ValueError, match="no variant 'mi-onyl'; did you mean mi-only"):
            find_recipe("ib-mnist", "mi-onyl")
        with pytest.raises(ValueError, match="no variant 'zzz'; variants: full-bound"):
            find_recipe("ib-mnist", "zzz")


class TestSearch:
    def recipe(self):
        return change(find_recipe("demo", "mi-only"), {"search.trials": 5, "search.seeds": (1000, 1001)})

    @staticmethod
    def score(recipe, seed):
        """Best at lr = 1e-3; the seeds differ by a constant."""
        import math

        return 1.0 - (math.log10(recipe.optimizer.lr) + 3) ** 2 - 0.01 * (seed - 1000)

    def test_the_best_mean_wins_and_every_trial_is_written_down(self, tmp_path):
        calls = []

        def run_trial(recipe, where, seed):
            calls.append((recipe.optimizer.lr, where.parent.name, seed))
            return {"validation_accuracy": self.score(recipe, seed)}

        best = search(self.recipe(), tmp_path, run_trial)
        lines = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
        assert len(calls) == 10
        assert len(lines) == 5
        assert best == max(lines, key=lambda line: line["mean"])["settings"]
        assert lines[2]["mean"] == pytest.approx(sum(lines[2]["scores"].values()) / 2)

    def test_a_search_goes_on_where_it_stopped_and_asks_the_same(self, tmp_path):
        def run_trial(recipe, where, seed):
            return {"validation_accuracy": self.score(recipe, seed)}

        whole = search(self.recipe(), tmp_path / "whole", run_trial)

        def stopping(recipe, where, seed):
            if where.parent.name == "trial-003":
                raise KeyboardInterrupt
            return run_trial(recipe, where, seed)

        with pytest.raises(KeyboardInterrupt):
            search(self.recipe(), tmp_path / "cut", stopping)
        assert search(self.recipe(), tmp_path / "cut", run_trial) == whole
        assert (tmp_path / "cut" / "trials.jsonl").read_text() == (tmp_path / "whole" / "trials.jsonl").read_text()

    def test_a_search_starts_where_its_ranges_say_and_goes_on_with_draws(self, tmp_path):
        recipe = self.recipe()
        start = {key: where.model_copy(update={"start": 2e-3}) for key, where in recipe.search.space.items()}
        recipe = recipe.model_copy(update={"search": recipe.search.model_copy(update={"space": start})})
        seen = []

        def run_trial(recipe, where, seed):
            seen.append(recipe.optimizer.lr)
            return {"validation_accuracy": self.score(recipe, seed)}

        best = search(recipe, tmp_path, run_trial)
        assert set(start) == {"optimizer.lr"}
        assert seen[0] == 2e-3
        assert len(set(seen)) == 5
        assert search(recipe, tmp_path, run_trial) == best  # which reads the log and asks the same

    @pytest.mark.parametrize(
        "given",
        [
            {"low": 1.0, "high": 9.0, "start": 10.0},
            {"low": 1, "high": 9, "whole": True, "start": 2.5},
            {"values": ("a", "b"), "start": "c"},
        ],
    )
    def test_a_start_outside_of_its_range_is_refused(self, given):
        with pytest.raises(ValueError, match="start must be one of the range's values"):
            SearchRange(**given)

    def test_a_setting_with_a_diverged_seed_cannot_win(self, tmp_path):
        def run_trial(recipe, where, seed):
            return {} if seed == 1001 and recipe.optimizer.lr > 3e-3 else {"validation_accuracy": recipe.optimizer.lr}

        assert search(self.recipe(), tmp_path, run_trial)["optimizer.lr"] <= 3e-3

    def test_a_search_that_only_diverges_says_so(self, tmp_path):
        with pytest.raises(ValueError, match="every one of 5 trials diverged"):
            search(self.recipe(), tmp_path, lambda *_: {})

    def test_a_log_of_another_search_is_refused(self, tmp_path):
        (tmp_path / "trials.jsonl").write_text(
            '{"trial": 0, "settings": {"optimizer.lr": 5}, "scores": {}, "mean": 1.0}\n'
        )
        with pytest.raises(ValueError, match="was written by another search"):
            search(self.recipe(), tmp_path, lambda *_: {"validation_accuracy": 0.5})

    @pytest.mark.parametrize("left", ['{"trial": 2, "settings": {"optim', '{"trial": 2}', "\0\0\0"])
    def test_a_trial_that_a_kill_cut_short_is_run_again(self, tmp_path, left):
        """Its half line was joined to the next one, and later resumes ended in an error of JSON."""

        def run_trial(recipe, where, seed):
            return {"validation_accuracy": self.score(recipe, seed)}

        best, log = search(self.recipe(), tmp_path, run_trial), tmp_path / "trials.jsonl"
        whole = log.read_bytes()
        log.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + left.encode())
        for _ in range(2):
            assert search(self.recipe(), tmp_path, run_trial) == best
            assert log.read_bytes() == whole

    @pytest.mark.parametrize(
        ("damage", "told"),
        [
            ('"mean": 0', "Extra data"),
            ("[]", "expected a JSON object, got list"),
            ('{"trial": 1}', "it is not trial 1"),
            ('{"trial": 7, "settings": {}, "scores": {}, "mean": 1.0}', "it is not trial 1"),
            ('{"trial": 1, "settings": {}, "scores": {"1000": "a"}, "mean": 1.0}', "it is not trial 1"),
            ('{"trial": 1, "settings": {}, "scores": 3, "mean": 1.0}', "it is not trial 1"),
            ('{"trial": 1, "settings": [], "scores": {}, "mean": null}', "it is not trial 1"),
        ],
    )
    def test_a_damaged_trial_is_named_by_file_and_line(self, tmp_path, damage, told):
        def run_trial(recipe, where, seed):
            return {"validation_accuracy": self.score(recipe, seed)}

        search(self.recipe(), tmp_path, run_trial)
        log = tmp_path / "trials.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join([lines[0], damage + "\n", *lines[2:]]))
        damaged = rf"trials\.jsonl, line 2, is damaged: {told}.*; cut the file off before it, and the trials from"
        with pytest.raises(ValueError, match=damaged):
            search(self.recipe(), tmp_path, run_trial)

    def test_a_link_in_place_of_the_trials_is_refused(self, tmp_path):
        (tmp_path / "theirs").write_text("years of work")
        (tmp_path / "trials.jsonl").symlink_to("theirs")
        with pytest.raises(ValueError, match=r"trials\.jsonl is a link, and what it leads to would be changed"):
            search(self.recipe(), tmp_path, lambda *_: {})
        assert (tmp_path / "theirs").read_text() == "years of work"

    def test_a_score_that_is_not_finite_is_that_of_a_diverged_run(self, tmp_path):
        def run_trial(recipe, where, seed):
            return {"validation_accuracy": float("inf") if recipe.optimizer.lr > 3e-3 else recipe.optimizer.lr}

        found = search(self.recipe(), tmp_path, run_trial)
        assert found["optimizer.lr"] <= 3e-3
        assert search(self.recipe(), tmp_path, run_trial) == found

    def test_an_empty_space_is_refused(self, tmp_path):
        recipe = find_recipe("demo").model_copy(
            update={"search": find_recipe("demo").search.model_copy(update={"space": {}})}
        )
        with pytest.raises(ValueError, match="nothing to search"):
            search(recipe, tmp_path, lambda *_: {})


class TestOptions:
    """Keyword arguments of objectives: `--set plan.options.NAME.OPTION=VALUE`."""

    def objectives(self, *assignments, variant="best"):
        row = change_from_text(find_recipe("demo", variant), list(assignments))
        split = Split(torch.zeros(20, 1, 8, 8), torch.arange(20) % 10)
        dataset = Dataset("digits", "images", split, split, split, num_classes=10)
        return [module.objective for module in build_plan(row, build_network(row, dataset))]

    def test_they_reach_every_objective_of_that_name(self):
        before = self.objectives()
        made = self.objectives("plan.options.Y:supcon.temperature=0.3", "plan.options.Y:supcon.embedding=16")
        for objective, other in zip(made[:2], before[:2], strict=True):
            assert (objective.parts[0].temperature, objective.parts[0].embedding) == (0.3, 16)
            assert other.parts[0].temperature != 0.3

    @pytest.mark.parametrize("text", ["64,32", "[64, 32]", "64, 32"])
    def test_a_list_of_numbers_is_one(self, text):
        made = self.objectives(f"plan.options.Y:supcon.hidden={text}")
        assert made[0].parts[0].hidden == (64, 32)

    def test_none_is_a_value(self):
        assert self.objectives("plan.options.Y:supcon.hidden=none")[0].parts[0].hidden is None

    def test_they_are_kept_in_the_recipe_and_its_list_of_changes(self):
        row = change_from_text(find_recipe("demo", "best"), ["plan.options.Y:supcon.temperature=0.3"])
        assert row.plan.options == {"Y:supcon": {"temperature": 0.3}}
        assert row.changed == ("plan.options.Y:supcon.temperature=0.3",)
        assert Recipe.model_validate_json(row.model_dump_json()) == row
        more = change(row, {"plan.options.Y:supcon.embedding": 8})
        assert more.plan.options == {"Y:supcon": {"temperature": 0.3, "embedding": 8}}

    def test_an_auxiliary_network_is_an_option_with_settings_of_its_own(self):
        begins = "plan.options.Y:readout.auxiliary"
        row = change_from_text(find_recipe("demo", "best"), [f"{begins}.kind=convolutions", f"{begins}.channels=8,16"])
        settings = {"kind": "convolutions", "channels": (8, 16)}
        assert row.plan.options["Y:readout"] == {"auxiliary": settings}
        assert Recipe.model_validate_json(row.model_dump_json()) == row
        short = change(find_recipe("demo", "best"), {begins: "following"})
        assert short.plan.options["Y:readout"] == {"auxiliary": "following"}
        made = objective_from_name("Y", row.plan.options)
        assert made.kind == auxiliary_kind(settings)

    @pytest.mark.parametrize(
        ("assignment", "message"),
        [
            (
                "plan.options.Y:supcon.temprature=0.3",
                "objective: Y:supcon has no option 'temprature'; did you mean temperature? "
                "Options: temperature, embedding, hidden, locations, auxiliary.",
            ),
            ("plan.options.Y:supcn.temperature=0.3", "got 'Y:supcn'; did you mean Y:supcon or "),
            ("plan.options.IB.beta=0.3", "got 'IB';"),
            ("plan.options.Y:supcon.temperature=hot", "SupervisedContrastive: temperature must be a number, got str."),
            ("plan.options.Y:supcon.temperature=-1", "SupervisedContrastive: temperature must be positive"),
            ("plan.options.Y:supcon=3", "demo: plan.options.Y:supcon: input should be a valid dictionary, got 3."),
            ("plan.options=3", "demo: plan.options: input should be a valid dictionary, got 3."),
            ("plan.option.Y:supcon.temperature=0.3", "demo has no setting 'plan.option.Y:supcon.temperature';"),
            ("plan.objectives=Y:supcn,Y,CE", "did you mean Y:supcon"),
            ("plan.objectives=Y+frozen,Y,CE", "objective: 'frozen' stands alone, got 'Y+frozen'."),
            ("embedding_samples=2", "demo: embedding_samples: must be 0, or 3 samples or more"),
        ],
    )
    def test_a_wrong_one_is_one_line_and_exit_code_2_on_the_command_line(
        self, assignment, message, monkeypatch, capsys, tmp_path
    ):
        words = ["run", "demo", "--variant", "best", "--device", "cpu", "--set", assignment, "--out", tmp_path / "run"]
        monkeypatch.setattr(sys, "argv", ["infotorch", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        errors = capsys.readouterr().err.strip().splitlines()
        assert left.value.code == 2
        assert message in errors[-1]
        assert "Traceback" not in "".join(errors)
        assert not (tmp_path / "run").exists()

    def test_a_path_through_a_value_is_refused(self):
        row = change(find_recipe("demo", "best"), {"plan.options.Y:supcon.temperature": 0.3})
        with pytest.raises(ValueError, match=r"demo has no setting 'plan\..*\.x': temperature is one value"):
            change(row, {"plan.options.Y:supcon.temperature.x": 1})
