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
