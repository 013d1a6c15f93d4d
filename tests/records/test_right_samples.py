"""Which test samples are right: packed and read back, and damage that is named."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from infotorch.records.outcome import Outcome
from infotorch.records.right_samples import RIGHT_SAMPLES, RightSamples, parse_right_samples
from infotorch.records.run_record import RunRecord


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
def test_bits_come_back_as_they_were(n):
    draws = np.random.default_rng(n)
    right, labels = draws.random(n) < 0.9, draws.integers(0, 10, n)
    found = parse_right_samples(json.loads(json.dumps(RightSamples.of(right, labels).as_dict())), where=Path("f"))
    assert np.array_equal(found.right, right)
    assert found.labels == hashlib.sha256(struct.pack(f"<{n}q", *labels)).hexdigest()


def test_ten_thousand_samples_take_less_than_two_kilobytes():
    found = RightSamples.of(np.ones(10_000, dtype=bool), np.zeros(10_000, dtype=np.int64))
    assert len(json.dumps(found.as_dict())) < 2000


def test_labels_of_any_integer_type_are_the_same_samples():
    right = np.array([True, False])
    assert RightSamples.of(right, np.array([1, 2], np.int32)).labels == RightSamples.of(right, np.array([1, 2])).labels
    with pytest.raises(ValueError, match=r"must be of one shape \(n,\), got \(2,\) and \(3,\)"):
        RightSamples.of(right, np.zeros(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 17}, "right must have a bit for each of 17 samples"),
        ({"samples": -1}, "samples must be a whole number that is not negative"),
        ({"right": "$$$$"}, "right must be base64"),
        ({"right": 7}, "right must be a text"),
        ({"labels": None}, "labels must be a text"),
    ],
)
def test_damage_is_named(change, message):
    content = RightSamples.of(np.ones(3, dtype=bool), np.arange(3)).as_dict() | change
    with pytest.raises(ValueError, match=f"test_right.json is damaged: {message}"):
        parse_right_samples(content, where=Path("test_right.json"))


def test_a_run_that_begins_again_forgets_them(tmp_path):
    record = RunRecord(tmp_path)
    record.begin({"name": "demo", "variant": "bp", "seed": 0}, {})
    assert record.right_samples() is None
    record.write_right_samples(RightSamples.of(np.ones(3, dtype=bool), np.arange(3)))
    record.finish(Outcome("completed", "", "demo", "bp", 0))
    assert RIGHT_SAMPLES in record.files()
    found = record.right_samples()
    assert found is not None
    assert found.right.all()
    record.begin({"name": "demo", "variant": "bp", "seed": 0}, {})
    assert record.right_samples() is None
