"""Write the stub beside each public package's `__init__.py` from its table of names: `make stubs`.

With --check nothing is written, and a stub that differs is an error.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import resolve_name
from pathlib import Path

PACKAGES = (
    "", "assessment", "data", "diagnostics", "distributions", "estimators", "lightning", "networks", "objectives",
    "schedules", "sklearn", "torchmetrics",
)  # fmt: skip
SOURCE = Path(__file__).parents[1] / "src" / "infotorch"


def stub_of(package: str) -> str:
    """The text of a package's `__init__.pyi`."""
    name = f"infotorch.{package}" if package else "infotorch"
    module = importlib.import_module(name)
    imports = [(resolve_name(f".{home}", name), public) for public, home in module.HOMES.items()]
    lines = [f'"""{(module.__doc__ or "").splitlines()[0]}"""', ""]
    below = getattr(module, "PACKAGES", ())
    lines += [f"from infotorch import {public} as {public}" for public in below]
    lines += [f"from {home} import {public} as {public}" for home, public in sorted(imports)]
    lines += ["", "__version__: str"] if not package else []
    lines += ["HOMES: dict[str, str]"]
    lines += ["PACKAGES: tuple[str, ...]"] if below else []
    return "\n".join([*lines, "__all__ = [", *(f'    "{public}",' for public in module.__all__), "]", ""])


def main(*arguments: str) -> int:
    """Write the stubs, or compare them."""
    differing = []
    for package in PACKAGES:
        path = SOURCE / package / "__init__.pyi"
        wanted = stub_of(package)
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        if "--check" in arguments:
            differing.append(str(path))
        else:
            path.write_text(wanted, encoding="utf-8")
    if differing:
        print(f"not what `make stubs` writes: {', '.join(differing)}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
