"""Range tests of recipes: their own set-up, no look at test rows, and what is written."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from infotorch.data.folders import ImageFiles
from infotorch.data.sets import Split
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.runs import setup
from infotorch.runs.range import RecipeRange, Trainee, _Part, range_of_recipe
from infotorch.runs.setup import load_samples
from infotorch.schedules.range_choice import Probe, choose_range, significance
from infotorch.schedules.range_test import RangeOptions, RangeTest

SGD = {"optimizer.name": "sgd", "optimizer.momentum": 0.9}
# The candidates of such small sets often end where the range does.
pytestmark = pytest.mark.filterwarnings("ignore:lr_range_test")

SMALL = {"data.limit": 200, "network.hidden": (16,), **SGD}
PICTURES = {"data.side": 16, "data.limit": None, "data.validation": 0.25, "schedule.num_samples": 20, "batch_size": 6}
SHORT = {"device": "cpu", "trials": 1, "epochs": 2}


def demo(variant="bp", **settings):
    return change(find_recipe("demo", variant), {**SMALL, **settings})


def denoiser(**settings):
    small = {
        "data.name": "digits", "data.side": 8, "data.limit": 100, "data.validation": 40,
        "network.channels": (4, 4, 4), "network.latent": 5,
    }  # fmt: skip
    return change(find_recipe("prox-vae-mnist", "adam-bp"), {**small, **settings})


@pytest.fixture(scope="module")
def tested():
    return range_of_recipe(demo(), **SHORT)


def trainee(recipe=None, search="halving", part=None):
    constant = recipe or change(demo(), {"optimizer.schedule": "constant"})
    return Trainee(setup.Setup(constant, 0, "cpu"), search, part)


class TestARecipe:
    def test_rates_that_learn_lie_in_the_range_and_the_rest_outside(self, tested):
        found = tested.found
        assert 1e-4 <= found.lr_min <= found.lr_top <= found.lr_max <= 1.0
        assert found.attribute == "accuracy"
        assert 0 < found.threshold < 1
        best = max(probe.last("accuracy") for probe in found.probes if not probe.failed)
        assert best > 0.3  # in 6 steps, where chance is 0.1
        assert found.probes[0].last("accuracy") < 0.3  # 1e-5

    def test_table_and_figure_are_those_of_the_range_test(self, tested):
        assert tested.table() == tested.found.table() == tested.summary()["table"]
        pytest.importorskip("plotly")
        assert tested.figure().layout.title.text.endswith("range test of the learning rate")
        assert len(tested.figure().data) == len(tested.found.figure().data)

    def test_no_number_depends_on_test_rows(self, tested, monkeypatch):
        def spoiled(recipe, seed):
            rows = load_samples(recipe, seed)
            return replace(rows, test=Split(torch.full_like(rows.test.x, math.nan), rows.test.y * 0))

        monkeypatch.setattr(setup, "load_samples", spoiled)
        assert repr(range_of_recipe(demo(), **SHORT).found.probes) == repr(tested.found.probes)

    def test_nothing_is_left_of_it(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        before = torch.get_rng_state()
        range_of_recipe(demo(), **{**SHORT, "epochs": 1})
        assert torch.equal(torch.get_rng_state(), before)
        assert list(tmp_path.iterdir()) == []

    def test_the_recipes_own_rate_and_schedule_do_not_matter(self, tested):
        other = demo(**{"optimizer.lr": 0.5, "optimizer.schedule": "onecycle"})
        assert repr(range_of_recipe(other, **SHORT).found.probes) == repr(tested.found.probes)

    def test_layers_have_a_range_each(self):
        found = range_of_recipe(demo(**{"schedule.num_samples": 100}), layers=True, **SHORT)
        assert found.layers == ("fc1", "fc2")
        assert len(found.found.lr_max) == len(found.found.threshold) == 2
        assert found.found.attribute == "information"
        assert found.ranges()[0] == ("layer", "fc1", "fc2")
        assert [len(line) for line in found.ranges()] == [3] * 6

    def test_a_denoiser_is_told_by_the_fall_of_its_loss(self):
        recipe = denoiser(**{"optimizer.name": "sgd"})
        found = range_of_recipe(recipe, **SHORT)
        assert found.found.attribute == "loss"
        assert found.found.threshold is None
        lasts = {probe.rate: -probe.last("loss") for probe in found.found.probes if not probe.failed}
        assert lasts[found.found.lr_top] < lasts[1e-5]


def test_the_seed_decides_everything_and_the_global_generator_nothing():
    options = {"rates": [1e-2, 1e-1], **SHORT, "trials": 2}
    found = []
    for global_seed, seed in ((1, 0), (2, 0), (2, 1)):
        torch.manual_seed(global_seed)
        found.append(repr(range_of_recipe(demo(), options=RangeOptions(seed=seed), **options).found.probes))
    assert found[0] == found[1] != found[2]


class TestPicturesOnDisk:
    """ImageNet's reader, as the same recipe has it whose pictures were loaded into memory."""

    @pytest.fixture
    def root(self, tmp_path, monkeypatch):
        image = pytest.importorskip("PIL.Image")
        rng = np.random.default_rng(0)
        for part, count in (("train", 24), ("val", 4)):
            for name, level in (("n01", 70), ("n02", 180)):
                folder = tmp_path / "imagenet" / part / name
                folder.mkdir(parents=True)
                for number in range(count):
                    noise = rng.normal(level, 30, (20, 26, 3)).clip(0, 255).astype(np.uint8)
                    image.fromarray(noise).save(folder / f"{number:02d}.png")
        monkeypatch.setenv("INFOTORCH_DATA", str(tmp_path))
        return tmp_path

    def test_the_signal_and_the_accuracy_are_those_of_pictures_in_memory(self, root):
        small = PICTURES | {"network.architecture": "lenet5", "network.hidden": (), "data.augment": "none"}
        found = []
        for name in ("imagenet", f"folder:{root / 'imagenet'}"):
            row = change(find_recipe("demo", "bp"), {**SGD, **small, "data.name": name})
            one = trainee(change(row, {"optimizer.schedule": "constant"}))
            on_disk = isinstance(one.dataset.train.x, ImageFiles)
            assert isinstance(one.scored.x, ImageFiles) is on_disk is (name == "imagenet")
            found.append(range_of_recipe(row, rates=[0.001, 0.01, 0.1], **SHORT).found)
        assert found[0].threshold is not None
        assert repr(found[0].probes) == repr(found[1].probes)

    @pytest.mark.slow
    def test_imagenets_recipe_has_its_signal(self, root):
        row = change(find_recipe("milr-imagenet-resnet50", "network"), PICTURES | {"data.side": 32, "batch_size": 12})
        found = range_of_recipe(row, device="cpu", rates=[1e-2], trials=1, epochs=1, part=0.3, layers=True)
        assert len(found.layers) == len(found.found.lr_max) == 54  # 53 convolutions and the read-out
        (probe,) = found.found.probes
        assert set(probe.values) == {"loss", "accuracy", *(f"information {number}" for number in range(54))}


