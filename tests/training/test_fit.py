import warnings

import numpy as np
import pytest
import torch
from torch import nn

import infotorch
from infotorch.networks.noise import GaussianNoise
from infotorch.objectives.labels import ReadoutInformation
from infotorch.training.fit import fit
from infotorch.training.loop import train
from infotorch.training.plan import Plan


def test_a_model_is_trained_in_place_and_predicts(make_mlp, two_blobs):
    x, y = two_blobs
    model = make_mlp()
    result = fit(model, (x, y), plan="X,Y,CE", epochs=30, batch_size=64, lr=1e-2)
    assert result.metrics["train_accuracy"] == float((model(x).argmax(1) == y).float().mean())
    assert result.metrics["train_accuracy"] > 0.95  # the Bayes rate of two blobs 4 deviations apart is 0.977
    assert result.diverged is None
    assert {"0/log_likelihood_nats", "2/mi_ty_nats", "4/cross_entropy_nats"} <= set(result.metrics)
    assert 0.3 < result.metrics["2/mi_ty_nats"] < 0.6932


@pytest.mark.parametrize("order", ["sequential", "simultaneous"])
def test_no_gradients_stay_and_the_plan_trains_on_as_with_them(order, make_mlp, two_blobs):
    x, y = two_blobs
    weights = []
    for keeps in (False, True):
        model = make_mlp()
        plan = fit(model, (x, y), plan="Y,Y:mine,CE", order=order, epochs=1).plan
        held = [weight for module in plan for weight in (*module.parameters(), *module.critic_parameters())]
        assert all(weight.grad is None for weight in held)
        if keeps:
            for weight in held:
                weight.grad = torch.ones_like(weight)
        list(train(plan, (x, y), epochs=1, seed=1))
        weights.append([weight.detach() for weight in model.parameters()])
    assert all(map(torch.equal, *weights))


def test_arrays_and_tensors_give_the_same_model(make_mlp, two_blobs):
    x, y = two_blobs
    models = [make_mlp(), make_mlp()]
    fit(models[0], (x, y), epochs=1)
    fit(models[1], (x.double().numpy(), y.to(torch.int32).numpy()), epochs=1)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_unlabelled_rows_serve_the_label_free_modules(make_mlp, two_blobs):
    x, y = two_blobs
    few = torch.where(torch.arange(len(y)) < 32, y, -1)
    with_all, with_few = make_mlp(), make_mlp()
    fit(with_all, (x, y), plan="X,Y,CE", epochs=2)
    result = fit(with_few, (x, few), plan="X,Y,CE", epochs=2)
    assert torch.equal(with_all[0].weight, with_few[0].weight)  # X reads every row, labelled or not
    assert not torch.equal(with_all[2].weight, with_few[2].weight)
    assert "train_accuracy" in result.metrics


def test_few_labels_mean_no_fewer_steps(make_mlp, two_blobs):
    x, y = two_blobs
    few = torch.where(torch.arange(len(y)) < 8, y, -1)
    result = fit(make_mlp(), (x, few), plan="X,Y:supcon+Y,CE", epochs=3, batch_size=64)
    steps = [{int(state["step"]) for state in module.update.optimizer.state.values()} for module in result.plan]
    assert steps == [{12}] * 3  # 4 steps an epoch; the labelled rows come again and again
    assert {"2/mi_ty_nats", "2/mi_ty_2_nats"} <= set(result.metrics)


def test_no_labels_at_all_train_label_free_modules_only(make_mlp, two_blobs):
    result = fit(make_mlp(), (two_blobs[0], None), plan="X,X,frozen", epochs=1)
    assert set(result.metrics) == {"0/log_likelihood_nats", "2/log_likelihood_nats"}
    with pytest.raises(TypeError, match="needs class labels, got y=None"):
        fit(make_mlp(), (two_blobs[0], None), plan="X,Y,CE")


def test_a_plan_of_ones_own(make_mlp, two_blobs):
    model = make_mlp()
    plan = Plan.end_to_end(model, optimizer=lambda p: torch.optim.SGD(p, lr=0.5))
    assert fit(model, two_blobs, plan=plan, epochs=10).metrics["train_accuracy"] > 0.95


