"""One place of a network as points in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infotorch.figures.style import blank_figure, plain, short

if TYPE_CHECKING:
    from numpy import ndarray
    from plotly.graph_objects import Figure

# Petroff 2021, arXiv:2107.02270: ten colours that people with any colour vision tell apart.
CLASS_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
#: Of rows without one of these classes.
OTHER_COLOUR = "rgba(128,128,128,0.4)"
_SHAPES = ("circle", "circle-open", "x-thin-open", "diamond-open")


def embedding_figure(
    points: ndarray, labels: ndarray, split: ndarray, classes: Sequence[int], *, equal_axes: bool
) -> Figure:
    """One place as points: colour is the class, the mark is the split.

    Args:
        points: (n, 2), NaN where a place is not finite.
        labels: class of each, (n,), -1 without one.
        split: of each, (n,), names.
        classes: the classes with a colour, at most ten; points of others are grey.
        equal_axes: whether both axes have one scale.

    Returns:
        The figure, without axes; a place that is not finite has no points.

    Raises:
        ValueError: more classes than colours.
    """
    if len(classes) > len(CLASS_COLOURS):
        raise ValueError(f"embedding_figure: classes must be at most {len(CLASS_COLOURS)}, got {len(classes)}.")
    figure = blank_figure(height=220)
    splits = list(dict.fromkeys(split.tolist()))
    for place, name in enumerate(splits):
        here = split == name
        # Grey first: the named classes lie above it.
        for label in sorted(set(labels[here].tolist()), key=lambda label: (label in classes, label)):
            found = points[here & (labels == label)].tolist()
            found = [(short(x), short(y)) for x, y in found if x == x and y == y]
            colour = CLASS_COLOURS[classes.index(label)] if label in classes else OTHER_COLOUR
            figure.add_scatter(
                x=[x for x, _ in found],
                y=[y for _, y in found],
                mode="markers",
                marker={
                    "symbol": _SHAPES[place % len(_SHAPES)],
                    "size": 5 if place else 4,
                    "color": colour,
                    "opacity": 0.9,
                    "line": {"width": 1.2 if place else 0, "color": colour},
                },
                hovertemplate=plain(f"{_class_name(label)}, {name}") + "<extra></extra>",
            )
    figure.update_layout(showlegend=False, margin={"l": 1, "r": 1, "t": 6, "b": 1})
    edge = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": True, "mirror": True}
    figure.update_xaxes(**edge)
    figure.update_yaxes(**edge)
    if equal_axes:
        figure.update_yaxes(scaleanchor="x")
    return figure


def _class_name(label: int) -> str:
    return f"class {label}" if label >= 0 else "no class"
