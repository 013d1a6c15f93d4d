"""The commit that environment.json holds, against git's own answers in repositories made here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infotorch.records.commit import commit_of


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(["git", *name, *words], cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "src" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(tmp_path / "repository", "init", "-q")
    git(tmp_path / "repository", "add", ".")
    git(tmp_path / "repository", "commit", "-q", "-m", "first")
    return folder


def test_a_clean_checkout_has_its_short_hash(package):
    assert commit_of(package) == {"hash": git(package, "rev-parse", "HEAD")[:12], "dirty": False}


@pytest.mark.parametrize("name", ["__init__.py", "new.py"])
def test_a_changed_file_and_a_new_one_make_the_package_dirty(package, name):
    (package / name).write_text("changed = True\n")
    assert commit_of(package) == {"hash": git(package, "rev-parse", "HEAD")[:12], "dirty": True}


def test_what_changes_beside_the_package_does_not(package):
    (package.parents[1] / "results.json").write_text("{}")
    found = commit_of(package)
    assert found is not None
    assert not found["dirty"]


def test_outside_a_checkout_there_is_none(tmp_path):
    assert commit_of(tmp_path) is None
    assert commit_of(tmp_path / "nowhere") is None


def test_a_package_installed_below_anothers_checkout_is_none_of_its_files(package):
    (package.parents[1] / ".gitignore").write_text(".venv\n")
    installed = package.parents[1] / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert commit_of(installed) is None


def test_before_the_first_commit_there_is_none(tmp_path):
    (tmp_path / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    assert commit_of(tmp_path) is None


def test_without_git_there_is_none(package, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(package) is None


def test_a_hooks_variables_do_not_lead_elsewhere(package, monkeypatch, tmp_path):
    expected = commit_of(package)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert commit_of(package) == expected