def test_a_network_that_ends_in_a_readout_is_told_of(make_mlp, two_blobs):
    with pytest.warns(UserWarning, match="fit: ReadoutInformation predicts by a read-out of its own, and nothing has"):
        fit(make_mlp(), two_blobs, plan=["Y"], cuts=(), epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(make_mlp(), two_blobs, plan="Y,Y,CE", epochs=1)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (torch.tensor([[0.5, 1.0], [1.5, 0.0]] * 20), 'predictions of y, which train_mse is of; end the plan in "MSE"'),
        (
            torch.tensor([[0, 1], [1, 0]] * 20),
            'a logit for each label, which train_accuracy is of; end the plan in "CE"',
        ),
    ],
)
def test_what_a_network_that_ends_in_a_readout_lacks_is_said_by_the_kind_of_targets(y, said):
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match=said):
        fit(torch.nn.Linear(3, 2), (x, y), plan=["Y"], cuts=(), epochs=1)


def test_the_search_of_a_plan_trains_in_the_precision_of_fit(make_mlp, two_blobs):
    class Seen(nn.Module):
        def forward(self, x):
            in_half.append(torch.is_autocast_enabled("cpu"))
            return x

    counts = []
    for plan in ("auto", "Y,CE"):
        in_half = []
        watched = nn.Sequential(Seen(), *make_mlp())
        fit(watched, two_blobs, plan=plan, cuts=("3",), epochs=1, precision="bf16-mixed")
        counts.append(sum(in_half))
    assert counts[0] > 2 * counts[1] > 0  # both assignments were tried before the chosen one was trained


def test_a_list_of_objectives_is_the_plan_of_their_names(make_mlp, two_blobs):
    named, listed = make_mlp(), make_mlp()
    fit(named, two_blobs, plan="Y,Y,CE", epochs=1)
    fit(listed, two_blobs, plan=["Y", ReadoutInformation(), "CE"], epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(named.parameters(), listed.parameters(), strict=True))


def test_a_residual_network_and_token_ids():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, h):
            return h + self.layer(torch.relu(h))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Sequential(nn.Embedding(10, 2), nn.Flatten(), nn.Linear(8, 8)), Block(), nn.Linear(8, 10)
        )
    tokens = torch.randint(10, (200, 4), generator=torch.Generator().manual_seed(0))
    result = fit(model, (tokens, tokens[:, 0]), plan="Y,Y,CE", epochs=40, batch_size=20, lr=1e-2)
    assert result.metrics["train_accuracy"] > 0.9


