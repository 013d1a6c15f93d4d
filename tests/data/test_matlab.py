"""Against scipy, which wrote the files; and files at which scipy's own reader ended the interpreter."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from infotorch.data.matlab import read_matrices

CONTENT = {
    "F": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "y": np.array([[0.5, -1.0]]),
    "n": np.array([[2**40]]),
    "b": np.array([[True], [False]]),
    "f": np.float32([[1.5]]),
    "empty": np.zeros((0, 3)),
}
OTHERS = {"text": "words", "cell": np.array([1, "a"], dtype=object), "complex": np.array([[1j]])}


def written(folder: Path, *, compressed: bool) -> Path:
    savemat(folder / "file.mat", CONTENT | OTHERS, do_compression=compressed)
    return folder / "file.mat"


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_wrote_is_read(tmp_path, compressed):
    found = read_matrices(written(tmp_path, compressed=compressed))
    assert set(found) == set(CONTENT)
    for name, values in CONTENT.items():
        assert found[name].tolist() == values.tolist()


@pytest.mark.parametrize("compressed", [False, True])
def test_no_damage_ends_in_anything_but_a_matrix_or_a_line(tmp_path, compressed):
    path = written(tmp_path, compressed=compressed)
    content, draw = path.read_bytes(), random.Random(0)
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(draw.choice((1, 3))):
            changed[draw.randrange(128, len(changed))] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(changed[: draw.choice((len(changed), draw.randrange(len(changed))))]))
        told = None
        try:
            read_matrices(path)
        except ValueError as error:
            told = str(error)
        assert told is None or (told.startswith(str(path)) and "\n" not in told)


def test_a_file_of_another_level(tmp_path):
    savemat(tmp_path / "file.mat", {"F": np.eye(2)}, format="4")
    with pytest.raises(ValueError, match=r"file\.mat is not a MATLAB file of level 5"):
        read_matrices(tmp_path / "file.mat")
