"""Next-day temperatures of 25 stations in Seoul, from a forecast model and today's measurements."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from infotorch.data.assembly import Raw
from infotorch.data.reading import explained, read_text
from infotorch.data.sets import Split

FEATURES = (
    "Present_Tmax", "Present_Tmin", "LDAPS_RHmin", "LDAPS_RHmax", "LDAPS_Tmax_lapse", "LDAPS_Tmin_lapse", "LDAPS_WS",
    "LDAPS_LH", "LDAPS_CC1", "LDAPS_CC2", "LDAPS_CC3", "LDAPS_CC4", "LDAPS_PPT1", "LDAPS_PPT2", "LDAPS_PPT3",
    "LDAPS_PPT4", "lat", "lon", "DEM", "Slope", "Solar radiation",
)  # fmt: skip
TARGETS = ("Next_Tmax", "Next_Tmin")
#: The forecast model's own word on each target, before anything corrects it.
FORECASTS = ("LDAPS_Tmax_lapse", "LDAPS_Tmin_lapse")
_TEST_YEAR = 2017
_VALIDATION_FRACTION = 0.1
_LARGEST_CELL = 1e9  # degrees, percent, metres, watt hours: none comes near


def read_temperature(paths: Mapping[str, Path], seed: int) -> Raw:
    """Complete rows of 2013-2016 for training and of 2017 for test; two targets in degrees Celsius.

    The last two rows of the file have no date: they are the minimum and the maximum of every column, and are left
    out. Rows with a missing value are dropped and not imputed, since 27 of them lack the target itself. The date and
    the station's number are no features; latitude, longitude, height and slope say which station it is.

    Args:
        paths: file name -> path.
        seed: unused, the split is by year.

    Raises:
        ValueError: not this table, a cell that is neither a number nor missing, or a year without rows.

    Source: Cho et al. 2020, doi:10.1029/2019EA000740; train and test years as in the paper on rate decay.
    """
    del seed
    path = paths["Bias_correction_ucl.csv"]
    dated, table, dates = _read_table(path)
    days = torch.tensor([date.toordinal() for date in dates])
    tested = torch.tensor([date.year == _TEST_YEAR for date in dates], dtype=torch.bool)
    if not tested.any() or tested.all():
        raise ValueError(f"{path} must hold complete rows of {_TEST_YEAR} and of the years before.")
    every = Split(table[:, : len(FEATURES)], table[:, len(FEATURES) :])
    train, test = every.select(~tested), every.select(tested)
    note = (
        f"{dated} rows with a date, {len(every)} of them complete; the others are dropped, not imputed. "
        f"{len(train)} rows of 2013-2016 for training and {len(test)} of {_TEST_YEAR} for test; "
        f"validation is whole days drawn from training. Targets in degC before scaling."
    )
    return Raw(
        "regression",
        train,
        test,
        num_classes=None,
        note=note,
        validation=_VALIDATION_FRACTION,
        standardise=True,
        feature_names=FEATURES,
        target_names=TARGETS,
        target_forecasts=FORECASTS,
        groups=days[~tested],
    )


def _read_table(path: Path) -> tuple[int, Tensor, list[datetime.date]]:
    """Number of dated rows; values (n, 23) and dates of those that are complete."""
    dated, values, dates = 0, [], []
    header, rows = _rows(path)
    for number, fields in enumerate(rows, start=2):
        if len(fields) != len(header):
            raise ValueError(f"{path}, line {number}: there are more or fewer fields than in the header.")
        row = dict(zip(header, fields, strict=True))
        if not row["Date"]:
            continue
        dated += 1
        try:
            date = datetime.date.fromisoformat(row["Date"])
            cells = [float(row[name] or "nan") for name in FEATURES + TARGETS]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {explained(error)}.") from error
        if any(abs(cell) > _LARGEST_CELL for cell in cells):
            raise ValueError(f"{path}, line {number}: numbers must lie within {_LARGEST_CELL:g}.")
        if all(cell == cell for cell in cells):
            values.append(cells)
            dates.append(date)
    return dated, torch.tensor(values, dtype=torch.float32).reshape(-1, len(FEATURES + TARGETS)), dates


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the lines that are not empty."""
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(read_text(path), newline="")) if row] or [[]]
    except csv.Error as error:
        raise ValueError(f"{path} is not a table: {error}.") from error
    absent = [name for name in ("Date", *FEATURES, *TARGETS) if name not in header]
    if absent:
        raise ValueError(f"{path} lacks the columns {', '.join(absent)}.")
    return header, rows
