import math
import warnings

import pytest
import torch
from torch import nn

import infotorch
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.labels import CrossEntropy
from infotorch.objectives.regularisers import ClusterPenalty, ConfidencePenalty, NuisanceInformation, SameClassPenalty
from infotorch.training.fit import fit

STREAMS = seed_streams(0)
Y = torch.arange(12) % 3


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch_of(output, y=Y, x=None):
    x = torch.zeros(len(output), 2) if x is None else x
    return LocalBatch(x, x, output, y, STREAMS)


def value(objective, output, y=Y, x=None):
    return objective(batch_of(output, y, x)).total.item()


def built(objective, output, y=Y):
    objective.build(batch_of(output, y), y)
    return objective


class TestConfidence:
    def test_against_torch_distributions(self):
        scores = draw(12, 4)
        wanted = torch.distributions.Categorical(logits=scores).entropy().mean()
        assert value(ConfidencePenalty(weight=0.3), scores) == pytest.approx(-0.3 * wanted.item(), rel=1e-12)

    def test_of_several_draws_it_is_the_entropy_of_their_mean_probabilities(self):
        scores = draw(12, 5, 4)
        wanted = torch.distributions.Categorical(probs=scores.softmax(dim=2).mean(dim=1)).entropy().mean()
        assert value(ConfidencePenalty(weight=1.0), scores) == pytest.approx(-wanted.item(), rel=1e-12)

    def test_hidden_units_are_no_class_scores_and_it_says_so(self):
        y = torch.arange(8) % 4
        with pytest.warns(UserWarning, match="takes the module's output of 6 columns as class scores, for 4 classes"):
            ConfidencePenalty().build(LocalBatch(torch.zeros(8, 3), torch.zeros(8, 3), torch.zeros(8, 6), y), y)
        for columns, labels in ((4, y), (6, None)):
            output = torch.zeros(8, columns)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                ConfidencePenalty().build(LocalBatch(output, output, output, labels), labels)

    def test_gradient_and_certainty(self):
        objective = ConfidencePenalty(weight=0.3)
        assert torch.autograd.gradcheck(lambda s: objective(batch_of(s)).total, (draw(12, 4).requires_grad_(),))
        assert value(objective, 1e4 * draw(12, 4)) == pytest.approx(0, abs=1e-9)


class TestSameClass:
    def test_against_a_loop(self):
        rows = draw(12, 3)
        pairs = [(i, j) for i in range(12) for j in range(12) if i != j]
        squares = {pair: (rows[pair[0]] - rows[pair[1]]).square().sum().item() for pair in pairs}
        within = [squares[i, j] for i, j in pairs if Y[i] == Y[j]]
        wanted = sum(within) / len(within) / (sum(squares.values()) / len(squares))
        assert value(SameClassPenalty(weight=2.0), rows) == pytest.approx(2 * wanted, rel=1e-9)

    def test_points_score_nothing_and_classes_that_play_no_part_near_one(self):
        assert value(SameClassPenalty(), torch.eye(3)[Y].double()) == pytest.approx(0, abs=1e-12)
        assert value(SameClassPenalty(), draw(600, 3), torch.arange(600) % 3) == pytest.approx(1, abs=0.05)

    def test_a_batch_with_nothing_to_compare_teaches_nothing(self):
        for rows, y in (
            (draw(3, 2), torch.arange(3)),
            (draw(4, 2), torch.full((4,), -1)),
            (draw(4, 2), None),
            (torch.ones(4, 2), torch.zeros(4, dtype=torch.long)),
        ):
            loss = SameClassPenalty()(batch_of(rows.requires_grad_(), y))
            loss.total.backward()
            assert loss.terms == {}
            assert torch.count_nonzero(rows.grad) == 0


