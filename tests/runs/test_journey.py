"""Which of our files a reader meets on the way from `infotorch table` to the first step of training, and how many."""

import re
import sys
from pathlib import Path

import infotorch
from infotorch.commands.main import app
from infotorch.updates.gradient import GradientUpdate

HOUSE = Path(infotorch.__file__).parent
#: What the recipe decides; the journey is about what carries it out.
CHOSEN = {"data", "estimators", "objectives", "networks", "numerics"}
#: It was 31 before schedules, planes and graph caches were left out of runs that have none, then 25; since, five refuse
#: (several processes, a second writer, odd models, a stop asked for before training), one takes data of any kind, one
#: tells an objective which layers follow, one asks a fabric for the processes that train together, and one asks git for
#: the commit, once a process; one keeps an epoch's numbers until they are asked for, one has a step apart from the
#: generator of steps, one makes several processes refuse alike, and one says whether samples are held out. What only
#: some runs need (a search, an audit of isolation) is not on the way of others.
MOST_FILES = 39
#: The map for readers.
MAP = HOUSE.parent.parent / "CONTRIBUTING.md"


class _FirstStep(BaseException):
    """Not an Exception: nothing on the way keeps it."""


def _on_the_way(frame):
    """Whether a call is made by the command, not by an import or a check of settings' values."""
    while frame is not None:
        code = frame.f_code
        if "pydantic" in Path(code.co_filename).parts:
            return False
        if code.co_name == "<module>" and HOUSE in Path(code.co_filename).parents:
            return False
        frame = frame.f_back
    return True


def _journey(words):
    """The files, with the first function that is called of each."""
    found, others = {}, set()

    def look(frame, event, _):
        name = frame.f_code.co_filename
        if event != "call" or name in found or name in others:
            return
        path = Path(name)
        if HOUSE not in path.parents or path.relative_to(HOUSE).parts[0] in CHOSEN:
            others.add(name)
        elif _on_the_way(frame):
            found[name] = frame.f_code.co_qualname

    sys.setprofile(look)
    try:
        app(words, standalone_mode=False)
    except _FirstStep:
        pass
    finally:
        sys.setprofile(None)
    return {Path(name).relative_to(HOUSE).as_posix(): called for name, called in found.items()}


def test_the_way_from_the_command_to_the_first_step_is_short(tmp_path, monkeypatch):
    def step(*_, **__):
        raise _FirstStep

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(GradientUpdate, "step", step)
    found = _journey(["table", "demo", "--variant", "bp", "--seeds", "1", "--set", "epochs=1", "--device", "cpu"])
    behind = MAP.read_text(encoding="utf-8").partition("### From the command to the first step\n")[2]
    section = behind.partition("\n## ")[0]
    drawn = re.findall(r"^\d+\. `([\w/]+\.py)`", section, re.MULTILINE)
    assert len(drawn) > 10
    assert drawn == [path for path in found if path in drawn]
    told = "\n".join(f"{number:2} {path}: {called}" for number, (path, called) in enumerate(found.items(), start=1))
    assert len(found) <= MOST_FILES, f"{len(found)} files:\n{told}"
