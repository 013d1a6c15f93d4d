import pytest
import torch
from torch import nn

from infotorch.networks.perceptron import fold_head, fold_linear, mlp


def test_the_folded_network_gives_the_same_outputs_and_is_one_layer_shorter():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = mlp(12, (9, 7), 5, head=True).double()
    x = torch.randn(50, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folded = fold_head(network)
    torch.testing.assert_close(folded(x), network(x), atol=1e-13, rtol=1e-13)  # float64 rounding
    assert len(folded) == len(network) - 1
    assert [name for name, _ in network.named_children()][-1] == "head"


@pytest.mark.parametrize("first_bias", [True, False])
@pytest.mark.parametrize("second_bias", [True, False])
def test_two_linear_layers_fold_into_one(first_bias, second_bias):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.Linear(4, 3, first_bias).double(), nn.Linear(3, 2, second_bias).double()
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folded = fold_linear(first, second)
    assert (folded.bias is not None) == (first_bias or second_bias)
    torch.testing.assert_close(folded(x), second(first(x)), atol=1e-14, rtol=1e-13)


def test_what_cannot_be_folded_is_refused():
    with pytest.raises(ValueError, match="first gives 3 features, second takes 4"):
        fold_linear(nn.Linear(2, 3), nn.Linear(4, 5))
    with pytest.raises(TypeError, match="must end in two linear layers"):
        fold_head(mlp(4, (3,), 2))


def test_the_paper_s_network_has_its_parameter_count():
    count = sum(parameter.numel() for parameter in mlp(784, (500, 256), 10).parameters())
    assert count == 785 * 500 + 501 * 256 + 257 * 10


def test_a_width_of_zero_is_refused():
    with pytest.raises(ValueError, match="every width of hidden must be at least 1, got 0"):
        mlp(4, (0,), 2)
