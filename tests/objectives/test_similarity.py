import math

import pytest
import torch
import torch.nn.functional as F
from tests.objectives.on_digits import accuracies_on_digits
from torch import nn

from infotorch.estimators.dependence import cka
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.labels import ReadoutInformation
from infotorch.objectives.similarity import MEASURES, KernelAlignment, PredictiveSimilarity
from infotorch.training.memory import auxiliary_parameter_bytes

LABELS = torch.arange(12) % 3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(output, y):
    return LocalBatch(torch.zeros(len(output), 2), torch.zeros(len(output), 2), output, y)


@pytest.fixture
def output():
    return torch.randn(12, 5, generator=seeded(), dtype=torch.float64)


@pytest.fixture
def grid():
    return torch.randn(12, 2, 5, 4, generator=seeded(), dtype=torch.float64)


def kernel_term(output, y, **settings):
    (term,) = KernelAlignment(**settings)(batch_of(output, y)).terms.values()
    return term.item()


def pairs(output, y):
    """(cosine, same class, one row twice) of every two rows, one by one."""
    rows = range(len(y))
    cosine = {(i, j): F.cosine_similarity(output[i], output[j], dim=0).item() for i in rows for j in rows}
    return [(cosine[i, j], bool(y[i] == y[j]), i == j) for i in rows for j in rows]


