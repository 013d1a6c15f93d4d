import math

import pytest
import torch

from infotorch.data.loading import load
from infotorch.distributions.class_pairs import ClassPairs, LabelledSamples
from infotorch.distributions.discrete import BinarySymmetricChannel, SymmetricChannel
from infotorch.distributions.generated_classes import GlyphImages, TokenSentences
from infotorch.distributions.transformed import Stacked, Transformed, WithIdleColumns
from infotorch.estimators.discrete import discrete_mi


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def class_of_glyphs(images):
    """Which digit at which place is lit, by comparing with all of them."""
    glyphs = GlyphImages().glyphs
    found = torch.full((len(images),), -1)
    for top in range(10):
        for left in range(12):
            for digit, glyph in enumerate(glyphs):
                clean = torch.zeros(16, 16, dtype=torch.float64)
                clean[top : top + 7, left : left + 5] = glyph
                same = ((images > 0.5) == (clean > 0.5)).all(dim=(1, 2))
                assert (found[same] == -1).all()  # "1" fills one column of its glyph: no other digit does
                found[same] = digit
    return found


def test_an_image_of_a_glyph_tells_its_class_without_error():
    classes = torch.arange(10).repeat(30)
    images = GlyphImages()(classes, seeded())
    assert torch.equal(class_of_glyphs(images), classes)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 300