def test_batch_norm_and_dropout_are_left_as_they_came_and_no_number_is_taken_in_training_mode(two_blobs):
    x, y = two_blobs
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)]
    model = nn.Sequential(*layers)
    model[1].eval()
    modes, state = [layer.training for layer in model.modules()], torch.get_rng_state()
    result = fit(model, (x[:129], y[:129]), plan="Y,CE", cuts=("2",), epochs=2)  # 129 = 128 + 1: a lone last row
    assert [layer.training for layer in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert model[3].num_batches_tracked == 2  # one batch in each of two epochs, and nothing else
    model.eval()
    right = int((model(x[:129]).argmax(1) == y[:129]).sum())
    assert result.metrics["train_accuracy"] == right / 129


def test_lazy_layers_follow_the_seed_and_not_the_global_stream(two_blobs):
    def first_layer(seed, noise):
        model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
        with torch.random.fork_rng():
            torch.manual_seed(noise)
            before = torch.get_rng_state()
            fit(model, two_blobs, plan="frozen,CE", epochs=1, seed=seed)
            assert torch.equal(torch.get_rng_state(), before)
        return model[0].weight

    assert torch.equal(first_layer(0, 1), first_layer(0, 2))
    assert not torch.equal(first_layer(0, 1), first_layer(1, 1))


def test_a_layer_that_would_change_the_callers_rows_is_refused_before_it_does(two_blobs):
    x, y = two_blobs
    kept = x.clone()
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
    with pytest.raises(ValueError, match="module '1' changes its input in place"):
        fit(model, (x, y), plan="Y,CE", cuts=("3",))
    assert torch.equal(x, kept)


def test_divergence_is_a_result(make_mlp, two_blobs):
    result = fit(make_mlp(), (two_blobs[0] * 1e30, two_blobs[1]), plan="X,Y,CE")
    assert result.diverged == "0"


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (([1.0, 2.0],), TypeError, "data must be the pair"),
        ((torch.full((4, 4), float("nan")), torch.zeros(4, dtype=torch.int64)), ValueError, "x must be finite"),
        ((torch.zeros(4, 4), torch.zeros(3, dtype=torch.int64)), ValueError, "got 4 and 3 rows"),
        ((torch.zeros(4, 4), torch.zeros(4)), TypeError, "takes classes or several labels a sample, got torch.float32"),
        ((np.array(["a", "b"]), None), TypeError, "must hold real numbers"),
        ((torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)), ValueError, "has no samples"),
    ],
)
def test_bad_data_are_refused(data, error, message, make_mlp):
    with pytest.raises(error, match=message):
        fit(make_mlp(), data, plan="X,Y,CE")


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameters to train"):
        fit(nn.Sequential(nn.ReLU()), (torch.zeros(2, 2), None))


def test_the_public_name_is_this_function():
    assert infotorch.fit is fit


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"model": "mlp"}, TypeError, "fit: model must be a torch.nn.Module, got str"),
        (
            {"plan": 3},
            TypeError,
            'fit: plan must be a string such as "X,Y,CE", a list of objectives or a Plan, got int',
        ),
        ({"data": (1.0, 1)}, ValueError, "fit: x and y must have rows of samples, got a single number"),
        ({"data": ([[1.0, 2.0]], 1)}, ValueError, "fit: x and y must have rows of samples, got a single number"),
        ({"epochs": 1.5}, TypeError, "train: epochs must be an integer, got 1.5"),
        ({"epochs": None}, TypeError, "train: epochs must be an integer, got None"),
        ({"batch_size": "8"}, TypeError, "fit: batch_size must be an integer, got '8'"),
        (
            {"data": ([[1.0]] * 4, [0, 1, 0, 1])},
            ValueError,
            r"module .* cannot take a tensor of shape \(4, 1\), torch.float32: mat1",
        ),
        (
            {"data": ([[1, 2]] * 4, [0, 1, 0, 1])},
            ValueError,
            r"module .* cannot take a tensor of shape \(4, 2\), torch.int64: mat1",
        ),
    ],
)
def test_a_wrong_argument_is_named(make_mlp, two_blobs, changed, kind, message):
    arguments = {"model": make_mlp(), "data": two_blobs, "epochs": 1, **changed}
    with pytest.raises(kind, match=message):
        fit(**arguments)


def test_a_token_outside_the_vocabulary_is_named():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(ValueError, match=r"module .* cannot take a tensor .*: index out of range"):
        fit(model, ([[1, 9], [2, 3]], [0, 1]), plan="Y,CE", epochs=1)


def test_the_global_random_state_stays_where_a_network_draws_in_evaluation_too():
    network = nn.Sequential(nn.Linear(4, 8), GaussianNoise(0.5), nn.Linear(8, 2))
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    fit(network, (x, (x[:, 0] > 0).long()), plan="CE", cuts=(), epochs=1, batch_size=20)
    assert torch.equal(torch.get_rng_state(), before)


def test_pictures_of_bytes_are_refused_with_what_to_give():
    pictures = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    with pytest.raises(ValueError, match=r"cannot take .* torch.uint8: .*; pictures .* give x.float\(\) / 255$"):
        fit(model, (pictures, torch.tensor([0, 1, 0, 1])), epochs=1)
    assert fit(model, (pictures.float() / 255, torch.tensor([0, 1, 0, 1])), epochs=1).diverged is None