class TestKernelAlignment:
    @pytest.mark.parametrize("least", [0.0, -1.0])
    def test_alignment_is_the_cosine_of_the_two_matrices(self, least, output):
        table = [(k, 1.0 if same else least) for k, same, _ in pairs(output, LABELS)]
        norms = [math.sqrt(sum(row[side] ** 2 for row in table)) for side in (0, 1)]
        wanted = sum(k * ideal for k, ideal in table) / (norms[0] * norms[1])
        assert kernel_term(output, LABELS, least=least) == pytest.approx(wanted, abs=1e-12)

    @pytest.mark.parametrize("least", [0.0, -1.0])
    def test_centred_alignment_is_the_cka_of_directions_and_classes(self, least, output):
        wanted = cka(F.normalize(output, dim=1), F.one_hot(LABELS).double(), unbiased=False)
        assert kernel_term(output, LABELS, centred=True, least=least) == pytest.approx(float(wanted), abs=1e-9)

    def test_contrastive_is_the_share_of_pairs_of_one_class(self, output):
        table = [(math.exp(k), same) for k, same, itself in pairs(output, LABELS) if not itself]
        wanted = math.log(sum(e for e, same in table if same) / sum(e for e, _ in table))
        assert kernel_term(output, LABELS, measure="contrastive") == pytest.approx(wanted, abs=1e-12)

    def test_squared_error_is_minus_the_mean_over_all_pairs(self, output):
        wanted = -sum((k - (1.0 if same else -0.5)) ** 2 for k, same, _ in pairs(output, LABELS)) / 144
        assert kernel_term(output, LABELS, measure="squared_error", least=-0.5) == pytest.approx(wanted, abs=1e-12)

    def test_negative_looks_only_at_pairs_of_different_classes(self, output):
        apart = [math.exp(k) for k, same, _ in pairs(output, LABELS) if not same]
        wanted = -math.log(sum(apart) / len(apart))
        assert kernel_term(output, LABELS, measure="negative") == pytest.approx(wanted, abs=1e-12)

    @pytest.mark.parametrize(("measure", "best"), [("alignment", 1), ("squared_error", 0), ("negative", 0)])
    def test_orthogonal_classes_reach_the_best_value(self, measure, best):
        assert kernel_term(torch.eye(3).double()[LABELS], LABELS, measure=measure) == pytest.approx(best, abs=1e-12)

    @pytest.mark.parametrize(("measure", "best"), [("alignment", 1), ("squared_error", 0), ("negative", 1)])
    def test_opposite_classes_reach_the_best_value_of_a_kernel_down_to_minus_one(self, measure, best):
        y = LABELS % 2
        opposite = torch.tensor([[1.0, 2.0], [-1.0, -2.0]]).double()[y]
        assert kernel_term(opposite, y, measure=measure, least=-1.0) == pytest.approx(best, abs=1e-12)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_the_total_is_minus_the_term_and_its_gradient_that_of_finite_differences(self, measure, output):
        objective = KernelAlignment(measure=measure)
        loss = objective(batch_of(output, LABELS))
        assert loss.total.item() == -loss.terms[f"kernel_{measure}"].item()
        assert torch.autograd.gradcheck(
            lambda rows: objective(batch_of(rows, LABELS)).total, output.clone().requires_grad_()
        )
        assert objective.sides == {}

    def test_grids_are_pooled_where_asked(self, grid):
        pooled = F.adaptive_avg_pool2d(grid, (2, 2)).flatten(1)
        assert kernel_term(grid, LABELS, locations=2) == pytest.approx(kernel_term(pooled, LABELS), abs=1e-12)
        assert kernel_term(grid, LABELS) == pytest.approx(kernel_term(grid.flatten(1), LABELS), abs=1e-12)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_unlabelled_rows_do_not_count(self, measure, output):
        y = torch.where(torch.arange(12) < 7, LABELS, -1)
        alone = kernel_term(output[:7], y[:7], measure=measure)
        assert kernel_term(output, y, measure=measure) == pytest.approx(alone, abs=1e-12)

    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize("y", [None, torch.full((3,), -1), torch.tensor([1, 1, -1]), torch.tensor([1, 1, 1])])
    def test_a_batch_of_one_class_teaches_nothing(self, measure, y, output):
        rows = output[:3].clone().requires_grad_()
        loss = KernelAlignment(measure=measure)(batch_of(rows, y))
        (gradient,) = torch.autograd.grad(loss.total, rows)
        assert (loss.total.item(), torch.count_nonzero(gradient).item(), loss.terms) == (0, 0, {})

    def test_only_negative_learns_where_no_two_rows_share_a_class(self, output):
        y = torch.arange(12)
        learns = {measure: bool(KernelAlignment(measure=measure)(batch_of(output, y)).terms) for measure in MEASURES}
        assert learns == {"alignment": False, "contrastive": False, "squared_error": False, "negative": True}

    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_output_has_a_loss_that_is_not_finite(self, measure, value, output):
        output[3, 2] = value
        assert KernelAlignment(measure=measure)(batch_of(output, LABELS)).total.isnan()

    def test_it_teaches_a_module_to_tell_digits(self):
        """0.89 to 0.93 against 0.57 to 0.63 for random features; one run's standard error is below 0.03."""
        assert min(accuracies_on_digits("Y:kernel", norm=True)) > 0.85
        assert min(accuracies_on_digits("Y:kernel", norm=True, seeds=[0], centred=True)) > 0.85
        assert min(accuracies_on_digits("Y:kernel", norm=True, seeds=[0], measure="contrastive")) > 0.85
        assert max(accuracies_on_digits("frozen", norm=True)) < 0.7

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"measure": "cosine"}, ValueError, "measure must be one of alignment, contrastive, .* got 'cosine'"),
            ({"least": 1.0}, ValueError, "least must be at least -1 and below 1, got 1.0"),
            ({"least": math.nan}, ValueError, "least must be at least -1 and below 1, got nan"),
            (
                {"measure": "negative", "centred": True},
                ValueError,
                "centred is for measure='alignment', got 'negative'",
            ),
            ({"locations": 1.5}, TypeError, "locations must be an integer, got 1.5"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, error, message):
        with pytest.raises(error, match=f"KernelAlignment: {message}"):
            KernelAlignment(**settings)

    def test_missing_labels_are_refused(self, output):
        with pytest.raises(TypeError, match="KernelAlignment: this objective needs class labels, got y=None"):
            KernelAlignment().build(batch_of(output, None), None)


def predictive(output, y=LABELS, **settings):
    torch.manual_seed(0)
    objective = PredictiveSimilarity(**settings)
    objective.build(batch_of(output, y), y)
    with torch.no_grad():
        objective.readout.weight.normal_(generator=seeded(1))
    return objective


