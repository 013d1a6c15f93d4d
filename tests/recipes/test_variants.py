"""Every variant of every table builds, trains a step, and can be searched, on made-up data of its data's shape."""

import math

import pytest
import torch

from infotorch.data.batches import TensorBatches
from infotorch.data.graph_splits import graphs_as_dataset
from infotorch.data.graphs import NodeSamples
from infotorch.data.sets import Dataset, Graph, GraphSet, Split
from infotorch.recipes.build import build_network, build_plan
from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.registry import find_recipe, recipe_names, variants_of
from infotorch.recipes.search import search
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Stages, Variant, make_variants
from infotorch.runs.setup import with_objectives
from infotorch.training.inputs import batches_of
from infotorch.training.loop import train

# shape of a sample and number of classes
SHAPES = {
    "digits": ((1, 8, 8), 10),
    "mnist": ((1, 28, 28), 10),
    "fashion-mnist": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 10),  # as many of its classes as there are samples of each
    "imagenet": ((3, 32, 32), 10),
    "adult": ((104,), 2),
    "binary-circle": ((2,), 2),
    "idnns": ((12,), 2),
}
#: A step of these takes seconds; that they are built as published is tested where they stand.
LARGE = {"all-cnn-c", "vgg16", "wrn-28-10", "resnet50"}
# "auto" as the first assignment that it tries.
VARIANTS = [
    with_objectives(recipe) for name in recipe_names() for recipe in variants_of(name) if isinstance(recipe, Recipe)
]
GRAPHS = ("cora", "mutagenicity")
FIRST = {name: variants_of(name)[0].variant for name in recipe_names()}
every_variant = pytest.mark.parametrize(
    "recipe",
    # The first of each table is tried at once, the others where there is time.
    [pytest.param(one, marks=() if one.variant == FIRST[one.name] else pytest.mark.slow) for one in VARIANTS],
    ids=lambda recipe: f"{recipe.name}/{recipe.variant}",
)


def made_up(wanted, rows=24):
    name = wanted.name
    if name in GRAPHS:
        pytest.importorskip("torch_geometric")
        made = one_graph() if name == "cora" else many_graphs()
        return graphs_as_dataset(made, label_columns=wanted.label_columns)
    if name == "temperature":
        return temperatures(rows)
    shape, classes = SHAPES[name]
    shape = (shape[0], wanted.side, wanted.side) if wanted.side else shape
    classes = len(wanted.classes) if wanted.classes else classes
    x = torch.rand(rows, *shape, generator=torch.Generator().manual_seed(0))
    split = Split(x, torch.arange(rows) % classes)
    kind = "images" if len(shape) == 3 else "vectors"
    return Dataset(name, kind, split, split, split, num_classes=classes)


def temperatures(rows):
    generator = torch.Generator().manual_seed(0)
    split = Split(torch.rand(rows, 21, generator=generator), torch.rand(rows, 2, generator=generator))
    return Dataset("temperature", "regression", split, split, split, num_classes=None, target_names=("high", "low"))


def one_graph(nodes=30, classes=3):
    """A ring whose nodes are of three classes; ten of them are for training."""
    here = torch.arange(nodes)
    edges = torch.stack([here, (here + 1) % nodes])
    x = torch.rand(nodes, 8, generator=torch.Generator().manual_seed(0))
    parts = (here[:10], here[10:20], here[20:])
    return Graph("cora", x, torch.cat([edges, edges.flip(0)], dim=1), here % classes, *parts, num_classes=classes)