def test_the_constants_and_the_candidates_reach_the_test():
    options = {"rates": [1e-3, 1e-2, 1e-1, 1.0], **SHORT}
    usual = range_of_recipe(demo(**{"schedule.num_samples": 100}), **options).found
    tested = range_of_recipe(demo(**{"schedule.num_samples": 100}), options=RangeOptions(c1=100.0, c2=2.0), **options)
    assert (tested.options.c1, tested.options.c2) == (100.0, 2.0)
    found = tested.found
    assert [probe.rate for probe in found.probes] == [1e-3, 1e-2, 1e-1, 1.0]
    chosen = choose_range(found.probes, "accuracy", c1=100.0)
    assert (found.lr_min, found.lr_max, found.lr_top) == (chosen.lr_min, chosen.lr_max, chosen.lr_top)
    assert significance(found.probes, "information", c2=2.0) == found.threshold
    assert significance(usual.probes, "information", c2=1.0) == usual.threshold


def test_the_recipes_own_constants_count_where_no_options_are_given():
    recipe = demo(**{"schedule.c1": 100.0, "schedule.c2": 2.0, "schedule.num_samples": 100})
    tested = range_of_recipe(recipe, rates=[1e-2, 1e-1], **SHORT)
    assert (tested.options.c1, tested.options.c2) == (100.0, 2.0)
    assert tested.summary()["rule"] == "first-bad"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("recipe", "message"),
        [
            (demo("mole", **{"network.hidden": (16, 8)}), "demo mole trains 3 modules, each with a rate of its own"),
            (
                demo("mole", **{"plan.objectives": "auto"}),
                "searches its objectives; name them with --set plan.objectives",
            ),
            (find_recipe("prox-mnist", "adam-order2"), "prox-mnist adam-order2 moves two halves in turn"),
            (demo(**{"plan.objectives": "IB", "plan.penalty": "aamine", "plan.beta": 0.1}), "trains critics beside"),
        ],
    )
    def test_rows_that_train_otherwise(self, recipe, message):
        with pytest.raises(ValueError, match=message):
            range_of_recipe(recipe, **SHORT)

    def test_other_wrong_use(self):
        for options, message in [
            ({"part": 0.0}, "lr-range: part must be positive"),
            ({"part": 1.5}, "lr-range: part must be at most 1, a whole epoch, got 1.5"),
            ({"device": "cdua"}, "did you mean cuda"),
            ({"trials": 0}, "trials must be at least 1"),
        ]:
            with pytest.raises(ValueError, match=message):
                range_of_recipe(demo(), **{**SHORT, **options})
        with pytest.raises(ValueError, match="layers need samples with targets, and digits has none"):
            range_of_recipe(denoiser(), layers=True, **SHORT)


