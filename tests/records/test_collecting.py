import gzip
import json
import shutil

import numpy as np
import pytest

from infotorch.records.collecting import collect
from infotorch.records.embedding import Embedding
from infotorch.records.finding import find_runs
from infotorch.records.outcome import Outcome
from infotorch.records.run_record import RunRecord
from infotorch.records.searches import read_searches
from infotorch.records.table_file import TableFile, curves_file

SETTINGS = {"title": "Digits", "data": {"name": "digits", "limit": None}, "plan": {"options": {}}, "epochs": 5}
PUBLISHED = {"test_accuracy": {"value": 0.5, "source": "Table 1"}}


def make(folder, variant="bp", seed=0, *, status="completed", accuracy=0.5, started=None, **settings):
    """A run directory whose loss is a number that no decimal text of six digits holds."""
    record = RunRecord(folder)
    started = started or f"2026-01-0{seed + 1}T00:00:00"
    recipe = {"name": "demo", "variant": variant, **SETTINGS, "published": PUBLISHED, **settings, "seed": seed}
    record.begin(recipe, {"torch": "2.13.0", "started": started})
    for epoch in (1, 2):
        record.append({
            "epoch": epoch,
            "train_loss": 0.1 + 0.2 * epoch + seed,
            "name": "I(X; T) ≥",
            "nan": float("nan"),
        })
    if status is not None:
        metrics = {"test_accuracy": accuracy, "train_accuracy": float("nan")}
        record.finish(
            Outcome(status, "", str(recipe["name"]), variant, seed, metrics, PUBLISHED, 1.25 + seed, {"peak": 10})
        )
    return record


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def runs(tmp_path):
    """Two variants of two seeds, one variant of other settings too, with a search, an embedding and a picture."""
    for seed in (0, 1):
        make(tmp_path / f"runs/bp/seed-{seed}", seed=seed)
        make(tmp_path / f"runs/best/seed-{seed}", "best", seed, plan={"options": {"X": {"k": 1}}})
        make(tmp_path / f"runs/long/seed-{seed}", seed=seed, epochs=50, started=f"2026-02-0{seed + 1}")
    record = RunRecord(tmp_path / "runs/best/seed-0")
    labels, split = np.array([0, 1]), np.array(["train", "train"])
    record.write_embeddings([Embedding("fc1", "t-SNE", np.array([[0.0, 1.0], [2.0, 3.0]], np.float32), labels, split)])
    record.write_picture(b"\x89PNG")
    record.write_demonstration({"claims": [], "figures": [{"xs": [0.1, None]}]})
    (record.directory / "checkpoint").mkdir()
    (record.directory / "tuning").mkdir()
    (record.directory / "tuning/trials.jsonl").write_text('{"trial": 0, "settings": {"lr": 0.1}, "mean": 0.5}\n')
    return tmp_path / "runs"


def test_every_file_of_every_run_is_given_back(runs, tmp_path):
    [table] = collect([runs], out=tmp_path / "out")
    assert (table.path, table.added, table.kept) == (tmp_path / "out/demo.json", 6, 0)
    names = ["demo.best-seed-0.png", "demo.curves.jsonl.gz", "demo.json", "demo.searches.jsonl"]
    assert sorted(files_of(tmp_path / "out")) == names
    collected = find_runs(table.path)
    originals = find_runs(runs)
    assert len(collected) == 6
    for run, original in zip(collected, originals, strict=True):
        assert run.files() == original.files()
        for name in original.files():
            kept, written = run.read(name), original.read(name)
            assert json.loads(kept) == json.loads(written) if name.endswith(".json") else kept == written
        assert run.metrics() == original.metrics()
        assert run.outcome() == original.outcome()
        assert list(run.outcome().metrics) == list(original.outcome().metrics)
        assert [e.points.tolist() for e in run.embeddings()] == [e.points.tolist() for e in original.embeddings()]
    assert read_searches(table.path) == {"best": [{"trial": 0, "settings": {"lr": 0.1}, "mean": 0.5}]}


def test_doing_it_twice_and_in_another_order_makes_the_same_bytes(runs, tmp_path):
    collect([runs], out=tmp_path / "out")
    first = files_of(tmp_path / "out")
    [again] = collect([runs], out=tmp_path / "out")
    assert (again.added, again.kept) == (0, 6)
    assert files_of(tmp_path / "out") == first
    for folder in sorted(runs.glob("*/*"), reverse=True):
        collect([folder], out=tmp_path / "one-by-one")
    assert files_of(tmp_path / "one-by-one") == first
    collect([tmp_path / "out/demo.json"], out=tmp_path / "from-file")
    assert files_of(tmp_path / "from-file") == {k: v for k, v in first.items() if k != "demo.searches.jsonl"}


def test_what_runs_share_stands_once_and_other_settings_of_a_variant_beside_it(runs, tmp_path):
    collect([runs], out=tmp_path)
    content = json.loads((tmp_path / "demo.json").read_text())
    assert content["shared"]["recipe"]["data"] == {"name": "digits", "limit": None}
    own = [(row["recipe"]["variant"], row["recipe"].get("epochs")) for row in content["rows"]]
    assert own == [("best", 5), ("bp", 5), ("bp", 50)]
    assert [len(row["runs"]) for row in content["rows"]] == [2, 2, 2]
    assert str(find_runs(tmp_path / "demo.json")[-1].directory).endswith("demo.json/bp-2/seed-1")


