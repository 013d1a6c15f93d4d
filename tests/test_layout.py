"""The house rules that a reader relies on: rooms import only rooms above them, and files stay short."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "infotorch"

# The design's order: each may import the ones before it, and itself.
ROOMS = (
    "numerics",
    "figures",
    "records",
    "distributions",
    "estimators",
    "networks",
    "data",
    "objectives",
    "schedules",
    "updates",
    "training",
    "assessment",
    "diagnostics",
    "theory",
    "recipes",
    "runs",
    "report",
    "sklearn",
    "lightning",
    "torchmetrics",
    "commands",
)
# A report reads files and draws, and loads no torch.
REPORT_IMPORTS = {"figures", "records", "report"}
#: All that stands beside the rooms.
AT_THE_ROOT = {"__init__.py", "__init__.pyi", "__main__.py", "py.typed"}


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


def test_at_the_root_stand_rooms_and_little_else():
    here = {path.name for path in SOURCE.iterdir() if path.name != "__pycache__"}
    assert here - set(ROOMS) <= AT_THE_ROOT
    assert set(ROOMS) <= here


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_rooms_above_its_own(path):
    room = room_of(path)
    if room in {"__init__", "__main__"}:  # the front doors, which lead everywhere
        return
    allowed = REPORT_IMPORTS if room == "report" else set(ROOMS[: ROOMS.index(room) + 1])
    assert imported_rooms(path) <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_fits_in_a_readers_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert len(path.relative_to(SOURCE).parts) <= 2, "rooms are one folder deep"
