import statistics

import pytest
import torch

from infotorch.data.loading import load
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.kraskov import ksg
from infotorch.numerics.seeds import derive_seed
from infotorch.recipes.registry import variants_of
from infotorch.schedules.signal_samples import JITTER
from infotorch.theory.demonstration import DEMONSTRATIONS
from infotorch.theory.sample_size import sample_size


def drawn(size, number):
    train = load("digits").train
    generator = torch.Generator().manual_seed(derive_seed(0, "sample", size, number))
    rows = torch.randperm(len(train), generator=generator)[:size]
    return train.x[rows].flatten(1).double(), train.y[rows]


def test_the_numbers_are_those_of_the_estimators_on_the_samples():
    found = sample_size("digits", draws=2, largest=200)
    by_ross = [float(ross(*drawn(200, number))) for number in (0, 1)]
    assert found.metrics["ross_200_nats"] == pytest.approx(statistics.fmean(by_ross), rel=1e-6)
    assert found.metrics["ross_200_sd_nats"] == pytest.approx(statistics.stdev(by_ross), rel=1e-4)
    assert not found.claims
    assert found.counted() == dict(found.metrics)


def test_the_jitter_breaks_the_ties_of_pixels():
    """Without it KSG counts strictly nearer rows among many that are as near, and exceeds H(Y)."""
    found = sample_size("digits", draws=2, largest=500).metrics
    tied = []
    for number in (0, 1):
        x, y = drawn(500, number)
        tied.append(float(ksg(x, torch.nn.functional.one_hot(y).double())))
    assert found["ksg_500_nats"] < found["entropy_y_500_nats"] < statistics.fmean(tied)
    assert pytest.approx(4.54e-5, rel=1e-3) == JITTER


def test_the_figure_has_bars_of_the_spread():
    found = sample_size("digits", draws=3, largest=200)
    (figure,) = found.figures
    by_name = {trace.name: trace for trace in figure.figure().data}
    assert list(by_name["Ross"].x) == [100, 200]
    assert by_name["Ross"].error_y.array[1] == pytest.approx(found.metrics["ross_200_sd_nats"])
    assert by_name["Ross"].y[1] == pytest.approx(found.metrics["ross_200_nats"], rel=1e-3)


def test_both_sets_of_the_paper_have_a_row():
    rows = variants_of("milr-sample-size")
    assert [row.variant for row in rows] == ["sample-size-mnist", "sample-size-cifar10"]
    assert {row.variant for row in rows} <= set(DEMONSTRATIONS)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("digits", {"draws": 1}, "needs two draws or more"),
        ("digits", {"largest": 50}, "of 100 rows or more"),
        ("digits", {"largest": 2000}, "2000 of 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, values, words):
    with pytest.raises(ValueError, match=words):
        sample_size(name, **values)
