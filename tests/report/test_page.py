from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord
from infotorch.report import write_report

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


PACKED = re.compile(r'(?<=id="plotly">)[A-Za-z0-9+/=]+')
FIGURES = re.compile(r'(?<=id="figures">)[A-Za-z0-9+/=]+')


def own_text(page: Path) -> str:
    return PACKED.sub("", page.read_text(encoding="utf-8"))


def test_the_figures_data_travel_compressed(report):
    text = own_text(report)
    [packed] = FIGURES.findall(text)
    specs = gzip.decompress(base64.b64decode(packed))
    assert len(json.loads(specs)) == text.count("<figure>")
    assert len(packed) < 0.5 * len(specs)


def test_the_page_holds_every_number(report):
    text = own_text(report)
    for shown in ("85.78", "87.94", "± 0.25", "88.54", "66.0", "101 s", "11.48", "21.35", "21.66", "0.04", "1.930"):
        assert shown in text, shown
    assert "24 runs of 2 recipes in 9 variants: 21 completed" in text
    assert "Made 2025-05-02 10:11 UTC" in text


def test_the_page_names_the_runs_that_did_not_complete(report):
    section = own_text(report).split("<section id=incomplete>")[1].split("</section>")[0]
    for shown in ("diverged", "unfinished", "failed", "the loss of fc2 is not finite", "out of memory &lt;8 GiB&gt;"):
        assert shown in section, shown


def test_rows_stand_in_the_order_in_which_the_runs_were_started(report):
    table = own_text(report).split("<table class=summary>")[1].split("</table>")[0]
    names = re.findall(r"<th scope=row>(.*?)</th>", table)
    assert names[:6] == ["ce", "mi-only", "full", "full-bound", "best", "majority"]


def test_the_block_of_a_recipe_says_what_is_better_and_what_the_majority_class_gives(report, make_run, tmp_path):
    assert "test accuracy, %; higher is better; the majority class alone gives 11.35" in own_text(report)
    record = make_run(metrics={"mi_xt_nats": 1.5})
    assert "<span class=quiet>I(X; T), nats</span>" in own_text(write_report([record.directory], tmp_path / "r.html"))


def test_nothing_is_fetched_and_the_page_forbids_it(report):
    text = own_text(report)
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href|action|data|poster)\s*=\s*["']?\s*(?:https?:)?//""", text)
    assert not re.search(r"@import|url\(", text)
    assert "<script src" not in text
    [packed] = PACKED.findall(report.read_text(encoding="utf-8"))
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()


def test_the_page_stays_small(report):
    assert report.stat().st_size < 3_000_000


def test_text_of_a_run_stays_text(make_run, tmp_path):
    nasty = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    lines = [{"step": t, "module": nasty, "train_loss": 1.0 / t, f"train_{nasty}": float(t)} for t in (1, 2)]
    record = make_run(
        variant=nasty.replace("/", "|"),
        title=nasty,
        description=nasty,
        status="failed",
        message=nasty,
        lines=lines,
        folder="nasty",
    )
    text = own_text(write_report([record.directory], tmp_path / "report.html", title=nasty))
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_every_run_can_be_unfinished(make_run, tmp_path):
    text = own_text(write_report([make_run(status=None, lines=[]).directory], tmp_path / "report.html"))
    assert "no run has completed" in text
    assert "before the first line of metrics" in text


def test_all_completed_is_said_and_needs_no_section(make_run, tmp_path):
    record = make_run(metrics={"test_accuracy": 0.9})
    text = own_text(write_report([record.directory], tmp_path / "new" / "report.html"))
    assert "Every run completed." in text
    assert "id=incomplete" not in text
    assert "<h1>The demo table</h1>" in text


def test_a_run_below_two_given_directories_counts_once(make_run, tmp_path):
    record = make_run(metrics={"test_accuracy": 0.9})
    text = own_text(write_report([record.directory, record.directory.parent], tmp_path / "report.html"))
    assert "1 run of 1 recipe in 1 variant." in text


def test_notes_of_a_row_stand_below_the_table(make_run, tmp_path):
    for seed, settings in ((0, {}), (1, {"epochs": 6})):
        make_run(seed=seed, metrics={"test_accuracy": 0.9}, **settings)
    text = own_text(write_report([tmp_path / "runs"], tmp_path / "report.html"))
    assert "Some of the averaged runs are older and do not know all settings (1)." in text


