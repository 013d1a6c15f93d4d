import math

import numpy as np
import pytest
import torch
from torch import nn

from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.kraskov import ksg
from infotorch.estimators.labels import readout_mi
from infotorch.estimators.renyi import renyi_mi
from infotorch.schedules.ceiling import regression_ceiling
from infotorch.schedules.decay import MutualInformationDecay
from infotorch.schedules.signal import InformationSignal, layer_groups, parameterised_layers


def rows(n=400, d=5):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0.7).long()


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3))


def test_the_signal_is_the_estimate_on_its_rows_for_the_output_and_for_layers():
    model, (x, y) = network(), rows()
    whole = InformationSignal(model, (x, y), num_samples=100)
    layered = InformationSignal(model, (x, y), num_samples=100, layers=["0", "4"], batch_size=30)
    model.eval()
    with torch.no_grad():
        output, hidden = model(whole.x), model[0](whole.x)
    assert whole() == pytest.approx(float(ross(output, whole.y)), abs=1e-9)
    assert layered() == pytest.approx([float(ross(hidden, whole.y)), float(ross(output, whole.y))], abs=1e-5)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("ross", lambda t, y: ross(t, y)),
        ("ksg", lambda t, y: ksg(t, nn.functional.one_hot(y).float())),
        ("ksg-softmax", lambda t, y: ksg(t.softmax(1), nn.functional.one_hot(y).float())),
        ("readout", lambda t, y: readout_mi(t, y)),
        ("renyi", lambda t, y: renyi_mi(t, y)),
        (lambda t, y: t.sum() + len(y), lambda t, y: t.sum() + len(y)),
    ],
)
def test_estimators(estimator, expected):
    model, (x, y) = network().eval(), rows()
    signal = InformationSignal(model, (x, y), num_samples=100, estimator=estimator)
    with torch.no_grad():
        assert signal() == pytest.approx(float(expected(model(signal.x), signal.y)))


def test_of_layers_the_one_that_gives_the_scores_alone_is_read_behind_a_softmax():
    model, (x, y) = network().eval(), rows()
    options = {"num_samples": 100, "layers": ["0", "4"]}
    plain = InformationSignal(model, (x, y), estimator="ksg", **options)()
    behind = InformationSignal(model, (x, y), estimator="ksg-softmax", **options)
    of_output = InformationSignal(model, (x, y), estimator="ksg-softmax", num_samples=100)()
    assert behind() == [plain[0], pytest.approx(of_output, abs=1e-6)]
    assert [line["layer"] for line in behind.table()] == ["0", "4"]
    assert abs(of_output - plain[1]) > 0.01


def test_a_softmax_needs_more_than_one_score():
    x, y = rows()
    signal = InformationSignal(nn.Linear(5, 1), (x, y), num_samples=100, estimator="ksg-softmax")
    with pytest.raises(ValueError, match="'ksg-softmax' reads a score of each class, and the network gives one"):
        signal()


def test_ksg_of_scores_falls_as_they_grow_and_that_of_their_softmax_does_not():
    """One network, ever surer of the same answers: nothing about Y is lost, and KSG against one-hot columns says so."""
    x, y = rows()
    scores = 3.0 * nn.functional.one_hot(y).float() + 0.5 * x[:, :3]
    told = {
        estimator: [
            InformationSignal(nn.Identity(), (size * scores, y), num_samples=300, estimator=estimator)()
            for size in (1.0, 30.0)
        ]
        for estimator in ("ksg", "ksg-softmax")
    }
    assert told["ksg"][1] < 0.5 * told["ksg"][0]
    assert told["ksg-softmax"][1] == pytest.approx(told["ksg-softmax"][0], abs=0.1)


def test_an_oracle_reaches_the_ceiling_which_is_the_labels_entropy_but_for_rosss_bias():
    x, y = rows()
    oracle = 10.0 * nn.functional.one_hot(y).float() + 0.01 * x[:, :3]
    signal = InformationSignal(nn.Identity(), (oracle, y), num_samples=300)
    sizes = torch.bincount(signal.y).double()
    entropy = (sizes / 300 * (300 / sizes).log()).sum().item()
    among_classes = (sizes / 300 * sizes.digamma()).sum().item()
    assert signal.ceiling == pytest.approx(math.log(300) - 1 / 600 - among_classes, abs=1e-5)  # digamma(n) to 1 / n^2
    assert signal() == pytest.approx(signal.ceiling, abs=1e-12)  # d_p comes to 0 with the last row, and not before
    assert entropy < signal.ceiling < entropy + 0.01
    of_scores = InformationSignal(nn.Identity(), (oracle, y), num_samples=300, estimator="readout")
    assert of_scores.ceiling == pytest.approx(entropy, abs=1e-6)
    assert InformationSignal(network(), (x, y), num_samples=100, estimator="renyi").ceiling <= math.log(100)


