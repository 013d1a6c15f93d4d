"""A loss of one's own trains as the library's own does."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.objectives.base import LocalBatch
from infotorch.objectives.loss_function import LossFunction
from infotorch.objectives.names import parse_objectives
from infotorch.training.fit import fit

X = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def model(columns=2):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, columns))


def trained(objective, y=Y, columns=2, **settings):
    net = model(columns)
    result = fit(net, (X, y), plan=["Y", objective] if columns == 2 else [objective], epochs=4, lr=1e-2, **settings)
    return list(net.state_dict().values()), result


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), F.cross_entropy, lambda output, y: F.cross_entropy(output, y)])
@pytest.mark.parametrize("labelled", [120, 40])
def test_cross_entropy_given_as_a_loss_is_that_of_its_name_bit_for_bit(loss, labelled):
    y = torch.where(torch.arange(120) < labelled, Y, -1)
    (named, its), (given, result) = trained("CE", y), trained(loss, y)
    assert all(torch.equal(a, b) for a, b in zip(named, given, strict=True))
    assert result.metrics["train_accuracy"] == its.metrics["train_accuracy"]
    assert result.metrics["2/loss"] == its.metrics["2/cross_entropy_nats"]


def test_class_weights_and_label_smoothing_are_torchs():
    torch_loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0]), label_smoothing=0.1)
    output = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([0, 1, -1, 1, 0, -1])
    objective = LossFunction(torch_loss)
    batch = LocalBatch(X[:6], X[:6], output, y)
    objective.build(batch, y)
    assert objective(batch).total == torch_loss(output[y >= 0], y[y >= 0])
    assert objective.scores(output) is output


def test_real_targets_train_by_a_loss_of_torch():
    target = X[:, :1] - X[:, 1:2]
    result = trained(nn.HuberLoss(), target, columns=1, cuts=(), batch_size=20)[1]
    assert result.metrics["network/loss"] < 0.5 * float(F.huber_loss(torch.zeros_like(target), target))
    assert "train_accuracy" not in result.metrics


def test_rows_without_a_label_teach_nothing():
    batch = LocalBatch(X[:4], X[:4], X[:4].clone().requires_grad_(), torch.full((4,), -1))
    loss = LossFunction(nn.CrossEntropyLoss())(batch)
    assert (loss.total.item(), loss.terms) == (0.0, {})


@pytest.mark.parametrize(
    ("given", "y", "error", "message"),
    [
        (nn.CrossEntropyLoss, Y, TypeError, r"objectives: each must be .*, got the class CrossEntropyLoss"),
        (3, Y, TypeError, r"objectives: each must be .*, got 3"),
        (nn.CrossEntropyLoss(), None, TypeError, r"LossFunction: a loss of \(output, y\) needs y, got None"),
        (
            nn.CrossEntropyLoss(reduction="none"),
            Y,
            TypeError,
            r"LossFunction: the loss must be one .*, got shape \(120,\)",
        ),
        (lambda output, y: 1.0, Y, TypeError, r"LossFunction: the loss must be one real number.*, got float"),
        (nn.MSELoss(), torch.full((120,), -1), ValueError, "LossFunction: every row is unlabelled"),
    ],
)
def test_what_is_no_loss_is_named(given, y, error, message):
    with pytest.raises(error, match=message):
        fit(model(), (X, y), plan=[given], cuts=())


def test_a_class_is_no_function():
    with pytest.raises(TypeError, match=r"LossFunction: function must be one, such as MSELoss\(\), got the class"):
        LossFunction(nn.MSELoss)
    assert [type(part) for part in parse_objectives(["CE", nn.MSELoss(), None])][1:] == [LossFunction, type(None)]


@pytest.mark.parametrize("loss", [nn.MSELoss(), lambda output, y: (output - y).abs().mean()])
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_outputs_of_one_column_are_not_compared_with_every_target(loss):
    """They were, in silence: the best output was then the mean of y, for every sample."""
    output, y = torch.zeros(5, 1), torch.arange(5.0)
    batch = LocalBatch(output, output, output, y)
    message = (
        r"LossFunction: 5 outputs of shape \(5, 1\) and as many y of shape \(5,\) give 5 x 5 differences; in the loss"
    )
    with pytest.raises(ValueError, match=message):
        LossFunction(loss).build(batch, y)
    apart = LossFunction(lambda output, y: loss(output.squeeze(1), y))
    apart.build(batch, y)
    assert apart(batch).total.item() == (6.0 if isinstance(loss, nn.MSELoss) else 2.0)
    ranks = LossFunction(lambda output, y: ((output - output.T) * (y - y[:, None]).sign()).mean())
    ranks.build(batch, y)  # pairs that are meant
    assert ranks(batch).total.item() == 0.0
