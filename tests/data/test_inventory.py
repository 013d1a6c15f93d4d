from __future__ import annotations

import pytest

from infotorch.data import check, describe, get, names
from infotorch.data.catalogue import find


def place(name: str, root) -> str:
    return next(entry.place for entry in describe(root) if entry.name == name)


def test_every_listed_set_is_described(tmp_path):
    entries = describe(tmp_path)
    assert tuple(entry.name for entry in entries) == names()
    assert all(entry.summary and "\n" not in entry.summary for entry in entries)
    embedded = {entry.name for entry in entries if entry.place == "embedded"}
    assert embedded == {"digits", "binary-circle", "binary-line", "binary-quadrants", "binary-sine"}
    assert {entry.place for entry in entries if entry.name not in embedded} == {"not here"}


def test_where_files_are(tmp_path):
    folder = tmp_path / "adult"
    folder.mkdir()
    (folder / "adult.data").touch()
    assert place("adult", tmp_path) == f"incomplete: 1 of 2 files in {folder}"
    (folder / "adult.test").touch()
    assert place("adult", tmp_path) == str(folder)
    (tmp_path / "imagenet").mkdir()
    assert place("imagenet", tmp_path) == str(tmp_path / "imagenet")


def test_where_other_libraries_have_put_them(tmp_path):
    for file in find("mnist").files:
        path = tmp_path / file.path.removeprefix("mnist/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert place("mnist", tmp_path) == str(tmp_path / "MNIST" / "raw")


def test_the_check_tells_file_by_file(tmp_path):
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "adult.data").write_bytes(b"")
    data, test = check("adult", tmp_path)
    assert (data.status, data.found) == (
        "damaged",
        f"sha256:{'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}",
    )
    assert (test.status, test.found, test.size) == ("missing", None, 2003153)
    assert [status.status for status in check("imagenet", tmp_path)] == ["missing"]


def test_getting_a_folder_that_nobody_may_pass_on(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"imagenet: there is no folder .*cannot be downloaded without an account"
    ):
        get("imagenet", tmp_path)
    (tmp_path / "imagenet").mkdir()
    assert get("imagenet", tmp_path) == (tmp_path / "imagenet",)


@pytest.mark.parametrize("function", [get, check])
def test_unknown_names(function, tmp_path):
    with pytest.raises(ValueError, match=r"no data set 'adlut'\. Did you mean adult"):
        function("adlut", tmp_path)


def test_a_damaged_file_is_not_fetched_again(tmp_path):
    (tmp_path / "idnns").mkdir()
    (tmp_path / "idnns" / "var_u.mat").write_bytes(b"")
    with pytest.raises(ValueError, match="is damaged"):
        get("idnns", tmp_path)


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "adult", "idnns", "temperature", "cora", "mutagenicity"])
def test_what_is_there_is_verified_and_its_size_is_as_listed(real, name):
    root = real(name)
    statuses = check(name, root)
    assert {status.status for status in statuses} == {"ok"}
    assert get(name, root) == tuple(status.path for status in statuses)
    assert [status.path.stat().st_size for status in statuses] == [status.size for status in statuses]
