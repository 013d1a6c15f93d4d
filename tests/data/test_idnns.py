from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from infotorch.data import load
from infotorch.data.idnns import read_idnns


def matlab(folder: Path, **content: np.ndarray) -> dict[str, Path]:
    savemat(folder / "var_u.mat", content)
    return {"var_u.mat": folder / "var_u.mat"}


BITS = np.array([[k >> b & 1 for b in range(4)] for k in range(16)], dtype=np.uint8)
LABELS = (BITS.sum(axis=1) % 2).astype(np.uint8)[None]


def test_rows_keep_their_labels_and_the_seed_draws_the_test_rows(tmp_path):
    paths = matlab(tmp_path, F=BITS, y=LABELS)
    raws = [read_idnns(paths, seed) for seed in range(6)]
    for raw in raws:
        rows = torch.cat([raw.train.x, raw.test.x])
        assert torch.equal(rows.sum(dim=1) % 2, torch.cat([raw.train.y, raw.test.y]).float())
        assert len(rows.unique(dim=0)) == 16
        assert len(raw.test) == raw.validation == 2
    assert len({tuple(raw.test.x.flatten().tolist()) for raw in raws}) > 1
    assert raws[0].feature_names == ("bit 1", "bit 2", "bit 3", "bit 4")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"F": BITS, "y": LABELS[:, :3]}, r"paired row by row, got \(16, 4\) and 3 labels"),
        ({"F": BITS * 2, "y": LABELS}, "F and y must hold 0 and 1 alone"),
        ({"F": BITS}, "not a MATLAB file with matrices F and y"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"var_u.mat.*{message}"):
        read_idnns(matlab(tmp_path, **content), 0)


@pytest.mark.parametrize("content", [b"", b"not matlab" * 30])
def test_a_file_that_is_damaged(tmp_path, content):
    (tmp_path / "var_u.mat").write_bytes(content)
    with pytest.raises(ValueError, match=r"var_u\.mat is not a MATLAB file"):
        read_idnns({"var_u.mat": tmp_path / "var_u.mat"}, 0)


@pytest.mark.data
def test_all_patterns_of_twelve_bits_are_there_once(real):
    data = load("idnns", root=real("idnns"))
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [3276, 410, 410]
    assert len(torch.cat([part.x for part in parts]).unique(dim=0)) == 4096
    assert torch.cat([part.y for part in parts]).bincount().tolist() == [1978, 2118]
