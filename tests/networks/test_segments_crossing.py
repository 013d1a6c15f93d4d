"""What may cross a cut, what is made again behind it, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from tests.networks.segmented import run
from torch import nn

from infotorch.networks.segments import split
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.updates.proximal import ProximalSplit

X = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))


class Layers(nn.Module):
    """Four layers, for forwards of every shape."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.a, self.b, self.c, self.d = (nn.Linear(4, 4) for _ in range(4))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.mu, self.log_sigma = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.mu(x), self.log_sigma(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(2, 4)

    def forward(self, mu, log_sigma):
        return self.out(mu.tanh() * log_sigma.exp())


class Autoencoder(nn.Module):
    def __init__(self, *, as_dict=False, whole=False):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.encoder, self.decoder = Pair(), Decoder()
        self.as_dict, self.whole = as_dict, whole

    def forward(self, x):
        code = self.encoder(x)
        mu, log_sigma = code[0], code[1]
        if self.as_dict:
            code = {"mu": mu, "log_sigma": log_sigma}
            return self.decoder(code["mu"], code["log_sigma"])
        return self.decoder(mu, code[1] + 0 * code[0] if self.whole else log_sigma)


class Variational(nn.Module):
    """The usual autoencoder, which returns what its loss needs."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.hidden, self.mu, self.log_var = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 2)
            self.decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x):
        h = self.hidden(x).tanh()
        mu, log_var = self.mu(h), self.log_var(h)
        z = mu + torch.randn_like(mu) * (log_var / 2).exp()
        return self.decoder(z), mu, log_var


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.0)


@pytest.mark.parametrize("options", [{}, {"as_dict": True}, {"whole": True}])
def test_a_pair_of_tensors_crosses_by_name(options):
    model = Autoencoder(**options)
    first, second = split(model, ("decoder",))
    assert all(torch.equal(a, b) for a, b in zip(first(X, X), model.encoder(X), strict=True))
    assert torch.equal(second(first(X, X), X), model(X))


def test_order_2_at_a_pair_is_the_gradient_of_its_squared_slopes():
    model, x = Autoencoder().double(), X.double()
    loss_fn = lambda output: (output - x).square().mean()  # noqa: E731
    step = ProximalSplit.at(model, "decoder", step_size=1.5, forward_optimizer=sgd, backward_optimizer=sgd)
    step.accumulate(x, loss_fn, share=1.0)
    code = model.encoder(x)
    slopes = torch.autograd.grad(loss_fn(model.decoder(*code)), code, create_graph=True)
    penalty = 1.5**2 / 2 * torch.stack([slope.square().sum() for slope in slopes]).sum()
    wanted = torch.autograd.grad(penalty, list(model.encoder.parameters()))
    for parameter, gradient in zip(model.encoder.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=0)


def test_order_1_of_an_autoencoder_that_returns_its_code_is_back_propagation():
    model, x = Variational().double(), X.double()

    def loss_fn(output):
        recon, mu, log_var = output
        return (recon - x).square().mean() + (mu.square() + log_var.exp() - log_var).mean()

    step = ProximalSplit.at(model, "decoder", order=1, step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        info = step.accumulate(x, loss_fn, share=1.0)
        mine = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        model.zero_grad()
        torch.manual_seed(3)
        output = model(x)
    loss_fn(output).backward()
    assert all(torch.equal(a, b) for a, b in zip(info.output, output, strict=True))
    for gradient, parameter in zip(mine, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-12, atol=1e-16)


class SizeOfHidden(Layers):
    def forward(self, x):
        h = self.a(x)
        rows, (_, width) = h.shape[0], h.size()[0:2]
        h = self.b(h.relu())
        return self.c(h.reshape(rows, 2, -1).reshape(rows, width))


class SizeOfBottleneck(Layers):
    def forward(self, x):
        h = self.a(x).relu()
        rows = h.shape[0]
        return self.c(self.b(h).reshape(rows, -1))


def test_a_size_of_a_hidden_value_crosses_beside_the_tensor():
    model = SizeOfHidden()
    first, second = split(model, ("b",))
    z, *sizes = first(X, X)
    assert torch.equal(z, model.a(X).relu())
    assert all(not isinstance(size, torch.Tensor) for size in sizes)
    assert torch.equal(second((z, *sizes), X), model(X))
    assert torch.equal(run(split(model, ("b", "c")), X), model(X))
    step = ProximalSplit.at(model, "b", step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
    assert torch.equal(step.step(X, lambda output: output.square().mean()).output, model(X))


def test_a_size_of_the_bottleneck_is_read_again():
    model = SizeOfBottleneck()
    first, second = split(model, ("b",))
    z = first(X, X)
    assert torch.equal(z, model.a(X).relu())
    assert torch.equal(second(z, X), model(X))
    assert second(z[:2], X).shape == (2, 4)  # and not that of the batch


class Masked(Layers):
    """A mask of the raw input, read on both sides."""

    def forward(self, x):
        mask = (x > 0.5).float()
        return self.b(self.a(x) * mask) * mask


class ParameterReadEarly(Layers):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(4))

    def forward(self, x):
        gain = self.gain.exp()
        return self.b(self.a(x)) * gain


class SideBySide(Layers):
    """Two branches that do not depend on each other."""

    def forward(self, x):
        u, v = self.a(x), self.b(x)
        return self.d(self.c(u.tanh()) + v)


@pytest.mark.parametrize(("kind", "cut"), [(Masked, "b"), (ParameterReadEarly, "b"), (SideBySide, "c")])
def test_parts_compose_to_the_network(kind, cut):
    model = kind()
    assert torch.equal(run(split(model, (cut,)), X), model(X))


def test_a_function_of_the_input_is_made_again_and_not_handed_over():
    model = Masked()
    assert torch.equal(split(model, ("b",))[0](X, X), model.a(X) * (X > 0.5))


def test_a_parameter_that_is_read_early_belongs_to_the_part_that_needs_it():
    first, second = split(ParameterReadEarly(), ("b",))
    assert [len(list(part.parameters())) for part in (first, second)] == [2, 3]


class DrawnOnBothSides(Layers):
    """A random mask of the input, and one that is changed in place: made again they would be others."""

    def __init__(self, *, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        mask = x > 0.5
        if self.change:
            mask[:, 0].fill_(True)
        else:
            mask = F.dropout(x)
        return self.b(self.a(x) * mask) * mask


@pytest.mark.parametrize("change", [True, False])
def test_what_cannot_be_made_again_is_handed_over(change):
    model = DrawnOnBothSides(change=change)
    segments = split(model, ("b",))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wanted = model(X)
        torch.manual_seed(0)
        assert torch.equal(run(segments, X), wanted)


class SharedParameter(ParameterReadEarly):
    def forward(self, x):
        gain = self.gain.exp()
        return self.b(self.a(x) * gain) * gain


def test_a_parameter_that_both_sides_need_is_refused_by_name():
    with pytest.raises(ValueError, match="modules 0 and 1 share the parameter 'gain'"):
        split(SharedParameter(), ("b",))


class InputOnly(Layers):
    def forward(self, x):
        return self.b(x.exp() + x.sin())


def test_a_cut_that_only_the_input_crosses():
    model = InputOnly()
    first, second = split(model, ("b",))
    assert torch.equal(first(X, X), X.exp() + X.sin())
    assert torch.equal(second(first(X, X), X), model(X))


class InputTwice(Layers):
    def forward(self, x):
        u, v = x.exp(), x.sin()
        return self.b(u) + v


def test_a_cut_before_the_first_layer_is_refused_where_several_functions_of_the_input_cross():
    with pytest.raises(ValueError, match="nothing but the input crosses the cut at 'b'; no layer lies before it"):
        split(InputTwice(), ("b",))


class Keywords(Layers):
    def __init__(self, *, passes_on):
        super().__init__()
        self.passes_on = passes_on

    def forward(self, x, **options):
        h = self.b(self.a(x))
        return self.c(h) * options["scale"] if self.passes_on else h


def test_keywords_are_allowed_unless_they_are_read():
    model = Keywords(passes_on=False)
    assert torch.equal(run(split(model, ("b",)), X), model(X))
    with pytest.raises(ValueError, match="cannot be traced \\(KeyError: 'scale'\\)"):
        split(Keywords(passes_on=True), ("b",))


class HandsAllOn(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *args, **kwargs):
        return self.network(*args, **kwargs)


class HandsKeywordsOn(HandsAllOn):
    def forward(self, x, scale=2.0, **kwargs):
        return self.network(x, **kwargs) * scale


class HandsAnyNumberOn(HandsAllOn):
    def forward(self, *inputs):
        return self.network(*inputs)


@pytest.mark.parametrize("wrapper", [HandsAllOn, HandsKeywordsOn, HandsAnyNumberOn])
def test_a_wrapper_that_hands_its_arguments_on_is_cut_within(wrapper):
    model = wrapper(HandsAllOn(Keywords(passes_on=False)))
    assert torch.equal(run(split(model, ("network.network.b",)), X), model(X))


class Scaled(Layers):
    def forward(self, x, scale):
        return self.c(self.b(self.a(x)) * scale)


def test_a_wrapper_that_hands_names_on_is_cut_within():
    model = HandsAllOn(Scaled())
    inputs = NamedTensors({"x": X, "scale": torch.full((len(X), 1), 3.0)})
    assert torch.equal(
        run(split(model, ("network.c",)), inputs), model(**{name: inputs[name] for name in inputs.keys()})
    )


class Skips(Layers):
    """A skip connection, of a value that the network returns as well."""

    def forward(self, x):
        h = self.a(x)
        return self.c(self.b(h).relu() + h), h


def test_a_skip_connection_is_one_even_where_the_value_is_returned_too():
    with pytest.raises(ValueError, match=r"cross the cut at 'c', found 2 \(a, relu\)\. A skip connection"):
        split(SkipsInside(), ("c",))
    model = Skips()
    assert all(torch.equal(u, v) for u, v in zip(run(split(model, ("b",)), X), model(X), strict=True))


class SkipsInside(Layers):
    def forward(self, x):
        h = self.a(x)
        return self.c(self.b(h).relu()) + h, h
