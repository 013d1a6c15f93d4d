"""Run the examples and keep what they print, and a picture of it, for the gallery: `python docs/gallery.py [NAME ...]`.

Needs the extras `graph` and `lightning`, the files of Cora and Mutagenicity below INFOTORCH_DATA, and Chromium, where
plotly draws its figures as SVG. Some minutes; `make docs` takes what is kept in docs/gallery.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from plotly.graph_objects import Figure

from infotorch.figures.style import PALETTE

ROOT = Path(__file__).parent.parent
KEPT = Path(__file__).parent / "gallery"
ARGUMENTS = {"few_labels": ["--data", "digits"]}
# Example -> the variable that is its picture, or whose `.figure()` is.
OWN_FIGURE = {
    "calibration": "plain",
    "diagnose": "found",
    "information_plane": "plane",
    "layer_metrics": "curves",
    "pairs": "matrix",
    "rate_plain_loop": "found",
    "variational_bottleneck": "curve",
}
# Examples whose picture is the accuracies that they print, a line each.
COMPARED = {
    "cnn",
    "feature_selection",
    "few_labels",
    "graphs",
    "local_lightning",
    "nodes",
    "proximal",
    "residual",
    "sweep",
    "table",
    "transformer",
}
_ACCURACY = re.compile(r"^(?P<name>\S.*?) +(?P<value>0\.\d{3})\b", flags=re.MULTILINE)


def run(name: str) -> tuple[str, dict[str, Any]]:
    """What an example prints, and its variables."""
    path, printed = ROOT / "examples" / f"{name}.py", io.StringIO()
    before, sys.argv = sys.argv, [str(path), *ARGUMENTS.get(name, [])]
    try:
        with contextlib.redirect_stdout(printed):
            names = runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv = before
    return printed.getvalue(), names


def picture(name: str, printed: str, names: dict[str, Any]) -> Figure | None:
    """The library's own figure where the example has one, else the accuracies that it prints, or none."""
    if name in OWN_FIGURE:
        found = names[OWN_FIGURE[name]]
        return found if isinstance(found, Figure) else found.figure()
    if name not in COMPARED:
        return None
    return accuracies([(found["name"], float(found["value"])) for found in _ACCURACY.finditer(printed)])


def accuracies(rows: list[tuple[str, float]]) -> Figure:
    """A dot for each, the first one in colour."""
    rows = rows[::-1]
    figure = Figure()
    figure.add_scatter(
        x=[value for _, value in rows],
        y=[name for name, _ in rows],
        mode="markers+text",
        text=[f"  {value:.3f}" for _, value in rows],
        textposition="middle right",
        marker={"size": 12, "color": [PALETTE[6]] * (len(rows) - 1) + [PALETTE[0]]},
        cliponaxis=False,
    )
    figure.update_layout(
        template="simple_white", height=90 + 42 * len(rows), margin={"l": 10, "r": 60, "t": 10, "b": 50}
    )
    return figure.update_xaxes(title="accuracy").update_yaxes(automargin=True, ticks="")


def as_svg(figure: Figure) -> str:
    """What a browser draws of a plotly figure."""
    height = figure.layout.height or 420
    size = f"{{format: 'svg', width: 760, height: {height}}}"
    script = f"Plotly.toImage('figure', {size}).then(url => {{ document.body.textContent = url; }})"
    page = figure.to_html(include_plotlyjs=True, div_id="figure", post_script=script)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.html"
        path.write_text(page, encoding="utf-8")
        command = ["chromium", "--headless", "--no-sandbox", "--virtual-time-budget=20000", "--dump-dom", path.as_uri()]
        drawn = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return unquote(re.search(r"data:image/svg\+xml,([^<\s]+)", drawn).group(1))


def main(*chosen: str) -> None:
    """Write docs/gallery/NAME.txt, and NAME.svg where there is something to draw."""
    KEPT.mkdir(exist_ok=True)
    for name in chosen or sorted(path.stem for path in (ROOT / "examples").glob("*.py")):
        printed, names = run(name)
        (KEPT / f"{name}.txt").write_text(printed, encoding="utf-8")
        figure = picture(name, printed, names)
        if figure is not None:
            (KEPT / f"{name}.svg").write_text(as_svg(figure), encoding="utf-8")
        print(name, "" if figure is None else "and its picture", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
