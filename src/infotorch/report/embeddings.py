"""The pictures of a run, one panel for each place of the network: colour is the class, the mark is the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from infotorch.records.embedding import Embedding
from infotorch.report.figures import blank_figure, plain, short
from infotorch.report.rows import Row
from infotorch.report.runs import Run
from infotorch.report.sections import drawing, escape

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Petroff 2021, arXiv:2107.02270: ten colours that people with any colour vision tell apart.
CLASS_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
_OTHER = "rgba(128,128,128,0.4)"
_SHAPES = ("circle", "circle-open", "x-thin-open", "diamond-open")
_SIGNS = ("dots", "rings", "crosses", "diamonds")
_ABOUT = (
    "Each panel is one embedding of the rows of all splits together. A t-SNE shows which rows are neighbours; "
    "distances between clusters, and the clusters' sizes, mean nothing. Axes have no unit."
)


def embedding_figure(embedding: Embedding, classes: Sequence[int]) -> Figure:
    """One place as points: colour is the class, the mark is the split.

    Args:
        embedding: the place.
        classes: the classes with a colour, at most ten; rows of others are grey.

    Returns:
        The figure, without axes; a place that is not finite has no points.
    """
    figure = blank_figure(height=220)
    splits = list(dict.fromkeys(embedding.split.tolist()))
    for place, split in enumerate(splits):
        here = embedding.split == split
        # Grey first: the named classes lie above it.
        for label in sorted(set(embedding.labels[here].tolist()), key=lambda label: (label in classes, label)):
            points = embedding.points[here & (embedding.labels == label)].tolist()
            points = [(short(x), short(y)) for x, y in points if x == x and y == y]
            colour = CLASS_COLOURS[classes.index(label)] if label in classes else _OTHER
            figure.add_scatter(
                x=[x for x, _ in points],
                y=[y for _, y in points],
                mode="markers",
                marker={
                    "symbol": _SHAPES[place % len(_SHAPES)],
                    "size": 5 if place else 4,
                    "color": colour,
                    "opacity": 0.9,
                    "line": {"width": 1.2 if place else 0, "color": colour},
                },
                hovertemplate=plain(f"{_class_name(label)}, {split}") + "<extra></extra>",
            )
    figure.update_layout(showlegend=False, margin={"l": 1, "r": 1, "t": 6, "b": 1})
    edge = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": True, "mirror": True}
    figure.update_xaxes(**edge)
    figure.update_yaxes(**edge)
    if embedding.perplexity is not None:
        figure.update_yaxes(scaleanchor="x")  # the columns of an output have scales of their own, those of t-SNE one
    return figure


def embeddings_section(rows: Sequence[Row], specs: list[str], unfolded: bool) -> str:
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


def _shown(row: Row) -> tuple[Run | None, list[int]]:
    """The run of a row with pictures and the smallest seed, completed ones first, and the other seeds with pictures."""
    having = [run for run in row.runs if "embeddings.json" in run.record.files()]
    having.sort(key=lambda run: (not run.completed, run.seed))
    return (having[0], sorted(run.seed for run in having[1:])) if having else (None, [])


def _variant(
    run: Run, others: list[int], embeddings: list[Embedding], named: list[int], specs: list[str], unfolded: bool
) -> str:
    panels = "".join(drawing(embedding_figure(e, named), e.place, e.method, specs) for e in embeddings)
    left_out = f"; seeds not shown: {', '.join(map(str, others))}" if others else ""
    return (
        f"<details class=variant{' open' if unfolded else ''}><summary>{escape(run.variant)}"
        f"<span class=quiet>seed {run.seed}{left_out}</span></summary><p class=quiet>{escape(_said(embeddings))}</p>"
        f'<div class="figures panels">{panels}</div></details>'
    )


def _said(embeddings: list[Embedding]) -> str:
    """How many rows of which split, and the perplexity."""
    rows = Counter(embeddings[0].split.tolist())
    said = [
        f"{count} {name} rows ({sign})" for (name, count), sign in zip(rows.items(), _SIGNS * len(rows), strict=False)
    ]
    perplexities = sorted({e.perplexity for e in embeddings if e.perplexity is not None})
    used = f"; perplexity {', '.join(f'{value:.3g}' for value in perplexities)}" if perplexities else ""
    return f"{', '.join(said)}{used}."


def _class_name(label: int) -> str:
    return f"class {label}" if label >= 0 else "no class"


def _key(named: Sequence[int], more: bool, unlabelled: bool) -> str:
    """What the colours stand for."""
    entries = [(CLASS_COLOURS[place], str(label)) for place, label in enumerate(named)]
    entries += [(_OTHER, " and ".join(["other classes"] * more + ["no class"] * unlabelled))] * (more or unlabelled)
    items = "".join(f'<li><i style="background:{colour}"></i>{escape(text)}</li>' for colour, text in entries)
    return f'<ul class=key aria-label="Colours of the classes"><li>Class</li>{items}</ul>'
