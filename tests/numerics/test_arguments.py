"""What nobody should pass and somebody does, by class of fault: one line that names the argument, in every package."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import infotorch
import infotorch.numerics.states
from infotorch import LocalBatch, data, distributions, estimators, networks, objectives
from infotorch.data.sets import Graph, Scaling, Split

ROWS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
MANY = ROWS.repeat(4, 1)
Y = torch.tensor([0, 1, 0, 1, 0, 1])
BATCH = LocalBatch(ROWS, ROWS, ROWS, Y)
NODES = [torch.tensor([row]) for row in range(3)]
EDGES = torch.tensor([[0, 1], [1, 0]])


def built(objective: objectives.Objective) -> objectives.Objective:
    objective.build(BATCH, Y)
    return objective


REFUSED: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "a root that is no path": (TypeError, "data: root must be a path", lambda: data.data_root([1])),
    "an index of real numbers": (TypeError, r"Split\.select: index", lambda: Split(ROWS, Y).select(torch.ones(2))),
    "an index of no row": (IndexError, r"Split\.select: index", lambda: Split(ROWS, Y).select(torch.tensor([6]))),
    "an index of axes": (ValueError, r"Split\.select: index", lambda: Split(ROWS, Y).select(torch.ones(1, 1).long())),
    "targets that are no tensor": (TypeError, "Split: y must be a tensor", lambda: Split(ROWS, "text")),
    "values that are bool": (TypeError, r"Scaling\.apply: values", lambda: Scaling(ROWS[0], ROWS[1]).apply(ROWS > 0)),
    "values of other columns": (
        ValueError,
        r"Scaling\.invert: values",
        lambda: Scaling(ROWS[0], ROWS[1]).invert(ROWS[:, :2]),
    ),
    "classes that are no number": (
        TypeError,
        "Graph: num_classes",
        lambda: Graph("toy", torch.eye(3), EDGES, Y[:3], *NODES, num_classes=iter([1])),
    ),
    "labels that are real": (
        TypeError,
        "Graph: y must be int64",
        lambda: Graph("toy", torch.eye(3), EDGES, Y[:3] * 1.0, *NODES, num_classes=2),
    ),
    "a start that is real": (
        TypeError,
        r"TensorBatches\.epoch: start",
        lambda: next(infotorch.TensorBatches(ROWS, Y, batch_size=2).epoch(0, start=0.5)),
    ),
    "a map that is a class": (
        TypeError,
        "Transformed: transform_y",
        lambda: distributions.Transformed(distributions.CorrelatedGaussian(0.9), None, int),
    ),
    "a map that gives no tensor": (
        TypeError,
        "Transformed: transform_x must return",
        lambda: distributions.Transformed(distributions.CorrelatedGaussian(0.9), lambda x: x.tolist()).sample(3),
    ),
    "a depth without end": (
        ValueError,
        "wide_resnet: depth must be at most",
        lambda: networks.wide_resnet((3, 8, 8), 2, depth=10**400),
    ),
    "blocks without end": (
        ValueError,
        "resnet: every one of blocks must be at most",
        lambda: networks.resnet((3, 32, 32), 2, blocks=(2**30,)),
    ),
    "cuts that are no names": (TypeError, "cuts: cuts must be", lambda: networks.split(nn.Linear(2, 2), [None])),
    "layers that are no names": (
        TypeError,
        "FeatureExtractor: layers must be",
        lambda: networks.FeatureExtractor(nn.Linear(2, 2), 1.0),
    ),
    "a noise that is no number": (
        TypeError,
        "AddNoise: noise_std",
        lambda: networks.denoising_vae((1, 2, 2), noise_std=[None], channels=(2,), latent=2),
    ),
    "a switch that is an array": (
        ValueError,
        "cka: unbiased must be one of",
        lambda: infotorch.cka(ROWS, ROWS, unbiased=np.array(["a", "b"])),
    ),
    "a critic's switch that is an array": (
        ValueError,
        "EncoderCritic: train_encoder",
        lambda: estimators.EncoderCritic(nn.Linear(3, 2), estimators.BilinearCritic(2, 2), train_encoder=np.ones(2)),
    ),
    "an on_check that cannot be called": (
        TypeError,
        "neural_mi: on_check",
        lambda: infotorch.neural_mi(ROWS, ROWS, on_check=3),
    ),
    "objectives that are no list": (TypeError, "objectives: must be", lambda: objectives.parse_objectives(3)),
    "options that are no dict": (
        TypeError,
        "objective: options must be",
        lambda: objectives.parse_objectives("Y", options=[1]),
    ),
    "a name that is no text": (TypeError, "objective: name must be", lambda: objectives.objective_from_name(["Y"])),
    "parts that are no list": (
        TypeError,
        "ParallelObjectives: parts must be",
        lambda: objectives.ParallelObjectives(iter([objectives.CrossEntropy()])),
    ),
    "weights that are no list": (
        TypeError,
        "SumOfObjectives: weights must be",
        lambda: objectives.SumOfObjectives([objectives.CrossEntropy()], weights=1.0),
    ),
    "widths that are no integers": (
        TypeError,
        "ParallelObjectives: every width",
        lambda: objectives.ParallelObjectives([objectives.CrossEntropy()], widths=("a",)),
    ),
    "real labels after classes": (
        TypeError,
        "ReadoutInformation: class labels must be",
        lambda: built(objectives.ReadoutInformation())(replace(BATCH, y=Y * 1.0)),
    ),
    "labels of another axis": (
        TypeError,
        "ReadoutInformation: class labels must be",
        lambda: built(objectives.ReadoutInformation())(replace(BATCH, y=Y[:, None])),
    ),
    "one label for many rows": (
        ValueError,
        "AssociatedLearning: y must have a value for each row",
        lambda: built(objectives.AssociatedLearning())(replace(BATCH, y=Y[:1])),
    ),
    "x of another width": (
        ValueError,
        "Standardised: rows must have the 3 columns",
        lambda: built(objectives.CriticInformation(of="x"))(replace(BATCH, x=ROWS[:, 0])),
    ),
    "rows of another number": (
        ValueError,
        r"Reconstruction: cannot read a batch of x float32 of shape \(6, 3\), .*: The size of tensor",
        lambda: built(objectives.Reconstruction())(replace(BATCH, output=ROWS[:5])),
    ),
    "input that the caller's branches refuse": (
        ValueError,
        r"Parallel: the branches cannot take x, float64 of shape \(6, 3\): ",
        lambda: networks.Parallel({"only": nn.Linear(3, 2)})(ROWS.double()),
    ),
    "input that the caller's encoder refuses": (
        ValueError,
        r"EncoderCritic: the encoder cannot take x, float32 of shape \(6, 2\): ",
        lambda: estimators.EncoderCritic(nn.Linear(3, 2), estimators.JointCritic(2, 1))(ROWS[:, :2], ROWS[:, :1]),
    ),
    "an encoder without weights yet": (
        ValueError,
        "EncoderCritic: the encoder must have weights",
        lambda: estimators.EncoderCritic(nn.LazyLinear(2), estimators.JointCritic(2, 1)),
    ),
    "a device of no kind": (TypeError, "neural_mi: device", lambda: infotorch.neural_mi(MANY, MANY, device=[0])),
    "a device of no name": (ValueError, "neural_mi: device", lambda: infotorch.neural_mi(MANY, MANY, device="gpu")),
    "a class for a function": (
        TypeError,
        "ib_curve: make must be a function, got the class Linear",
        lambda: infotorch.ib_curve(nn.Linear, (ROWS, Y), (0.1,), validation=(ROWS, Y)),
    ),
    "a class for a schedule of beta": (
        TypeError,
        "InformationBottleneck: beta must be a number or a function .* the class int",
        lambda: objectives.InformationBottleneck(beta=int, noise_std=0.1),
    ),
    "a bandwidth without digits": (
        ValueError,
        "renyi_entropy: bandwidth must be positive",
        lambda: infotorch.renyi_entropy(ROWS, bandwidth=1e-320),
    ),
    "no list of variables": (
        TypeError,
        "renyi_multivariate_mi: views must be a list",
        lambda: estimators.renyi_multivariate_mi(torch.tensor(1.0), Y),
    ),
    "a bound that gives no number": (
        TypeError,
        "dim_global: bound must give one number",
        lambda: estimators.dim_global(torch.eye(3), bound=lambda _: None),
    ),
    "a state that is no dict": (
        ValueError,
        "x: the state must be a dict, got object",
        lambda: infotorch.numerics.states.check_state(object(), {}, where="x"),
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_refused_in_one_line_that_names_the_argument(fault):
    kind, message, call = REFUSED[fault]
    with pytest.raises(kind, match=f"^{message}") as told:
        call()
    assert "\n" not in str(told.value)


def test_labels_of_inference_mode_teach_as_others_do():
    with torch.inference_mode():
        y = Y.clone()
    objective = built(objectives.VariationalDeficiency(beta=0.1, code=2, draws=2))
    objective(replace(BATCH, y=y)).total.backward()


def test_an_objectives_own_error_and_a_full_device_pass_as_they_are():
    class Stopping(objectives.Objective):
        def forward(self, batch):
            raise batch.x.failing

    for error in (torch.OutOfMemoryError("full"), KeyboardInterrupt(), KeyError("mine"), ValueError("mine")):
        x = ROWS.clone()
        x.failing = error
        with pytest.raises(type(error)) as told:
            Stopping()(replace(BATCH, x=x))
        assert told.value is error


def test_unsigned_integers_of_any_width_are_whole_numbers():
    expected = float(infotorch.ksg(Y, ROWS))
    for dtype in (torch.uint8, torch.uint16, torch.uint32, torch.uint64):
        assert float(infotorch.ksg(Y.to(dtype), ROWS)) == expected
    with pytest.raises(ValueError, match="ksg: x must fit 64-bit integers"):
        infotorch.ksg(torch.full((6,), 2**63, dtype=torch.uint64), ROWS)


def test_whole_numbers_that_float64_does_not_tell_apart_are_refused():
    x, generator = torch.arange(300), torch.Generator().manual_seed(0)
    y = x + 30 * torch.randn(300, generator=generator, dtype=torch.float64)
    for measure in (infotorch.ksg, infotorch.mutual_information):
        with pytest.raises(
            ValueError, match=r": x has whole numbers beyond 2\*\*53 .* subtract the smallest from each col"
        ):
            measure(x + 2**60, y)
    # A date in nanoseconds is rounded to 256 of them; within minutes all dates are apart.
    since = torch.randint(10**12, (300,), generator=generator)
    y = since + 1e11 * torch.randn(300, generator=generator, dtype=torch.float64)
    dates = since + 1_700_000_000_000_000_000
    assert float(infotorch.ksg(dates, y)) == pytest.approx(float(infotorch.ksg(since, y)), abs=1e-3)


def test_arrays_that_run_backwards_are_read_down_to_a_single_entry():
    assert Split(ROWS, Y).select(np.array([3, 2])[::-1]).y.tolist() == [0, 1]
    assert Split(ROWS, Y).select(np.array([5])[::-1]).y.tolist() == [1]


def test_looking_at_rows_with_nan_does_not_touch_them():
    x = torch.tensor([[1.0, float("nan")]])
    with networks.FeatureExtractor(nn.Sequential(nn.Linear(2, 1)), ["0"]) as extract:
        extract(x)
    assert x._version == 0


def test_a_mixture_of_half_precision_is_that_of_float32():
    rows = torch.tensor([-1.0, 0.5], dtype=torch.bfloat16)
    assert torch.equal(distributions.bimodal(rows), distributions.bimodal(rows.float()))


def test_the_seed_of_a_diagnosis_may_have_64_bits():
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    found = infotorch.diagnose(nn.Sequential(nn.Linear(2, 2)), (x, (x[:, 0] > 0).long()), seed=2**62)
    assert found.layers[0].decisions is not None