def test_two_neighbouring_tokens_tell_the_topic_without_error():
    classes = torch.arange(10).repeat(50)
    sentences = TokenSentences(classes=10, length=12, common=30, own=7)(classes, seeded())
    topic = torch.where(sentences >= 30, (sentences - 30) // 7, -1)
    for start in range(11):
        assert torch.equal(topic[:, start : start + 2].amax(dim=1), classes)
    assert 0.3 < float((topic < 0).double().mean()) < 0.4  # a third: the chain stays at "common" one step in three
    assert torch.bincount(sentences.flatten())[:30].argmax() == 0


@pytest.mark.parametrize("mi", [0.0, 0.3, 1.5, math.log(10)])
def test_the_channel_has_the_wanted_information(mi):
    channel = SymmetricChannel.for_information(mi, 10)
    assert channel.mutual_information() == pytest.approx(mi, abs=1e-12)
    a, b = channel.sample(40_000, seeded(1))
    joint = torch.zeros(10, 10).index_put((a, b), torch.tensor(1 / 40_000), accumulate=True)
    assert torch.allclose(joint.double(), channel.table, atol=0.006)  # standard error at most 0.0015


def test_two_symbols_are_the_binary_symmetric_channel():
    assert torch.allclose(SymmetricChannel(2, 0.11).table, BinarySymmetricChannel(0.11).table)


def test_classes_of_pairs_follow_the_channel():
    channel = SymmetricChannel.for_information(1.0, 10)
    x, y = ClassPairs(channel, GlyphImages(), ClassPairs.label).sample(3000, seeded(2))
    agreed = float((class_of_glyphs(x) == y).double().mean())
    assert agreed == pytest.approx(1 - channel.error_probability, abs=0.04)  # standard error 0.009


def test_samples_that_one_has_are_drawn_by_their_labels():
    samples, labels = torch.arange(12.0)[:, None], torch.arange(12) % 3
    pool = LabelledSamples(samples, labels, classes_overlap=False)
    drawn = pool(torch.tensor([0, 1, 2] * 4), seeded())
    assert torch.equal(drawn[:, 0].sort().values, torch.arange(12.0))  # each once
    assert torch.equal(drawn[:, 0].long() % 3, torch.tensor([0, 1, 2] * 4))
    again = pool(torch.zeros(10, dtype=torch.int64), seeded(1))[:, 0].long()
    assert sorted(torch.bincount(again)[::3].tolist()) == [2, 2, 3, 3]


@pytest.mark.data
def test_pairs_of_mnist_are_different_images_whose_labels_have_the_information(real):
    train = load("mnist", root=real("mnist")).train
    channel, pool = SymmetricChannel.for_information(1.5, 10), LabelledSamples(train.x, train.y, classes_overlap=False)
    x, y = ClassPairs(channel, pool).sample(10_000, seeded(3))
    assert x.shape == y.shape == (10_000, 1, 28, 28)
    label = {image.numpy().tobytes(): int(digit) for image, digit in zip(train.x, train.y, strict=True)}
    assert len(label) == len(train.x)  # no image stands under two labels
    of_x, of_y = (torch.tensor([label[image.numpy().tobytes()] for image in side]) for side in (x, y))
    assert len({image.numpy().tobytes() for image in x}) == 10_000
    estimate = discrete_mi(of_x, of_y, correction="miller-madow")
    assert float(estimate) == pytest.approx(1.5, abs=4 * estimate.std_error)


def test_overlapping_classes_say_that_the_truth_is_a_limit():
    samples, labels = torch.zeros(4, 2), [0, 1, 0, 1]
    channel = SymmetricChannel(2, 0.1)
    disjoint, overlapping = (LabelledSamples(samples, labels, classes_overlap=flag) for flag in (False, True))
    assert not ClassPairs(channel, disjoint).is_upper_limit
    assert ClassPairs(channel, overlapping).is_upper_limit
    assert ClassPairs(channel, disjoint, overlapping).is_upper_limit
    law = ClassPairs(channel, overlapping)
    assert Transformed(law).is_upper_limit
    assert WithIdleColumns(law, 1).is_upper_limit
    assert Stacked(BinarySymmetricChannel(0.1), law).is_upper_limit
    assert not Stacked(BinarySymmetricChannel(0.1)).is_upper_limit
    assert ClassPairs(channel, overlapping).mutual_information() == channel.mutual_information()


def test_classes_of_any_integer_dtype_will_do():
    for dtype in (torch.uint8, torch.uint64, torch.int32):
        for draw in (GlyphImages(), TokenSentences()):
            classes = torch.tensor([3, 1, 9])
            assert torch.equal(draw(classes.to(dtype), seeded()), draw(classes, seeded()))


def test_wrong_input_is_refused():
    channel = SymmetricChannel(2, 0.1)
    with pytest.raises(TypeError, match=r"ClassPairs: channel must be a DiscreteJoint, got 0\.1"):
        ClassPairs(0.1, GlyphImages())
    with pytest.raises(TypeError, match="ClassPairs: draw_y must be a function, got 3"):
        ClassPairs(channel, GlyphImages(), 3)
    with pytest.raises(TypeError, match="ClassPairs: what draw_x returns must be a tensor, got 'a'"):
        ClassPairs(channel, lambda classes, generator: "a").sample(3)
    with pytest.raises(
        ValueError, match=r"ClassPairs: draw_x must return a sample for each of 3 classes, got shape \(1,"
    ):
        ClassPairs(channel, lambda classes, generator: torch.zeros(1, 2)).sample(3)
    with pytest.raises(TypeError, match=r"LabelledSamples: labels must be integers, got torch\.float32"):
        LabelledSamples(torch.zeros(2, 1), torch.zeros(2), classes_overlap=False)
    with pytest.raises(ValueError, match="LabelledSamples: samples and labels must be paired, got shapes"):
        LabelledSamples(torch.zeros(3, 1), [0, 1], classes_overlap=False)
    with pytest.raises(
        ValueError, match=r"LabelledSamples: labels must be 0 to m - 1, each at least once, got \[0, 2\]"
    ):
        LabelledSamples(torch.zeros(2, 1), [0, 2], classes_overlap=False)
    with pytest.raises(TypeError, match="LabelledSamples: classes_overlap must be True or False, got None"):
        LabelledSamples(torch.zeros(2, 1), [0, 1], classes_overlap=None)
    pool = LabelledSamples(torch.zeros(2, 1), [0, 1], classes_overlap=False)
    with pytest.raises(ValueError, match="LabelledSamples: classes must be integers from 0 to 1, shape"):
        ClassPairs(SymmetricChannel(10, 0.0), pool).sample(200, seeded())
    with pytest.raises(ValueError, match=r"GlyphImages: noise must lie in \[0, 0\.5\), got 0\.5"):
        GlyphImages(0.5)
    with pytest.raises(ValueError, match="GlyphImages: classes must be integers from 0 to 9"):
        GlyphImages()(torch.tensor([10]), seeded())
    with pytest.raises(TypeError, match="TokenSentences: classes must be a tensor of integers"):
        TokenSentences()(torch.zeros(2), seeded())
    with pytest.raises(ValueError, match="TokenSentences: length must be at least 2, got 1"):
        TokenSentences(length=1)
    with pytest.raises(ValueError, match=r"SymmetricChannel: symbols must lie in \[2, 4096\], got 1"):
        SymmetricChannel(1, 0.0)
    with pytest.raises(ValueError, match=r"SymmetricChannel: error_probability must lie in \[0, 1\], got 2"):
        SymmetricChannel(3, 2)
    with pytest.raises(
        ValueError, match=r"SymmetricChannel\.for_information: mi must lie in \[0, 2\.30259\] nats, got 3"
    ):
        SymmetricChannel.for_information(3.0, 10)
