import math

import pytest
import torch
from torch import nn

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.estimators.renyi import renyi_mi
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.deterministic import DeterministicBottleneck
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)
Y = torch.arange(30) % 3


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def batch_of(x, output, y=Y):
    return LocalBatch(x, x, output, y, STREAMS)


def network_and(**settings):
    with STREAMS.as_global("init"):
        network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
        objective = DeterministicBottleneck(layer=network[1], **settings)
        x = draw(30, 4)
        objective.build(batch_of(x, network(x)), Y)
    return network, objective, x


@pytest.mark.parametrize("settings", [{}, {"alpha": 2.0}, {"bandwidth": 0.7}, {"kernel": "exp(-d2/s)"}])
def test_the_term_is_the_renyi_information_of_the_hooked_layer_and_the_input(settings):
    network, objective, x = network_and(beta=0.2, **settings)
    loss = objective(batch_of(x, network(x)))
    wanted = renyi_mi(network[:2](x), x, **{"kernel": "exp(-d2/2s2)", **settings})
    assert loss.terms["renyi_xt_nats"].item() == pytest.approx(float(wanted), rel=1e-6)
    precision = math.log(3) - nn.functional.cross_entropy(network(x), Y).item()
    assert loss.total.item() == pytest.approx(-precision + 0.2 * float(wanted), rel=1e-6)


def test_of_a_hidden_module_it_is_that_of_the_output():
    x, output = draw(30, 4), draw(30, 5)
    objective = DeterministicBottleneck(beta=0.2)
    objective.build(batch_of(x, output), Y)
    found = objective(batch_of(x, output)).terms["renyi_xt_nats"].item()
    assert found == pytest.approx(float(renyi_mi(output, x, kernel="exp(-d2/2s2)")), rel=1e-6)


def test_scaling_the_layer_changes_nothing_by_default():
    x, output = draw(30, 4), draw(30, 5)
    objective = DeterministicBottleneck(beta=0.2)
    objective.build(batch_of(x, output), Y)
    values = [objective(batch_of(x, s * output)).terms["renyi_xt_nats"].item() for s in (0.01, 1.0, 100.0)]
    assert values == pytest.approx([values[0]] * 3, rel=1e-9)


def test_its_gradient_reaches_the_layer_and_what_stands_before_it_alone():
    network, objective, x = network_and(beta=1.0, bandwidth=1.0)
    compression = objective(batch_of(x, network(x))).total - objective._precision(batch_of(x, network(x))).total
    compression.backward()
    assert network[0].weight.grad.abs().sum() > 0
    assert torch.count_nonzero(network[2].weight.grad) == 0


def test_one_row_tells_nothing_and_a_diverged_layer_ends_the_run():
    network, objective, x = network_and(beta=1.0)
    assert set(objective(batch_of(x[:1], network(x[:1]), Y[:1])).terms) == {"mi_ty_nats"}
    with torch.no_grad():
        network[0].weight[0, 0] = math.nan
    assert objective(batch_of(x, network(x))).total.isnan()


def test_digits_are_learnt_and_beta_compresses():
    data = infotorch.load("digits", seed=0)
    rows, found = (data.train.x[:400], data.train.y[:400]), []
    for beta in (0.0, 0.2):
        with STREAMS.as_global("init"):
            network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
        objective = DeterministicBottleneck(beta=beta, layer=network[2], alpha=2.0)
        plan = Plan.end_to_end(network, objective, optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
        for _ in train(plan, TensorBatches(*rows, batch_size=100), epochs=12):
            pass
        terms = evaluate_modules(plan, *rows, [0])["network"]
        found.append((terms["renyi_xt_nats"], plan_accuracy(plan, *rows)))
    assert found[0][1] > 0.9
    assert found[1][1] > 0.5  # 0.97 and 0.78 were seen; 2.26 and 1.60 nats
    assert found[1][0] < 0.9 * found[0][0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, "DeterministicBottleneck: beta must be at least 0"),
        ({"beta": 1.0, "alpha": 0.0}, "alpha must be positive"),
        ({"beta": 1.0, "kernel": "rbf"}, "kernel must be one of"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DeterministicBottleneck(**settings)
