"""The pictures of a run, one panel for each place of the network: colour is the class, the mark is the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from infotorch.figures.embeddings import CLASS_COLOURS, OTHER_COLOUR
from infotorch.records.embedding import Embedding
from infotorch.report.runs import Run
from infotorch.report.sections import drawing, escape
from infotorch.report.summaries import VariantSummary

_SIGNS = ("dots", "rings", "crosses", "diamonds")
_ABOUT = (
    "Each panel is one embedding of the samples of all splits together. A t-SNE shows which samples are neighbours; "
    "distances between clusters, and the clusters' sizes, mean nothing. Axes have no unit. The silhouette says how far "
    "the classes lie apart in the panel: 1 in tight groups of one class each, 0 or less over each other."
)


def embeddings_section(rows: Sequence[VariantSummary], specs: list[str], unfolded: bool) -> str:
    """Panels of one run of each variant of a recipe, in the order of the network; nothing where no run has any.

    Args:
        rows: rows of one recipe.
        specs: figures of the page, which these are added to.
        unfolded: whether all variants are open, or the first alone.

    Raises:
        ValueError: an embeddings.json is damaged.
    """
    found = [(run, others, run.record.embeddings()) for run, others in map(_shown, rows) if run]
    if not found:
        return ""
    counts = Counter(label for _, _, embeddings in found for label in embeddings[0].labels.tolist())
    classes = sorted(label for label in counts if label >= 0)
    named = classes[: len(CLASS_COLOURS)]
    # The first is always open: it shows what the folded others hold, also on paper.
    parts = "".join(
        _variant(run, others, e, named, specs, unfolded or not place) for place, (run, others, e) in enumerate(found)
    )
    return (
        f"<h3>t-SNE of the raw data and of every module</h3><p class=quiet>{_ABOUT}</p>"
        f"{_key(named, len(classes) > len(named), -1 in counts)}{parts}"
    )


def _shown(row: VariantSummary) -> tuple[Run | None, list[int]]:
    """The run of a row with pictures and the smallest seed, completed ones first, and the other seeds with pictures."""
    having = row.with_file("embeddings.json")
    return (having[0], sorted(run.seed for run in having[1:])) if having else (None, [])


def _variant(
    run: Run, others: list[int], embeddings: list[Embedding], named: list[int], specs: list[str], unfolded: bool
) -> str:
    panels = "".join(drawing(e.figure(named), e.place, _made(e), specs) for e in embeddings)
    left_out = f"; seeds not shown: {', '.join(map(str, others))}" if others else ""
    return (
        f"<details class=variant{' open' if unfolded else ''}><summary>{escape(run.variant)}"
        f"<span class=quiet>seed {run.seed}{left_out}</span></summary><p class=quiet>{escape(_said(embeddings))}</p>"
        f'<div class="figures panels">{panels}</div></details>'
    )


def _made(embedding: Embedding) -> str:
    apart = embedding.silhouette()
    return embedding.method if apart is None else f"{embedding.method}; silhouette {apart:.2f}"


def _said(embeddings: list[Embedding]) -> str:
    """How many rows of which split, and the perplexity."""
    rows = Counter(embeddings[0].split.tolist())
    said = [
        f"{count} {name} samples ({sign})"
        for (name, count), sign in zip(rows.items(), _SIGNS * len(rows), strict=False)
    ]
    perplexities = sorted({e.perplexity for e in embeddings if e.perplexity is not None})
    used = f"; perplexity {', '.join(f'{value:.3g}' for value in perplexities)}" if perplexities else ""
    return f"{', '.join(said)}{used}."


def _key(named: Sequence[int], more: bool, unlabelled: bool) -> str:
    """What the colours stand for."""
    entries = [(CLASS_COLOURS[place], str(label)) for place, label in enumerate(named)]
    others = " and ".join(["other classes"] * more + ["no class"] * unlabelled)
    entries += [(OTHER_COLOUR, others)] * (more or unlabelled)
    items = "".join(f'<li><i style="background:{colour}"></i>{escape(text)}</li>' for colour, text in entries)
    return f'<ul class=key aria-label="Colours of the classes"><li>Class</li>{items}</ul>'
