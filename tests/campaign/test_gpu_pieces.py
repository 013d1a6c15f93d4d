"""The pieces for a GPU, on a CPU: every command exists; stopped and resumed, refused, told apart by device."""

import signal
import subprocess

import pytest
import torch

import gpu
from infotorch.commands.options import chosen
from infotorch.records.table_file import TableFile

TINY = gpu.Piece("demo", ("best", "random"), 2, ("epochs=10",))


@pytest.mark.parametrize("name", gpu.PIECES)
def test_every_piece_names_rows_and_settings_that_exist(name):
    piece = gpu.PIECES[name]
    rows = chosen([piece.table], list(piece.variants) or None, list(piece.settings))
    assert [row.variant for row in rows] == list(piece.variants)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_nothing_is_run_in_its_place(capsys, tmp_path):
    assert gpu.main(["--runs", str(tmp_path / "runs")]) == 1
    assert "torch sees no CUDA device here" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert gpu.device_name("cpu") == "cpu"


def test_an_unknown_piece_is_refused(capsys):
    with pytest.raises(SystemExit):
        gpu.main(["cifar11"])
    assert "no piece cifar11; there are cifar10-bp" in capsys.readouterr().err


def test_the_list_says_what_became_of_each(capsys, tmp_path):
    (tmp_path / "cpu" / "vgg16").mkdir(parents=True)
    assert gpu.main(["--list", "--device", "cpu", "--runs", str(tmp_path)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == list(gpu.PIECES)
    assert " begun " in lines["vgg16"]
    assert "not begun" in lines["cifar10-bp"]
    assert "infotorch table cifar10 --variant bp --seeds 3" in lines["cifar10-bp"]


@pytest.mark.parametrize(("after", "expected"), [("finished", "finished"), ("begun", "unfinished")])
def test_a_piece_that_is_asked_to_stop_after_its_last_run_is_finished(monkeypatch, tmp_path, after, expected):
    class Stopping:
        """A table command that ends, at the signal, with the exit code of one that was stopped."""

        stopped = False

        def wait(self, seconds=None):
            if not self.stopped:
                raise subprocess.TimeoutExpired("infotorch", seconds)
            return 130

        def send_signal(self, number):
            self.stopped = number == signal.SIGTERM

    monkeypatch.setattr(gpu, "_infotorch", lambda *arguments: Stopping())
    monkeypatch.setattr(gpu, "state", lambda piece, folder: after)
    assert gpu.run(TINY, tmp_path, "cpu", 0.01) == expected


@pytest.mark.slow
def test_a_piece_goes_on_where_its_time_was_up_and_a_refused_one_keeps_nobody_waiting(tmp_path, monkeypatch, capfd):
    missing = gpu.Piece("milr-imagenet-resnet50", ("best",), 1)
    monkeypatch.setattr(gpu, "PIECES", {"missing": missing, "digits": TINY})
    monkeypatch.setenv("INFOTORCH_DATA", str(tmp_path / "no data"))
    runs, results = tmp_path / "runs" / "cpu", tmp_path / "results" / "cpu"
    calls = 0
    while gpu.state(TINY, runs / "digits") != "finished":
        calls += 1
        assert calls < 10
        gpu.work(["digits"], runs, results, "cpu", 6.0 * calls)  # longer each time: a slow machine ends too
    assert calls > 1
    assert gpu.work(["missing", "digits"], runs, results, "cpu", 60.0) == 1
    assert "missing: failed" in capfd.readouterr().out
    runs_of = {(run.recipe()["variant"], run.recipe()["seed"]) for run in TableFile(results / "demo.json").runs()}
    assert runs_of == {("best", 0), ("best", 1), ("random", 0), ("random", 1)}
    assert not (results / "milr-imagenet-resnet50.json").exists()
