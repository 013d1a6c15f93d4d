"""Networks of `effort="thorough"` on generated classes that are not those of the benchmarks."""

import math
import re
import warnings

import pytest
import torch

from infotorch.distributions import ClassPairs, SymmetricChannel, TokenSentences
from infotorch.estimators.choose import mutual_information
from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.encoders import readable
from infotorch.estimators.learned import _Classifier, _dependence, label_information
from infotorch.estimators.trained import symbols_tell_more

SENTENCES = TokenSentences(classes=4, length=6, common=20, own=8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def channel(nats):
    return SymmetricChannel.for_information(nats, 4)


def quietly(x, y, effort="thorough"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mutual_information(x, y, effort=effort)


def stripes(classes, generator):
    """Images of 9 x 9 pixels with a bright row: its class, times two."""
    images = 0.3 * torch.rand(len(classes), 9, 9, generator=generator)
    images[torch.arange(len(classes)), 2 * classes] += 0.7
    return images


@pytest.mark.parametrize("nats", [pytest.param(0.7, marks=pytest.mark.slow), math.log(4)])
def test_tokens_are_read_as_symbols(nats):
    law = ClassPairs(channel(nats), SENTENCES, ClassPairs.label)
    x, y = law.sample(2000, seeded())
    found = quietly(torch.randperm(52, generator=seeded(1))[x], y)
    assert found.estimator == "classifier tokens"
    assert found.side == "lower"
    assert float(found) == pytest.approx(nats, abs=0.1)  # three standard errors, and what is not learned


def test_which_numbers_stand_for_the_words_does_not_matter():
    law = ClassPairs(channel(0.7), SENTENCES, ClassPairs.label)
    x, y = law.sample(1000, seeded())
    names = torch.randperm(1000, generator=seeded(1))[: int(x.max()) + 1].sort().values
    first, renamed = (label_information((6,), words, y) for words in (x, names[x]))
    assert float(first) == float(renamed)


@pytest.mark.slow
def test_pairs_of_images_share_their_classes():
    x, y = ClassPairs(channel(math.log(4)), stripes).sample(1500, seeded())
    found = quietly(x, y)
    assert found.estimator == "encoders images"
    assert float(found) == pytest.approx(math.log(4), abs=0.15)
    assert found.ceiling == pytest.approx(math.log(150))  # a tenth of the samples


def test_a_classifier_tells_probabilities_of_labels():
    x, y = ClassPairs(channel(0.7), stripes, ClassPairs.label).sample(60, seeded())
    rows, side = torch.arange(60), readable((9, 9), x.reshape(60, -1), torch.arange(40))
    prior = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    torch.manual_seed(0)
    classifier = _Classifier(side, y, prior, rows[:40], rows[40:]).eval()
    with torch.no_grad():
        scores = classifier(side.samples)
        classifier.channel.zero_()
        unread = classifier(side.samples)
    assert (prior + scores).logsumexp(dim=1).numpy() == pytest.approx(0.0, abs=1e-5)
    assert unread.numpy() == pytest.approx(0.0, abs=1e-5)  # a channel that forgets its input


def test_independent_images_share_nothing_and_nothing_learned_is_told():
    x, y = ClassPairs(channel(0.0), stripes, ClassPairs.label).sample(500, seeded())
    found = quietly(x, y)
    assert abs(float(found)) < 0.02
    assert not found.reliable
    assert "nothing learned" in found.reason


def test_a_value_that_still_grows_is_flagged():
    # Every word says something of its own, and 300 samples show most of them a few times.
    generator = seeded()
    x = torch.randint(200, (400, 6), generator=generator)
    weight = torch.randn(200, generator=generator)
    y = (weight[x].sum(dim=1) > 0).long()
    found = label_information((6,), x, y)
    assert float(found) < 0.5 * math.log(2)
    assert not found.reliable


def test_sentences_that_do_not_tell_their_class_are_told():
    x, y = ClassPairs(channel(math.log(4)), SENTENCES, ClassPairs.label).sample(2000, seeded())
    x[::2] = torch.randint(20, (1000, 6), generator=seeded(1))  # common words alone
    found = label_information((6,), x, y)
    assert float(found) == pytest.approx(math.log(4) / 2, abs=0.08)  # a tenth of 1,000 held-out terms: 0.03
    assert not found.reliable
    told = re.search(r"told apart for certain they would tell about (\S+) nats", found.reason)
    assert told
    assert float(told[1]) == pytest.approx(math.log(4), abs=0.1)


def test_a_table_of_probabilities_has_the_information_of_its_channel():
    for nats in (0.2, 1.0):
        kept = channel(nats).sample(200_000, seeded())
        counts = torch.zeros(4, 4).index_put_(kept, torch.ones(200_000), accumulate=True)
        assert _dependence(counts) == pytest.approx(nats, abs=0.01)  # four standard errors


def test_default_tells_that_symbols_are_read_as_numbers():
    # Neighbours find topics whose words stand side by side, and miss them once words are numbered at random.
    x, y = ClassPairs(channel(math.log(4)), SENTENCES, ClassPairs.label).sample(3000, seeded())
    shuffled = torch.randperm(int(x.max()) + 1, generator=seeded(1))[x]
    with pytest.warns(UserWarning, match="integers read as numbers fall short"):
        found = mutual_information(shuffled, y)
    assert not found.reliable
    assert float(found) == float(ross(shuffled, y))
    assert quietly(shuffled, y, effort="fast").reliable


def test_counts_that_neighbours_read_well_are_not_flagged():
    y = torch.arange(2000) % 2
    counts = torch.poisson(5.0 + 10.0 * y[:, None].expand(-1, 3), generator=seeded()).long()
    assert symbols_tell_more(counts, y, ross(counts, y)) == ""


def test_what_is_reliable_and_larger_is_kept():
    y = torch.arange(400) % 2
    counts = torch.poisson(5.0 + 5.0 * y[:, None].expand(-1, 3), generator=seeded()).long()
    assert float(quietly(counts, y)) >= float(quietly(counts, y, effort="fast"))


def test_copied_samples_teach_no_network():
    x, y = ClassPairs(channel(0.7), stripes).sample(150, seeded())
    found = quietly(x.repeat(2, 1, 1), y.repeat(2, 1, 1))
    assert "encoders" not in found.estimator


def test_columns_and_labels_that_neighbours_read_are_left_to_them():
    y = torch.arange(600) % 3
    x = torch.randn(600, 3, generator=seeded()) + 8 * y[:, None]
    assert quietly(x, y).estimator.startswith("ross")


def test_the_same_samples_give_the_same_value_and_global_chance_stays():
    x, y = ClassPairs(channel(0.7), SENTENCES, ClassPairs.label).sample(400, seeded())
    state = torch.get_rng_state()
    first, second = (float(quietly(x, y)) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
