import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.estimators.discrete import discrete_entropy, discrete_mi
from infotorch.networks.quantiser import Quantiser
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.quantised import QuantisedBottleneck, kernel_information, same_cell
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)
Y = torch.arange(60) % 3


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch_of(output, y=Y, x=None):
    x = output.detach() if x is None else x
    return LocalBatch(x, x, output, y, STREAMS)


def built(output, y=Y, **settings):
    objective = QuantisedBottleneck(**settings)
    with STREAMS.as_global("objective"):
        objective.build(batch_of(output), y)
    return objective


class TestKernels:
    def test_information_is_that_of_the_frequencies(self):
        a, b = Quantiser(3), Quantiser(4, kind="quantile")
        for seed in range(5):
            rows = draw(80, 2, seed=seed)
            other = rows + 0.5 * draw(80, 2, seed=seed + 10)
            found = kernel_information(same_cell(rows, a), same_cell(other, b)).item()
            assert found == pytest.approx(float(discrete_mi(a.cells(rows), b.cells(other))), abs=1e-12)

    def test_the_value_is_that_of_the_cells_and_the_gradient_that_of_the_stand_in(self):
        rows = draw(6, 2).requires_grad_()
        quantiser = Quantiser(4, limits=(-2, 2))
        shared = same_cell(rows, quantiser)
        assert torch.equal(shared, (quantiser.cells(rows)[:, None] == quantiser.cells(rows)).all(dim=2).double())
        weights = draw(6, 6)
        (gradient,) = torch.autograd.grad((weights * shared).sum(), rows)

        def smooth(rows):
            squares = (rows[:, None] - rows).square().mean(dim=2)  # a cell is one wide
            return (weights * (-squares / 2).exp()).sum()

        (wanted,) = torch.autograd.grad(smooth(rows), rows)
        torch.testing.assert_close(gradient, wanted)

    def test_without_straight_through_nothing_passes(self):
        assert not same_cell(draw(6, 2).requires_grad_(), Quantiser(4, straight_through=False)).requires_grad


