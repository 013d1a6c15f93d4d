"""A small share of the campaign's files; and that its watch sees what it is there to see."""

import os
import signal
import time
from pathlib import Path

import pytest

from campaign import data_files
from campaign.data_samples import Reader, readers, sound


def test_a_share_of_damaged_and_hostile_files(tmp_path):
    part = data_files.run(1, 0.01, tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) > 100


def test_the_valid_files_are_read(tmp_path):
    for name, reader in readers().items():
        for path, content in reader.files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
        assert sound(reader.read(tmp_path / name)), name


def written(folder: Path) -> str:
    (folder.parent / "trace").write_text("")
    raise ValueError(f"{folder} is refused")


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda _: os.kill(os.getpid(), signal.SIGKILL), "the interpreter ended with code -9"),
        (lambda _: time.sleep(60), "no end after 1 s"),
        (lambda _: bytearray(2**40), "MemoryError"),
        (lambda _: {}["a"], "KeyError: \"'a'\""),
        (lambda folder: int("words"), "ValueError that is not one line about a file"),
        (written, "something in it was executed"),
    ],
)
def test_a_failure_is_seen_and_the_rest_goes_on(tmp_path, monkeypatch, read, told):
    monkeypatch.setattr(data_files, "readers", lambda: {"toy": Reader({"file": b"content"}, read)})
    monkeypatch.setattr(
        data_files, "hostile", lambda trace: [("toy", "file", "first", b""), ("toy", "file", "second", b"")]
    )
    monkeypatch.setattr(data_files, "_PLACES", ())
    monkeypatch.setattr(data_files, "_TRIALS", 0)
    monkeypatch.setattr(data_files, "_SECONDS", 1.0)
    part = data_files.run(0, 1.0, tmp_path)
    assert dict(part.tried) == {"hostile: first": 1, "hostile: second": 1}
    assert len(part.failures) == 2
    assert all(told in failure for failure in part.failures)
    assert part.failures[0].startswith("trial 0 (hostile: first: toy, file)")
