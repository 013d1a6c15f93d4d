from __future__ import annotations

from pathlib import Path

import pytest
import torch

from infotorch.data import load
from infotorch.data.adult import NUMERIC, read_adult

TRAIN = """\
39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Own-child, White, Male, 2174, 0, 40, Cuba, <=50K
50, Private, 83311, Bachelors, 13, Married, Sales, Husband, White, Male, 0, 0, 13, United-States, >50K
38, ?, 215646, HS-grad, 9, Divorced, ?, Unmarried, White, Male, 0, 0, 40, United-States, <=50K

"""
TEST = """\
|1x3 Cross validator
25, Private, 226802, 11th, 7, Never-married, Sales, Own-child, Black, Female, 0, 0, 40, Peru, >50K.

"""


def files(folder: Path, train: str = TRAIN, test: str = TEST) -> dict[str, Path]:
    (folder / "adult.data").write_text(train, encoding="latin1")
    (folder / "adult.test").write_text(test, encoding="latin1")
    return {name: folder / name for name in ("adult.data", "adult.test")}


def test_rows_are_encoded_as_by_hand(tmp_path):
    raw = read_adult(files(tmp_path), 0)
    assert raw.feature_names == (
        *NUMERIC,
        "workclass=Private", "workclass=State-gov",
        "education=11th", "education=Bachelors",
        "marital-status=Married", "marital-status=Never-married",
        "occupation=Adm-clerical", "occupation=Sales",
        "relationship=Husband", "relationship=Own-child",
        "race=Black", "race=White",
        "sex=Female", "sex=Male",
        "native-country=Cuba", "native-country=Peru", "native-country=United-States",
    )  # fmt: skip
    assert raw.train.x.tolist() == [
        [39, 77516, 13, 2174, 0, 40, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0],
        [50, 83311, 13, 0, 0, 13, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1],
    ]
    assert raw.test.x.tolist() == [[25, 226802, 7, 0, 0, 40, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0]]
    assert (raw.train.y.tolist(), raw.test.y.tolist()) == ([0, 1], [1])
    assert raw.note.startswith("4 rows, 3 without a missing value are kept: 2 for training and 1 ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", Male, 0, 0, 13", ", Male, 0, 13", r"adult\.data, line 2: expected 15 fields, got 14"),
        (">50K", "50K", r"adult\.data, line 2: the label must be <=50K or >50K, got '50K'"),
        ("83311", "many", r"adult\.data, line 2: fnlwgt must be a number, got 'many'"),
        ("Sales", "Säles", r"adult\.data is not a text file"),
    ],
)
def test_a_bad_line_is_named(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        read_adult(files(tmp_path, train=TRAIN.replace(old, new)), 0)


def test_a_file_without_complete_rows(tmp_path):
    with pytest.raises(ValueError, match=r"adult\.data and adult\.test must both hold complete rows"):
        read_adult(files(tmp_path, test="|1x3 Cross validator\n"), 0)


@pytest.mark.data
def test_the_published_counts(real):
    data = load("adult", root=real("adult"), validation=1000)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [29162, 1000, 15060]
    assert sum(map(len, (data.train, data.validation, data.test))) == 45222
    assert data.train.x.shape[1] == len(data.feature_names) == 104
    everyone = torch.cat([data.train.y, data.validation.y, data.test.y])
    assert (everyone == 0).float().mean().item() == pytest.approx(0.752, abs=5e-4)  # the majority class, three digits
    one_hot = data.train.x[:, 6:]
    assert one_hot.unique().tolist() == [0, 1]
    assert (one_hot.sum(dim=1) == 8).all()
    assert data.train.x[:, :6].mean(dim=0).abs().max() < 1e-5  # float32 sums of 29,162 rows
    assert (data.train.x[:, :6].std(dim=0) - 1).abs().max() < 1e-4
    plain = load("adult", root=real("adult"), validation=1000, scaling="none")
    assert plain.train.x[:, 0].min() == 17
    assert torch.allclose(data.input_scaling.invert(data.test.x), plain.test.x, rtol=1e-5, atol=1e-3)
