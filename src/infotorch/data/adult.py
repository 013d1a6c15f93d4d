"""Adult / census income: six numbers and eight categories, one-hot over train and test pooled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infotorch.data.assembly import Raw
from infotorch.data.reading import check_memory, read_text, shown
from infotorch.data.sets import Split

COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
    "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country",
)  # fmt: skip
NUMERIC = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
CLASSES = ("<=50K", ">50K")
_MISSING = "?"
_MOST_DIGITS = 30  # what float32 can hold
_VALIDATION_FRACTION = 0.1


def read_adult(paths: Mapping[str, Path], seed: int) -> Raw:
    """Complete rows of adult.data (training) and adult.test.

    Categories come from both files together, so that a column means the same in both; the published experiments
    count 104 features this way. Columns: the six numbers, then every category in alphabetical order.

    Args:
        paths: file name -> path.
        seed: unused, the split is official.

    Raises:
        ValueError: a line without 15 fields, a number that is none, an unknown label, or no complete row.
    """
    del seed
    tables = [_read_table(paths[name]) for name in ("adult.data", "adult.test")]
    complete = [[row for row in table if _MISSING not in row] for table in tables]
    if not all(complete):
        raise ValueError(f"{paths['adult.data'].parent}: adult.data and adult.test must both hold complete rows.")
    rows = [row for table in complete for row in table]
    features, names = _encode(rows, where=paths["adult.data"].parent)
    labels = torch.tensor([CLASSES.index(row[-1]) for row in rows])
    whole, cut = Split(features, labels), len(complete[0])
    note = (
        f"{sum(map(len, tables))} rows, {len(rows)} without a missing value are kept: "
        f"{cut} for training and {len(rows) - cut} for the official test; validation is taken from training. "
        f"scaling standardises the {len(NUMERIC)} numbers and leaves one-hot columns alone."
    )
    return Raw(
        "vectors",
        whole.select(torch.arange(cut)),
        whole.select(torch.arange(cut, len(rows))),
        num_classes=len(CLASSES),
        note=note,
        validation=_VALIDATION_FRACTION,
        standardise=True,
        feature_names=names,
        numeric=tuple(range(len(NUMERIC))),
    )


def _read_table(path: Path) -> list[list[str]]:
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("|"):  # adult.test opens with a remark
            continue
        fields = [field.strip() for field in line.split(",")]
        fields[-1] = fields[-1].removesuffix(".")  # labels of adult.test end in a dot
        if len(fields) != len(COLUMNS) + 1:
            raise ValueError(f"{path}, line {number}: expected {len(COLUMNS) + 1} fields, got {len(fields)}.")
        if fields[-1] not in CLASSES:
            raise ValueError(
                f"{path}, line {number}: the label must be {' or '.join(CLASSES)}, got {shown(fields[-1])}."
            )
        bad = [name for name in NUMERIC if not _is_number(fields[COLUMNS.index(name)])]
        if bad:
            raise ValueError(
                f"{path}, line {number}: {bad[0]} must be a number, got {shown(fields[COLUMNS.index(bad[0])])}."
            )
        rows.append(fields)
    return rows


def _is_number(field: str) -> bool:
    return field == _MISSING or (field.isdecimal() and len(field) <= _MOST_DIGITS)


def _encode(rows: list[list[str]], *, where: Path) -> tuple[Tensor, tuple[str, ...]]:
    """Numbers first, then one column a category; float32 (n, d) and the d names."""
    columns: dict[str, tuple[str, ...]] = dict(zip(COLUMNS, zip(*(row[:-1] for row in rows), strict=True), strict=True))
    numbers = np.array([columns[name] for name in NUMERIC], dtype=np.float32).T
    categories = {name: sorted(set(columns[name])) for name in COLUMNS if name not in NUMERIC}
    check_memory(
        4 * len(rows) * sum(map(len, categories.values())), f"{where}: {len(rows):,} rows of categories, one-hot,"
    )
    blocks, names = [numbers], list(NUMERIC)
    for name, values in categories.items():
        place = {value: number for number, value in enumerate(values)}
        block = np.zeros((len(rows), len(values)), dtype=np.float32)
        block[np.arange(len(rows)), [place[value] for value in columns[name]]] = 1
        blocks.append(block)
        names += [f"{name}={value}" for value in values]
    return torch.from_numpy(np.concatenate(blocks, axis=1)), tuple(names)
