import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.diagnostics.activations import RecordSteps, Step, activations_in, theorem_applies, weakest_kind


def path(function, x=None):
    x = torch.ones(2, 4) if x is None else x
    with torch.no_grad(), RecordSteps(x) as record:
        result = function(x)
    return record.path(result)


MODULES = {
    "increasing": [
        nn.Tanh(), nn.Sigmoid(), nn.Softplus(), nn.LogSigmoid(), nn.Softsign(), nn.LeakyReLU(0.2), nn.ELU(), nn.SELU(),
        nn.CELU(), nn.PReLU(), nn.RReLU(),
    ],
    "flat parts": [
        nn.ReLU(), nn.ReLU6(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Hardswish(), nn.Softshrink(), nn.Hardshrink(),
        nn.Threshold(0.1, 0.0), nn.MaxPool1d(2), nn.LeakyReLU(0.0),
    ],
    "smooth": [nn.GELU(), nn.SiLU(), nn.Mish(), nn.Softmax(1), nn.LogSoftmax(1), nn.LayerNorm(4)],
    "linear": [nn.Linear(4, 3), nn.BatchNorm1d(4), nn.Flatten(), nn.Dropout()],
    "affine": [nn.AvgPool1d(2), nn.Conv1d(1, 1, 2)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "kind"), [(m, kind) for kind, modules in MODULES.items() for m in modules], ids=lambda v: str(v)[:20]
)
def test_torchs_layers_are_known(module, kind):
    x = torch.ones(2, 1, 4) if isinstance(module, nn.Conv1d) else torch.ones(2, 4)
    assert weakest_kind(path(module.eval(), x)) == kind


@pytest.mark.parametrize("function", [torch.sign, torch.round, lambda x: x > 0, lambda x: x.argmax(1), torch.floor])
def test_steps_are_known(function):
    assert weakest_kind(path(function)) == "steps"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.div(x, 0.5, rounding_mode="floor"),
        lambda x: x.div(x, rounding_mode="trunc"),
        lambda x: x.to(torch.int64).to(x.dtype),
        lambda x: x.type(torch.bool).type_as(x),
        lambda x: x.type_as(torch.ones(1, dtype=torch.int32)),
        lambda x: x.short().float(),
    ],
)
def test_a_division_and_a_change_of_type_that_round_are_steps(function):
    assert weakest_kind(path(function)) == "steps"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.div(x, 0.5),
        lambda x: x.to(torch.float64).to("cpu"),
        lambda x: x.to(torch.complex64),
        lambda x: x.type(torch.float64),
    ],
)
def test_a_division_and_a_change_of_type_that_keep_the_numbers_are_linear(function):
    assert weakest_kind(path(function)) == "linear"


def test_integers_that_stay_integers_lose_nothing():
    assert weakest_kind(path(lambda x: x.to(torch.int32).type(torch.int64), torch.ones(2, 4).long())) == "linear"


def test_functions_in_a_forward_count_as_layers_do():
    def forward(x):
        return F.leaky_relu(2 * x.tanh() + 1) - 3

    assert [step.name for step in path(forward)] == ["tanh", "mul", "add", "leaky_relu", "sub"]
    assert theorem_applies(path(forward))
    assert activations_in(path(forward)) == ("tanh", "leaky_relu")


def test_what_does_not_depend_on_x_is_no_step():
    weight = torch.ones(4, 4)
    assert [step.name for step in path(lambda x: F.linear(x, weight.sign()))] == ["linear"]
    assert path(lambda x: torch.zeros(3)) is None


def test_a_branch_beside_the_layer_is_not_on_its_way():
    def forward(x):
        x.sign()
        return x.tanh()

    assert [step.name for step in path(forward)] == ["tanh"]


def test_the_sum_of_two_branches_is_outside_the_theorem_and_a_bias_is_not():
    assert not theorem_applies(path(lambda x: x + x.tanh()))
    assert theorem_applies(path(lambda x: x.tanh() + torch.ones(4)))
    assert weakest_kind(path(lambda x: x.T @ x)) == "smooth"


def test_changes_in_place_are_followed():
    def forward(x):
        t = 2 * x
        t.relu_()
        t[0] = 0.0
        return t

    assert [step.name for step in path(forward)] == ["mul", "relu", "setitem"]


def test_noise_is_a_step_though_it_is_made_of_nothing():
    assert weakest_kind(path(lambda x: x + torch.randn(2, 4))) == "noise"
    assert weakest_kind(path(lambda x: F.dropout(x, 0.5, training=True))) == "noise"
    assert weakest_kind(path(lambda x: F.dropout(x, 0.5, training=False))) == "linear"


def test_weights_decide_where_a_slope_can_vanish():
    falling = nn.PReLU()
    nn.init.constant_(falling.weight, -0.1)
    assert weakest_kind(path(falling)) == "flat parts"


def test_a_function_nobody_knows_is_unknown():
    assert weakest_kind(path(torch.special.bessel_j0)) == "unknown"
    assert not theorem_applies([Step("bessel_j0", "unknown")])
    assert weakest_kind([]) == "linear"
