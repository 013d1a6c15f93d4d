from __future__ import annotations

from pathlib import Path

import pytest
import torch

from infotorch.data import load
from infotorch.data.temperature import FEATURES, TARGETS, read_temperature

HEADER = ",".join(["station", "Date", *FEATURES, *TARGETS])


def line(date: str, first: str = "20", last: str = "18") -> str:
    return ",".join(["1", date, first, *["1.5"] * (len(FEATURES) - 1), "30", last])


def table(folder: Path, *lines: str, header: str = HEADER) -> dict[str, Path]:
    path = folder / "Bias_correction_ucl.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="latin1")
    return {path.name: path}


def test_years_are_split_and_incomplete_rows_are_dropped(tmp_path):
    rows = [
        line("2013-06-30", first="21"),
        line("2016-08-30", first="22"),
        line("2016-08-30", first="NaN"),
        line("2016-08-31", last=""),
        line("2017-06-30", first="23"),
        line(""),  # the minimum and the maximum of every column stand at the end, without a date
    ]
    raw = read_temperature(table(tmp_path, *rows), 0)
    assert raw.train.x[:, 0].tolist() == [21, 22]
    assert raw.test.x[:, 0].tolist() == [23]
    assert raw.test.y.tolist() == [[30, 18]]
    assert raw.train.x.shape[1] == len(FEATURES) == 21
    assert raw.note.startswith("5 rows with a date, 3 of them complete; the others are dropped, not imputed.")
    assert raw.groups is not None
    assert raw.groups.diff().tolist() == [3 * 365 + 62]  # days from 2013-06-30 to 2016-08-30, a leap day among them


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([line("2013-06-30", first="warm")], HEADER, "line 2: could not convert string to float: 'warm'"),
        ([line("yesterday")], HEADER, "line 2: Invalid isoformat string"),
        ([line("2013-06-30")[:-3]], HEADER, "line 2: there are more or fewer fields than in the header"),
        ([line("2013-06-30") + ",1"], HEADER, "line 2: there are more or fewer fields than in the header"),
        ([line("2013-06-30")], HEADER.replace("Slope", "slope"), "lacks the columns Slope"),
        ([], "", "lacks the columns Date, Present_Tmax"),
        ([], HEADER, "must hold complete rows of 2017 and of the years before"),
        ([line("2013-06-30")], HEADER, "must hold complete rows of 2017 and of the years before"),
        ([line("2017-06-30")], HEADER, "must hold complete rows of 2017 and of the years before"),
        ([line("2013-06-30", first="é")], HEADER, "is not a text file"),
    ],
)
def test_a_file_that_is_not_this_table(tmp_path, rows, header, message):
    with pytest.raises(ValueError, match=rf"Bias_correction_ucl\.csv.*{message}"):
        read_temperature(table(tmp_path, *rows, header=header), 0)


@pytest.mark.data
def test_the_published_counts_and_the_way_back_to_degrees(real):
    data = load("temperature", root=real("temperature"), validation=600)
    assert data.note.startswith("7750 rows with a date, 7588 of them complete")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [5482, 600, 1506]
    celsius = data.target_scaling.invert(data.test.y)
    plain = load("temperature", root=real("temperature"), validation=600, scaling="none")
    assert torch.allclose(celsius, plain.test.y, atol=1e-4)
    assert plain.train.y.amax(dim=0).tolist()[0] == pytest.approx(38.9, abs=2)  # hottest day of Seoul in those years
    assert data.target_names == ("Next_Tmax", "Next_Tmin")


@pytest.mark.data
def test_least_squares_has_the_error_it_is_known_to_have(real):
    data = load("temperature", root=real("temperature"))
    ones = [torch.cat([part.x, torch.ones(len(part), 1)], dim=1).double() for part in (data.train, data.test)]
    solution = torch.linalg.lstsq(ones[0], data.train.y.double()).solution
    error = data.target_scaling.invert((ones[1] @ solution).float()) - data.target_scaling.invert(data.test.y)
    assert error.abs().mean().item() == pytest.approx(0.98, abs=0.03)  # 0.98 degC on all training rows
