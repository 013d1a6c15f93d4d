from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from infotorch.data.unpickle import load_pickle


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return (os.system, (self.command,))


def written(folder: Path, content: object, protocol: int = 2) -> Path:
    path = folder / "content"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_lists_and_dictionaries_come_through(tmp_path, protocol):
    content = {
        "data": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "labels": [1, 2],
        "scale": np.float64(0.5),
        "b": b"\xff",
    }
    seen = load_pickle(written(tmp_path, content, protocol))
    assert seen["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (seen["labels"], seen["scale"], seen["b"]) == ([1, 2], 0.5, b"\xff")


def test_sparse_matrices_and_default_dictionaries_come_through(tmp_path):
    content = (csr_matrix(np.eye(3)), collections.defaultdict(list, {0: [1, 2]}))
    matrix, neighbours = load_pickle(written(tmp_path, content))
    assert matrix.toarray().tolist() == np.eye(3).tolist()
    assert neighbours == {0: [1, 2]}


def test_module_paths_of_old_libraries_are_understood(tmp_path):
    content = pickle.dumps(csr_matrix(np.eye(2)), protocol=2)
    old = content.replace(b"scipy.sparse._csr", b"scipy.sparse.csr").replace(b"numpy._core.", b"numpy.core.")
    assert old != content
    (tmp_path / "old").write_bytes(old)
    assert load_pickle(tmp_path / "old").toarray().tolist() == [[1, 0], [0, 1]]


def test_strings_of_python_2_keep_their_bytes(tmp_path):
    (tmp_path / "old").write_bytes(b"\x80\x02U\x02a\xe9.")
    assert load_pickle(tmp_path / "old", encoding="bytes") == b"a\xe9"
    assert load_pickle(tmp_path / "old", encoding="latin1") == "aé"


def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path):
    trace = tmp_path / "trace"
    path = written(tmp_path, [np.zeros(2), Malicious(f"touch {trace}")])
    with pytest.raises(ValueError, match=r"content names (posix|nt)\.system, which data has no need of"):
        load_pickle(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # the same bytes do run it where nothing is restricted
    assert trace.exists()


@pytest.mark.parametrize("name", ["builtins eval", "builtins getattr", "numpy load", "importlib import_module"])
def test_functions_are_refused_by_name(tmp_path, name):
    module, function = name.split()
    (tmp_path / "code").write_bytes(f"c{module}\n{function}\n.".encode())
    with pytest.raises(ValueError, match=rf"code names {module}\.{function}"):
        load_pickle(tmp_path / "code")


def test_a_path_through_attributes_is_refused(tmp_path):
    # Protocol 4 lets a name hold dots: numpy's "ndarray.tofile" must not pass as part of "ndarray".
    (tmp_path / "code").write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")
    with pytest.raises(ValueError, match=r"names numpy\.ndarray\.tofile"):
        load_pickle(tmp_path / "code")


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"\x80\x02]q", b"not a pickle", b"\x80\x7f."])
def test_a_damaged_pickle_is_named(tmp_path, content):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(ValueError, match="broken is not a complete pickle"):
        load_pickle(tmp_path / "broken")


def test_a_pickle_cut_short_anywhere_is_damaged(tmp_path):
    whole = written(tmp_path, {"data": np.arange(20), "labels": [1, 2, 3]}).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut (is not a complete pickle|names)"):
            load_pickle(tmp_path / "cut")