class TestClusters:
    def test_in_the_first_batch_the_centres_are_the_classes_means(self):
        rows = draw(12, 3)
        means = torch.stack([rows[Y == c].mean(dim=0) for c in range(3)])
        wanted = (rows - means[Y]).square().sum() / (rows - rows.mean(dim=0)).square().sum()
        assert value(built(ClusterPenalty(), rows), rows) == pytest.approx(wanted.item(), rel=1e-9)

    def test_centres_remember_past_batches_and_classes_that_are_absent(self):
        objective = built(ClusterPenalty(momentum=0.25), draw(12, 2))
        first, second = draw(12, 2), draw(12, 2, seed=1)
        value(objective, first)
        value(objective, second[Y == 0], Y[Y == 0])
        means = torch.stack([first[Y == c].mean(dim=0) for c in range(3)])
        means[0] = 0.75 * means[0] + 0.25 * second[Y == 0].mean(dim=0)
        torch.testing.assert_close(objective.centres, means)
        # One row of each class meets the centres of the batches before, and evaluation moves none.
        kept = objective.eval().centres.clone()
        wanted = (second[:3] - means).square().sum() / (second[:3] - second[:3].mean(dim=0)).square().sum()
        assert value(objective, second[:3], Y[:3]) == pytest.approx(wanted.item(), rel=1e-9)
        assert torch.equal(objective.centres, kept)

    def test_a_saved_objective_goes_on(self):
        objective, other = (built(ClusterPenalty(), draw(12, 2)) for _ in range(2))
        value(objective, draw(12, 2))
        other.load_state_dict(objective.state_dict())
        assert value(other, draw(12, 2, seed=1)) == value(objective, draw(12, 2, seed=1))

    def test_a_batch_without_labels_teaches_nothing(self):
        objective = built(ClusterPenalty(), draw(12, 2))
        for y in (None, torch.full((12,), -1)):
            assert objective(batch_of(draw(12, 2), y)).terms == {}


@pytest.mark.parametrize("made", [SameClassPenalty, ClusterPenalty])
class TestBothClusterings:
    def test_scaling_moving_and_turning_the_layer_changes_nothing(self, made):
        rows = draw(12, 3)
        turn = torch.linalg.qr(draw(3, 3))[0]
        values = [value(built(made(), r), r) for r in (rows, 1e-3 * rows, rows + 50.0, rows @ turn)]
        assert values == pytest.approx([values[0]] * 4, rel=1e-6)

    def test_gradient(self, made):
        objective = built(made(), draw(12, 3))
        objective(batch_of(draw(12, 3)))
        objective.eval()
        assert torch.autograd.gradcheck(lambda r: objective(batch_of(r)).total, (draw(12, 3).requires_grad_(),))

    def test_beside_cross_entropy_it_tightens_the_classes_of_a_hidden_layer(self, made):
        data = infotorch.load("digits", seed=0)
        found = []
        for weight in (1e-6, 3.0):
            with STREAMS.as_global("init"):
                network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
            both = SumOfObjectives([CrossEntropy(), made(weight=weight, layer=network[2])])
            metrics = fit(
                network,
                (data.train.x[:300], data.train.y[:300]),
                plan=[both],
                cuts=(),
                epochs=12,
                batch_size=50,
                lr=1e-2,
            ).metrics
            found.append((metrics[f"network/{made.term}"], metrics["train_accuracy"]))
        assert found[1][0] < 0.7 * found[0][0]
        assert found[1][1] > 0.9


