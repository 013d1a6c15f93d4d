import copy
import dataclasses
import json
import math
import random

import numpy as np
import pytest
import torch
from tests.diagnostics.zoo import NORMAL, WORDS, Apply, gaussian, mlp, networks
from torch import nn

from infotorch.diagnostics.diagnosis import diagnose as diagnose_all
from infotorch.diagnostics.representation import Representation, alignment, effective_rank, uniformity

ZOO = networks()


def diagnose(model, data, **settings):
    """Verdicts alone: probes and attacks take most of the time."""
    return diagnose_all(model, data, **{"properties": False} | settings)


def verdicts():
    """Of a linear map behind bits the slow tests try both bends, the quick ones relu alone."""
    return [pytest.param(name, marks=[pytest.mark.slow] * name.endswith("a linear map and tanh")) for name in ZOO]


@pytest.mark.parametrize("name", verdicts())
def test_the_verdict_is_the_one_that_theory_gives(name):
    network, x, layer, verdict = ZOO[name]
    found = diagnose(network, (x, None), layers=[layer], num_samples=200)[layer]
    assert found.verdict == verdict, "\n".join([found.reason, *found.evidence.sentences()])
    assert found.remedy
    assert found.reason.endswith(".")


def labelled(n=200):
    x = gaussian(n, 4)
    return x, (x[:, 0] > 0).long()


def test_layers_come_in_the_order_in_which_they_run_and_the_forward_after_them_is_one_of_them():
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(3, 2), nn.Linear(4, 3)

        def forward(self, x):
            return self.last(self.first(x).relu()).softmax(dim=1)

    found = diagnose(Late(), labelled())
    assert [layer.name for layer in found] == ["first", "last", "output"]
    assert [layer.columns for layer in found] == [3, 2, 2]
    assert found.num_samples == 200


def test_the_network_the_data_and_the_random_state_stay_as_they_were():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x):
            self.calls += 1
            return x * torch.rand_like(x)

    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), Counts(), nn.Linear(4, 2)).train()
    network[4].eval()
    x, y = labelled()
    before, kept, state = copy.deepcopy(network.state_dict()), x.clone(), torch.get_rng_state()
    diagnose(network, (x, y))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(x, kept)
    assert not x.requires_grad
    assert torch.equal(torch.get_rng_state(), state)
    assert [layer.training for layer in network] == [True, True, True, True, False]
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(layer._forward_hooks for layer in network.modules())


def random_state():
    name, words, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), [name, words.tolist(), *rest], torch.get_rng_state().tolist()


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x + torch.from_numpy(np.random.normal(size=tuple(x.shape))).to(x.dtype),  # noqa: NPY002
        lambda x: x if random.random() > 0.5 else -x,
    ],
)
def test_what_a_network_draws_by_numpy_or_python_is_the_same_at_every_look_and_their_state_stays(draw):
    x, y = labelled(30)
    network = nn.Sequential(nn.Linear(4, 4), Apply(draw), nn.Linear(4, 2))
    settings = {"layers": ["1"], "radii": [0.1], "noise_levels": [0.3], "properties": True}
    np.random.normal()  # noqa: NPY002 the second of a pair is kept in the state
    before = random_state()
    first = diagnose(network, (x, y), **settings).as_dict()
    assert random_state() == before
    _ = random.random(), np.random.normal()  # noqa: NPY002
    assert diagnose(network, (x, y), **settings).as_dict() == first


def test_the_same_seed_gives_the_same_evidence():
    network = nn.Sequential(nn.Linear(4, 4), Apply(lambda x: x + torch.randn_like(x)))
    first, second = (diagnose(network, labelled(), num_samples=60) for _ in range(2))
    assert first == second
    assert first != diagnose(network, labelled(), num_samples=60, seed=1)


def test_what_the_caller_knows_of_the_input_decides():
    grey = (gaussian(200, 4).sigmoid() * 255).round() / 255
    network = mlp(nn.Tanh())
    assert diagnose(network, (grey, None))["1"].verdict == "saturated"
    assert diagnose(network, (grey, None), input_kind="continuous")["1"].verdict == "infinite"
    assert diagnose(network, (NORMAL, None), input_kind="discrete")["1"].verdict == "saturated"


