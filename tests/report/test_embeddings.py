from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace

import numpy as np
import pytest

from infotorch.figures.embeddings import CLASS_COLOURS
from infotorch.records.embedding import Embedding
from infotorch.report import write_report
from infotorch.report.embeddings import embeddings_section
from infotorch.report.summaries import summarise


def embedding(place="fc1", *, rows=12, classes=3, method="t-SNE", perplexity=30.0, seed=0):
    generator = np.random.default_rng(seed)
    return Embedding(
        place,
        method,
        generator.normal(scale=40.0, size=(rows, 2)).astype(np.float32),
        np.arange(rows) % classes,
        np.repeat(["train", "test"], [rows // 2, rows - rows // 2]),
        perplexity,
    )


def network():
    return [embedding("raw data", seed=1), embedding("fc1", seed=2), embedding("out", method="its two columns", seed=3)]


def test_a_record_gives_back_what_it_was_given_but_for_rounding(make_run):
    record, given = make_run(), network()
    record.write_embeddings(given)
    for read, wrote in zip(record.embeddings(), given, strict=True):
        assert (read.place, read.method, read.perplexity) == (wrote.place, wrote.method, wrote.perplexity)
        assert read.labels.tolist() == wrote.labels.tolist()
        assert read.split.tolist() == wrote.split.tolist()
        assert (read.points.dtype, read.points.shape) == (np.float32, (12, 2))
        for axis in (0, 1):  # half of a thousandth of the axis's span, at worst
            error = np.abs(read.points[:, axis] - wrote.points[:, axis]).max()
            assert error <= 5e-4 * np.ptp(wrote.points[:, axis])


class TestSilhouette:
    def of(self, points, labels):
        points = np.array(points, np.float32)
        return Embedding("fc1", "t-SNE", points, np.array(labels), np.array(["test"] * len(labels))).silhouette()

    def test_it_is_the_definition(self):
        """Each point: (b - a) / max(a, b), a to its own class and b to the other; here a = 1 and b is a mean of two."""
        apart = (10 + 101**0.5) / 2
        assert self.of([[0, 0], [0, 1], [10, 0], [10, 1]], [0, 0, 1, 1]) == pytest.approx(1 - 1 / apart, abs=1e-6)

    def test_classes_that_lie_over_each_other_have_none(self):
        points = np.random.default_rng(0).normal(size=(400, 2))
        assert abs(self.of(points, np.arange(400) % 2)) < 0.02

    def test_points_without_a_class_do_not_count(self):
        four = [[0, 0], [0, 1], [10, 0], [10, 1]]
        assert self.of([*four, [500, 500]], [0, 0, 1, 1, -1]) == self.of(four, [0, 0, 1, 1])

    @pytest.mark.parametrize(
        ("points", "labels"),
        [
            ([[0, 0], [0, 1], [1, 1]], [0, 0, 0]),
            ([[0, 0], [0, 1], [1, 1]], [0, 1, 2]),
            ([[0, 0], [0, 1], [np.nan, 1]], [0, 0, 1]),
            ([[0, 0], [0, 1]], [-1, -1]),
        ],
    )
    def test_there_is_none_of_one_class_of_points_alone_or_not_finite(self, points, labels):
        assert self.of(points, labels) is None


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_rounding_follows_the_scale(make_run, scale):
    record, given = make_run(), embedding()
    given = replace(given, points=given.points * np.float32(scale))
    record.write_embeddings([given])
    np.testing.assert_allclose(record.embeddings()[0].points, given.points, atol=1e-3 * np.ptp(given.points))


def test_a_thousand_rows_of_eight_places_stay_below_200_kilobytes(make_run):
    record = make_run()
    record.write_embeddings([embedding(f"module {n}", rows=1000, seed=n) for n in range(8)])
    assert (record.directory / "embeddings.json").stat().st_size < 200_000


def test_points_that_are_not_finite_survive_as_null_and_are_not_drawn(make_run):
    record, given = make_run(), embedding(method="not finite", perplexity=None)
    given.points[:] = math.nan
    record.write_embeddings([given])
    text = (record.directory / "embeddings.json").read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))["places"][0]["x"] == [None] * 12
    [read] = record.embeddings()
    assert np.isnan(read.points).all()
    assert all(len(trace.x) == 0 for trace in read.figure([0, 1, 2]).data)


def test_a_run_without_pictures_has_none_and_a_run_begun_again_forgets_them(make_run):
    record = make_run()
    assert record.embeddings() == []
    record.write_embeddings(network())
    record.begin(record.recipe(), {})
    assert record.embeddings() == []


def test_a_failed_write_leaves_the_old_file(make_run, monkeypatch):
    record = make_run()
    record.write_embeddings(network())

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        record.write_embeddings([embedding("other")])
    assert [read.place for read in record.embeddings()] == ["raw data", "fc1", "out"]


