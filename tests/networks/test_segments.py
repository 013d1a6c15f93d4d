import gc
import linecache
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.networks.segmented import run
from torch import nn

from infotorch.networks.segments import check_no_shared_parameters, split, starting_layers


class ConvNet(nn.Module):
    """Functional code between the layers, a size read from the input, dropout that reads self.training, a default."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3)
        self.fc1, self.fc2 = nn.Linear(8 * 4 * 4, 16), nn.Linear(16, 10)

    def forward(self, x, mask=None, scale=2.0):
        rows = x.size(0)
        h = F.relu(self.conv2(F.relu(self.conv1(x)))).view(rows, -1)
        if mask is not None:
            h = h * mask
        h = F.dropout(F.relu(self.fc1(h)), 0.5, self.training)
        return scale * self.fc2(h)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b, self.out = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x):
        h = self.stem(x)
        h = h + self.b(F.relu(self.a(h)))
        return self.out(h + x)


@pytest.mark.parametrize("training", [True, False])
def test_segments_compose_to_the_network_in_both_modes(training):
    model, x = ConvNet(), torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    segments = split(model, ("conv2", "fc1", "fc2"))
    for module in (model, *segments):
        module.train(training)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        wanted = model(x)
        torch.manual_seed(3)
        assert torch.equal(run(segments, x), wanted)


def test_splitting_leaves_every_layers_mode_as_it_was():
    model = ConvNet()
    model.conv1.eval()
    before = [module.training for module in model.modules()]
    split(model, ("fc1",))
    assert [module.training for module in model.modules()] == before


def test_a_cut_before_a_whole_residual_block_is_legal_and_one_inside_is_refused_by_name():
    model, x = Residual(), torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(split(model, ("a", "out")), x), model(x))
    with pytest.raises(ValueError, match=r"cut at 'b', found 2 \(stem, relu\)\. A skip connection"):
        split(model, ("b",))


def test_a_transformer_encoder_is_cut_between_its_parts():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(
        nn.Embedding(11, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten()
    )
    model.append(nn.Linear(40, 3)).eval()
    segments = [segment.eval() for segment in split(model, ("1", "3"))]
    tokens = torch.randint(11, (2, 5), generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(segments, tokens), model(tokens))


def test_every_parameter_lies_in_exactly_one_segment():
    model = ConvNet()
    counts = [len(list(segment.parameters())) for segment in split(model, ("conv2", "fc1", "fc2"))]
    assert counts == [2, 2, 2, 2]


def test_the_first_child_with_parameters_starts_no_cut():
    assert starting_layers(ConvNet()) == ("conv2", "fc1", "fc2")


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (("ot",), "no layer 'ot'; did you mean out"),
        (("out", "a"), "in the order in which they run, got out, a"),
        (("a", "a"), "each layer may be named once"),
        (("stem",), "'stem' is the first layer; nothing lies before it"),
    ],
)
def test_bad_cuts_are_refused(cuts, message):
    with pytest.raises(ValueError, match=message):
        split(Residual(), cuts)


def test_a_layer_that_never_runs_is_refused():
    model = ConvNet()
    model.extra = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="never calls the layer 'extra'"):
        split(model, ("extra",))


class DataDependent(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x):
        h = self.a(x)
        return self.b(h) if h.sum() > 0 else h


def test_control_flow_between_the_cuts_is_refused_with_a_way_out():
    with pytest.raises(
        ValueError, match=r"cannot be traced .*ProximalSplit\(f, g, \.\.\.\), or the LocalModules of a Plan"
    ):
        split(DataDependent(), ("b",))


def test_control_flow_inside_an_uncut_block_is_no_obstacle():
    model = nn.Sequential(nn.Linear(2, 2), DataDependent(), nn.Linear(2, 2))
    x = torch.rand(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(split(model, ("1", "2")), x), model(x))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x, z):
        return self.b(self.a(x) + z)


def test_a_network_of_two_inputs_is_given_both():
    model, x = TwoInputs(), {"x": torch.ones(3, 2), "z": torch.full((3, 2), 2.0)}
    assert torch.equal(run(split(model, ("b",)), x), model(**x))


def test_a_layer_used_on_both_sides_of_a_cut_is_refused():
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), nn.Linear(3, 3), shared)
    with pytest.raises(ValueError, match=r"modules 0 and 1 share the parameter '0\.weight'"):
        split(model, ("2",))


def test_tied_weights_of_two_layers_are_refused():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    with pytest.raises(ValueError, match="modules 0 and 1 share the parameter 'weight'"):
        check_no_shared_parameters([first, second])


def test_a_norm_that_two_modules_call_is_refused():
    """It has no parameter, and counted the samples of both."""
    norm = nn.BatchNorm1d(4, affine=False)
    model = nn.Sequential(nn.Linear(4, 4), norm, nn.Linear(4, 4), norm, nn.Linear(4, 2))
    with pytest.raises(
        ValueError, match=r"modules 0 and 1 share the norm '[13]': the samples of one would count in the"
    ):
        split(model, ["2"])
    still = nn.BatchNorm1d(4, affine=False, track_running_stats=False)  # of each batch alone
    first, _ = split(nn.Sequential(nn.Linear(4, 4), still, nn.Linear(4, 4), still), ["2"])
    x = torch.eye(4)
    assert torch.equal(first(x, x), still(first.network[0](x)))


class ReadsInputInTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        h = self.b(self.a(x))
        return h + x if self.training else h


@pytest.mark.parametrize("training", [True, False])
def test_the_raw_input_may_be_read_in_one_mode_only(training):
    model, x = ReadsInputInTraining(), torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    segments = split(model, ("b",))
    for module in (model, *segments):
        module.train(training)
    assert torch.equal(run(segments, x), model(x))


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.a(x) + torch.randn(4))


def test_noise_that_tracing_would_draw_once_and_for_all_is_refused():
    model, before = Noisy(), torch.get_rng_state()
    with pytest.raises(ValueError, match=r"draws random numbers .* torch\.randn_like"):
        split(model, ("b",))
    assert torch.equal(torch.get_rng_state(), before)


class DropsLayers(nn.Module):
    """LayerDrop: a layer is skipped in half of the steps."""

    def __init__(self, draw, *, always=True):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.draw, self.always = draw, always

    def forward(self, x):
        h = self.a(x)
        if (self.always or self.training) and self.draw() < 0.5:
            h = self.b(h)
        return self.c(h)


@pytest.mark.parametrize("always", [True, False])
@pytest.mark.parametrize(
    ("draw", "name"),
    [(random.random, "random"), (np.random.random, r"numpy\.random"), (np.random.randn, r"numpy\.random")],
)
def test_a_layer_that_tracing_would_drop_once_and_for_all_is_refused(draw, name, always):
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    np.random.randn()  # noqa: NPY002 the next one is kept already, and drawing it moves nothing else
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with pytest.raises(ValueError, match=f"draws random numbers from {name} that .* draw in a layer that holds no cut"):
        split(DropsLayers(draw, always=always), ("c",))
    assert random.getstate() == state
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), numpy_state, strict=True))  # noqa: NPY002


class Skipping(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x) if random.random() < 0.5 else x


def test_a_layer_may_draw_whether_it_skips_what_it_holds():
    model = nn.Sequential(nn.Linear(4, 4), Skipping(nn.Linear(4, 4)), nn.Linear(4, 2))
    segments, x = split(model, ("2",)), torch.ones(1, 4)
    random.seed(0)
    given = [run(segments, x) for _ in range(20)]
    random.seed(0)
    assert all(torch.equal(one, model(x)) for one in given)
    assert any(not torch.equal(one, given[0]) for one in given)


class TupleDefault(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, shape=(2, 2)):
        return self.b(self.a(x).reshape(-1, *shape).flatten(1))


def test_a_default_may_be_a_tuple():
    model, x = TupleDefault(), torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(split(model, ("b",)), x), model(x))


def test_a_normalisation_starts_no_module_of_its_own():
    model = nn.Sequential(
        nn.Linear(2, 3), nn.BatchNorm1d(3), nn.PReLU(), nn.LazyLinear(4), nn.LayerNorm(4), nn.Linear(4, 1)
    )
    assert starting_layers(model) == ("3", "5")


def test_a_segment_that_has_gone_leaves_no_source_behind():
    def sources():
        gc.collect()
        return {name for name in linecache.cache if name.startswith("<eval_with_key>")}

    before = sources()
    parts = split(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)), ["1"])
    assert sources() - before  # a traceback through the segment shows its lines
    del parts
    assert sources() <= before
