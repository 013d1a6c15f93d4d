"""Files that someone made: nothing in them is executed, sizes memory, hangs, or ends the interpreter."""

from __future__ import annotations

import gzip
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign.data_hostile import hostile
from campaign.data_samples import Reader, readers
from infotorch.data.adult import COLUMNS, read_adult
from infotorch.data.catalogue import File
from infotorch.data.fetch import inspect
from infotorch.data.idx import read_idx
from infotorch.data.tables import read_variable
from infotorch.data.temperature import read_temperature
from infotorch.data.unpickle import load_pickle


@pytest.fixture(autouse=True)
def two_more_gigabytes() -> Iterator[None]:
    """What asks for more ends in a MemoryError, and not in a machine that swaps."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[tuple[str, str], bytes]:
    """(file, what it is) -> content."""
    found = hostile(tmp_path_factory.mktemp("hostile") / "trace")
    return {(path.rsplit("/", 1)[-1], what): content for _, path, what, content in found}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("an array of objects", "holds an array of other things than numbers"),
        ("records with objects", "holds an array of other things than numbers"),
        ("axes within a number", "holds an array of other things than numbers"),
        ("a scalar that is an object", "holds an array of other things than numbers"),
        ("the codec zlib_codec", "asks for a codec other than latin1"),
        ("the codec no-such", "asks for a codec other than latin1"),
        ("a deep tuple as a key", "a dictionary's key that is neither a text nor a number"),
        ("a deep tuple as a codec", "asks for a codec other than latin1"),
        ("an array filled twice", "a state for what has one"),
        ("an array that is set by a key", "a value for what is no dictionary"),
        ("a shape of 2.40", "an array of other bytes than its shape needs"),
        ("a negative shape", "an array's shape that is none"),
        ("a bytearray of 6 GB", "is not a complete pickle"),
        ("keys of one hash", "a dictionary's key that is neither"),
        ("one text encoded again and again", "the same bytes again and again"),
        ("calls builtins.list", "is not a complete pickle"),
        ("calls by INST", "is not a complete pickle"),
    ],
)
def test_pickles(tmp_path, made, what, message):
    path = tmp_path / "content"
    path.write_bytes(made["data_batch_2", f"pickle: {what.replace('2.40', '2^40')}"])
    with pytest.raises(ValueError, match=f"content .*{message}") as caught:
        load_pickle(path, encoding="latin1")
    assert "\n" not in str(caught.value)


def test_a_place_in_the_memo_asks_for_no_memory(tmp_path, made):
    path = tmp_path / "content"
    path.write_bytes(made["data_batch_2", "pickle: a place of 2^31 in the memo"])
    assert load_pickle(path) == []  # Python's own reader in C fills 34 GB with it


@pytest.mark.parametrize("what", ["columns outside", "columns below 0", "rows that go back", "rows that go back to 0"])
def test_sparse_matrices_that_point_outside_themselves(tmp_path, made, what):
    path = tmp_path / "content"
    path.write_bytes(made["ind.toy.allx", what])
    with pytest.raises(ValueError, match="content holds a broken sparse matrix"):
        load_pickle(path, encoding="latin1")


@pytest.mark.parametrize(
    ("reader", "path", "what", "message"),
    [
        ("cifar", "data_batch_2", "labels that double in 50 lists", "its labels are not integers"),
        ("planetoid", "ind.toy.graph", "one list for 60,000 nodes", "names more neighbours than it has bytes"),
        ("planetoid", "ind.toy.allx", "10^12 columns", "must have the same words and classes"),
        ("tudataset", "TOY_node_labels.txt", "a label of its own for every node", "would take 13.4 GiB of memory"),
        ("adult", "adult.data", "a field of 10 MB", "adult.test"),
        ("idnns", "var_u.mat", "2^31 x 2^31 cells", "is not a MATLAB file with matrices F and y"),
        ("idnns", "var_u.mat", "2^31 x 2^31 doubles", "is not a complete MATLAB file"),
        ("pictures", "0.png", "a PostScript program", "is not a picture"),
        ("pictures, their size", "0.png", "30,000 x 30,000 pixels", "is not a picture: DecompressionBombError"),
    ],
)
def test_readers(tmp_path, made, reader, path, what, message):
    known: Reader = readers()[reader]
    for name, content in known.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        replaced = name.endswith(path) and ("black" in name or "pictures" not in reader)
        (tmp_path / name).write_bytes(made[path, what] if replaced else content)
    if message == "adult.test":  # a long field is a name of a category, and no more
        assert len(known.read(tmp_path).train) == 3001
        return
    with pytest.raises(ValueError, match=f"{path}.*{message}|{message}"):
        known.read(tmp_path)


@pytest.mark.parametrize("what", ["6 GB by the header", "2^96 by the header", "255 axes"])
def test_an_idx_header_is_compared_with_its_file(tmp_path, made, what):
    path = tmp_path / "images.gz"
    path.write_bytes(made["train-images-idx3-ubyte.gz", what])
    with pytest.raises(ValueError, match=r"images\.gz (is cut short or too long|must have at most 8 axes)") as caught:
        read_idx(path)
    assert len(str(caught.value)) < 400  # and not every axis of 255


def test_no_more_is_unpacked_than_an_idx_header_asks_for(tmp_path, monkeypatch):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2]) + bytes(1 << 24), 1))
    asked = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or read(self, size))
    with pytest.raises(ValueError, match=r"is cut short or too long: its header says \(2,\), which is 2 bytes"):
        read_idx(path)
    assert asked == [4, 4, 2, 1]


def test_numbers_beyond_float32_are_refused(tmp_path, made):
    (tmp_path / "table").write_bytes(made["Bias_correction_ucl.csv", "a number beyond float32"])
    with pytest.raises(ValueError, match=r"table, line 2: numbers must lie within 1e\+09"):
        read_temperature({"Bias_correction_ucl.csv": tmp_path / "table"}, 0)
    line = ",".join(["9" * 50, *["1"] * (len(COLUMNS) - 1), "<=50K"])
    (tmp_path / "adult").write_text(line)
    with pytest.raises(ValueError, match="adult, line 1: age must be a number, got '9999"):
        read_adult(dict.fromkeys(("adult.data", "adult.test"), tmp_path / "adult"), 0)


def test_a_wide_header_costs_no_more_than_its_file(tmp_path, made):
    (tmp_path / "table").write_bytes(made["Bias_correction_ucl.csv", "10^5 columns and short lines"])
    with pytest.raises(ValueError, match="table, line 2: there are more or fewer fields than in the header"):
        read_temperature({"Bias_correction_ucl.csv": tmp_path / "table"}, 0)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("shape (6000000000,)", r"its header asks for shape \(6000000000,\), and 64 bytes follow"),
        ("shape (-1,)", r"its header asks for shape \(-1,\)"),
        (f"shape ({2**62}, 4)", "its header asks for shape"),
        ("kind '|O'", "holds Python objects"),
        ("kind '(2,3)f8'", "must hold real numbers"),
        ("records with objects", "holds Python objects"),
        ("a header of parentheses", "is damaged"),
        ("a header of minus signs", "is damaged"),
        ("a header of sums", "is damaged"),
        ("200 axes", "is damaged"),
        ("a header of 4 GB", "is damaged"),
    ],
)
def test_headers_of_numpy_files(tmp_path, made, what, message):
    (tmp_path / "x.npy").write_bytes(made["x.npy", what])
    with pytest.raises(ValueError, match=f"x.npy {message}|x.npy is damaged: {message}"):
        read_variable(tmp_path / "x.npy")


@pytest.mark.parametrize("read", [load_pickle, read_idx, read_variable])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is damaged: it is no regular file"):
        read(tmp_path / "pipe")


def test_a_folder_in_a_files_place_is_a_damaged_file(tmp_path):
    (tmp_path / "toy.txt").mkdir()
    assert inspect(File("toy.txt", 3, ("md5:0",)), tmp_path).status == "damaged"
