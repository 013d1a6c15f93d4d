import copy

import pytest
import torch
from tests.diagnostics.zoo import NORMAL, Apply, gaussian, mlp, networks
from torch import nn

from infotorch.diagnostics.diagnose import diagnose

ZOO = networks()


@pytest.mark.parametrize("name", ZOO)
def test_the_verdict_is_the_one_that_theory_gives(name):
    network, x, layer, verdict = ZOO[name]
    found = diagnose(network, (x, None), layers=[layer], rows=200)[layer]
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
    assert found.rows == 200


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


def test_the_same_seed_gives_the_same_evidence():
    network = nn.Sequential(nn.Linear(4, 4), Apply(lambda x: x + torch.randn_like(x)))
    first, second = (diagnose(network, labelled(), rows=60) for _ in range(2))
    assert first == second
    assert first != diagnose(network, labelled(), rows=60, seed=1)


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
    import json

    found = diagnose(mlp(nn.ReLU()), (gaussian(50, 4), None))["1"]
    assert json.loads(json.dumps(found.evidence.as_dict()))["activations"] == ["relu"]
    assert any("dimension about" in line for line in found.evidence.sentences())


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


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"layers": ["tanh"]}, ValueError, "the network has no layer 'tanh'"),
        ({"layers": "0"}, TypeError, "layers must be a list of names, got the string '0'"),
        ({"layers": []}, ValueError, "layers must name one layer or more"),
        ({"layers": ["0", "0"]}, ValueError, "each once"),
        ({"input_kind": "grey"}, ValueError, "input_kind must be one of continuous, discrete, got 'grey'"),
        ({"rows": 0}, ValueError, "rows must be at least 1"),
        ({"rows": 10}, ValueError, "at least 20 rows, got 10"),
        ({"rows": 1.5}, TypeError, "rows must be an integer"),
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
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got function"):
        diagnose(lambda x: x, (gaussian(30, 4), None))  # pyright: ignore[reportArgumentType]


def test_a_layer_that_was_not_looked_at_is_named():
    with pytest.raises(KeyError, match="no layer '7' was diagnosed; there are 0, 1"):
        diagnose(mlp(nn.Tanh()), (gaussian(30, 4), None))["7"]
