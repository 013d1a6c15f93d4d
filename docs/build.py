"""Write the API's pages to docs/api; run `make docs`."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import pdoc
import pdoc.render

import infotorch


def main() -> None:
    """One page a file of the package, and one for the public names."""
    for name in infotorch.__all__:
        getattr(infotorch, name)  # public names load on first use; a page shows what is loaded
    files = [module.name for module in pkgutil.walk_packages(infotorch.__path__, "infotorch.")]
    pdoc.render.configure(docformat="google", math=False)
    pages = [name for name in files if not name.endswith("__main__")]
    pdoc.pdoc("infotorch", *pages, output_directory=Path(__file__).parent / "api")


if __name__ == "__main__":
    main()
