"""The GPU's tests, on a CPU: a call goes on where the last one stopped, and failures are told and tried again."""

import json
import re
from pathlib import Path

import pytest
import torch

import gpu_tests

ROOT = Path(__file__).parents[2]
PASSES = "def test_one():\n    pass\n\ndef test_two():\n    pass\n"


def call(tmp_path, *words):
    places = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    return gpu_tests.main(["--device", "cpu", *places, *words])


def lines(tmp_path):
    return (tmp_path / "runs" / "cpu" / "tests.jsonl").read_text(encoding="utf-8").splitlines()


def summary(tmp_path):
    return json.loads((tmp_path / "results" / "cpu" / "tests.json").read_text(encoding="utf-8"))


def test_the_gpus_tests_are_where_they_are_looked_for():
    marked = re.compile(r"mark\.cuda\b")
    here = Path(__file__)
    files = [f for f in (ROOT / "tests").rglob("*.py") if f != here and marked.search(f.read_text(encoding="utf-8"))]
    places = [ROOT / place for place in gpu_tests.TESTS]
    assert files
    assert all(any(file.is_relative_to(place) for place in places) for file in files)
    assert all((ROOT / file).exists() for file in gpu_tests.BENCHMARKS.values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_nothing_is_run_in_its_place(capsys, tmp_path):
    assert gpu_tests.main(["--runs", str(tmp_path / "runs")]) == 1
    assert "torch sees no CUDA device here" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_what_has_passed_is_not_run_again_and_what_failed_is(tmp_path, monkeypatch, capfd):
    file = tmp_path / "test_made_up.py"
    file.write_text(PASSES + "\ndef test_three():\n    assert False, 'no number'\n", encoding="utf-8")
    monkeypatch.setattr(gpu_tests, "TESTS", (str(file),))
    assert call(tmp_path, "-k", "test_one") == 0
    assert [json.loads(line)["outcome"] for line in lines(tmp_path)] == ["passed"]
    assert call(tmp_path, "-k", "test_") == 1
    assert len(lines(tmp_path)) == 3
    assert summary(tmp_path)["passed"] == 2
    ((name, told),) = summary(tmp_path)["failed"].items()
    assert name.endswith("test_three")
    assert "no number" in told
    file.write_text(PASSES + "\ndef test_three():\n    pass\n", encoding="utf-8")
    assert call(tmp_path, "-k", "test_") == 0
    assert len(lines(tmp_path)) == 4
    assert (summary(tmp_path)["passed"], summary(tmp_path)["failed"]) == (3, {})
    assert call(tmp_path, "--list") == 0
    said = capfd.readouterr().out
    assert "tests passed     3" in said
    assert re.search(r"compiled +not begun", said)


@pytest.mark.slow
def test_a_call_ends_when_its_time_is_up_and_keeps_what_was_done(tmp_path, monkeypatch, capfd):
    file = tmp_path / "test_made_up.py"
    file.write_text(PASSES + "\ndef test_long():\n    import time\n    time.sleep(300)\n", encoding="utf-8")
    monkeypatch.setattr(gpu_tests, "TESTS", (str(file),))
    calls = 0
    while len(lines(tmp_path) if calls else []) < 2:  # a busy machine takes long to begin
        calls += 1
        assert calls < 6
        (tmp_path / "runs" / "cpu").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / "cpu" / "tests.jsonl").touch()
        assert call(tmp_path, "-k", "test_", "--minutes", str(0.3 * calls)) == 3
    assert "the time is up" in capfd.readouterr().out
    assert {json.loads(line)["test"].split("::")[1] for line in lines(tmp_path)} >= {"test_one", "test_two"}
    assert "test_long" not in {json.loads(x)["test"].split("::")[1] for x in lines(tmp_path) if "passed" in x}