class TestTerms:
    def test_each_variable_has_its_own_quantiser(self):
        output, x = draw(60, 2), draw(60, 3, seed=1)
        given = {"compression": Quantiser(4), "precision": Quantiser(2, kind="quantile"), "inputs": Quantiser(2)}
        cells = {"compression": given["compression"].cells(output), "precision": given["precision"].cells(output)}
        objective = built(output, beta=0.2, **given)
        loss = objective(batch_of(output, x=x))
        inputs = Quantiser(2).cells(x)
        assert loss.terms["mi_ty_nats"].item() == pytest.approx(float(discrete_mi(cells["precision"], Y)))
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(float(discrete_mi(cells["compression"], inputs)))
        wanted = 0.2 * loss.terms["mi_xt_nats"] - loss.terms["mi_ty_nats"]
        assert loss.total.item() == pytest.approx(wanted.item())
        assert objective.scores(output) is None
        assert objective.sides == {}

    def test_of_the_input_as_it_is_the_term_is_the_entropy_of_the_cells(self):
        output = draw(60, 2)
        objective = built(output, beta=0.2, compression=Quantiser(4), precision=Quantiser(2))
        wanted = float(discrete_entropy(Quantiser(4).cells(output)))
        assert objective(batch_of(output)).terms["mi_xt_nats"].item() == pytest.approx(wanted)

    def test_scaling_the_layer_changes_nothing_where_the_cells_follow_it(self):
        output = draw(60, 2)
        objective = built(output, beta=0.2, compression=Quantiser(4), precision=Quantiser(2, kind="quantile"))
        fixed = built(
            output, beta=0.2, compression=Quantiser(4, limits=(-1, 1)), precision=Quantiser(2, limits=(-1, 1))
        )
        values = [[o(batch_of(s * output)).total.item() for s in (2.0**-8, 1.0, 2.0**8)] for o in (objective, fixed)]
        assert len(set(values[0])) == 1
        assert len(set(values[1])) > 1

    def test_a_coarse_precision_and_a_finer_compression_order_representations_as_the_paper_says(self):
        # One unit on two classes: spread out within them, mixed up among them, or in two tight clusters.
        y, within = torch.arange(2).repeat_interleave(100), torch.linspace(0, 1, 100).repeat(2).double()
        spread, tight = y * 0.6 + 0.4 * within, y * 0.9 + 0.1 * within
        mixed = (torch.arange(200) % 2) * 0.6 + 0.4 * within
        settings = {"compression": Quantiser(4, limits=(0, 1)), "precision": Quantiser(2, limits=(0, 1))}
        terms = [
            built(o[:, None], y, beta=1.0, **settings)(batch_of(o[:, None], y)).terms for o in (spread, mixed, tight)
        ]
        precision, compression = ([t[name].item() for t in terms] for name in ("mi_ty_nats", "mi_xt_nats"))
        assert precision[0] == pytest.approx(math.log(2)) == precision[2]
        assert precision[1] < 0.01
        assert compression[2] == pytest.approx(math.log(2))
        assert compression[0] > compression[2] + 0.4

    def test_precision_may_be_the_cross_entropy_and_compression_of_another_layer(self):
        with STREAMS.as_global("init"):
            network = nn.Sequential(nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 3)).double()
        x = draw(60, 4)
        objective = built(network(x), beta=0.5, compression=Quantiser(3), layer=network[1])
        loss = objective(batch_of(network(x), x=x))
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(
            float(discrete_entropy(Quantiser(3).cells(network[:2](x))))
        )
        wanted = math.log(3) - nn.functional.cross_entropy(network(x), Y).item()
        assert loss.terms["mi_ty_nats"].item() == pytest.approx(wanted)
        assert objective.sides == {"mi_ty_nats": "lower"}
        assert torch.equal(objective.scores(network(x)), network(x))

    def test_rows_without_labels_and_a_diverged_layer(self):
        output = draw(60, 2)
        objective = built(output, beta=0.2, compression=Quantiser(4), precision=Quantiser(2))
        for y in (None, torch.full((60,), -1)):
            assert set(objective(replace(batch_of(output), y=y)).terms) == {"mi_xt_nats"}
        assert objective(batch_of(output / 0)).total.isnan()

    def test_the_quantisers_follow_in_training_and_stay_in_evaluation(self):
        output = draw(60, 2)
        objective = built(output, beta=0.2, compression=Quantiser(4), precision=Quantiser(2))
        objective(batch_of(output))
        edges = objective.compression.running_edges.clone()
        assert edges[-1].item() == pytest.approx(output.max().item(), rel=1e-6)
        objective.eval()(batch_of(7 * output))
        assert torch.equal(objective.compression.running_edges, edges)


class TestTraining:
    def test_a_small_layer_of_digits_learns_by_cells_alone(self):
        data = infotorch.load("digits", seed=0)
        rows, found = (data.train.x[:500], data.train.y[:500]), []
        for first in (
            QuantisedBottleneck(
                beta=0.1, compression=Quantiser(4, kind="quantile"), precision=Quantiser(3, kind="quantile")
            ),
            "frozen",
        ):
            with STREAMS.as_global("init"):
                network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Linear(3, 10))
            plan = Plan.layerwise(network, ("2",), [first, "CE"], optimizer=_adam)
            for _ in train(plan, TensorBatches(*rows, batch_size=250), epochs=30):
                pass
            found.append(plan_accuracy(plan, *rows))
            if first != "frozen":
                assert evaluate_modules(plan, *rows, [0])["1"]["mi_ty_nats"] > 1.0  # of log 10 = 2.3
        assert found[0] > found[1] + 0.1


def _adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"compression": None}, TypeError, "QuantisedBottleneck: compression must be a Quantiser, got NoneType"),
        ({"compression": Quantiser(2), "inputs": 3}, TypeError, "inputs must be a Quantiser, got int"),
        ({"compression": Quantiser(2), "layer": "2"}, TypeError, "layer must be a layer of the network, got str"),
        ({"compression": Quantiser(2), "beta": -1.0}, ValueError, "beta must be at least 0"),
    ],
)
def test_refused(settings, kind, message):
    with pytest.raises(kind, match=message):
        QuantisedBottleneck(**{"beta": 0.1, **settings})


def test_one_quantiser_for_two_variables_is_refused():
    one = Quantiser(2)
    with pytest.raises(ValueError, match="each variable needs a Quantiser of its own, got one twice"):
        QuantisedBottleneck(beta=0.1, compression=one, precision=one)
