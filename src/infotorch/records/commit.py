"""Which commit a package's files are at; nothing where that cannot be told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

# Git answers within milliseconds; a folder on a network that does not answer must not hold up a run.
_SECONDS = 10.0


def commit_of(package: Path) -> dict[str, Any] | None:
    """The commit of the repository that a package's files belong to.

    Args:
        package: folder of the package, whose `__init__.py` must be among the files that the repository holds: a package
            installed below another project's checkout is none of its files.

    Returns:
        {"hash": twelve digits, "dirty": whether files of the package differ from the commit, or are new to it}; None
        outside a checkout, without git, before the first commit, or where git gives no answer. Never an error.

    Example:
        >>> import tempfile
        >>> commit_of(Path(tempfile.mkdtemp())) is None
        True
    """
    if _git(package, "ls-files", "--error-unmatch", "--", "__init__.py") is None:
        return None
    found = _git(package, "rev-parse", "--verify", "--quiet", "--short=12", "HEAD")
    changed = _git(package, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return None if not found or changed is None else {"hash": found, "dirty": bool(changed)}


def _git(folder: Path, *words: str) -> str | None:
    """What git answers; None where it refuses, or is not there."""
    # GIT_DIR and the like, which a hook sets, would lead to another repository; a lock would disturb a commit.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else None
