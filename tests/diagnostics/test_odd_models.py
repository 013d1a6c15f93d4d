"""Models that people have, looked at: a right result, or one clear error that begins with the function's name."""

from typing import Any

import pytest
import torch
from tests.diagnostics.zoo import Apply, gaussian
from torch import nn
from torch.nn.utils import prune

from infotorch.assessment.robustness import layer_robustness
from infotorch.diagnostics.diagnosis import diagnose
from infotorch.diagnostics.embeddings import embed_modules
from infotorch.diagnostics.information_plane import InformationPlane
from infotorch.estimators.binned import binned_mi
from infotorch.networks.feature_extractor import FeatureExtractor, in_double
from infotorch.numerics.seeds import seed_streams
from infotorch.training.plan import Plan

X = gaussian(60, 4)
Y = (X[:, 0] > 0).long()


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))


class Attends(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x, x, x)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_in_another_precision_is_looked_at_in_it(kind):
    model = perceptron().to(kind)
    points = InformationPlane(model, (X, Y), ["1", "output"], num_bins=3)(0)
    with torch.no_grad():
        hidden = model[:2](X.to(kind)).float()
        output = model(X.to(kind)).float()
    for point, t in zip(points, (hidden, output), strict=True):
        assert point.mi_xt == pytest.approx(float(binned_mi(torch.arange(60), t, num_bins=3)), abs=1e-12)
        assert point.mi_ty == pytest.approx(float(binned_mi(t, Y, num_bins=3)), abs=1e-12)
    assert [layer.verdict for layer in diagnose(model, (X, Y), properties=False)] == ["infinite"] * 3
    assert model[0].weight.dtype == kind


def test_arrays_in_float64_come_in_the_precision_of_the_weights():
    plane = InformationPlane(perceptron(), (X.double().numpy(), Y), num_bins=3)
    single = InformationPlane(perceptron(), (X, Y), num_bins=3)
    assert plane(0) == single(0)


def test_a_model_that_changes_its_input_in_place_is_looked_at_on_the_same_samples_every_time():
    model = nn.Sequential(Apply(lambda x: x.mul_(2)), nn.ReLU(inplace=True), *perceptron())
    plane = InformationPlane(model, (X, Y), num_bins=3)
    rows = plane.x.clone()
    first, second = plane(0), plane(1)
    assert [point.mi_xt for point in first] == [point.mi_xt for point in second]
    assert torch.equal(plane.x, rows)
    found = diagnose(model, (X, Y), layers=["0", "output"])  # attacks take gradients through it
    assert found["0"].verdict == "infinite"
    assert found.robustness is not None
    assert found.robustness.blind < 0.2


def test_of_recurrent_layers_the_states_of_their_layers_are_no_samples():
    torch.manual_seed(0)
    model = nn.Sequential(nn.LSTM(4, 3, num_layers=2, batch_first=True), Apply(lambda out: out[0][:, -1]))
    x = gaussian(252, 5, 4)  # the last chunk has two rows, as many as the state has
    (point,) = InformationPlane(model, (x, None), ["0"], num_bins=2)(0)
    with torch.no_grad():
        t = model[0](x)[0].flatten(1)
    assert point.mi_xt == pytest.approx(float(binned_mi(torch.arange(252), t, num_bins=2)), abs=1e-6)


def test_layers_with_time_first_give_a_row_for_each_sample_also_where_there_are_as_many_times():
    torch.manual_seed(0)
    recurrent, attention = nn.GRU(4, 3), nn.MultiheadAttention(4, 2)
    turned = Apply(lambda x: x.transpose(0, 1))
    for model, width in (
        (nn.Sequential(turned, recurrent), 15),
        (nn.Sequential(turned, Attends(attention)), 20 + 25),  # with the attention's weights beside it
    ):
        name = "1" if model[1] is recurrent else "1.inner"
        x = gaussian(5, 5, 4)
        with torch.no_grad(), FeatureExtractor(model, [name]) as extract:
            features, one = extract(x)[name], extract(x[:1])[name]
        assert features.shape == (5, width)
        torch.testing.assert_close(features[:1], one)


def test_a_class_of_any_number_costs_what_its_samples_cost():
    model, far = perceptron(), torch.where(Y == 1, 2**62, 0)
    settings = {"radii": (0.1,), "streams": seed_streams(0)}
    assert layer_robustness(model, "1", X, far, **settings) == layer_robustness(model, "1", X, Y, **settings)


@pytest.mark.parametrize(
    ("model", "x", "kind", "words"),
    [
        (nn.LazyLinear(2), X, ValueError, "the network has no weights yet; run the model on some rows first"),
        (perceptron().to("meta"), X, ValueError, "layer '0' is on the meta device, which holds no numbers"),
        (perceptron(), {"left": X}, ValueError, "does not run on x of .* must be Tensor, not dict"),
        (perceptron(), (X, X), TypeError, "x must be one tensor or array, got a tuple"),
        (Apply(lambda x: {}["left"]), X, ValueError, "does not run on x of .*: KeyError: 'left'"),
        (Apply(lambda x: x.sum()), X, ValueError, "layers: 'output' gives no tensor with a row for each of the"),
        (perceptron(), X.long(), ValueError, r"does not run on x of shape \(2, 4\), torch.int64: mat1 and mat2 must"),
    ],
)
def test_what_cannot_be_looked_at_is_told_in_one_line(model, x, kind, words):
    with pytest.raises(kind, match=f"^diagnose: .*{words}"):
        diagnose(model, (x, None))
    with pytest.raises(kind, match=f"^InformationPlane: .*{words}"):
        InformationPlane(model, (x, None), num_bins=3)(0)


@pytest.mark.slow  # torch.compile takes seconds to load
def test_the_layers_of_a_compiled_model_are_heard():
    model = perceptron()
    compiled: Any = torch.compile(model, backend="eager")
    compiled(X)  # compiled before anyone listens
    found = InformationPlane(compiled, (X, Y), num_bins=3)(0)
    assert [point.layer for point in found] == ["_orig_mod.0", "_orig_mod.1", "_orig_mod.2"]
    plain = InformationPlane(model, (X, Y), num_bins=3)(0)
    assert [point.mi_xt for point in found] == [point.mi_xt for point in plain]


class Counts(nn.Module):
    calls: torch.Tensor

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        return self.layer(x)


def test_embeddings_leave_buffers_alone_and_name_a_module_that_does_not_run():
    model = Counts()
    plan = Plan.end_to_end(model, "CE", optimizer=torch.optim.SGD)
    calls = model.calls
    embed_modules(plan, {"train": (X, Y)}, num_samples=20)
    assert model.calls is calls
    assert calls.item() == 0
    with pytest.raises(
        ValueError, match=r"^embed_modules: module '.*' does not run on inputs of shape \(20, 4\), torch"
    ):
        embed_modules(plan, {"train": (X.double(), Y)}, num_samples=20)


def test_a_model_that_keeps_what_it_computed_is_diagnosed_on_a_copy_in_float64():
    model = prune.l1_unstructured(nn.Linear(4, 2), "weight", 0.5)
    model.kept = model(X)
    twin, _ = in_double(model, X)
    assert twin is not model
    assert twin.get_parameter("weight_orig").dtype == torch.float64
    torch.testing.assert_close(twin(X.double()), model(X).double())
