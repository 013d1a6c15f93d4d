import re
from pathlib import Path

import pytest

from infotorch.records.collecting import collect
from infotorch.report.pages import page_text, write_pages

ROOT = Path(__file__).parents[2]
TABLES = sorted((ROOT / "docs/results").glob("*.md"))
PAGES = [ROOT / "RESULTS.md", ROOT / "docs/verdicts.md", *TABLES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_and_the_files_of_its_tables_say_the_same(page):
    text = page.read_text(encoding="utf-8")
    written, drawings = page_text(text, page, ROOT / "results")
    assert written == text, "run `make results`"
    assert all(path.read_bytes() == content for path, content in drawings.items()), "run `make results`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for path, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", text)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE) if anchor else []
        assert not anchor or anchor in {title.lower().replace(" ", "-") for title in titles}, anchor


def test_every_table_has_a_page_and_every_page_is_named():
    tables = {path.name.removesuffix(".curves.jsonl.gz") for path in (ROOT / "results").glob("*.curves.jsonl.gz")}
    named = set(re.findall(r"docs/results/([\w-]+)\.md", PAGES[0].read_text(encoding="utf-8")))
    assert tables <= named
    assert named == {page.stem for page in TABLES}


def test_the_results_stay_small():
    files = [path for path in (ROOT / "results").iterdir() if path.is_file()]
    assert len(files) < 120
    assert sum(path.stat().st_size for path in files) < 12e6


@pytest.fixture
def results(make_run, tmp_path):
    """A table of two seeds, one more of other settings."""
    places = [make_run("demo", "bp", seed, metrics={"test_accuracy": 0.5 + seed / 10}).directory for seed in (0, 1)]
    collect(places, out=tmp_path / "results")
    return tmp_path / "results"


def test_only_what_stands_between_markers_is_written(results, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Before <!-- numbers: demo bp -->old<!-- end --> after.\n\n<!-- table: demo --><!-- end -->\n\nBy hand.\n"
    )
    assert write_pages([page], results) == [page]
    text = page.read_text()
    assert "Before <!-- numbers: demo bp -->test accuracy, %: `bp` 55.00 ± 5.00" in text
    assert "| bp | – | 55.00 ± 5.00 (n = 2) |" in text
    assert "[runs](results/demo.json), [curves](results/demo.curves.jsonl.gz)." in text
    assert text.endswith("<!-- end -->\n\nBy hand.\n")
    assert write_pages([page], results) == []


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("<!-- tables: demo --><!-- end -->", "a marker must be one of table, numbers, .*, got 'tables'"),
        ("<!-- table: dem --><!-- end -->", r"dem\.json does not exist"),
        ("<!-- table: demo epochs=7 --><!-- end -->", r"demo\.json has no run with epochs=7"),
        ("<!-- numbers: demo bq --><!-- end -->", r"demo\.json has no variant bq"),
        ("<!-- fresh: demo bp/bp --><!-- end -->", r"demo\.json: fresh must name the first fresh seed, as from=3"),
        ("<!-- fresh: demo bp/bp from=2 --><!-- end -->", r"demo\.json: bp and bp have no seed from 2 on in common"),
        ("<!-- embeddings: demo bp --><!-- end -->", r"demo\.json has no embeddings of bp"),
        ("<!-- table: demo -->", "1 markers begin and 0 end"),
    ],
)
def test_a_wrong_marker_is_named(results, tmp_path, marker, message):
    with pytest.raises(ValueError, match=message):
        page_text(marker, tmp_path / "page.md", results)