def test_a_dead_network_tells_nothing():
    x, y = rows()
    dead = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    nn.init.constant_(dead[0].weight, 0.0)
    nn.init.constant_(dead[0].bias, -1.0)
    assert InformationSignal(dead, (x, y), num_samples=100)() == pytest.approx(0.0, abs=1e-9)


def test_rows_are_drawn_in_the_classes_shares_the_same_for_a_seed_and_never_unlabelled():
    x, y = rows()
    y = torch.where(torch.arange(len(y)) < 100, -1, y)
    first, again, other = (InformationSignal(network(), (x, y), num_samples=90, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    assert (first.y >= 0).all()
    share = torch.bincount(y[y >= 0]) * 90 / 300
    assert (torch.bincount(first.y) - share).abs().max() < 1


def test_measuring_leaves_modes_gradients_statistics_and_the_random_state_alone():
    model, (x, y) = network(), rows()
    model[0].eval()
    state = torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    InformationSignal(model, (x, y), num_samples=100, layers=["0", "4"])()
    assert torch.equal(torch.get_rng_state(), state)
    assert [layer.training for layer in model] == [False, True, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(layer._forward_hooks for layer in model.modules())


def test_regression_is_measured_by_ksg_against_the_information_of_x():
    x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    y = x + 0.5 * torch.randn(500, 1, generator=torch.Generator().manual_seed(1))
    signal = InformationSignal(nn.Linear(1, 1), (x, y), num_samples=400)
    assert signal.ceiling == regression_ceiling(x, y) >= float(ksg(x, y))
    # a line keeps all of it: 1/2 log(1 + 4) = 0.80 nats; three standard errors at n = 400
    assert signal() == pytest.approx(0.5 * math.log(5), abs=0.15)


def test_a_wide_grid_is_averaged():
    x, y = torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
    seen = []
    signal = InformationSignal(
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1)),
        (x, y),
        num_samples=50,
        layers=["0"],
        estimator=lambda t, _: seen.append(t) or 0.0,
        columns=16,
    )
    seen.clear()
    signal()
    with torch.no_grad():
        grid = signal.model(signal.x)
    assert torch.allclose(seen[0], nn.functional.avg_pool2d(grid, 4).flatten(1), atol=1e-6)


def test_groups_hold_every_parameter_once_with_the_normalisation_behind_its_layer():
    model = network()
    groups = layer_groups(model)
    assert [group["name"] for group in groups] == parameterised_layers(model) == ["0", "4"]
    assert [id(p) for group in groups for p in group["params"]] == [id(p) for p in model.parameters()]
    tied = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    tied[2].weight = tied[0].weight
    assert [len(group["params"]) for group in layer_groups(tied)] == [2, 1]
    torch.optim.SGD(groups, lr=0.1)
    with pytest.raises(ValueError, match="no layer with weights"):
        layer_groups(nn.ReLU())


def test_wrong_use_is_refused():
    model, (x, y) = network(), rows()
    for call, message in [
        (
            lambda: InformationSignal(model, (x, y), num_samples=401),
            "num_samples must be at most the number of labelled samples, 400",
        ),
        (lambda: InformationSignal(model, (x, -torch.ones_like(y)), num_samples=2), "y holds no label: all 400 are -1"),
        (
            lambda: InformationSignal(model, (x, x[:, :1]), num_samples=401),
            "num_samples must be at most the number of samples with a target, 400",
        ),
        (lambda: InformationSignal(model, (x, y[:10])), "paired row by row"),
        (lambda: InformationSignal(model, (x, y), num_samples=10, columns=0), "columns must be at least 1, got 0"),
        (lambda: InformationSignal(model, (x, torch.zeros_like(y)), num_samples=50), "y is the same in every row"),
        (lambda: InformationSignal(model, (x, y), num_samples=50, layers=["nine"]), "no layer 'nine'"),
        (lambda: InformationSignal(model, (x, y), num_samples=50, layers=[]), "at least"),
        (lambda: InformationSignal(model, (x, y), num_samples=50, estimator="mine"), "estimator must be one of"),
        (
            lambda: InformationSignal(model, (x, x[:, :1]), num_samples=50, estimator="ross"),
            "is for class labels, and y is real",
        ),
        (
            lambda: InformationSignal(model, (x, y), num_samples=50, estimator="readout", layers=["0"]),
            "leave layers out",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_layer_is_read_before_what_follows_changes_it_in_place():
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    torch.manual_seed(0)
    linear = nn.Linear(4, 3)
    found = [
        InformationSignal(nn.Sequential(linear, nn.ReLU(inplace=inplace)), (x, y), num_samples=200, layers=["0"])()
        for inplace in (False, True)
    ]
    assert found[0] == found[1]


class Reader(nn.Module):
    """A recurrent layer, attention and scores, as people write them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent = nn.LSTM(4, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.scores = nn.Linear(6, 2)

    def forward(self, x):
        steps, _ = self.recurrent(x)
        return self.scores(self.attention(steps, steps, steps)[0].mean(1))


class Through(nn.Module):
    """A network whose output is any function of x."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class TestOutputsOfManyKinds:
    def sequences(self):
        x = torch.randn(120, 5, 4, generator=torch.Generator().manual_seed(0))
        return x, (x[:, :, 0].mean(1) > 0).long()

    def test_of_a_layer_that_gives_several_tensors_the_first_counts(self):
        model, (x, y) = Reader(), self.sequences()
        signal = InformationSignal(
            model, (x, y), num_samples=80, layers=["recurrent", "attention", "scores"], batch_size=80
        )
        with torch.no_grad():
            steps = model.recurrent(signal.x)[0]
            mixed = model.attention(steps, steps, steps)[0]
            expected = [ross(t.flatten(1), signal.y) for t in (steps, mixed, model.scores(mixed.mean(1)))]
        assert signal() == pytest.approx([float(one) for one in expected], abs=1e-5)

    def test_a_layer_that_is_never_called_is_named(self):
        signal = InformationSignal(Reader(), self.sequences(), num_samples=80, layers=["scores", "attention.out_proj"])
        with pytest.raises(ValueError, match=r"layer 'attention\.out_proj' is never called in the forward pass"):
            signal()

    def test_one_number_a_row_is_one_column(self):
        x, y = self.sequences()
        flat, column = (
            InformationSignal(Through(lambda x, at=at: x[:, :, 0].mean(1)[at]), (x, y), num_samples=80)()
            for at in (slice(None), (slice(None), None))
        )
        assert flat == column > 0.3

    @pytest.mark.parametrize(
        ("function", "error", "message"),
        [
            (lambda x: {"scores": x}, TypeError, "the network must give a tensor, or a tuple .*, got dict"),
            (lambda x: x.mean(), ValueError, r"a row for each of 80 rows of x, got \(\)"),
            (lambda x: x.transpose(0, 1), ValueError, r"a row for each of 80 rows of x, got \(5, 80, 4\)"),
        ],
    )
    def test_what_has_no_rows_is_refused(self, function, error, message):
        signal = InformationSignal(Through(function), self.sequences(), num_samples=80)
        with pytest.raises(error, match=message):
            signal()

    def test_draws_within_a_pass_are_the_same_every_time_and_move_no_generator(self):
        x, y = self.sequences()
        signal = InformationSignal(Through(lambda x: nn.functional.dropout(x.flatten(1))), (x, y), num_samples=80)
        state = torch.get_rng_state()
        first = signal()
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(3)
        assert signal() == first


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": torch.ones(120, 1, 1).long()}, ValueError, r"y must be classes \(n,\), or labels \(n, labels\), got"),
        ({"data": torch.ones(2, 5)}, TypeError, r"data must be a pair \(x, y\), got Tensor"),
        ({"y": [0, 1] * 60}, TypeError, "y must be a tensor or an array, got list"),
        (
            {"y": torch.ones(120) * 1j},
            TypeError,
            r"y must be a tensor of class labels or real targets, got torch\.complex64",
        ),
        ({"layers": "0"}, TypeError, "layers must be a list of names, got '0'"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"x": [[0.0] * 5] * 120}, TypeError, "x must be a tensor or an array, got list"),
        ({"num_samples": 1}, ValueError, "num_samples must be at least 2, got 1"),
        ({"ceiling": "entropy"}, ValueError, "ceiling must be one of"),
        ({"ceiling": "estimate", "estimator": "readout"}, ValueError, "'readout' reads class scores, which x is not"),
        ({"num_samples": 2.5}, TypeError, "num_samples must be an integer, got 2.5"),
        (
            {"estimator": "ksg-softmax", "y": torch.ones(120, 2, dtype=torch.long)},
            ValueError,
            "'ksg-softmax' reads scores of classes, and y holds several labels; use 'ross'",
        ),
        (
            {"estimator": "ksg-softmax", "y": torch.linspace(0, 1, 120)},
            ValueError,
            "estimator 'ksg-softmax' is for class labels, and y is real; use 'ksg'",
        ),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused(change, error, message):
    x = torch.randn(120, 5, generator=torch.Generator().manual_seed(0))
    arguments = {"x": x, "y": (x[:, 0] > 0).long(), "num_samples": 50} | change
    arguments = {"data": (arguments.pop("x"), arguments.pop("y"))} | arguments
    with pytest.raises(error, match=f"InformationSignal: {message}"):
        InformationSignal(network(), **arguments)


class Transformer(nn.Module):
    """torch's own encoder layer, and a normalisation that has no layer before it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.LayerNorm(8)
        self.encoder = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
        self.scores = nn.Linear(8, 2)

    def forward(self, x):
        return self.scores(self.encoder(self.norm(x)).mean(1))


class Window(nn.Module):
    """Attention as in Swin: a table of its own, and a projection whose weights it reads without calling it."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.ones(4, 6))
        self.proj = nn.Linear(6, 6)

    def forward(self, x):
        return nn.functional.linear(x * self.table.mean(0), self.proj.weight, self.proj.bias)


class VisionTransformer(nn.Module):
    """A class token of the network, and an encoder that has positions of its own beside its stack of layers."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 6))
        self.patches = nn.Linear(4, 6)
        self.encoder = nn.Module()
        self.encoder.positions = nn.Parameter(torch.zeros(1, 5, 6))
        self.encoder.layers = nn.Sequential(nn.Linear(6, 6), Window())


class TestLayersInsideLayers:
    def test_from_groups_to_signal_to_step_of_a_transformers_encoder(self):
        model = Transformer()
        x = torch.randn(80, 3, 8, generator=torch.Generator().manual_seed(0))
        groups = layer_groups(model)
        names = [group["name"] for group in groups]
        assert names == ["encoder.self_attn", "encoder.linear1", "encoder.linear2", "scores"]
        assert [id(p) for group in groups for p in group["params"]] == [id(p) for p in model.parameters()]
        assert any(p is model.encoder.self_attn.out_proj.weight for p in groups[0]["params"])
        optimizer = torch.optim.SGD(groups, lr=0.1)
        signal = InformationSignal(model, (x, (x[:, :, 0].mean(1) > 0).long()), num_samples=60, layers=names)
        schedule = MutualInformationDecay(
            optimizer, lr_min=1e-3, lr_max=0.2, lr_top=0.1, threshold=0.1, ceiling=signal.ceiling, epochs=5
        )
        found = signal()
        schedule.step(found)
        assert [line[-1]["signal"] for line in schedule.history] == found
        rates = [max(1e-3, 0.2 * min(1.0, 1 - one / signal.ceiling)) for one in found]
        assert schedule.get_last_lr() == pytest.approx(rates)
        assert len(set(rates)) > 1

    def test_an_attentions_parts_are_its_own_and_a_stack_with_positions_keeps_its_layers(self):
        model = VisionTransformer()
        assert parameterised_layers(model) == ["patches", "encoder", "encoder.layers.0", "encoder.layers.1"]
        assert [len(group["params"]) for group in layer_groups(model)] == [3, 1, 2, 3]

    def test_a_reparameterised_layer_is_the_layer(self):
        normed = nn.utils.parametrizations.weight_norm
        model = nn.Sequential(normed(nn.Linear(5, 6)), nn.ReLU(), normed(nn.Linear(6, 2)))
        groups, (x, y) = layer_groups(model), rows()
        assert [(group["name"], len(group["params"])) for group in groups] == [("0", 3), ("2", 3)]
        signal = InformationSignal(model, (x, y), num_samples=100, layers=["0", "2"])
        with torch.no_grad():
            assert signal()[0] == pytest.approx(float(ross(model[0](signal.x), signal.y)), abs=1e-6)

    def test_one_layer_alone_is_the_network(self):
        assert parameterised_layers(nn.Linear(2, 3)) == [""]


class TestArrays:
    @pytest.mark.parametrize("kind", [np.float32, np.float64])
    def test_arrays_are_read_as_tensors(self, kind):
        model, (x, y) = network(), rows()
        expected = InformationSignal(model, (x, y), num_samples=100)
        found = InformationSignal(model, (x.numpy().astype(kind), y.numpy().astype(np.int32)), num_samples=100)
        assert (found(), found.ceiling) == (expected(), expected.ceiling)

    def test_real_targets_too(self):
        model, (x, _) = network(), rows()
        expected = InformationSignal(model, (x, x[:, 0]), num_samples=100)
        found = InformationSignal(model, (x.double().numpy(), x[:, 0].double().numpy()), num_samples=100)
        assert (found(), found.ceiling) == pytest.approx((expected(), expected.ceiling))

    def test_the_dtype_of_whole_numbers_decides_what_they_are(self):
        model, (x, y) = network(), rows()
        labels, numbers = (
            InformationSignal(model, (x, y), num_samples=100),
            InformationSignal(model, (x, y.float()), num_samples=100),
        )
        assert labels() == pytest.approx(float(ross(model.eval()(labels.x).detach(), labels.y)), abs=1e-6)
        assert numbers() == pytest.approx(float(ksg(model(numbers.x).detach(), numbers.y)), abs=1e-6)


class TestEstimatedCeiling:
    def test_it_is_the_estimate_on_the_drawn_inputs(self):
        x, y = rows()
        signal = InformationSignal(network(), (x, y), num_samples=200, ceiling="estimate")
        assert signal.ceiling == pytest.approx(float(ross(signal.x, signal.y)), abs=1e-12)
        assert signal.ceiling < InformationSignal(network(), (x, y), num_samples=200).ceiling

    def test_ties_do_not_carry_ksgs_above_the_entropy(self):
        """Pixels of few levels: strictly nearer rows are few, and KSG far too large without the paper's jitter."""
        generator = torch.Generator().manual_seed(0)
        x = (torch.rand(300, 20, generator=generator) * 4).round() / 255
        x, y = x.where(torch.rand(300, 20, generator=generator) < 0.2, 0.0), torch.arange(300) % 3
        signal = InformationSignal(nn.Linear(20, 3), (x, y), num_samples=300, estimator="ksg", ceiling="estimate")
        plain = float(ksg(signal.x, nn.functional.one_hot(signal.y).float()))
        assert plain > math.log(3) > signal.ceiling + 0.2

    def test_of_real_targets_it_is_the_estimate_alone_of_all_samples(self):
        x, _ = rows()
        y = x[:, :1] + x[:, 1:2] ** 2
        named = {"num_samples": 100, "estimator": "ksg"}
        signal = InformationSignal(network(), (x, y), ceiling="estimate", **named)
        assert signal.ceiling == float(ksg(x, y))
        assert signal.ceiling < InformationSignal(network(), (x, y), **named).ceiling  # predictions tell more


@pytest.mark.filterwarnings("error")
def test_complex_layers_are_measured_by_both_their_parts():
    """An orthonormal Fourier transform keeps all distances, and Ross's estimator looks at nothing else."""

    class Fourier(nn.Module):
        def forward(self, x):
            return torch.fft.fft(x, norm="ortho")

    torch.manual_seed(0)
    x = torch.randn(200, 6, dtype=torch.float64)
    network = nn.Sequential(nn.Linear(6, 8).double(), Fourier())
    before, behind = InformationSignal(network, (x, (x[:, 0] > 0).long()), num_samples=150, layers=["0", "1"])()
    assert behind == pytest.approx(before, abs=1e-9)
    assert before > 0


def test_all_layers_are_measured_in_one_pass():
    torch.manual_seed(0)
    x = torch.randn(120, 6)
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    signal, rows = InformationSignal(network, (x, (x[:, 0] > 0).long()), num_samples=100, layers=["0", "1", "2"]), []
    network.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    assert len(signal()) == 3
    assert rows == [100]


def test_a_layer_named_output_is_that_layer_and_not_the_whole_network():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.output = nn.Linear(5, 3)

        def forward(self, x):
            return 0.0 * self.output(x)

    assert InformationSignal(Named(), rows(), num_samples=100, layers=["output"])()[0] > 0.1
    assert InformationSignal(Named(), rows(), num_samples=100)() == pytest.approx(0.0, abs=1e-9)
