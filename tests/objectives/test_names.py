import pytest
import torch

from infotorch.objectives.base import LocalBatch, Objective
from infotorch.objectives.combined import ParallelObjectives, SumOfObjectives
from infotorch.objectives.inputs import Reconstruction
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation
from infotorch.objectives.names import describe_objectives, objective_from_name, parse_objectives


def kinds(objective):
    return [type(part).__name__ for part in objective.parts]


class TestNames:
    def test_a_string_names_objectives(self):
        found = [type(o) for o in parse_objectives("X, Y:readout,frozen,CE")]
        assert found == [Reconstruction, ReadoutInformation, type(None), CrossEntropy]

    def test_objectives_and_names_may_be_mixed_and_objectives_stay_themselves(self):
        own = CrossEntropy()
        assert parse_objectives(["X", None, own])[1:] == [None, own]

    def test_every_described_name_makes_an_objective_of_its_kind(self):
        for name, line in describe_objectives().items():
            made = objective_from_name(name)
            assert (made is None) == (name == "frozen")
            if made is not None:
                assert made.needs_labels == (not name.startswith("X:")), name
            assert line
            assert "\n" not in line

    def test_those_that_need_graphs_say_so_first(self):
        lines = describe_objectives()
        graph_names = {name for name, line in lines.items() if line.startswith("graphs: ")}
        assert graph_names == {
            "X:node-infonce", "X:node-mine", "X:gmi", "X:dgi", "X:infograph", "X:graph-renyi",
            "Y:graph-forward-forward",
        }  # fmt: skip
        for name in graph_names:
            rows = torch.zeros(4, 6)
            with pytest.raises(ValueError, match=r"needs? graphs"):
                objective_from_name(name).build(LocalBatch(rows, rows, rows, torch.arange(4) % 2), torch.arange(4) % 2)

    def test_two_objectives_of_one_name_share_nothing(self):
        first, second = parse_objectives("X:infonce,X:infonce")
        assert first is not second

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("Y:readuot", r"got 'Y:readuot'; did you mean Y:readout"),
            ("zzz", r"objective: must be one of X, Y, .*X:reconstruction, .*, frozen, got 'zzz'\.$"),
            ("", r"got ''\.$"),
            ("Y+", r"got ''\.$"),
            ("X:infogrpah", r"got 'X:infogrpah'; did you mean X:infograph"),
            ("X:infonce|Y:supcn", r"got 'Y:supcn'; did you mean Y:supcon"),
        ],
    )
    def test_an_unknown_name_suggests_near_misses(self, name, message):
        with pytest.raises(ValueError, match=message):
            objective_from_name(name)

    def test_an_objective_without_a_loss_says_so(self):
        batch = LocalBatch(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 2), None)
        with pytest.raises(TypeError, match="Objective must define forward"):
            Objective()(batch)
        with pytest.raises(TypeError, match=r"Objective must define critic_loss\(batch\), as it has critics"):
            Objective().critic_loss(batch)
        with pytest.raises(TypeError, match="give the batch an encode"):
            batch.encode(batch.x)


class TestSumsAndBranches:
    def test_a_plus_is_a_sum_and_a_bar_stands_for_branches(self):
        for name, kind in (("Y:supcon+Y", SumOfObjectives), ("Y:supcon | Y", ParallelObjectives)):
            made = objective_from_name(name)
            assert type(made) is kind
            assert kinds(made) == ["SupervisedContrastive", "ReadoutInformation"]

    def test_a_bar_binds_less_than_a_plus(self):
        made = objective_from_name("X + Y | CE")
        assert type(made) is ParallelObjectives
        assert kinds(made) == ["SumOfObjectives", "CrossEntropy"]
        assert kinds(made.parts[0]) == ["Reconstruction", "ReadoutInformation"]

    def test_a_plan_string_holds_sums_and_branches(self):
        made = parse_objectives("X:infonce|X:mine, Y:supcon+Y, CE")
        assert [type(objective).__name__ for objective in made] == [
            "ParallelObjectives", "SumOfObjectives", "CrossEntropy",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["Y+frozen", "frozen|X", "X + frozen + Y"])
    def test_frozen_stands_alone(self, name):
        with pytest.raises(ValueError, match="objective: 'frozen' stands alone, got"):
            objective_from_name(name)


class TestOptions:
    def test_options_reach_the_objective_of_their_name_alone(self):
        made = objective_from_name(
            "Y:supcon+Y:kernel", {"Y:supcon": {"temperature": 0.3}, "X:views": {"noise_std": 1.0}}
        )
        assert made.parts[0].temperature == 0.3

    @pytest.mark.parametrize("plan", ["X", "X:reconstruction"])
    @pytest.mark.parametrize("options", ["X", "X:reconstruction"])
    def test_the_short_and_the_long_name_are_one(self, plan, options):
        assert objective_from_name(plan, {options: {"decoder_std": 0.5}}).decoder_std == 0.5

    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            (
                "Y:supcon",
                {"Y:supcon": {"temprature": 1.0}},
                "objective: Y:supcon has no option 'temprature'; did you mean temperature.*Options: temperature, embed",
            ),
            ("CE", {"CE": {"x": 1}}, r"CE has no option 'x'\. Options: class_weights, label_smoothing, auxiliary\.$"),
            ("X:node-mine", {"X:node-mine": {"bound": "nwj"}}, "X:node-mine has no option 'bound'"),
            ("X:gmi", {"X:gmi": {"wieghts": 1}}, r"X:gmi has no option 'wieghts'.* Options: .*bound"),
            ("CE", {"CE": {"kwargs": 1}}, "CE has no option 'kwargs'"),
            ("X:mine", {"X:mine": {"of": "y"}}, "X:mine has no option 'of'"),
            ("X:mine", {"X:mine": {"bound": "nwj"}}, "X:mine has no option 'bound'"),
            ("X", {"X:reconstrction": {"decoder_std": 1.0}}, "got 'X:reconstrction'; did you mean X:reconstruction"),
            ("Y:supcon", {"Y:supcon": {"temperature": -1.0}}, "SupervisedContrastive: temperature must be positive"),
        ],
    )
    def test_wrong_options_are_refused_in_one_line(self, name, options, message):
        with pytest.raises(ValueError, match=message) as raised:
            objective_from_name(name, options)
        assert "\n" not in str(raised.value)


def test_the_bottleneck_is_named_where_it_is_asked_for_by_its_letters():
    with pytest.raises(ValueError, match=r"got 'IB'; .* use InformationBottleneck\(beta=\.\.\., noise_std=\.\.\.\)"):
        objective_from_name("IB")