def test_a_column_of_density_beside_classes_is_enough_where_the_layer_looks_at_it():
    x = torch.cat([gaussian(200, 1), (gaussian(200, 3) > 0).float()], dim=1)
    looks = nn.Sequential(Apply(lambda x: x[:, :2].tanh()))
    looks_not = nn.Sequential(Apply(lambda x: x[:, 1:].tanh()))
    assert diagnose(looks, (x, None))["0"].verdict == "infinite"
    assert diagnose(looks_not, (x, None))["0"].verdict == "piecewise-constant"
    assert diagnose(looks, (x, None))["0"].evidence.input == "mixed"


def test_evidence_of_a_tanh_network_shows_what_the_theory_says():
    found = diagnose(mlp(nn.Tanh(), columns=4), (gaussian(600, 4), None))["1"]
    seen = found.evidence
    assert seen.theorem
    assert seen.activations == ("tanh",)
    assert seen.smooth == 1.0
    assert 3.0 < seen.information_dimension < 4.6  # four columns, a full matrix, a bi-Lipschitz map
    assert seen.noisy.scaled > seen.noisy.value + 1  # the information itself does not change with the scale
    assert abs(seen.noisy.bent - seen.noisy.value) > 0.1  # nor under a bijection
    assert seen.noisy.gradient > 0.01
    assert seen.binned.gradient == 0.0
    assert "Theorem 1" in found.reason


def test_evidence_is_plain_values_and_sentences():
    found = diagnose(mlp(nn.ReLU()), (gaussian(50, 4), None))["1"]
    assert json.loads(json.dumps(found.evidence.as_dict()))["activations"] == ["relu"]
    unknown = dataclasses.replace(found.evidence, noise_dimension=math.nan)
    assert unknown.as_dict() == found.evidence.as_dict() | {"noise_dimension": None}
    assert any("dimension about" in line for line in found.evidence.sentences())


def test_only_one_column_a_class_is_a_decision_of_the_network():
    x, y = labelled(60)
    y[-1] = 2  # the rows that are looked at may lack it, and it counts

    def own(columns, classes):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, columns))
        return diagnose(network, (x, classes), properties=True, num_samples=20, radii=[0.1]).robustness

    assert own(3, y) is not None
    assert own(64, y) is None
    assert own(2, y) is None
    assert own(3, y.clamp(max=1)) is None  # scores of a class that no row has


def test_so_few_rows_that_errors_are_nan_are_none_in_json():
    x, y = labelled(20)
    torch.manual_seed(0)
    found = diagnose(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), (x, y), properties=True)
    assert math.isnan(found["0"].decisions.neighbour_information_error)
    content = found.as_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["layers"][0]["decisions"]["neighbour_information_error"] is None
    assert content["layers"][0]["decisions"]["label_entropy"] == found["0"].decisions.label_entropy


def test_properties_are_measured_of_every_layer_and_of_the_decision():
    x, y = labelled()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    found = diagnose(network, (x, y), layers=["1", "2"], properties=True, noise_levels=[0.2, 0.5], radii=[0.1, 0.3])
    hidden, last = found.table()
    assert hidden["layer"] == "1"
    assert hidden["mi_ty_nats"] == found["1"].decisions.information
    assert 0.3 < hidden["mi_ty_nats"] < hidden["label_entropy_nats"] < 0.7
    assert hidden["relative_noise"] == 0.5
    assert hidden["mi_xt_nats"] == found["1"].compression.noisy[1].upper
    assert hidden["attacked_accuracy"] == found["1"].robustness.curve("pgd").accuracy[1]
    assert set(hidden) == set(last)
    predicted = network(x).argmax(dim=1)
    assert found.robustness.accuracy == pytest.approx(float((predicted == y).double().mean()))
    content = json.loads(json.dumps(found.as_dict()))
    assert [layer["table"] for layer in content["layers"]] == found.table()
    assert content["robustness"]["curves"][0]["sizes"] == [0.1, 0.3]
    assert content["layers"][0]["evidence"]["theorem"] is True


