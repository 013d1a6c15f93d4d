"""The pictures of denoisers: test images without noise, with it and denoised."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from infotorch.report.sections import escape
from infotorch.report.summaries import VariantSummary


def pictures_section(rows: Sequence[VariantSummary]) -> str:
    """The picture of one run of each variant of a recipe; nothing where no run has any.

    Args:
        rows: rows of one recipe.
    """
    found = "".join(map(_figure, rows))
    if not found:
        return ""
    about = "Test images, from above: without noise, with it, and as the network gives them back."
    return f"<h3>Noisy and denoised images</h3><p class=quiet>{about}</p><div class=figures>{found}</div>"


def _figure(row: VariantSummary) -> str:
    pictures = [(run, run.record.picture()) for run in row.runs]
    having = [(run, picture) for run, picture in pictures if picture is not None]
    if not having:
        return ""
    run, picture = min(having, key=lambda pair: (not pair[0].completed, pair[0].seed))
    said = f"{escape(row.variant)}, seed {run.seed}"
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    style = "width:100%;image-rendering:pixelated"
    return f'<figure><img src="{source}" alt="{said}" style="{style}"><figcaption>{said}</figcaption></figure>'
