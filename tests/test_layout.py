"""The house rules that a reader relies on: rooms import only rooms above them, files stay short, imports stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "infotorch"

# Each may import the ones before it (and itself).
ROOMS = (
    "numerics",
    "distributions",
    "estimators",
    "networks",
    "data",
    "objectives",
    "schedules",
    "updates",
    "training",
    "diagnostics",
    "records",
    "recipes",
    "pacing",
    "scores",
    "assessment",
    "watching",
    "session",
    "runner",
    "diagnose_run",
    "range_run",
    "report",
    "measuring",
    "usage",
    "preflight",
    "arguments",
    "terminal",
    "diagnose_command",
    "range_command",
    "cli",
    "__main__",
)
# records are plain files without torch: any room may write them
OPEN_TO_ALL = {"records"}
NOT_EVEN_EARLIER = {"training": {"diagnostics"}, "report": set(ROOMS) - {"records", "report"}}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "infotorch" else [base]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("infotorch.") and name.count(".") >= 1}
    return found & set(ROOMS)


FILES = sorted(SOURCE.rglob("*.py"))


def test_there_are_files_to_check():
    assert {room_of(path) for path in FILES} >= {"numerics", "estimators", "training", "report", "cli"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_rooms_above_its_own(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ROOMS, f"{room} is not a room of the design"
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) | OPEN_TO_ALL
    assert imported_rooms(path) <= allowed - NOT_EVEN_EARLIER.get(room, set())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_fits_in_a_readers_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert len(path.relative_to(SOURCE).parts) <= 2, "rooms are one folder deep"


def test_importing_infotorch_is_light():
    code = "import sys, infotorch; print([m for m in ('torch', 'numpy', 'plotly', 'pydantic') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_every_public_name_loads_and_has_a_docstring():
    code = (
        "import infotorch\n"
        "for name in infotorch.__all__:\n"
        "    if not name.startswith('__'):\n"
        "        assert (getattr(infotorch, name).__doc__ or '').strip(), name\n"
        "        assert name in dir(infotorch)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_public_name_is_an_attribute_error():
    import infotorch

    with pytest.raises(AttributeError, match="no attribute 'mutual_infromation'"):
        _ = infotorch.mutual_infromation
