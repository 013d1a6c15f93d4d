import pytest
import torch
from torch import nn

from infotorch.updates.gradient import GradientUpdate


def quadratic():
    return nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))


def test_one_step_is_the_optimisers_own():
    weight = quadratic()
    update = GradientUpdate([weight], lambda p: torch.optim.SGD(p, lr=0.25), None, 1)
    update.step(weight.square().sum())
    assert weight.tolist() == [0.5, -1.0]


def test_the_schedule_moves_after_the_step():
    weight = quadratic()
    update = GradientUpdate(
        [weight],
        lambda p: torch.optim.SGD(p, lr=0.5),
        lambda optimizer, steps: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps),
        2,
    )
    rates = []
    for _ in range(2):
        rates.append(update.learning_rate)
        update.step(weight.square().sum())
    assert rates == [0.5, 0.25]


def test_going_on_from_a_state_repeats_the_uninterrupted_path():
    def begin():
        weight = quadratic()
        return weight, GradientUpdate(
            [weight],
            lambda p: torch.optim.Adam(p, lr=0.1),
            lambda optimizer, steps: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
            6,
        )

    weight, update = begin()
    for step in range(6):
        update.step((weight**4).sum())
        if step == 2:
            kept = (
                weight.detach().clone(),
                torch.utils._pytree.tree_map(lambda v: v.clone() if torch.is_tensor(v) else v, update.state_dict()),
            )
    resumed, again = begin()
    with torch.no_grad():
        resumed.copy_(kept[0])
    again.load_state_dict(kept[1])
    for _ in range(3):
        again.step((resumed**4).sum())
    assert torch.equal(weight, resumed)


def test_a_parameter_given_twice_moves_once():
    weight = quadratic()
    update = GradientUpdate([weight, weight], lambda p: torch.optim.SGD(p, lr=0.25), None, 1)
    assert len(update.optimizer.param_groups[0]["params"]) == 1


def test_nothing_to_train_is_refused():
    frozen = quadratic().requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter to train"):
        GradientUpdate([frozen], lambda p: torch.optim.SGD(p, lr=0.1), None, 1)
