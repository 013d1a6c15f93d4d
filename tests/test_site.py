"""What stands between the pages as they are written and as Sphinx reads them; `make docs` builds them."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = loaded(DOCS / "extensions" / "links.py")
docstrings = loaded(DOCS / "extensions" / "docstrings.py")
build = loaded(DOCS / "build.py")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[cuts](cuts.md#what)", "[cuts](cuts.md#what)"),
        ("[R](../RESULTS.md)", "[R](tables.md)"),
        ("[few](../examples/few_labels.py)", "[few](gallery.md#few-labels)"),
        ("[ranges](../results/milr-mnist.ranges.json)", "ranges (`results/milr-mnist.ranges.json`)"),
        ("[`results/a.json`](../results/a.json)", "`results/a.json`"),
        ("[far](https://example.org/a)", "[far](https://example.org/a)"),
        ("a <!-- numbers: demo bp -->`bp` 1<!-- end --> b", "a `bp` 1 b"),
    ],
)
def test_a_link_leads_to_a_page_or_names_a_file(written, read):
    assert links.expanded(written, "docs/page.md", ROOT) == read


def test_what_is_included_keeps_its_links(tmp_path):
    (tmp_path / "docs" / "results").mkdir(parents=True)
    text = "# Title\n\n## One\n\n[b](b.md) [page](../page.md) ![p](p.svg)\n\n## Two\n\nno\n"
    (tmp_path / "docs" / "results" / "a.md").write_text(text)
    page = "before\n\n```{include} results/a.md\n:start-after: ## One\n:end-before: ## Two\n```\n\nafter\n"
    read = links.expanded(page, "docs/page.md", tmp_path)
    assert read.split() == "before [b](results/b.md) [page](page.md) ![p](results/p.svg) after".split()
    with pytest.raises(ValueError, match="has no line that begins with '## Three'"):
        links.expanded(page.replace("## Two", "## Three"), "docs/page.md", tmp_path)


def test_signs_of_a_docstring_are_text_and_its_example_is_left_alone():
    lines = [
        "`Objective`s",
        "`ksg` of n_x rows, `k + 1` times, * |p|",
        "",
        "Returns:",
        "    No bound: low.",
        "",
        ">>> f(*a_)",
        "`a`",
    ]
    assert docstrings.read(lines) == [
        r":py:obj:`Objective`\ s",
        r":py:obj:`ksg` of n_x rows, ``k + 1`` times, \* \|p\|",
        *("", "Returns:", "    : No bound: low.", "", ">>> f(*a_)", "`a`"),
    ]


def test_what_a_page_would_load_from_the_network_is_found(tmp_path):
    (tmp_path / "good.html").write_text('<a href="https://a.org">a</a><script src="_static/a.js"></script>')
    assert build.network_loads(tmp_path) == []
    (tmp_path / "bad.html").write_text('<script defer src="https://a.org/a.js"></script><img src="//b.org/c.png">')
    (tmp_path / "bad.css").write_text("@font-face { src: url('https://a.org/f.woff2') }")
    assert [load.partition(":")[0] for load in build.network_loads(tmp_path)] == ["bad.css", "bad.html", "bad.html"]


def test_every_example_is_in_the_gallery_with_its_output():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert set(re.findall(r"\{literalinclude\} \.\./examples/(\w+)\.py", page)) == names
    assert {path.stem for path in (DOCS / "gallery").glob("*.txt")} == names
    pictures = {path.name for path in (DOCS / "gallery").glob("*.svg")}
    assert set(re.findall(r"\(gallery/([\w]+\.svg)\)", page)) == pictures


def test_no_block_of_code_stands_where_no_test_looks():
    below = [path for path in DOCS.rglob("*.md") if path.parent != DOCS and "_build" not in path.parts]
    assert all("```python" not in path.read_text(encoding="utf-8") for path in below)


def test_every_page_is_in_the_menu():
    menu = re.findall(r"^(?:.+ <)?([\w/-]+)>?$", (DOCS / "index.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {path.stem for path in DOCS.glob("*.md")} - {"index"} <= set(menu)