def test_what_cannot_be_written_is_refused(make_run):
    record = make_run()
    with pytest.raises(ValueError, match="embeddings is empty"):
        record.write_embeddings([])
    with pytest.raises(ValueError, match="same rows, those of 'fc1' and 'fc2' differ"):
        record.write_embeddings([embedding("fc1"), embedding("fc2", classes=2)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: "[]", "expected a JSON object"),
        (lambda content: json.dumps({"places": []}), "labels is missing"),
        (lambda content: json.dumps(content | {"labels": ["a"] * 12}), r"labels\[0\] must be a whole number, got 'a'"),
        (lambda content: json.dumps(content | {"labels": [0]}), "columns differ in length"),
        (lambda content: json.dumps(content | {"split": ["train"]}), "columns differ in length"),
        (lambda content: json.dumps(content | {"places": [3]}), r"places\[0\] must be an object, got 3"),
        (lambda content: json.dumps(content | {"places": []}), "holds no place"),
    ],
)
def test_a_damaged_file_is_named(make_run, tmp_path, change, message):
    record = make_run(metrics={"test_accuracy": 0.9})
    record.write_embeddings(network())
    path = record.directory / "embeddings.json"
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(ValueError, match=rf"embeddings\.json is damaged: .*{message}"):
        write_report([record.directory], tmp_path / "report.html")


def test_a_panel_shows_every_row_once_in_its_class_and_split():
    given = embedding()
    figure = given.figure([0, 1, 2])
    drawn = set()
    for trace in figure.data:
        label, split = re.fullmatch(r"class (\d+), (\w+)<extra></extra>", trace.hovertemplate).groups()
        assert trace.marker.color == CLASS_COLOURS[int(label)]
        assert trace.marker.symbol == {"train": "circle", "test": "circle-open"}[split]
        drawn |= {(x, y, int(label), split) for x, y in zip(trace.x, trace.y, strict=True)}
    rows = zip(given.points.tolist(), given.labels.tolist(), given.split.tolist(), strict=True)
    assert drawn == {(float(f"{x:.6g}"), float(f"{y:.6g}"), label, split) for (x, y), label, split in rows}


def test_only_the_axes_of_a_tsne_have_one_scale():
    assert embedding().figure([0]).layout.yaxis.scaleanchor == "x"
    assert embedding(perplexity=None).figure([0]).layout.yaxis.scaleanchor is None


def section(records, unfolded=True):
    specs: list[str] = []
    return embeddings_section(summarise(records), specs, unfolded), specs


def test_the_section_has_a_panel_for_each_place_in_the_order_of_the_network(make_run):
    record = make_run()
    record.write_embeddings(network())
    text, specs = section([record])
    captions = re.findall(r"<figcaption>(.*?)<span>(.*?)</span>", text)
    apart = [f"silhouette {one.silhouette():.2f}" for one in record.embeddings()]
    made = ["t-SNE", "t-SNE", "its two columns"]
    assert captions == [(e.place, f"{how}; {far}") for e, how, far in zip(network(), made, apart, strict=True)]
    assert len(specs) == 3
    assert "6 train samples (dots), 6 test samples (rings); perplexity 30." in text
    assert "distances between clusters, and the clusters' sizes, mean nothing" in text


def test_the_first_completed_seed_of_each_variant_is_shown_and_the_others_are_named(make_run):
    records = [
        make_run(variant=v, seed=s, status=status)
        for v, s, status in (
            ("a", 0, "diverged"), ("a", 2, "completed"), ("a", 1, "completed"), ("b", 0, "completed"), ("c", 0, None),
        )
    ]  # fmt: skip
    for record in records[:-1]:
        record.write_embeddings([embedding()])
    text, specs = section(records, unfolded=False)
    shown = re.findall(r"<summary>(\w+)<span class=quiet>(.*?)</span>", text)
    assert shown == [("a", "seed 1; seeds not shown: 0, 2"), ("b", "seed 0")]
    assert len(specs) == 2
    assert re.findall(r"<details class=variant( open)?>", text) == [" open", ""]  # the first shows what the others hold


def test_beyond_ten_classes_and_without_a_class_rows_are_grey_and_the_key_says_so(make_run):
    record, given = make_run(), embedding(rows=60, classes=12)
    given.labels[given.labels == 3] = -1
    record.write_embeddings([given])
    text, _ = section([record])
    key = re.findall(r"</i>(.*?)</li>", text)
    assert key == ["0", "1", "2", "4", "5", "6", "7", "8", "9", "10", "other classes and no class"]
    figure = given.figure([0, 1])
    greys = {trace.hovertemplate.split(",")[0] for trace in figure.data if trace.marker.color not in CLASS_COLOURS}
    assert greys == {"no class", *(f"class {label}" for label in (2, *range(4, 12)))}


def test_runs_without_pictures_have_no_section(make_run):
    assert section([make_run()]) == ("", [])


def test_the_page_holds_the_pictures_and_their_text_stays_text(make_run, tmp_path):
    record = make_run(metrics={"test_accuracy": 0.9})
    record.write_embeddings([embedding("<img src=x>", method="<b>")])
    page = write_report([record.directory], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h3>t-SNE of the raw data and of every module</h3>" in page
    assert "&lt;img src=x&gt;<span>&lt;b&gt;; silhouette" in page
    assert "<img src=x>" not in page