class TestATrainee:
    def test_a_part_is_a_sixteenth_of_an_epoch_but_no_fewer_than_18_steps(self):
        recipe = change(demo(), {"optimizer.schedule": "constant", "data.limit": None, "batch_size": 2})
        assert (trainee(recipe).steps, trainee(recipe).part) == (38, pytest.approx(1 / 16, abs=1e-3))  # of 611
        assert trainee().part == 1.0  # of 200 rows, 3 steps an epoch
        assert trainee(change(recipe, {"batch_size": 10})).steps == 18  # of 123
        assert trainee(recipe, "exhaustive").part == 1.0
        assert trainee(recipe, part=0.5).steps == 306

    def test_an_epoch_is_a_function_of_the_global_generator(self):
        one = trainee(change(demo(), {"optimizer.schedule": "constant", "optimizer.momentum": 0.0}), part=0.4)
        state = {name: value.clone() for name, value in one.state.state_dict().items()}
        reports = []
        for seed in (5, 5, 6):
            one.state.load_state_dict(state)
            torch.manual_seed(seed)
            reports.append(one.epoch())
        assert reports[0] == reports[1] != reports[2]
        assert set(reports[0]) == {"loss", "accuracy"}

    def test_a_loss_that_is_not_finite_is_told_as_it_is(self):
        one = trainee()
        for group in one.optimizer.param_groups:
            group["lr"] = 1e30
        torch.manual_seed(0)
        report = one.epoch()
        assert math.isnan(report["loss"])
        assert math.isnan(report["accuracy"])

    def test_a_reset_draws_the_recipes_own_initial_weights(self):
        one = trainee(change(demo(), {"optimizer.schedule": "constant", "network.init": "xavier"}))
        drawn = []
        for seed in (1, 2, 1):
            torch.manual_seed(seed)
            one.reset()
            drawn.append(one.model.fc1.weight.detach().clone())
        assert torch.equal(drawn[0], drawn[2])
        assert not torch.equal(drawn[0], drawn[1])
        fan = sum(drawn[0].shape)
        assert drawn[0].std().item() == pytest.approx(math.sqrt(2 / fan), rel=0.1)  # 1024 draws: 3 s.e. is 0.07
        assert not one.model.fc1.bias.any()

    def test_a_copy_trains_as_the_original_does(self):
        one, buffer = trainee(), io.BytesIO()
        torch.save((one, one.optimizer), buffer)
        other, optimizer = torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
        assert other.optimizer is optimizer
        reports = []
        for each in (one, other):
            torch.manual_seed(3)
            reports.append(each.epoch())
        assert reports[0] == reports[1]
        assert all(map(torch.equal, one.state.state_dict().values(), other.state.state_dict().values()))

    def test_a_part_of_the_batches_is_the_beginning_of_an_epoch(self):
        batches = trainee().batches
        part = _Part(batches, 4, 2)
        whole = list(batches.epoch(4))
        assert len(part) == 2
        assert [torch.equal(a.rows, b.rows) for a, b in zip(part.epoch(0), whole, strict=False)] == [True, True]
        assert torch.equal(next(iter(part.epoch(9, start=1))).rows, whole[1].rows)
        assert len(part.labelled()) == 2


