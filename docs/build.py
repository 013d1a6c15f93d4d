"""Build the documentation into docs/_build/html, and check what a reader gets; run `make docs`.

A warning fails the build. So does a page that would load a script, a style or a font from the network, and a site of
15 MB.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
SITE = DOCS / "_build" / "html"
MOST_BYTES = 15_000_000
# A link is followed by a click; these are followed by the browser itself.
_LOADS = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["'](?:https?:)?//|<link[^>]+href=["'](?:https?:)?//[^>]+"""
)
_IMPORTS = re.compile(r"""@import\s+["'(url]*\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//""")


def network_loads(site: Path) -> list[str]:
    """What the pages and styles of a site would load from the network: `file: tag`."""
    found = []
    for path in sorted(site.rglob("*")):
        pattern = {".html": _LOADS, ".css": _IMPORTS}.get(path.suffix)
        if pattern:
            found += [f"{path.relative_to(site)}: {hit}" for hit in pattern.findall(path.read_text(encoding="utf-8"))]
    return found


def main() -> int:
    """Build, check, and say how large the site is."""
    from sphinx.cmd.build import main as sphinx

    failed = sphinx([
        "-q",
        "-E",
        "-a",
        "-W",
        "--keep-going",
        "-d",
        str(DOCS / "_build" / "doctrees"),
        str(DOCS),
        str(SITE),
    ])
    if failed:
        return failed
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    print(f"documentation: {SITE / 'index.html'}, {size / 1e6:.1f} MB")
    loads = network_loads(SITE)
    print(*(f"loads from the network: {load}" for load in loads), sep="\n", end="\n" if loads else "")
    if size > MOST_BYTES:
        print(f"more than {MOST_BYTES / 1e6:.0f} MB")
    return int(bool(loads) or size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
