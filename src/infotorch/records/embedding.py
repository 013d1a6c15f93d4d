"""Pictures of representations as points in the plane."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infotorch.figures.embeddings import CLASS_COLOURS, embedding_figure
from infotorch.records.files import json_values, write_atomic
from infotorch.records.forms import NUMBER, NUMBER_OR_NULL, TEXT, WHOLE, Optional, check_form

if TYPE_CHECKING:
    import numpy as np
    from plotly.graph_objects import Figure

_POINTS = {"x": [NUMBER_OR_NULL], "y": [NUMBER_OR_NULL]}
_FORM = {
    "labels": [WHOLE],
    "split": [TEXT],
    "places": [{"place": TEXT, "method": TEXT, "perplexity": Optional(NUMBER), **_POINTS}],
}


@dataclass(frozen=True, eq=False)
class Embedding:
    """One place of a network, the raw data or a module's output, as points in the plane.

    Args:
        place: "raw data" or the module's name.
        method: how the points were made, for people: "t-SNE", "its two columns", "constant" and the like.
        points: (n, 2) float32; NaN where the representation is not finite.
        labels: (n,) classes, -1 for unlabelled samples.
        split: (n,) names of the splits that the rows belong to.
        perplexity: t-SNE's, or None without it.
    """

    place: str
    method: str
    points: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    perplexity: float | None = None

    def figure(self, classes: Sequence[int] | None = None) -> Figure:
        """The points: colour is the class, the mark is the split.

        Args:
            classes: those with a colour of their own, at most ten; None takes the first ten.

        Raises:
            ValueError: more than ten classes.
        """
        named = sorted({*self.labels.tolist()} - {-1})[: len(CLASS_COLOURS)] if classes is None else classes
        # The columns of an output have scales of their own, those of t-SNE one.
        equal = self.perplexity is not None
        return embedding_figure(self.points, self.labels, self.split, named, equal_axes=equal)

    def silhouette(self) -> float | None:
        """How far the classes lie apart, in [-1, 1]: 1 in tight groups of one class each, 0 or less over each other.

        Returns:
            The mean over the points with a class, all splits together; None where these are not finite or of fewer than
            two classes, or no two of them are of one class.

        Source: Rousseeuw 1987, Silhouettes, J. Comput. Appl. Math. 20, by scikit-learn.

        Example:
            >>> import numpy as np
            >>> points = np.array([[0, 0], [0, 1], [10, 0], [10, 1]], np.float32)
            >>> found = Embedding("fc1", "t-SNE", points, np.array([0, 0, 1, 1]), np.array(["test"] * 4))
            >>> round(found.silhouette(), 2)
            0.9
        """
        import numpy as np
        from sklearn.metrics import silhouette_score

        known = self.labels >= 0
        points, labels = self.points[known], self.labels[known]
        if not np.isfinite(points).all() or not 1 < len(np.unique(labels)) < len(labels):
            return None
        return float(silhouette_score(points, labels))


def write_embeddings(path: Path, embeddings: Sequence[Embedding]) -> None:
    """Write embeddings of one run, coordinates rounded to what a picture can show (a thousandth of its width).

    Raises:
        ValueError: there is none, or they are not of the same rows.
    """
    if not embeddings:
        raise ValueError("write_embeddings: embeddings is empty; leave the file out instead.")
    first = embeddings[0]
    for other in embeddings[1:]:
        if (other.labels.tolist(), other.split.tolist()) != (first.labels.tolist(), first.split.tolist()):
            raise ValueError(
                f"write_embeddings: embeddings must be of the same rows, those of {first.place!r} and "
                f"{other.place!r} differ."
            )
    places = [
        {"place": e.place, "method": e.method, "perplexity": e.perplexity}
        | {axis: _rounded(e.points[:, number].tolist()) for number, axis in enumerate("xy")}
        for e in embeddings
    ]
    content = json_values({"labels": first.labels.tolist(), "split": first.split.tolist(), "places": places})
    write_atomic(path, (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode())


def parse_embeddings(content: Mapping[str, Any], *, where: Path) -> list[Embedding]:
    """The embeddings in what `write_embeddings` wrote.

    Args:
        content: the file's JSON object.
        where: the file, for messages.

    Raises:
        ValueError: the file is damaged.
    """
    import numpy as np

    check_form(content, _FORM, where=where)
    try:
        labels, split = np.array(content["labels"], np.int64), np.array(content["split"], np.str_)
        found = [
            Embedding(
                str(place["place"]),
                str(place["method"]),
                np.array([place["x"], place["y"]], np.float32).T,
                labels,
                split,
                place.get("perplexity"),
            )
            for place in content["places"]
        ]
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{where} is damaged: {type(error).__name__}: {error}.") from error
    if any(e.points.shape != (len(labels), 2) or split.shape != labels.shape for e in found):
        raise ValueError(f"{where} is damaged: its columns differ in length.")
    if not found:
        raise ValueError(f"{where} is damaged: it holds no place.")
    return found


def _rounded(values: list[float]) -> list[float]:
    finite = [value for value in values if math.isfinite(value)]
    span = max(finite) - min(finite) if finite else 0.0
    decimals = 3 - math.floor(math.log10(span)) if span > 0 else 6
    return [round(value, decimals) if math.isfinite(value) else value for value in values]