def by_hand(**options):
    probes = (
        Probe(0, 0.01, {"loss": (-2.0, -1.0), "accuracy": (0.25, 0.5)}),
        Probe(0, 0.1, {"loss": (-2.0,), "accuracy": (0.75,)}),
        Probe(0, 1.0, {"loss": (math.nan,), "accuracy": (math.nan,)}, crashed=True),
        Probe(1, 0.1, {"loss": (-2.0, -1.0), "accuracy": (0.25, 0.8)}),
        Probe(1, 1.0, {"loss": (-2.3,) * 3, "accuracy": (0.1,) * 3}, dead=True),
    )
    found = RangeTest(0.01, 0.1, 0.1, None, "accuracy", probes, 8, 1.25)
    return RecipeRange(demo(), 0.25, replace(found, **options), RangeOptions(seed=3))


def test_what_a_person_reads():
    assert by_hand().columns() == [
        ("lr", "trial 0", "trial 1"),
        ("0.01", "0.5000 (2)", "-"),
        ("0.1", "0.7500 (1)", "0.8000 (2)"),
        ("1", "crashed", "dead"),
    ]
    assert by_hand(attribute="loss").columns()[1][1] == "1.0000 (2)"
    assert by_hand().ranges() == [
        ("lr_min", "0.01"),
        ("lr_top", "0.1"),
        ("lr_max", "0.1"),
        ("threshold", "none"),
        ("at the edge", "none"),
    ]
    two = {"lr_min": [0.01, 0.1], "lr_top": [0.1, 1.0], "lr_max": [0.1, 1.0], "threshold": [0.1, 0.2]}
    layers = replace(by_hand(**two, edges=[("lr_min",), ("lr_top", "lr_max")]), layers=("fc1", "fc2"))
    assert layers.ranges()[-1] == ("at the edge", "lr_min", "lr_top lr_max")


def test_what_is_written(tmp_path):
    by_hand().write(tmp_path / "new" / "folder")
    content = json.loads((tmp_path / "new" / "folder" / "range.json").read_text())
    assert content["epochs"] == 2.0  # 8 parts of a quarter
    assert (content["lr_min"], content["lr_max"], content["seed"], content["search"]) == (0.01, 0.1, 3, "halving")
    assert (content["edges"], content["c1"], content["c2"]) == ([], 10.0, 1.0)
    assert content["changed"] == list(demo().changed)
    assert [line["crashed"] for line in content["table"]] == [False, False, True, False, False]
    assert content["table"][2]["loss_last"] is None  # JSON has no NaN
    page = (tmp_path / "new" / "folder" / "range.html").read_text()
    assert "demo bp: range test of the learning rate" in page
    assert "lr_top" in page
    assert len(page) < 2_500_000  # plotly's script travels compressed


def test_the_page_tells_what_the_committed_benchmark_measured():
    root = Path(__file__).parents[2]
    measured = json.loads((root / "benchmarks/results/range_test.json").read_text())["summary"]
    page = (root / "docs/learning-rates.md").read_text(encoding="utf-8")
    cases = measured["cases"]
    assert cases >= 12
    for end in ("lr_max", "lr_top", "lr_min"):
        shares = [measured[f"{against}_{end}_within_1"] for against in ("apart", "apart_same_length")]
        counts = " | ".join(f"{round(share * cases)} of {cases}" for share in shares)
        assert f"| {end.replace('lr_', 'LR_')} | {counts} |" in page
    cheap, whole = measured["halving_epochs_of_60000"], measured["exhaustive_epochs_of_60000"]
    assert (
        f"{cheap['mean']:.1f} epochs on average and {cheap['most']:.1f} at most, instead of {whole['mean']:.0f}" in page
    )
    assert cheap["most"] <= 8  # the goal
    assert measured["apart_lr_max_within_1"] >= 0.9


def test_the_page_tells_what_the_committed_ranges_are():
    root = Path(__file__).parents[2]
    page = (root / "docs/learning-rates.md").read_text(encoding="utf-8")
    for name, told in [
        ("milr-mnist", "`milr-mnist` found [5e-4, 0.1] with LR_top 0.1, in 7.3 epochs"),
        ("milr-temperature", "`milr-temperature` found what its recipe has, [5e-4, 0.2] with LR_top 0.2, in 61 epochs"),
    ]:
        found = json.loads((root / f"results/{name}.ranges.json").read_text())["default"]
        ends = f"[5e-4, {found['lr_max']}] with LR_top {found['lr_top']}, in "
        assert found["lr_min"] == 5e-4
        assert {"edges", "c1", "c2"} <= set(found)
        assert ends + f"{found['epochs']:.2g} epochs" in told
        assert told in page
    mnist = json.loads((root / "results/milr-mnist.ranges.json").read_text())["default"]
    assert mnist["epochs"] <= 8  # the goal
