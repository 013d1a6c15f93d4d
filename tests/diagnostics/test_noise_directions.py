import pytest
import torch
import torch.nn.functional as F
from tests.diagnostics.zoo import Apply, gaussian
from torch import nn

from infotorch import diagnose
from infotorch.diagnostics.activations import Step
from infotorch.diagnostics.noise_directions import Nudge, covers, directions_are_known, noise_directions
from infotorch.networks import GaussianNoise
from infotorch.numerics.seeds import seed_streams

STREAMS = seed_streams(0)
X = gaussian(3, 4).double()
MATRIX = gaussian(4, 6).double()


def directions(function):
    def outputs():
        with STREAMS.as_global("the same draw"):
            return {"t": function(X)}

    return noise_directions(outputs, ["t"], streams=STREAMS)["t"]


def rank(function):
    return [int(torch.linalg.matrix_rank(ways, rtol=1e-3)) for ways in directions(function).unbind(1)]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x + torch.randn_like(x), 4),
        (lambda x: x + torch.rand(x.shape, dtype=x.dtype), 4),
        (lambda x: x * torch.empty_like(x).exponential_(), 4),
        (lambda x: torch.normal(x, torch.ones_like(x)), 4),
        (lambda x: (x + torch.randn_like(x)) @ MATRIX, 4),
        (lambda x: torch.tanh((x + 0.1 * torch.randn_like(x)) @ MATRIX), 4),
        (lambda x: torch.tanh(x + torch.randn(len(x), 1, dtype=x.dtype)), 1),  # a curve: straight where it is looked at
        (lambda x: x.tanh(), 0),
        (lambda x: F.dropout(x, 0.5, training=True), 0),
        (lambda x: x * (torch.rand_like(x) > 0.5), 0),
        (lambda x: (x + torch.randn_like(x)).sign(), 0),
        (lambda x: F.dropout(x, 0.5, training=True) + torch.randn_like(x), 4),
    ],
)
def test_there_are_as_many_directions_as_numbers_with_a_density_reach_the_layer(function, expected):
    assert rank(function) == [expected] * 3


def test_a_direction_is_the_derivative_by_the_noise():
    weights = torch.tensor([1.0, 10.0, 0.1, 2.0]).double()
    found = directions(lambda x: weights * torch.randn_like(x)) / weights
    # What remains are the moves themselves: 64 x 12 numbers of N(0, 1), their deviation within three standard errors.
    assert found.std().item() == pytest.approx(1.0, abs=3 / (2 * found.numel()) ** 0.5)


def test_masks_stay_when_noise_moves():
    found = directions(lambda x: F.dropout(x + torch.randn_like(x), 0.5, training=True))
    hidden = (found == 0).all(dim=0)
    assert torch.equal(hidden, (found == 0).any(dim=0))
    assert 0 < int(hidden.sum()) < hidden.numel()


def test_a_nudge_leaves_no_trace_and_draws_from_its_own_generator():
    torch.manual_seed(0)
    plain = torch.randn(4)
    after = torch.randn(4)
    torch.manual_seed(0)
    with Nudge(torch.Generator().manual_seed(1), 1e-3):
        moved = torch.randn(4)
        whole = torch.randint(5, (4,))
    assert 0 < (moved - plain).abs().max() < 0.01
    assert not whole.is_floating_point()
    torch.manual_seed(0)
    torch.randn(4)
    assert torch.equal(torch.randn(4), after)


def test_a_way_is_covered_where_the_noise_goes_there_at_every_row():
    plane = torch.tensor([[1.0, 0, 1], [0, 1, 1]]).double()
    noise = torch.randn(64, 2, 2, generator=torch.Generator().manual_seed(0)).double() @ plane
    inside, outside = torch.tensor([1.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, 1.0])
    assert covers(torch.stack([inside, 3 * inside]), noise) is True
    assert covers(torch.stack([inside, outside]), noise) is False
    assert covers(torch.stack([inside, 0 * outside]), noise) is True  # a row that stands still needs nothing


def test_what_few_directions_cannot_show_is_not_said_to_be_covered():
    noise = torch.randn(10, 1, 50, generator=torch.Generator().manual_seed(0))
    assert covers(noise[0], noise) is None  # ten directions, of fifty or more
    assert covers(noise[0], torch.cat([noise, noise])) is True
    assert covers(torch.ones(1, 5), torch.randn(64, 1, 5, generator=torch.Generator().manual_seed(0))) is True
    assert covers(torch.ones(1, 5), torch.zeros(64, 1, 5)) is False


def test_a_short_direction_may_be_curvature_and_says_nothing():
    noise = torch.eye(2).repeat(8, 1)[:, None] * torch.tensor([1.0, 1e-5])
    assert covers(torch.tensor([[0.0, 1.0]]), noise) is None
    assert covers(torch.tensor([[1.0, 0.0]]), noise) is True


def test_noise_by_functions_that_cannot_be_nudged_is_not_judged_by_directions():
    assert directions_are_known([Step("linear", "linear"), Step("normal", "noise"), Step("alpha_dropout", "noise")])
    assert not directions_are_known([Step("poisson", "noise")])
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), Apply(lambda x: F.gumbel_softmax(x)))
    assert diagnose(network, (gaussian(200, 3), None), layers=["1"], properties=False)["1"].verdict != "infinite"


class Dropping(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, training=True)


@pytest.mark.parametrize("width", [2, 8, 32])
@pytest.mark.parametrize("noise_std", [0.1, 1.0])
def test_gaussian_noise_behind_dropout_that_stays_on_makes_a_layer_finite(width, noise_std):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, width), Dropping(), GaussianNoise(noise_std), nn.Tanh())
    found = diagnose(network, (gaussian(200, 3), None), layers=["1", "2", "3"], properties=False)
    assert [layer.verdict for layer in found] == ["infinite", "finite", "finite"]


def test_noise_of_one_number_behind_dropout_covers_nothing():
    network = nn.Sequential(nn.Linear(3, 8), Dropping(), Apply(lambda x: x + torch.randn(len(x), 1, dtype=x.dtype)))
    found = diagnose(network, (gaussian(200, 3), None), layers=["2"], properties=False)
    assert found["2"].verdict == "infinite"
