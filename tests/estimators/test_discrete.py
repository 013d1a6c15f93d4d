import math
import warnings

import numpy as np
import pytest
import torch
from tests.reference import counts as slow

from infotorch import mutual_information
from infotorch.distributions.discrete import BinarySymmetricChannel, DiscreteJoint
from infotorch.estimators.discrete import discrete_entropy, discrete_mi


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("correction", [None, "miller-madow"])
@pytest.mark.parametrize("sizes", [(2, 2), (3, 50), (1, 4)])
def test_equals_the_slow_twin(sizes, correction):
    a, b = (torch.randint(-5, size - 5, (80,), generator=seeded(s)) for s, size in enumerate(sizes))
    corrected = correction is not None
    expected = slow.mutual_information(a.tolist(), b.tolist(), miller_madow=corrected)
    assert float(discrete_mi(a, b, correction=correction)) == pytest.approx(expected, abs=1e-12)
    expected = slow.entropy(b.tolist(), miller_madow=corrected)
    assert float(discrete_entropy(b, correction=correction)) == pytest.approx(expected, abs=1e-12)


def test_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    a, b = torch.randint(4, (2, 300), generator=seeded(0))
    theirs = metrics.mutual_info_score(a.numpy(), b.numpy())
    assert float(discrete_mi(a, b)) == pytest.approx(theirs, abs=1e-12)


def test_identities():
    a, b = torch.randint(4, (2, 300), generator=seeded(1))
    value = float(discrete_mi(a, b))
    assert float(discrete_mi(b, a)) == pytest.approx(value, abs=1e-12)
    assert float(discrete_mi(a, a)) == pytest.approx(float(discrete_entropy(a)), abs=1e-12)
    assert float(discrete_mi(2**62 - 3 * a, b)) == pytest.approx(value, abs=1e-12)
    assert float(discrete_mi(torch.zeros(300, dtype=torch.bool), b, correction="miller-madow")) == 0


def test_several_columns_are_one_symbol():
    bits = torch.randint(2, (100, 3), generator=seeded(2))
    code = bits @ torch.tensor([4, 2, 1])
    assert float(discrete_entropy(bits)) == pytest.approx(float(discrete_entropy(code)), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.uint32, np.uint64, np.int64, ">i4", bool])
def test_every_integer_type_is_read(dtype):
    a = (np.arange(60) % 2).astype(dtype)
    assert float(discrete_mi(a, a)) == pytest.approx(math.log(2))


def test_all_different_is_saturated():
    estimate = discrete_mi(torch.arange(50), torch.arange(50))
    assert float(estimate) == pytest.approx(math.log(50))
    assert estimate.saturated
    corrected = discrete_mi(torch.arange(50), torch.arange(50), correction="miller-madow")
    assert float(corrected) == pytest.approx(corrected.ceiling)


@pytest.mark.parametrize("law", [BinarySymmetricChannel(0.2), DiscreteJoint([[0.3, 0.1, 0.1], [0.05, 0.15, 0.3]])])
def test_interval_covers_the_truth(law):
    generator = seeded(3)
    estimates = [discrete_mi(*law.sample(500, generator), correction="miller-madow") for _ in range(200)]
    covered = [abs(float(e) - law.mutual_information()) < 1.96 * e.std_error for e in estimates]
    assert 0.9 <= np.mean(covered) <= 0.99  # 0.95 +- 0.015


def independent(sizes, n, seed):
    return tuple(torch.randint(size, (n,), generator=seeded(100 * seed + s)) for s, size in enumerate(sizes))