def test_runs_of_other_settings_have_their_own_rows_curves_and_headings(make_run, tmp_path):
    for epochs in (5, 6):
        make_run(metrics={"test_accuracy": 0.9}, epochs=epochs, folder=str(epochs))
    text = own_text(write_report([tmp_path / "runs"], tmp_path / "report.html"))
    assert "2 runs of 1 recipe in 2 variants." in text
    for epochs in (5, 6):
        assert f"<dt>bp, epochs {epochs}</dt>" in text
        assert f"<th scope=row>bp, epochs {epochs}</th>" in text
        assert f"Training of bp, epochs {epochs}, module by module" in text


def test_a_negative_number_has_a_true_minus_sign(make_run, tmp_path):
    record = make_run(metrics={"test_gain_nats": -0.25})
    assert "−0.250" in own_text(write_report([record.directory], tmp_path / "report.html"))


def test_wrong_directories_are_errors(make_run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no run"):
        write_report([tmp_path / "empty"], tmp_path / "report.html")
    with pytest.raises(FileNotFoundError, match="is not a directory"):
        write_report([tmp_path / "absent"], tmp_path / "report.html")
    with pytest.raises(ValueError, match="directories is empty"):
        write_report([], tmp_path / "report.html")
    record = make_run()
    (record.directory / "outcome.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"outcome\.json is damaged"):
        write_report([record.directory], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    profile = f"--user-data-dir={page.parent / 'profile'}"
    more = ["--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=10000"]
    command = [BROWSER, *quiet.split(), *more, profile, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
@pytest.mark.parametrize("width", [1366, 500])
def test_a_browser_draws_the_figures_without_a_complaint(report, width):
    shown = browse(report, f"--window-size={width},900", "--dump-dom")
    figures = own_text(report).count("<figure>")
    visible = shown.stdout.split('<script type="text/plain"')[0]
    assert 'class="main-svg"' in visible
    drawn = visible.count('data-drawn="yes"')
    assert 5 <= drawn <= figures  # the folded ones wait
    assert not re.findall(r"CONSOLE.*", shown.stderr)


# On screen, on paper and back on screen, of every legend: how much of it scrolls, how far it ends above the lower edge
# of its figure, and which share of the width the names leave to the plot.
LOOK_AT_LEGENDS = """<script>
const seen = {};
const withLegend = () => [...document.querySelectorAll(".plot[data-drawn]")].filter((p) => p.querySelector(".legend"));
const look = (medium) => {
  seen[medium] = withLegend().map((place) => {
    const box = (part) => place.querySelector(part).getBoundingClientRect();
    const edge = place.getBoundingClientRect();
    return {
      names: place.querySelectorAll(".legendtext").length,
      hidden: Number(place.querySelector(".legend .scrollbar").getAttribute("height")),
      spare: Math.round(edge.bottom - box(".legend .bg").bottom),
      share: box(".nsewdrag").width / edge.width,
    };
  });
};
setTimeout(() => {
  look("screen");
  for (const event of ["beforeprint", "afterprint"]) { window.dispatchEvent(new Event(event)); look(event); }
  document.title = JSON.stringify(seen);
}, 5000);
</script>"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
@pytest.mark.parametrize("width", [1366, 500])
def test_no_name_of_a_long_legend_is_cut_off(make_run, tmp_path, width):
    for place in range(24):
        make_run(variant=f"a variant with a long name, {place}", metrics={"test_accuracy": 0.9 + place / 1000})
    page = write_report([tmp_path / "runs"], tmp_path / "report.html")
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{LOOK_AT_LEGENDS}</body>"), encoding="utf-8")
    shown = browse(page, f"--window-size={width},900", "--dump-dom").stdout
    seen = json.loads(html.unescape(re.findall(r"<title>(.*?)</title>", shown)[0]))
    for medium in ("screen", "beforeprint", "afterprint"):
        assert max(figure["names"] for figure in seen[medium]) == 24
        for figure in seen[medium]:
            assert figure["hidden"] == 0, (medium, figure)
            assert figure["spare"] >= -1, (medium, figure)
    assert all(figure["share"] > 0.4 for figure in seen["beforeprint"])


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
def test_a_browser_prints_the_page(report, tmp_path):
    browse(report, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'report.pdf'}")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 12


def test_a_folder_whose_name_is_no_utf_8_has_a_page(tmp_path):
    folder = tmp_path / os.fsdecode(b"run\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system takes no such name")
    record = RunRecord(folder)
    record.begin({"name": "demo", "variant": "bp", "seed": 0}, {"started": "2026-01-01"})
    record.finish(Outcome("completed", "", "demo", "bp", 0, {"test_accuracy": 0.75}))
    page = write_report([folder], folder / "report.html")
    assert r"run\udcff" in page.read_text(encoding="utf-8")
