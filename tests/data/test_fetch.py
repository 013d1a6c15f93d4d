from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from infotorch.data.catalogue import Download, File, Source
from infotorch.data.fetch import data_root, ensure, inspect, require_local
from infotorch.data.loading import load

CONTENT = b"a data set" * 1000


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def source_of(*downloads: Download, content: bytes = CONTENT, path: str = "toy/raw/rows.txt") -> Source:
    file = File(path, len(content), (sha256(content),), downloads)
    return Source("toy", "vectors", "a toy", "https://example.org/toy", (file,))


def everything_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_the_root_is_the_argument_then_the_environment_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("INFOTORCH_DATA", str(tmp_path / "named"))
    assert data_root(tmp_path / "given") == tmp_path / "given"
    assert data_root() == tmp_path / "named"
    monkeypatch.setenv("INFOTORCH_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_root().parts[-2:] == ("infotorch", "data")


def test_a_root_may_start_with_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root("~/sets") == tmp_path / "sets"


@pytest.mark.parametrize("name", ["", "folder:"])
def test_a_home_that_nobody_knows_is_one_line(monkeypatch, name):
    monkeypatch.setenv("INFOTORCH_DATA", "~no-such-user/sets")
    with pytest.raises(
        ValueError, match=r"data: ~no-such-user is no folder, as no home of this user is known; give the"
    ):
        load(f"{name}~no-such-user/x") if name else data_root()


def test_a_missing_file_is_downloaded_once(publisher, tmp_path):
    publisher.content["/rows.txt"] = CONTENT
    source = source_of(Download(f"{publisher.url}/rows.txt"))
    for _ in range(2):
        paths = ensure(source, tmp_path, progress=False)
        assert paths == {"rows.txt": tmp_path / "toy" / "raw" / "rows.txt"}
        assert paths["rows.txt"].read_bytes() == CONTENT
    assert publisher.asked == ["/rows.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_any_of_several_checksums_will_do(publisher, tmp_path):
    publisher.content["/rows.txt"] = CONTENT
    file = File("rows.txt", 1, (sha256(b"other"), sha256(CONTENT)), (Download(f"{publisher.url}/rows.txt"),))
    ensure(Source("toy", "vectors", "", "", (file,)), tmp_path, progress=False)
    assert inspect(file, tmp_path).status == "ok"


def test_the_next_place_is_asked_when_the_first_fails(publisher, tmp_path):
    publisher.content["/mirror"] = CONTENT
    source = source_of(Download(f"{publisher.url}/gone"), Download(f"{publisher.url}/mirror"))
    assert ensure(source, tmp_path, progress=False)["rows.txt"].read_bytes() == CONTENT
    assert publisher.asked == ["/gone", "/mirror"]


def test_a_wrong_checksum_is_an_error_and_nothing_is_left(publisher, tmp_path):
    publisher.content["/rows.txt"] = b"something else"
    source = source_of(Download(f"{publisher.url}/rows.txt"))
    expected, got = re.escape(sha256(CONTENT)), re.escape(sha256(b"something else"))
    with pytest.raises(
        ValueError, match=f"toy: rows.txt is not in .*sent a wrong file: expected {expected}, got {got}"
    ):
        ensure(source, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_breaks_off_leaves_nothing(publisher, tmp_path):
    publisher.content["/rows.txt"] = CONTENT
    publisher.cut.add("/rows.txt")
    source = source_of(Download(f"{publisher.url}/rows.txt"))
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded: .*/rows\.txt: the connection broke off"):
        ensure(source, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_downloads_left_goes_and_what_is_under_way_stays(publisher, tmp_path):
    publisher.content["/rows.txt"] = CONTENT
    long_ago = time.time() - 2 * 24 * 60 * 60
    for name in ("killed", "under-way"):
        partial = tmp_path / f".download-{name}" / "x.part"
        partial.parent.mkdir()
        partial.write_bytes(CONTENT)
        if name == "killed":
            os.utime(partial, (long_ago, long_ago))
        os.utime(partial.parent, (long_ago, long_ago))
    ensure(source_of(Download(f"{publisher.url}/rows.txt")), tmp_path, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".download-under-way", "toy"]


def test_files_that_came_before_the_broken_one_stay(publisher, tmp_path):
    publisher.content.update({"/a": b"a", "/b": b"bb"})
    publisher.cut.add("/b")
    files = tuple(
        File(f"{n}.txt", 1, (sha256(c),), (Download(f"{publisher.url}/{n}"),)) for n, c in (("a", b"a"), ("b", b"bb"))
    )
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        ensure(Source("toy", "vectors", "", "", files), tmp_path, progress=False)
    assert [path.name for path in everything_below(tmp_path)] == ["a.txt"]


def test_without_a_network_the_error_says_which_file_where_and_how(closed_port, tmp_path):
    source = source_of(Download(f"{closed_port}/rows.txt"))
    place = re.escape(str(tmp_path / "toy" / "raw"))
    says = (
        rf"toy: rows\.txt is not in {place} and could not be downloaded: {closed_port}/rows\.txt: no connection\. "
        r"Get it by hand \(see https://example\.org/toy\) and put it there, or set INFOTORCH_DATA"
    )
    with pytest.raises(FileNotFoundError, match=says):
        ensure(source, tmp_path, progress=False)


def test_a_server_that_has_no_such_file(publisher, tmp_path):
    source = source_of(Download(f"{publisher.url}/gone"))
    with pytest.raises(FileNotFoundError, match="HTTPError: 404"):
        ensure(source, tmp_path, progress=False)


def test_a_file_without_an_address(tmp_path):
    with pytest.raises(FileNotFoundError, match="no address is known"):
        ensure(source_of(), tmp_path, progress=False)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FileNotFoundError, match=r"rows\.txt is not in .*: the folder .* cannot be written to"):
        ensure(source_of(), tmp_path / "file" / "root", progress=False)


def test_a_damaged_file_is_an_error_at_once_and_left_alone(publisher, tmp_path):
    publisher.content["/rows.txt"] = CONTENT
    path = tmp_path / "toy" / "raw" / "rows.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    damaged = f"{re.escape(str(path))} is damaged: expected {sha256(CONTENT)}, got {sha256(CONTENT[:-1])}"
    with pytest.raises(ValueError, match=damaged):
        ensure(source_of(Download(f"{publisher.url}/rows.txt")), tmp_path, progress=False)
    assert path.read_bytes() == CONTENT[:-1]
    assert publisher.asked == []


@pytest.mark.parametrize(("content", "status"), [(CONTENT, "ok"), (CONTENT[:-1], "damaged"), (None, "missing")])
def test_the_status_of_a_file(tmp_path, content, status):
    file = source_of(path="rows.txt").files[0]
    if content is not None:
        (tmp_path / "rows.txt").write_bytes(content)
    seen = inspect(file, tmp_path)
    assert (seen.status, seen.path, seen.size) == (status, tmp_path / "rows.txt", len(CONTENT))
    assert seen.expected == (sha256(CONTENT),)
    assert seen.found == (None if content is None else sha256(content))


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"toy/{name}", content)
    return out.getvalue()


def tarred(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        folder = tarfile.TarInfo("toy")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            entry = tarfile.TarInfo(f"toy/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_files_of_one_archive_arrive_by_one_download(publisher, tmp_path, pack):
    publisher.content["/toy.archive"] = pack(a=b"first", b=b"second", unwanted=b"third")
    files = tuple(
        File(f"toy/{n}", 1, (sha256(c),), (Download(f"{publisher.url}/toy.archive", f"toy/{n}"),))
        for n, c in (("a", b"first"), ("b", b"second"))
    )
    paths = ensure(Source("toy", "vectors", "", "", files), tmp_path, progress=False)
    assert [path.read_bytes() for path in paths.values()] == [b"first", b"second"]
    assert publisher.asked == ["/toy.archive"]
    assert sorted(path.name for path in everything_below(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize(
    "archive",
    [
        b"no archive at all",
        zipped(other=CONTENT),
        tarred(other=CONTENT),
        tarred(**{"rows.txt": CONTENT})[:-40],
    ],
    ids=["garbage", "zip without it", "tar without it", "cut short"],
)
def test_a_broken_archive_is_an_error_and_nothing_is_left(publisher, tmp_path, archive):
    publisher.content["/toy.archive"] = archive
    source = source_of(Download(f"{publisher.url}/toy.archive", "toy/rows.txt"))
    with pytest.raises(ValueError, match=r"is not an archive with toy/rows\.txt in it"):
        ensure(source, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_the_member_should_be_a_file(publisher, tmp_path):
    publisher.content["/toy.tar.gz"] = tarred()
    source = source_of(Download(f"{publisher.url}/toy.tar.gz", "toy"))
    with pytest.raises(ValueError, match="toy is not a file"):
        ensure(source, tmp_path, progress=False)


def test_progress_is_one_plain_line_where_there_is_no_terminal(publisher, tmp_path, capsys):
    publisher.content["/rows.txt"] = CONTENT
    ensure(source_of(Download(f"{publisher.url}/rows.txt")), tmp_path)
    seen = capsys.readouterr()
    assert seen.err == f"downloading toy: {publisher.url}/rows.txt\n"
    assert seen.out == ""


def test_progress_is_a_bar_on_a_terminal(publisher, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    publisher.content["/rows.txt"] = CONTENT
    ensure(source_of(Download(f"{publisher.url}/rows.txt")), tmp_path)
    assert "10.0/10.0 kB" in capsys.readouterr().err


def test_an_unlisted_file_is_never_downloaded(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"CiteSeer: x is not in .*No checksum.*get it from the publisher"):
        require_local([tmp_path / "x"], name="CiteSeer", page="the publisher")