@pytest.mark.parametrize(("n", "sizes"), [(1000, (3, 150)), (1000, (10, 60)), (300, (3, 30))])
def test_too_few_samples_for_the_pairs_are_told(n, sizes):
    """The correction counts the pairs that occur, and many do not: values lie above the truth, which is 0."""
    for seed in range(10):
        a, b = independent(sizes, n, seed)
        plain = slow.mutual_information(a.tolist(), b.tolist(), miller_madow=True)
        with pytest.warns(
            UserWarning, match=r"discrete_mi: the value falls by 0\.\d+ nats from half .*; merge symbols or"
        ):
            estimate = discrete_mi(a, b, correction="miller-madow")
        assert float(estimate) == pytest.approx(plain, abs=1e-12)
        assert not estimate.reliable
        assert abs(float(estimate)) < 1.96 * estimate.std_error
        with pytest.warns(
            UserWarning, match=r"mutual_information: the value falls by .* from half of the samples to all"
        ):
            assert not mutual_information(a, b).reliable
        with pytest.warns(UserWarning, match=r'take more samples, and correction="miller-madow"\.$'):
            assert not discrete_mi(a, b).reliable


def test_enough_samples_are_not_doubted():
    """Of independent symbols some 2 % of the values fall by more than 1.5 standard errors by chance."""
    doubted = 0
    for seed in range(40):
        for n, sizes in ((1000, (5, 20)), (300, (2, 10))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                doubted += not discrete_mi(*independent(sizes, n, seed), correction="miller-madow").reliable
    assert doubted <= 4  # of 80
    a = torch.arange(300) % 60
    assert discrete_mi(a, a, correction="miller-madow").reliable  # five of each


@pytest.mark.parametrize("n", [120, 300, 1000, 10_000])
@pytest.mark.parametrize("classes", [2, 3, 5, 10])
def test_classes_of_equal_size_are_not_doubted(n, classes):
    """Their standard error is 0 to first order, and the second order is chance too."""
    a = torch.arange(n) % classes
    for correction in (None, "miller-madow"):
        assert discrete_mi(a, (a + 1) % classes, correction=correction).reliable
    assert mutual_information(a, a).reliable


def test_what_occurs_once_is_told():
    """As many nats as y has, whatever x is: halves of the samples tell the same, and no bias shows."""
    bits = torch.randint(2, (500,), generator=seeded(0))
    with pytest.warns(UserWarning, match="discrete_mi: 100% of the samples have a pair of their own, too many for"):
        estimate = discrete_mi(torch.arange(500), bits)
    assert float(estimate) == pytest.approx(float(discrete_entropy(bits)))
    assert not estimate.reliable
    assert discrete_mi(torch.arange(500), torch.zeros(500, dtype=torch.long)).reliable  # 0 of a constant, whatever x is


def test_an_entropy_of_symbols_that_occur_once_is_told():
    symbols = torch.randint(500, (500,), generator=seeded(0))
    with pytest.warns(UserWarning, match=r"discrete_entropy: 3\d% of the samples have a symbol of their own"):
        estimate = discrete_entropy(symbols)  # log 500 = 6.2
    assert float(estimate) < 5.8
    assert not estimate.reliable
    assert discrete_entropy(symbols % 50).reliable


def test_the_doubt_moves_no_generator():
    a, b = independent((10, 60), 1000, 0)
    before = torch.get_rng_state()
    first = discrete_mi(a, b, correction="miller-madow").std_error
    assert first == discrete_mi(a, b, correction="miller-madow").std_error
    assert torch.equal(torch.get_rng_state(), before)


def test_wrong_input_is_refused():
    a = torch.arange(4)
    with pytest.raises(TypeError, match=r"discrete_mi: b must be integers or booleans, got torch\.float32"):
        discrete_mi(a, a.float())
    with pytest.raises(TypeError, match="discrete_entropy: a must be integers"):
        discrete_entropy([0.5])
    with pytest.raises(ValueError, match="discrete_mi: x and y must be paired"):
        discrete_mi(a, a[1:])
    with pytest.raises(ValueError, match="discrete_mi: correction must be one of miller-madow, got 'jackknife'"):
        discrete_mi(a, a, correction="jackknife")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="discrete_entropy: a is empty"):
        discrete_entropy(a[:0])
    with pytest.raises(ValueError, match="discrete_entropy: a must fit 64-bit integers, got 18446744073709551615"):
        discrete_entropy(np.array([2**64 - 1], dtype=np.uint64))