class TestPredictiveSimilarity:
    def test_the_bytes_of_its_layer_count_as_auxiliary(self):
        objective = predictive(torch.ones(len(LABELS), 5))
        assert auxiliary_parameter_bytes([objective]) == 5 * 5 * 4

    def test_the_error_compares_correlations_of_features_and_of_classes(self, output):
        objective = predictive(output)
        features = output @ objective.get_parameter("features.weight").T
        wanted = (torch.corrcoef(features) - torch.corrcoef(F.one_hot(LABELS).double())).square().mean()
        error = objective(batch_of(output, LABELS)).terms["similarity_error"]
        assert error.item() == pytest.approx(wanted.item(), abs=1e-12)

    def test_features_of_a_grid_are_deviations_over_places(self, grid):
        objective = predictive(grid)
        maps = F.conv2d(grid, objective.get_parameter("features.weight"), padding=1)
        features = (maps - maps.mean(dim=(2, 3), keepdim=True)).square().sum(dim=(2, 3)).div(19).sqrt()
        wanted = (torch.corrcoef(features) - torch.corrcoef(F.one_hot(LABELS).double())).square().mean()
        error = objective(batch_of(grid, LABELS)).terms["similarity_error"]
        assert error.item() == pytest.approx(wanted.item(), abs=1e-9)

    def test_a_grid_of_one_place_has_its_value_as_feature(self, output):
        objective = predictive(output[:, :, None, None])
        centre = objective.get_parameter("features.weight")[:, :, 1, 1]
        wanted = (torch.corrcoef(output @ centre.T) - torch.corrcoef(F.one_hot(LABELS).double())).square().mean()
        error = objective(batch_of(output[:, :, None, None], LABELS)).terms["similarity_error"]
        assert error.item() == pytest.approx(wanted.item(), abs=1e-12)

    def test_classes_that_correlate_as_their_labels_have_no_error(self):
        y = torch.arange(12) % 2
        opposite = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()[y]
        objective = predictive(opposite, y)
        with torch.no_grad():
            objective.get_parameter("features.weight").copy_(torch.eye(2))
        assert objective(batch_of(opposite, y)).terms["similarity_error"].item() == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize("similarity_weight", [0.0, 0.3, 1.0])
    def test_the_total_weighs_error_and_bound(self, similarity_weight, output):
        loss = predictive(output, similarity_weight=similarity_weight)(batch_of(output, LABELS))
        wanted = similarity_weight * loss.terms["similarity_error"] - (1 - similarity_weight) * loss.terms["mi_ty_nats"]
        assert loss.total.item() == pytest.approx(wanted.item(), abs=1e-12)

    def test_at_beta_zero_it_is_the_read_out_bound(self, output):
        objective, readout = predictive(output, similarity_weight=0.0), ReadoutInformation()
        readout.build(batch_of(output, LABELS), LABELS)
        readout.load_state_dict({k: v for k, v in objective.state_dict().items() if not k.startswith("features")})
        wanted = readout(batch_of(output, LABELS)).total.item()
        assert objective(batch_of(output, LABELS)).total.item() == pytest.approx(wanted, abs=1e-12)

    @pytest.mark.parametrize("shape", [(12, 5), (12, 2, 3, 3)])
    def test_the_gradient_is_that_of_finite_differences(self, shape):
        output = torch.randn(shape, generator=seeded(), dtype=torch.float64, requires_grad=True)
        objective = predictive(output, similarity_weight=0.5)
        assert torch.autograd.gradcheck(lambda rows: objective(batch_of(rows, LABELS)).total, output)

    @pytest.mark.parametrize(("at_most", "inputs"), [(4096, 40), (39, 24), (23, 12), (11, 8), (7, 4), (2, 2), (1, 2)])
    def test_the_read_out_halves_the_sides_in_turn(self, at_most, inputs, grid):
        objective = predictive(grid, readout_features=at_most)
        assert objective.readout.in_features == inputs
        assert objective.scores(grid).shape == (12, 3)

    def test_a_halved_grid_is_an_average(self):
        grid = torch.randn(12, 2, 4, 4, generator=seeded(), dtype=torch.float64)
        objective = predictive(grid, readout_features=8)
        rows = F.avg_pool2d(grid, 2).flatten(1)
        torch.testing.assert_close(objective.scores(grid), objective.readout(rows))

    def test_a_dead_layer_has_a_finite_gradient(self):
        for shape in ((12, 5), (12, 2, 3, 3)):
            output = torch.zeros(shape, requires_grad=True)
            loss = predictive(output)(batch_of(output, LABELS))
            (gradient,) = torch.autograd.grad(loss.total, output)
            assert torch.isfinite(gradient).all()

    def test_the_read_out_starts_at_zero(self, output):
        objective = PredictiveSimilarity()
        objective.build(batch_of(output, LABELS), LABELS)
        assert torch.count_nonzero(objective.readout.weight) == 0

    def test_unlabelled_rows_do_not_count(self, grid):
        objective, y = predictive(grid), torch.where(torch.arange(12) < 7, LABELS, -1)
        mixed, alone = objective(batch_of(grid, y)), objective(batch_of(grid[:7], y[:7]))
        torch.testing.assert_close(mixed.total, alone.total)

    @pytest.mark.parametrize("y", [None, torch.full((12,), -1)])
    def test_a_batch_without_labels_teaches_nothing(self, y, output):
        output.requires_grad_()
        loss = predictive(output)(batch_of(output, y))
        (gradient,) = torch.autograd.grad(loss.total, output)
        assert (loss.total.item(), torch.count_nonzero(gradient).item(), loss.terms) == (0, 0, {})

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_output_has_a_loss_that_is_not_finite(self, value, grid):
        objective = predictive(grid)
        grid[3, 1, 2, 2] = value
        assert not objective(batch_of(grid, LABELS)).total.isfinite()

    def test_it_teaches_a_module_to_tell_digits(self):
        """0.91 to 0.94 against 0.57 to 0.63 for random features; one run's standard error is below 0.03."""
        assert min(accuracies_on_digits("Y:predsim")) > 0.85
        assert max(accuracies_on_digits("frozen")) < 0.7

    def test_it_teaches_a_convolution(self):
        """A stripe across or down, anywhere: no location alone tells which."""
        y = torch.arange(64) % 2
        x = torch.zeros(64, 1, 6, 6)
        for row, location in enumerate(torch.randint(6, (64,), generator=seeded()).tolist()):
            x[row, 0, location if y[row] else slice(None), slice(None) if y[row] else location] = 1.0
        torch.manual_seed(0)
        body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        objective = PredictiveSimilarity(readout_features=16)
        objective.build(batch_of(body(x), y), y)
        optimizer = torch.optim.Adam([*body.parameters(), *objective.parameters()], lr=1e-2)
        errors = []
        for _ in range(150):
            loss = objective(batch_of(body(x), y))
            optimizer.zero_grad()
            loss.total.backward()
            optimizer.step()
            errors.append(loss.terms["similarity_error"].item())
        assert errors[0] > 0.5
        assert errors[-1] < 0.05

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"similarity_weight": -0.1}, ValueError, "similarity_weight must lie between 0 and 1, got -0.1"),
            ({"similarity_weight": math.nan}, ValueError, "similarity_weight must lie between 0 and 1, got nan"),
            ({"readout_features": 0}, ValueError, "readout_features must be at least 1, got 0"),
            ({"readout_features": 2.0}, TypeError, "readout_features must be an integer, got 2.0"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, error, message):
        with pytest.raises(error, match=f"PredictiveSimilarity: {message}"):
            PredictiveSimilarity(**settings)

    def test_sequences_and_missing_labels_are_refused(self, output):
        with pytest.raises(ValueError, match=r"must be vectors \(b, d\) or a grid \(b, c, h, w\), got \(12, 5, 1\)"):
            PredictiveSimilarity().build(batch_of(output[:, :, None], LABELS), LABELS)
        with pytest.raises(TypeError, match="PredictiveSimilarity: this objective needs class labels, got y=None"):
            PredictiveSimilarity().build(batch_of(output, None), None)
