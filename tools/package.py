"""Install what `make package` has built into an empty environment, and run the README's code and commands from there.

    python tools/package.py dist [--python python3.13] [--torch 2.6.0] [--system-site-packages]

Without --torch the versions are those of constraints.txt where they exist for that Python.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What the README promises of the command line, at the size of a check.
COMMANDS = (
    "infotorch --version",
    "infotorch list",
    "infotorch list variants demo",
    "infotorch list estimators",
    "infotorch data list",
    "infotorch measure x.npy y.npy",
    "infotorch run demo --variant bp --set epochs=2 --out run",
    "infotorch diagnose run",
    "infotorch table demo --seeds 1 --set epochs=1 --variant bp --variant full-bound --out table",
    "infotorch report table --out report.html",
    "python -m infotorch --version",
)


def environment(folder: Path, wanted: argparse.Namespace) -> dict[str, str]:
    """An empty environment with the wheel in it, and the variables that commands there need."""
    system = ["--system-site-packages"] if wanted.system_site_packages else []
    subprocess.run([wanted.python, "-m", "venv", *system, str(folder)], check=True)
    (wheel,) = wanted.dist.glob("*.whl")
    extra = [f"torch=={wanted.torch}"] if wanted.torch else ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([str(folder / "bin" / "pip"), "install", "-q", f"{wheel}[report]", *extra], check=True)
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "OMP_NUM_THREADS") if name in os.environ}
    return {**kept, "PATH": f"{folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"}


def readme_code() -> str:
    """The README's Python, block after block, as somebody would paste it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))


def check_sdist(dist: Path) -> None:
    """The source distribution holds the package, its stubs and what a packager looks for."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"src/infotorch/__init__.pyi", "src/infotorch/py.typed", "README.md", "LICENSE", "CHANGELOG.md"}
    if missing := needed - names:
        raise SystemExit(f"{sdist} lacks {', '.join(sorted(missing))}")


def main() -> None:
    """Build the environment and run everything in it; the first failure ends with its own message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--torch", default="")
    parser.add_argument("--system-site-packages", action="store_true")
    wanted = parser.parse_args()
    check_sdist(wanted.dist)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        variables = environment(Path(folder) / "venv", wanted)
        save = "import numpy as np; r = np.random.default_rng(0); x = r.normal(size=500); np.save('x', x); "
        steps = [["python", "-c", save + "np.save('y', x + r.normal(size=500))"], ["python", "-c", readme_code()]]
        for step in [*steps, *(command.split() for command in COMMANDS)]:
            print("$", " ".join(step).splitlines()[0], flush=True)
            subprocess.run(step, check=True, cwd=work, env=variables, stdout=subprocess.DEVNULL)
        told = "import sys, torch; print(f'Python {sys.version.split()[0]}, torch {torch.__version__}: all ran')"
        subprocess.run(["python", "-c", told], check=True, env=variables)


if __name__ == "__main__":
    main()