def test_the_compressed_curves_have_no_date_and_stay_readable_line_by_line(runs, tmp_path):
    collect([runs], out=tmp_path)
    packed = (tmp_path / "demo.curves.jsonl.gz").read_bytes()
    assert packed[4:8] == bytes(4)
    lines = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    assert {"run": "bp/seed-0", "file": "metrics.jsonl", "lines": 2} in lines


def test_files_that_are_not_wanted_stay_out(runs, tmp_path):
    collect([runs], out=tmp_path / "out", without=["embeddings.json", "denoised.png"])
    [run] = [run for run in find_runs(tmp_path / "out") if "demonstration.json" in run.files()]
    assert run.embeddings() == []
    assert run.picture() is None
    collect([runs], out=tmp_path / "out")  # and come when they are
    assert len(find_runs(tmp_path / "out")[0].embeddings()) == 1


def test_a_run_that_a_directory_and_the_file_beside_it_hold_comes_once(runs, tmp_path):
    collect([runs / "bp"], out=runs)
    assert len(find_runs(runs)) == 6
    shutil.rmtree(runs / "bp")
    assert len(find_runs(runs)) == 6


def other_numbers(runs):
    make(runs / "bp/seed-1", seed=1, accuracy=0.75)


def other_curves(runs):
    RunRecord(runs / "bp/seed-1").append({"epoch": 3})


def unfinished(runs):
    make(runs / "new", seed=2, status=None)


def interrupted(runs):
    make(runs / "new", seed=2, status="interrupted")


def damaged_outcome(runs):
    (runs / "bp/seed-1/outcome.json").write_text('{"status": ')


def damaged_line(runs):
    (runs / "bp/seed-1/metrics.jsonl").write_text('{"epoch": 1}\n[2]\n')


def cut_short(runs):
    (runs / "bp/seed-1/metrics.jsonl").write_text('{"epoch": 1}\n{"ep')


def another_search(runs):
    (runs / "best/seed-0/tuning/trials.jsonl").write_text('{"trial": 0, "mean": 0.25}\n')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_numbers, r"demo\.json holds bp, seed 1 with these settings already, and .*outcome\.json differs"),
        (other_curves, r"holds bp, seed 1 .*metrics\.jsonl differs\. Keep one of the two"),
        (unfinished, r"new is not finished: it has no outcome\.json\. Go on with --resume"),
        (interrupted, r"new is not finished: its status is 'interrupted'"),
        (damaged_outcome, r"outcome\.json is damaged"),
        (damaged_line, r"metrics\.jsonl, line 2, is damaged: expected a JSON object"),
        (cut_short, r"metrics\.jsonl is cut short"),
        (another_search, r"demo\.searches\.jsonl holds another search of best"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(runs, tmp_path, change, message):
    collect([runs], out=tmp_path / "out")
    before = files_of(tmp_path / "out")
    make(runs / "good", "good")  # would fit, and is not written either
    change(runs)
    with pytest.raises(ValueError, match=message):
        collect([runs], out=tmp_path / "out")
    assert files_of(tmp_path / "out") == before


def test_one_file_takes_one_table(runs, tmp_path):
    make(tmp_path / "runs/other", name="other")
    with pytest.raises(ValueError, match=r"--into takes one table, got runs of demo, other"):
        collect([runs], into=tmp_path / "both.json")
    collect([runs], out=tmp_path)
    with pytest.raises(ValueError, match=r"demo\.json is of table demo, got runs of other"):
        collect([runs / "other"], into=tmp_path / "demo.json")


def test_a_diverged_run_is_a_result(tmp_path):
    make(tmp_path / "run", status="diverged")
    collect([tmp_path / "run"], out=tmp_path)
    assert find_runs(tmp_path / "demo.json")[0].outcome().status == "diverged"


def test_damaged_files_of_a_table_are_named(runs, tmp_path):
    [table] = collect([runs], out=tmp_path)
    curves = curves_file(table.path)
    whole = curves.read_bytes()
    curves.write_bytes(whole[:-20])
    with pytest.raises(ValueError, match=r"demo\.curves\.jsonl\.gz is damaged"):
        find_runs(table.path)[0].metrics()
    curves.write_bytes(gzip.compress(b"{}\n"))
    with pytest.raises(ValueError, match=r"not of the same runs as demo\.json"):
        find_runs(table.path)[0].metrics()
    curves.unlink()
    with pytest.raises(ValueError, match=r"demo\.curves\.jsonl\.gz is missing: it holds the curves of demo\.json"):
        find_runs(table.path)[0].metrics()
    assert find_runs(table.path)[0].outcome() is not None  # the numbers need no curves
    content = json.loads(table.path.read_text())
    del content["shared"]
    table.path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"demo\.json is damaged: KeyError: 'shared'"):
        find_runs(table.path)
    (tmp_path / "list.json").write_text("{}")
    with pytest.raises(ValueError, match=r"list\.json is not a table's file"):
        TableFile(tmp_path / "list.json").runs()
    with pytest.raises(FileNotFoundError, match=r"absent\.json is not a directory, and no table's file"):
        find_runs(tmp_path / "absent.json")


def test_a_damaged_record_of_searches_is_named(tmp_path):
    (tmp_path / "demo.searches.jsonl").write_text('{"search": "bp", "trial": 0}\n{"trial": 1}\n')
    with pytest.raises(ValueError, match=r"demo\.searches\.jsonl, line 2, is damaged: it names no search"):
        read_searches(tmp_path / "demo.json")