class TestNuisance:
    """The nuisance is the first column of x."""

    def objective(self, noise_std=0.3, **settings):
        return NuisanceInformation(lambda x: x[:, 0].long(), noise_std=noise_std, **settings)

    def test_it_is_the_entropy_of_a_nuisance_that_the_layer_shows_and_0_of_a_layer_that_is_constant(self):
        x = (torch.arange(40) % 4)[:, None].double()
        assert value(self.objective(0.01), 5 * x, None, x) == pytest.approx(math.log(4), abs=1e-9)
        assert value(self.objective(), torch.ones(40, 3), None, x) == pytest.approx(0, abs=1e-6)

    def test_it_bounds_the_information_of_the_mixture_from_above(self):
        c = torch.arange(40) % 2
        rows = draw(40, 2) + c[:, None]
        deviation = 0.5 * (rows - rows.mean(dim=0)).square().mean().sqrt()
        generator = torch.Generator().manual_seed(1)
        picked = torch.randint(40, (100_000,), generator=generator)
        drawn = rows[picked] + deviation * torch.randn(100_000, 2, generator=generator, dtype=torch.float64)
        log_p = -torch.cdist(drawn, rows).square() / (2 * deviation**2)
        own = log_p.masked_fill(c[picked][:, None] != c, -math.inf).logsumexp(dim=1) - math.log(20)
        exact = (own - log_p.logsumexp(dim=1) + math.log(40)).mean().item()
        assert exact < value(self.objective(0.5), rows, None, c[:, None].double()) < math.log(40)

    def test_scaling_the_layer_changes_nothing(self):
        x, rows = (torch.arange(12) % 2)[:, None].double(), draw(12, 3)
        values = [value(self.objective(), s * rows, None, x) for s in (1e-3, 1.0, 1e3)]
        assert values == pytest.approx([values[0]] * 3, rel=1e-6)

    def test_rows_whose_nuisance_is_unknown_do_not_count(self):
        x, rows = (torch.arange(12) % 2)[:, None].double(), draw(12, 3)
        unknown = torch.where(torch.arange(12)[:, None] < 8, x, -1.0)
        assert value(self.objective(), rows, None, unknown) == value(self.objective(), rows[:8], None, x[:8])
        assert self.objective()(batch_of(rows, None, torch.full((12, 1), -1.0))).terms == {}

    def test_gradient(self):
        x, objective = (torch.arange(12) % 2)[:, None].double(), self.objective()
        assert torch.autograd.gradcheck(
            lambda r: objective(batch_of(r, None, x)).total, (draw(12, 3).requires_grad_(),)
        )

    def test_pushed_down_the_layer_forgets_the_nuisance_and_keeps_the_class(self):
        c, y = torch.arange(400) % 2, torch.arange(400) // 2 % 2
        x = torch.stack([c, y - 0.5], dim=1).float() + 0.1 * draw(400, 2).float()
        nuisance, found = c.clone(), []
        for weight in (1e-6, 3.0):
            with STREAMS.as_global("init"):
                network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
            penalty = NuisanceInformation(
                lambda x: (x[:, 0] > 0.5).long(), noise_std=0.3, weight=weight, layer=network[1]
            )
            both = SumOfObjectives([CrossEntropy(), penalty])
            metrics = fit(network, (x, y), plan=[both], cuts=(), epochs=15, batch_size=100, lr=2e-2).metrics
            hidden = network[:2](x).detach()
            found.append((metrics["network/mi_ct_nats"], metrics["train_accuracy"], _readable(hidden, nuisance)))
        assert found[1][0] < 0.5 * found[0][0]
        assert found[1][1] > 0.95
        assert found[1][2] < found[0][2] - 0.02  # a linear probe of what the bound has seen


def _readable(hidden, labels):
    """How far apart the two groups' means are, over the deviation of the layer."""
    apart = hidden[labels == 0].mean(dim=0) - hidden[labels == 1].mean(dim=0)
    return (apart.norm() / (hidden - hidden.mean(dim=0)).square().sum(dim=1).mean().sqrt()).item()


def test_a_diverged_layer_ends_the_run():
    rows = draw(12, 3) / 0
    x = torch.zeros(12, 1)
    for objective in (SameClassPenalty(), built(ClusterPenalty(), rows), TestNuisance().objective()):
        assert math.isnan(value(objective, rows, Y, x))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: ConfidencePenalty(weight=0.0), ValueError, "ConfidencePenalty: weight must be positive"),
        (lambda: SameClassPenalty(weight="1"), TypeError, "SameClassPenalty: weight must be a number, got str"),
        (lambda: SameClassPenalty(layer="fc1"), TypeError, "layer must be a layer of the network, got str"),
        (lambda: ClusterPenalty(momentum=1.5), ValueError, "ClusterPenalty: momentum must be at most 1, got 1.5"),
        (lambda: NuisanceInformation(3, noise_std=1.0), TypeError, "nuisance must be a function of x, got int"),
        (
            lambda: NuisanceInformation(int, noise_std=1.0)(batch_of(draw(12, 2))),
            TypeError,
            r"nuisance must be a function of x \(n, ...\): [^\n]*",
        ),
        (lambda: NuisanceInformation(len, noise_std=0.0), ValueError, "noise_std must be positive"),
        (lambda: NuisanceInformation(len, noise_std=1e308), ValueError, "noise_std must be at most 1e150"),
        (
            lambda: NuisanceInformation(lambda x: x, noise_std=1.0)(batch_of(draw(12, 2))),
            TypeError,
            r"nuisance must give integers of shape \(12,\), got torch.float32 of shape \(12, 2\)",
        ),
        (
            lambda: SameClassPenalty()(LocalBatch(torch.zeros(4, 2), torch.zeros(4, 2), torch.zeros(12, 2), Y[:4])),
            ValueError,
            "the layer must have a row for each input, 4, got 12; look at a layer before the draws",
        ),
        (lambda: built(SameClassPenalty(), draw(12, 2), None), TypeError, "needs class labels, got y=None"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
