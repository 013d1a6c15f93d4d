"""Figures of plain numbers; those of the report's own words are tested with the report."""

import math

import pytest

from infotorch.figures.curves import Curve, Stage, curves_figure
from infotorch.figures.demonstration import Curves, Heat, read_drawing
from infotorch.figures.embeddings import embedding_figure
from infotorch.figures.ib_curve import ib_curve_figure
from infotorch.figures.style import look, plain, short


def test_no_two_lines_of_a_hundred_share_a_colour():
    assert len({look(index)[0] for index in range(100)}) == 100


def test_numbers_have_six_digits_and_names_no_markup():
    assert short(math.pi * 1e6) == 3141590.0
    assert plain("<b>x</b> & 'y'") == "&lt;b&gt;x&lt;/b&gt; &amp; 'y'"


def test_values_are_scaled_and_every_second_stage_is_a_band():
    curve = Curve("bp", "validation", 0, True, False, [1.0, 2.0], [0.25, None])
    stages = [Stage(0.0, 1.0, "fc1"), Stage(1.0, 2.0, "a name that is too long")]
    figure = curves_figure([curve], x_title="step", y_title="%", times=100.0, stages=stages)
    assert list(figure.data[0].y) == [25.0, None]
    assert [shape.x0 for shape in figure.layout.shapes] == [1.0]
    assert [note.text for note in figure.layout.annotations] == ["fc1", "stage 2"]


@pytest.mark.parametrize(("ys", "kind"), [([1.0, 0.01], "log"), ([1.0, 0.5], None), ([0.0, 1.0], None)])
def test_an_axis_is_logarithmic_over_more_than_a_decade_alone(ys, kind):
    curve = Curve("bp", "", 0, True, False, [1.0, 2.0], ys)
    axis = curves_figure([curve], x_title="", y_title="", log_y=True).layout.yaxis
    assert (axis.type, axis.exponentformat) == (kind, "power")


def test_the_dashes_of_an_ib_curve_stand_at_the_entropy_of_the_label():
    point = {"beta": 1.0, "mi_xt": 2.0, "mi_ty": 0.5, "mi_xt_error": math.nan, "mi_ty_error": math.nan}
    _, dashes = ib_curve_figure([point, {**point, "mi_xt": math.nan}], math.log(2)).data
    assert list(dashes.x) == [0, math.log(2), 2.0]
    assert list(dashes.y) == [0, math.log(2), math.log(2)]


def test_what_a_demonstration_wrote_is_what_is_drawn():
    lines = Curves("t", "x", "y", {"one": ([1.0, 2.0], [0.5, None])}, log_x=True, spreads={"one": [0.1, 0.2]})
    (trace,) = lines.figure().data
    assert (list(trace.y), list(trace.error_y.array)) == ([0.5, None], [0.1, 0.2])
    with pytest.raises(TypeError, match="read_drawing: kind must be curves or heat, got 'pie'"):
        read_drawing({"kind": "pie"})
    with pytest.raises(TypeError, match="value_label"):
        read_drawing({"kind": "heat", "title": ""})
    assert Heat("m", "a", "b", "bits", [0.0], [0.0], [[None]]).figure().data[0].z[0][0] is None


def test_more_classes_than_colours_are_refused():
    with pytest.raises(ValueError, match="embedding_figure: classes must be at most 10, got 11"):
        embedding_figure(None, None, None, range(11), equal_axes=True)  # pyright: ignore[reportArgumentType]