def many_graphs(graphs=24, nodes=4):
    """Rings of four nodes and two classes."""
    here = torch.arange(graphs * nodes)
    edges = torch.stack([here, here // nodes * nodes + (here + 1) % nodes])
    x = torch.rand(len(here), 5, generator=torch.Generator().manual_seed(0))
    y, every = torch.arange(graphs) % 2, torch.arange(graphs)
    edges = torch.cat([edges, edges.flip(0)], dim=1)
    return GraphSet("mutagenicity", x, edges, here // nodes, None, y, every, every[:6], every[6:], num_classes=2)


def steps(dataset):
    return batches_of(dataset.train.x, dataset.train.y, batch_size=24)


def built(recipe):
    if recipe.network.architecture in LARGE:
        small = {
            "network": NetworkSettings(architecture="lenet5"),
            "data": recipe.data.model_copy(update={"side": None}),
        }
        recipe = recipe.model_copy(update=small)
    if recipe.network.architecture == "airbench94":
        recipe = recipe.model_copy(update={"network": recipe.network.model_copy(update={"channels": (8, 8, 8)})})
    dataset = made_up(recipe.data)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(recipe, dataset)
    return dataset, network, build_plan(recipe, network)


@every_variant
class TestEveryVariant:
    def test_its_plan_is_the_network_and_its_modules_are_those_of_the_row(self, recipe):
        dataset, network, plan = built(recipe)
        assert len(plan) == len(recipe.plan.objectives) == len(recipe.plan.cuts) + 1
        assert set(recipe.plan.cuts) <= {name for name, _ in network.named_children()}
        assert recipe.plan.objectives[-1] == {
            "prox-binary": "Y:squared-error",
            "milr-temperature": "Y:squared-error",
        }.get(recipe.name, "X:squared-error" if recipe.name.startswith("prox-vae") else "CE")
        network.eval()
        rows = dataset.train.x
        x = rows.graph if isinstance(rows, NodeSamples) else rows[torch.arange(4)]
        outputs = []
        for scores in (lambda: plan.outputs(x)[-1], lambda: network(x)):
            with torch.random.fork_rng():  # a denoiser adds noise in evaluation too
                torch.manual_seed(1)
                outputs.append(scores())
        assert torch.equal(*outputs)
        assert [module.objective is None for module in plan] == [name == "frozen" for name in recipe.plan.objectives]

    def test_a_normalised_module_normalises_its_input_itself(self, recipe):
        """A cut behind a length norm would put it into the module whose goodness it is to hide."""
        for cut in recipe.plan.cuts:
            if recipe.network.norm == "length":
                assert cut.endswith("_length") or cut in {"flatten", f"fc{len(recipe.network.hidden) + 1}", "head"}

    def test_it_learns_for_one_step_of_each_stage(self, recipe):
        recipe = change(recipe, {"plan.critic_hidden": (16,), "plan.critic_steps": 1, "cache": None})
        dataset, _, plan = built(recipe)
        before = [{name: value.clone() for name, value in module.body.state_dict().items()} for module in plan]
        for info in train(plan, steps(dataset), epochs=1, handoff=recipe.plan.handoff):
            assert info.diverged is None
            assert all(math.isfinite(loss.total) for loss in info.losses.values())
        for module, kept in zip(plan, before, strict=True):
            moved = any(not torch.equal(kept[name], value) for name, value in module.body.state_dict().items())
            assert moved == (module.objective is not None), module.name

    def test_its_rates_are_the_output_modules_own_where_it_stands_behind_frozen_ones(self, recipe):
        dataset, _, plan = built(recipe)
        plan.prepare(steps(dataset), epochs=1, seed=0)
        staged = recipe.plan.order == "sequential" and sum(name != "frozen" for name in recipe.plan.objectives) > 1
        # Behind frozen layers alone the only rate is the output module's, and is searched as such. Of the speed run's
        # network the scores are divided by 9, and the output module may have a higher rate in any order.
        speed_run = recipe.network.architecture == "airbench94"
        assert (recipe.optimizer.output_lr is not None) == staged or speed_run
        for module, name in zip(plan, recipe.plan.objectives, strict=True):
            if module.update is not None:
                wanted = recipe.optimizer.output_lr if name == "CE" else None
                if recipe.optimizer.schedule in {"onecycle", "triangle"}:
                    continue  # begins below its rate
                assert module.update.learning_rate == (wanted or recipe.optimizer.lr)
            if module.critic_update is not None:
                assert module.critic_update.learning_rate == (recipe.optimizer.critic_lr or recipe.optimizer.lr)

    def test_what_it_searches_can_be_set(self, recipe):
        for key, where in recipe.search.space.items():
            assert (where.values is None) == (where.low is not None and where.high is not None)
            for value in where.values or (where.low, where.high):
                changed = change(recipe, {key: value})
                assert (
                    changed != recipe
                    or value == _setting(recipe, key)
                    or value.split(",") == list(_setting(recipe, key))
                )
                built(changed)
        assert change(recipe, recipe.search.during) is not None

    def test_it_survives_its_own_record(self, recipe):
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def _setting(recipe, key):
    value = recipe.model_dump()
    for part in key.split("."):
        value = value[part]
    return value


class TestMaking:
    def base(self):
        return Recipe(
            name="made",
            title="",
            source="somewhere",
            data=DataSettings(name="digits"),
            network=NetworkSettings(hidden=(8, 4)),
            search=SearchSettings(
                trials=2, seeds=(1000,), space={"optimizer.lr": SearchRange(low=1e-3, high=1e-1)}, during={"epochs": 1}
            ),
        )

    def made(self, variants, found=None):
        stages = Stages(("fc2", "fc3"), epochs=3, together_epochs=9, output_lr=0.5)
        published = {"one": (0.9, "table 1")}
        made = make_variants(self.base(), variants, stages=stages, found=found, published=published)
        return {recipe.variant: recipe for recipe in made}

    def test_what_a_variant_says_is_what_its_recipe_has(self):
        made = self.made({
            "one": Variant("staged", ("X", "Y")),
            "two": Variant("together", ("Y", "Y"), together=True, isolated=False),
            "three": Variant("back-propagation"),
            "four": Variant("features as they are", ("frozen",), cuts=("fc3",)),
        })
        assert [made[v].plan.objectives for v in made] == [
            ("X", "Y", "CE"),
            ("Y", "Y", "CE"),
            ("CE",),
            ("frozen", "CE"),
        ]
        assert [made[v].plan.cuts for v in made] == [("fc2", "fc3"), ("fc2", "fc3"), (), ("fc3",)]
        assert [made[v].epochs for v in made] == [3, 9, 9, 9]
        assert [made[v].plan.order for v in made] == ["sequential", "simultaneous", "sequential", "sequential"]
        assert [made[v].plan.isolated for v in made] == [True, False, True, True]
        assert [made[v].cache for v in made] == ["memory", None, None, "memory"]
        assert made["one"].optimizer.output_lr == 0.5
        assert made["two"].optimizer.output_lr is None
        assert made["one"].published == {"test_accuracy": Published(value=0.9, source="somewhere: table 1")}
        assert made["two"].published == {}

    def test_a_variants_own_changes_search_and_trials_come_on_top_and_found_settings_last(self):
        variant = Variant(
            "staged", ("X", "Y"),
            changes={"optimizer.lr": 0.2, "network.norm": "batch"},
            search={"network.dropout": SearchRange(values=(0.0, 0.5))},
            during={"data.limit": 100},
        )  # fmt: skip
        made = self.made({"one": variant, "two": Variant("plain", ("Y", "Y"))}, {"one": {"optimizer.lr": 0.3}})
        assert (made["one"].optimizer.lr, made["one"].network.norm) == (0.3, "batch")
        assert set(made["one"].search.space) == {"network.dropout"}  # what the variant fixes is not searched
        assert made["one"].search.during == {"epochs": 1, "data.limit": 100}
        assert (made["two"].optimizer.lr, made["two"].search.during) == (1e-3, {"epochs": 1})
        assert set(made["two"].search.space) == {"optimizer.lr"}

    def test_whole_networks_keep_the_plan_of_their_table_and_a_number_its_own_source(self):
        base = change(self.base(), {"plan.objectives": ("Y",), "epochs": 7})
        number = Published(value=0.25, source="elsewhere")
        (made,) = make_variants(base, {"one": Variant("whole")}, published={"one": number}, metric="test_mae")
        assert (made.plan, made.epochs, made.cache) == (base.plan, 7, None)
        assert made.published == {"test_mae": number}


def with_during(during):
    recipe = find_recipe("demo", "mi-only")
    settings = {"trials": 2, "seeds": (1000,), "during": during}
    return recipe.model_copy(update={"search": recipe.search.model_copy(update=settings)})


class TestDuring:
    def test_it_holds_in_trials_alone(self, tmp_path):
        pytest.importorskip("optuna")
        recipe = with_during({"data.limit": 100, "epochs": 2})
        seen = []

        def run_trial(trial, where, seed):
            seen.append((trial.data.limit, trial.epochs, trial.tune))
            return {"validation_accuracy": trial.optimizer.lr}

        found = search(change(recipe, {"tune": True}), tmp_path, run_trial)
        assert seen == [(100, 2, False)] * 2
        assert not set(found) & {"data.limit", "epochs"}
        tuned = change(recipe, found)
        assert (tuned.data.limit, tuned.epochs) == (recipe.data.limit, recipe.epochs)

    def test_no_trial_is_longer_than_the_row_itself(self, tmp_path):
        """`--set data.limit=50 --set epochs=1 --set tune=true` is a short look and no search on all rows."""
        pytest.importorskip("optuna")
        recipe = change(with_during({"data.limit": 100, "epochs": 2}), {"data.limit": 50, "epochs": 1})
        seen = []

        def run_trial(trial, where, seed):
            seen.append((trial.data.limit, trial.epochs))
            return {"validation_accuracy": 0.5}

        search(recipe, tmp_path, run_trial)
        assert seen == [(50, 1)] * 2

    def test_what_is_no_number_holds_whatever_the_row_has(self, tmp_path):
        pytest.importorskip("optuna")
        seen = []
        recipe = with_during({"network.norm": "batch", "optimizer.schedule": "constant"})
        search(recipe, tmp_path, lambda trial, *_: seen.append(trial.network.norm) or {"validation_accuracy": 0.5})
        assert seen == ["batch"] * 2


class TestBuilding:
    def test_a_convolutional_network_needs_images(self):
        recipe = find_recipe("mole-mnist", "bp")
        with pytest.raises(ValueError, match="mole-mnist: a convolutional network needs images; adult has vectors"):
            build_network(recipe, made_up(DataSettings(name="adult")))

    def test_message_passing_needs_graphs_and_graphs_message_passing(self):
        with pytest.raises(ValueError, match="mole-cora: message passing needs graphs; adult has vectors"):
            build_network(find_recipe("mole-cora"), made_up(DataSettings(name="adult")))
        with pytest.raises(
            ValueError, match=r"demo: cora has graphs, and the network no message passing; set network\.conv"
        ):
            build_network(find_recipe("demo"), made_up(DataSettings(name="cora")))

    @pytest.mark.parametrize("setting", [{"network.head": True}, {"network.channels": (3,)}, {"network.squash": True}])
    def test_what_is_not_for_graphs_is_refused(self, setting):
        recipe = change(find_recipe("mole-cora"), setting)
        (key,) = setting
        with pytest.raises(ValueError, match=f"mole-cora: {key} is not for graphs, which cora has"):
            build_network(recipe, made_up(DataSettings(name="cora")))

    def test_sigmoids_are_not_for_graphs(self):
        recipe = change(find_recipe("mole-cora"), {"network.activation": "sigmoid"})
        with pytest.raises(ValueError, match=r"mole-cora: network\.activation must be relu on graphs, got sigmoid"):
            build_network(recipe, made_up(DataSettings(name="cora")))

    def test_an_activation_a_squashed_output_and_a_start_reach_the_network(self):
        settings = {"network.activation": "sigmoid", "network.head": False, "network.squash": True}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = build_network(
                change(find_recipe("demo"), {**settings, "network.init": "normal"}), made_up(DataSettings(name="adult"))
            )
        assert {"fc1_sigmoid", "squash"} <= {name for name, _ in network.named_children()}
        assert network.get_parameter("fc2.weight").std().item() == pytest.approx(1, abs=0.05)  # 128 x 64 or more
        with pytest.raises(ValueError, match="demo: network: head is folded into the last layer"):
            change(find_recipe("demo", "full-bound"), {"network.head": True, "network.squash": True})

    def test_a_table_of_nodes_runs_on_graphs_and_one_of_graphs_on_nodes(self):
        for name, data in (("mole-cora", "mutagenicity"), ("mole-mutagenicity", "cora")):
            recipe, dataset = find_recipe(name, "readout"), made_up(DataSettings(name=data))
            plan = build_plan(recipe, build_network(recipe, dataset))
            losses = [loss for info in train(plan, steps(dataset), epochs=1) for loss in info.losses.values()]
            assert len(losses) == len(plan)
            assert all(math.isfinite(loss.total) for loss in losses)

    @pytest.mark.parametrize("layer", ["gcn", "gin", "sage", "gat"])
    def test_the_layers_kind_and_the_read_out_are_settings(self, layer):
        settings = {"network.layer": layer, "network.readout": "sum", "network.hidden": (6,)}
        recipe, dataset = (
            change(find_recipe("mole-mutagenicity", "bp"), settings),
            made_up(DataSettings(name="mutagenicity")),
        )
        network = build_network(recipe, dataset)
        assert type(network.conv1).__name__ == {
            "gcn": "GraphConvolution", "gin": "GINConv", "sage": "SAGEConv", "gat": "GATConv"
        }[layer]  # fmt: skip
        assert (network.readout.how, network.fc1.out_features) == ("sum", 6)

    def test_labels_have_columns_of_their_own(self):
        wide = built(find_recipe("mole-mutagenicity", "graph-forward-forward"))[1]
        narrow = built(find_recipe("mole-mutagenicity", "readout"))[1]
        assert wide.embed1.in_features == narrow.embed1.in_features + 2

    def test_regression_has_no_classes(self):
        x = torch.zeros(4, 3)
        split = Split(x, torch.zeros(4, 1))
        dataset = Dataset("warmth", "regression", split, split, split, num_classes=None)
        with pytest.raises(ValueError, match="demo: warmth has no classes"):
            build_network(find_recipe("demo"), dataset)

    def test_a_padded_name_is_the_output_module_all_the_same(self):
        recipe = change(find_recipe("mole-adult", "readout"), {"plan.objectives": ["Y", " Y", " CE"]})
        assert recipe.plan.objectives == ("Y", "Y", "CE")
        dataset, _, plan = built(recipe)
        plan.prepare(TensorBatches(dataset.train.x, dataset.train.y, batch_size=24), epochs=1, seed=0)
        assert plan[2].update.learning_rate == recipe.optimizer.output_lr

    @pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")])
    def test_optimisers_and_schedules(self, name, kind):
        settings = {"optimizer.name": name, "optimizer.critic_lr": 0.125, "optimizer.weight_decay": 0.25}
        recipe = change(find_recipe("demo"), {"plan.penalty": "aamine", **settings})
        dataset, _, plan = built(recipe)
        plan.prepare(TensorBatches(dataset.train.x, dataset.train.y, batch_size=24), epochs=2, seed=0)
        for update, rate in ((plan[0].update, recipe.optimizer.lr), (plan[0].critic_update, 0.125)):
            assert type(update.optimizer).__name__ == kind
            assert update.learning_rate == rate
            assert update.optimizer.param_groups[0]["weight_decay"] == 0.25
            assert type(update.scheduler).__name__ == "CosineAnnealingLR"
        still = change(recipe, {"optimizer.schedule": "constant"})
        plan = build_plan(still, build_network(still, dataset))
        plan.prepare(TensorBatches(dataset.train.x, dataset.train.y, batch_size=24), epochs=2, seed=0)
        assert plan[0].update.scheduler is None
