"""Arrays from csv, .npz and parquet files: columns by name, and one line for what cannot be read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from infotorch.data.tables import read_variable

PEOPLE = "age,sex,height\n31,f,1.7\n42,m,1.8\n27,f,1.65\n"


def of_text(folder, text, *columns):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return read_variable(folder / "t.csv", columns)


@pytest.mark.parametrize(
    ("text", "columns", "values", "kind"),
    [
        (PEOPLE, ["age"], [31, 42, 27], "i"),
        (PEOPLE, ["sex"], [0, 1, 0], "i"),
        (PEOPLE, ["height", "age"], [[1.7, 31], [1.8, 42], [1.65, 27]], "f"),
        (PEOPLE, ["sex", "age"], [[0, 31], [1, 42], [0, 27]], "i"),
        ("\ufeff" + PEOPLE.replace(",", ";"), ["age"], [31, 42, 27], "i"),
        (PEOPLE.replace(",", "\t").replace("\n", "\r\n\r\n"), ["age"], [31, 42, 27], "i"),
        ("1,2\n3,4.5\n", [], [[1, 2], [3, 4.5]], "f"),
        ("1,2\n3,4.5\n", ["1"], [1, 3], "i"),
        ('"name, first",y\n"a, b",1\nc,2\n', ["name, first"], [0, 1], "i"),
        ("x\n1e-3\n-2\n", [], [0.001, -2], "f"),
        ("d\n1970-01-02\n1969-12-31\n", [], [86_400, -86_400], "f"),
        ("d\n1970-01-01T01:00:00+01:00\n1970-01-01 00:00:00.5\n", [], [0, 0.5], "f"),
        ("d\n1970-13-01\n2020W011\n", [], [0, 1], "i"),
    ],
)
def test_what_a_csv_file_holds(tmp_path, text, columns, values, kind):
    found = of_text(tmp_path, text, *columns)
    assert found.values.tolist() == values
    assert found.values.dtype.kind == kind


@pytest.mark.parametrize(
    ("text", "columns", "symbols"),
    [
        ("a,b,c\nx,1,2026-01-31\ny,2,2026-02-01\n", names, symbols)
        for names, symbols in (("a", True), ("b", None), ("c", False), ("ab", True), ("bc", None))
    ],
)
def test_what_a_column_says_of_its_order(tmp_path, text, columns, symbols):
    assert of_text(tmp_path, text, *columns).symbols is symbols


def test_a_csv_file_in_another_encoding_is_told_so(tmp_path):
    for encoding, where in (("latin-1", "0xf6 in line 2"), ("utf-16", "0xff in line 1")):
        (tmp_path / "t.CSV").write_bytes("x,city\n1,Köln\n".encode(encoding))
        message = rf"t\.CSV is not UTF-8 \(byte {where}\); save it as UTF-8\.$"
        with pytest.raises(ValueError, match=message):
            read_variable(tmp_path / "t.CSV")
    with pytest.raises(ValueError, match=r"standard input is no .npy, .npz, parquet or csv file in UTF-8\.$"):
        read_variable(Path("standard input"), content="Köln".encode("latin-1"))


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", [], "t.csv is empty"),
        ("a,b\n", [], "column 'a' must have rows of samples, got none"),
        ("a,b\n1,2\n3\n", ["a"], "row 2 must have 2 cells, as the first line, got 1"),
        ("a,b\n1,2\n,4\n", ["a"], "column 'a' must have a number or a word in every row, got '' in row 2"),
        ("a,b\n1,2\nNA,4\n", ["a"], "column 'a' must hold numbers alone or words alone, got 'NA' in row 2"),
        ("a\n2026-01-31\n2026-02-30\n", [], "must hold dates alone or words alone, got '2026-02-30' in row 2"),
        ("a,b\nx,2026-01-31\n", [], "columns of words and of real numbers are no one variable"),
        ("a;b\n1,5;x\n2,5;y\n", ["a"], "got '1,5' in row 1"),
        ("a,a\n1,2\n", ["a"], "has 2 columns that are called 'a'"),
        ("a,a\n1,2\n", [], "has columns of the same name"),
        ("a\n1_000\n2\n", [], "got '1_000' in row 1"),
        ('a,b\n"1,2\n', [], "is damaged"),
        ("a\0b", [], "is no .npy, .npz, parquet or csv file"),
        (PEOPLE, ["heigth"], "has no column 'heigth'; did you mean height?"),
        (PEOPLE, ["sex", "height"], "columns of words and of real numbers are no one variable"),
    ],
)
def test_what_a_csv_file_is_refused_for(tmp_path, text, columns, message):
    with pytest.raises(ValueError, match=r"t\.csv") as refused:
        of_text(tmp_path, text, *columns)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_arrays_of_an_archive_stand_side_by_side(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.eye(3), y=np.arange(3), z=np.arange(4), one=np.array(1.0))
    assert (
        read_variable(tmp_path / "a.npz", ["y", "x"]).values.tolist()
        == np.column_stack([np.arange(3), np.eye(3)]).tolist()
    )
    with pytest.raises(ValueError, match=r"arrays must have as many rows as each other, got \[3, 4\]"):
        read_variable(tmp_path / "a.npz", ["x", "z"])
    with pytest.raises(ValueError, match=r"'one' must hold rows of samples, got a single number"):
        read_variable(tmp_path / "a.npz", ["one"])
    np.savez(tmp_path / "b.npz", np.arange(2))
    assert read_variable(tmp_path / "b.npz").values.tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["U", "S"])
def test_text_in_an_array_is_read_as_cells_of_a_csv_file(tmp_path, kind):
    rows = [["f", "2026-01-31", "1.5"], ["m", "1970-01-02", "2"], ["f", "1970-01-01", "-1"]]
    np.savez(tmp_path / "a.npz", sex=np.array(rows)[:, 0].astype(kind), born=np.array(rows)[:, 1:2].astype(kind))
    np.save(tmp_path / "height.npy", np.array(rows)[:, 2].astype(kind))
    sex, born = (read_variable(tmp_path / "a.npz", [name]) for name in ("sex", "born"))
    assert (sex.values.tolist(), sex.symbols) == ([0, 1, 0], True)
    assert (born.values.tolist(), born.symbols) == ([1769817600, 86400, 0], False)
    assert read_variable(tmp_path / "height.npy").values.tolist() == [1.5, 2, -1]
    np.save(tmp_path / "two.npy", np.array([["a", "u"], ["b", "v"]]).astype(kind))
    assert read_variable(tmp_path / "two.npy").values.tolist() == [[0, 0], [1, 1]]
    np.save(tmp_path / "gap.npy", np.array(["a", ""]).astype(kind))
    with pytest.raises(ValueError, match=r"gap\.npy must have a number or a word in every row, got '' in row 2"):
        read_variable(tmp_path / "gap.npy")


def test_dates_of_an_array_are_numbers(tmp_path):
    days = np.array(["1970-01-03", "1970-01-01"], dtype="datetime64[D]")
    np.save(tmp_path / "days.npy", days)
    found = read_variable(tmp_path / "days.npy")
    assert (found.values.tolist(), found.symbols) == ([2, 0], False)
    np.save(tmp_path / "days.npy", np.append(days, np.datetime64("NaT")))
    with pytest.raises(ValueError, match=r"days\.npy must hold a date or a time in every row, got NaT"):
        read_variable(tmp_path / "days.npy")


def test_arrays_of_other_kinds_are_refused(tmp_path):
    np.save(tmp_path / "o.npy", np.array(["a", 1], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"o\.npy holds Python objects, which are not loaded; save numbers, or words"):
        read_variable(tmp_path / "o.npy")
    np.save(tmp_path / "c.npy", np.array([1j]))
    with pytest.raises(ValueError, match=r"c\.npy must hold real numbers, words or dates, got dtype complex128"):
        read_variable(tmp_path / "c.npy")
    torch.save(torch.ones(2), tmp_path / "t.pt")
    with pytest.raises(ValueError, match=r"t\.pt is a file of torch\.save; save the tensor with numpy\.save"):
        read_variable(tmp_path / "t.pt")


def test_an_archive_of_other_things_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("letter.txt", "dear")
    with pytest.raises(ValueError, match=r"'letter\.txt' is not an array"):
        read_variable(tmp_path / "a.npz")
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:-20])
    with pytest.raises(ValueError, match=r"a.npz is damaged: BadZipFile"):
        read_variable(tmp_path / "a.npz")


def test_a_binary_file_of_the_wrong_content_is_no_csv(tmp_path):
    for name in ("x.npz", "x.parquet"):
        (tmp_path / name).write_text("1,2")
        with pytest.raises(ValueError, match=rf"{name} is not a \.(npz|parquet) file"):
            read_variable(tmp_path / name)


def test_parquet_without_its_package_says_how_to_install_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(ModuleNotFoundError, match=r"needs pyarrow: pip install 'infotorch\[parquet\]'\.") as refused:
        read_variable(tmp_path / "t.parquet")
    assert "\n" not in str(refused.value)


def test_columns_of_a_parquet_file(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    columns = {
        "age": pa.array([31, 42, 27]),
        "sex": pa.array(["f", "m", "f"]).dictionary_encode(),
        "height": pa.array([1.7, 1.8, 1.65]),
        "missing": pa.array([1, None, 2]),
        "day": pa.array([1, 2, 3], type=pa.date32()),
        "tall": pa.array([False, True, False]),
        "list": pa.array([[1], [2], [3]]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert read_variable(tmp_path / "t.parquet", ["age"]).values.tolist() == [31, 42, 27]
    assert read_variable(tmp_path / "t.parquet", ["sex"]).values.tolist() == [0, 1, 0]
    assert read_variable(tmp_path / "t.parquet", ["age", "height"]).values.tolist() == [
        [31, 1.7],
        [42, 1.8],
        [27, 1.65],
    ]
    kinds = {name: read_variable(tmp_path / "t.parquet", [name]).symbols for name in ("age", "sex", "day", "tall")}
    assert kinds == {"age": None, "sex": True, "day": False, "tall": True}
    for name, message in (("missing", "value in every row, got 1 without"), ("list", "words, got list")):
        with pytest.raises(ValueError, match=message):
            read_variable(tmp_path / "t.parquet", [name])
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"t\.parquet is damaged"):
        read_variable(tmp_path / "t.parquet", ["age"])