def test_how_outputs_lie_stands_in_every_line():
    x, y = labelled()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    y[:5] = -1
    with torch.no_grad():
        network[0].bias[:] = -0.3
    found = diagnose(network, (x, y), layers=["1", "2"], properties=True, num_samples=len(x))
    hidden = network[:2](x).detach()
    known, there = y >= 0, hidden.norm(dim=1) > 0
    assert not there.all()  # rows of zeros have no direction
    line = found.table()[0]
    assert line["effective_rank"] == pytest.approx(effective_rank(hidden), rel=1e-6)
    assert line["alignment"] == pytest.approx(alignment(hidden[there & known], y[there & known]), rel=1e-6)
    assert line["uniformity"] == pytest.approx(uniformity(hidden[there]), rel=1e-6)
    frame = found.to_frame()
    assert list(frame.index) == ["1", "2"]
    assert frame.loc["1", "alignment"] == line["alignment"]
    assert found.as_dict()["similarity"][0][0] == pytest.approx(1.0)
    told = found["2"].decisions
    assert found.summary == (
        f"Diagnosis of 2 layers on {len(x)} samples: I(X; T) is {found['1'].verdict} in 2; the last tells "
        f"{told.information:.2f} of {told.label_entropy:.2f} nats of the classes"
    )


def test_a_layer_of_zeros_has_no_directions():
    dead = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    nn.init.constant_(dead[0].bias, -1e3)
    lies = diagnose(dead, (gaussian(40, 4), None), layers=["1"], properties=True)["1"].representation
    assert lies == Representation(None, None, None)
    assert diagnose(dead, (gaussian(40, 4), None), layers=["0"])["0"].representation is None


def test_without_classes_compression_alone_is_measured_and_of_words_no_robustness():
    found = diagnose(mlp(nn.Tanh()), (gaussian(40, 4), None), layers=["1"], properties=True)
    assert found["1"].decisions is found["1"].robustness is found.robustness is None
    assert found["1"].compression is not None
    (line,) = found.table()
    assert line["linear_accuracy"] is line["attacked_accuracy"] is None
    words = nn.Sequential(nn.Embedding(11, 3), nn.Flatten(), nn.Linear(15, 2))
    spoken = diagnose(words, (WORDS[:60], torch.arange(60) % 2), layers=["2"], properties=True)
    assert spoken["2"].robustness is None
    assert spoken["2"].decisions is not None
    assert diagnose(mlp(nn.Tanh()), (gaussian(40, 4), None)).table()[0]["mi_xt_nats"] is None


def test_gradients_that_the_caller_turned_off_are_no_matter():
    x, y = labelled(60)
    network = nn.Sequential(nn.Linear(4, 2))
    with torch.inference_mode():
        inside = diagnose(network, (x, y), properties=True)
    assert inside.table() == diagnose(network, (x, y), properties=True).table()


def test_numpy_and_double_inputs_are_taken():
    x = gaussian(50, 4).double().numpy()
    assert diagnose(mlp(nn.Tanh()).double(), (x, None))["1"].verdict == "infinite"


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (torch.ones(30, 4), TypeError, "data must be a pair"),
        ((torch.tensor(1.0), None), ValueError, "x must have rows"),
        ((torch.ones(30, 4) / 0, None), ValueError, "x must be finite"),
        ((torch.ones(19, 4), None), ValueError, "at least 20 rows, got 19"),
        ((torch.ones(30, 4), torch.ones(30)), TypeError, "y must be one class a row"),
        ((torch.ones(30, 4), torch.ones(30, 2).long()), TypeError, "y must be one class a row"),
        ((torch.ones(30, 4), torch.ones(29).long()), ValueError, "paired row by row, got 30 and 29"),
        ((torch.ones(30, 5), None), ValueError, "diagnose: the network does not run on x of shape"),
    ],
)
def test_what_it_cannot_read_is_refused(data, kind, words):
    with pytest.raises(kind, match=words):
        diagnose(mlp(nn.Tanh()), data)


