"""A diagnosis drawn: how far layers are compressed under noise, and what changes of the input do to decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infotorch.figures.matrix import matrix_figure
from infotorch.figures.style import blank_figure, look, places, plain, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def compression_figure(content: Mapping[str, Any], order: Sequence[str] = ()) -> Figure | None:
    """I(X; T + noise) against the noise, a colour a layer, with log n as a line; None where it was not measured.

    Args:
        content: `Diagnosis.as_dict`.
        order: of the layers of several figures, in which each keeps its colour.
    """
    layers = [layer for layer in content["layers"] if layer["compression"]]
    if not layers:
        return None
    figure = blank_figure(height=300)
    looks = places((layer["name"] for layer in content["layers"]), order)
    for layer in layers:
        noisy = layer["compression"]["noisy"]
        _add_line(
            figure,
            looks[layer["name"]],
            layer["name"],
            [b["relative_noise"] for b in noisy],
            [b["upper"] for b in noisy],
        )
    ceiling = layers[0]["compression"]["ceiling"]
    figure.add_hline(y=ceiling, line={"dash": "dot", "width": 1}, annotation_text="log n")
    figure.update_xaxes(title_text="noise, in units of the layer's spread", type="log")
    figure.update_yaxes(title_text="I(X; T + ε) at most, nats", rangemode="tozero")
    return figure


def similarity_figure(content: Mapping[str, Any]) -> Figure | None:
    """How alike the layers are, 0 to 1, as a heat map; None where it was not measured.

    Args:
        content: `Diagnosis.as_dict`.
    """
    found = content.get("similarity")
    if not found:
        return None
    names = [layer["name"] for layer in content["layers"]]
    cells = np.array([[np.nan if value is None else value for value in row] for row in found])
    told = [[f"CKA {value:.3f}" for value in row] for row in cells]
    return matrix_figure(cells, names, told=told, title="CKA", most=1.0)


def robustness_figure(content: Mapping[str, Any], kind: str, order: Sequence[str] = ()) -> Figure | None:
    """Accuracy over the size of one kind of change, a colour a layer; None where no layer has it.

    Args:
        content: `Diagnosis.as_dict`.
        kind: of change: "gaussian", "affine", "fgsm" or "pgd".
        order: as for `compression_figure`.
    """
    judged = [(layer["name"], layer["robustness"]) for layer in content["layers"] if layer["robustness"]]
    judged += [("the network itself", content["robustness"])] if content["robustness"] else []
    curves = [(name, found, c) for name, found in judged for c in found["curves"] if c["kind"] == kind]
    if not curves:
        return None
    figure = blank_figure(height=300)
    looks = places([*(layer["name"] for layer in content["layers"]), "the network itself"], order)
    for name, found, curve in curves:
        accuracy = [100 * value for value in (found["accuracy"], *curve["accuracy"])]
        _add_line(figure, looks[name], name, [0.0, *curve["sizes"]], accuracy)
    unit = "share of the largest change" if kind == "affine" else "size, in units of the input's deviation"
    figure.update_xaxes(title_text=unit, rangemode="tozero")
    figure.update_yaxes(title_text="accuracy, %", rangemode="tozero")
    return figure


def _add_line(figure: Figure, place: int, name: str, xs: Sequence[float], ys: Sequence[float]) -> None:
    colour, mark = look(place)
    figure.add_scatter(
        x=[short(x) for x in xs],
        y=[short(y) for y in ys],
        name=plain(name),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"symbol": mark, "size": 6},
        hovertemplate=plain(name) + ": %{y:.4g} at %{x:.3g}<extra></extra>",
    )