@pytest.mark.parametrize("kind", [None, "continuous", "discrete"])
def test_a_number_a_row_is_an_input_too(kind):
    x = gaussian(60, 1)

    class Two(nn.Module):
        def forward(self, x):
            return torch.cat([x.reshape(-1, 1).tanh(), x.reshape(-1, 1).relu()], dim=1)

    flat, column = (
        diagnose(Two(), (rows, (x[:, 0] > 0).long()), properties=True, input_kind=kind) for rows in (x[:, 0], x)
    )
    assert flat.as_dict() == column.as_dict()
    assert flat["output"].verdict == ("saturated" if kind == "discrete" else "infinite")


def test_grey_levels_are_continuous_as_real_numbers_alone():
    x = torch.randint(0, 256, (100, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    network = nn.Sequential(Apply(lambda x: x.to(torch.get_default_dtype()) / 255), nn.Linear(4, 3))
    with pytest.raises(
        ValueError, match=r"input_kind must not be continuous for integers, .*x\.float\(\), got .*uint8"
    ):
        diagnose(network, (x, None), input_kind="continuous")
    found = diagnose(nn.Sequential(nn.Linear(4, 3)), (x.float(), None), input_kind="continuous")
    assert (found["0"].verdict, found["0"].evidence.input) == ("infinite", "continuous")
    assert diagnose(nn.Sequential(nn.Linear(4, 3)), (x.float(), None))["0"].evidence.input == "discrete"


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"layers": ["tanh"]}, ValueError, "the network has no layer 'tanh'"),
        ({"layers": "0"}, TypeError, "layers must be a list of names, got '0'"),
        ({"layers": []}, ValueError, "layers must name one layer or more"),
        ({"layers": ["0", "0"]}, ValueError, "each once"),
        ({"input_kind": "grey"}, ValueError, "input_kind must be one of continuous, discrete, got 'grey'"),
        ({"num_samples": 0}, ValueError, "num_samples must be at least 1"),
        ({"num_samples": 10}, ValueError, "at least 20 rows, got 10"),
        ({"num_samples": 1.5}, TypeError, "num_samples must be an integer"),
        ({"noise_levels": []}, ValueError, "noise_levels must hold one number or more"),
        ({"noise_levels": [0.1, 0.0]}, ValueError, "noise_levels must be positive and finite, got 0.0"),
        ({"radii": [-1.0]}, ValueError, "radii must be positive and finite, got -1.0"),
        ({"radii": ["0.1"]}, TypeError, "radii must be a number, got str"),
        ({"radii": 0.1}, TypeError, "radii must be a list of numbers, got float"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, kind, words):
    with pytest.raises(kind, match=words):
        diagnose(mlp(nn.Tanh()), (gaussian(30, 4), None), **settings)


def test_a_layer_that_does_not_run_or_gives_no_rows_is_refused():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="'idle' gives no tensor with a row for each"):
        diagnose(Idle(), (gaussian(30, 4), None), layers=["idle"])
    with pytest.raises(ValueError, match="the layer '1' gives NaN"):
        diagnose(mlp(Apply(torch.log)), (gaussian(30, 4), None))
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got function"):
        diagnose(lambda x: x, (gaussian(30, 4), None))  # pyright: ignore[reportArgumentType]


def test_a_layer_that_was_not_looked_at_is_named():
    with pytest.raises(KeyError, match="no layer '7' was diagnosed; there are 0, 1"):
        diagnose(mlp(nn.Tanh()), (gaussian(30, 4), None))["7"]


def test_its_figures_are_of_what_was_measured():
    found = diagnose(mlp(nn.Tanh()), labelled(), layers=["1"], properties=True, noise_levels=[0.2, 0.5], radii=[0.1])
    (line,) = found.figure().data
    assert list(line.y) == pytest.approx([noisy.upper for noisy in found["1"].compression.noisy], rel=1e-5)
    assert found.figure("pgd").data[0].y[0] == pytest.approx(100 * found["1"].robustness.accuracy, rel=1e-5)
    with pytest.raises(ValueError, match=r"Diagnosis.figure: kind must be one that was measured, got 'affine'"):
        found.figure("affine")
    with pytest.raises(ValueError, match=r"Diagnosis.figure: kind must be one of compression, .*, got 'lines'"):
        found.figure("lines")  # pyright: ignore[reportArgumentType]
