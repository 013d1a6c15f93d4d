"""`infotorch run --devices N`: several processes are one run."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from infotorch.commands.processes import _first_failure, _handing_on, check_processes
from infotorch.numerics.ranks import lost_another
from infotorch.training.devices import join

WORDS = ["run", "demo", "--variant", "mole", "--set", "epochs=12", "--set", "data.limit=300", "--device", "cpu"]
EXACT = ["--set", "precision=64-true"]


def command(*words, **settings):
    return subprocess.Popen([sys.executable, "-m", "infotorch", "--quiet", *words], text=True, **settings)


def ended(*words):
    process = command(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def children(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        return [int(number) for number in file.read().split()]


def begun(directory, process):
    deadline = time.monotonic() + 60
    while not (directory / "metrics.jsonl").exists() or not (directory / "metrics.jsonl").stat().st_size:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
class TestRuns:
    def test_two_processes_give_what_one_gives_and_resume_what_the_other_began(self, tmp_path):
        one, two, mixed = (tmp_path / name for name in ("one", "two", "mixed"))
        assert ended(*WORDS, *EXACT, "--out", str(one))[0] == 0
        code, out, errors = ended(*WORDS, *EXACT, "--devices", "2", "--out", str(two))
        assert (code, errors) == (0, "")
        assert out.count("test_accuracy") == 1
        assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}
        process = command(*WORDS, *EXACT, "--devices", "2", "--out", str(mixed), stderr=subprocess.PIPE)
        begun(mixed, process)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 130
        assert said.count("interrupted after step") == said.count("stopping at the next step boundary") == 1
        assert ended(*WORDS, *EXACT, "--out", str(mixed), "--resume")[0] == 0
        for other in (lines(two), lines(mixed)):
            assert [set(line) for line in other] == [set(line) for line in lines(one)]
            for first, second in zip(lines(one), other, strict=True):
                assert {k: v for k, v in second.items() if not isinstance(v, float)} == {
                    k: v for k, v in first.items() if not isinstance(v, float)
                }
                floats = [key for key, value in first.items() if isinstance(value, float)]
                assert [second[key] for key in floats] == pytest.approx([first[key] for key in floats], abs=1e-9)
        assert json.loads((two / "environment.json").read_text())["processes"] == 2
        assert json.loads((two / "outcome.json").read_text())["isolation"] == "certified"

    @pytest.mark.parametrize("schedule", ["information", "best"])
    def test_rates_that_follow_information_are_those_of_one_process(self, tmp_path, schedule):
        settings = {"epochs": 5, "data.limit": 300, "optimizer.schedule": schedule, "optimizer.lr": 0.01}
        words = ["run", "demo", "--variant", "bp", "--device", "cpu", *EXACT]
        words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        for count in ("1", "2"):
            code, _, errors = ended(*words, "--devices", count, "--out", str(tmp_path / count))
            assert (code, errors) == (0, "")
        for first, second in zip(*(lines(tmp_path / count) for count in ("1", "2")), strict=True):
            assert first.keys() == second.keys()
            for key, value in first.items():
                assert second[key] == (pytest.approx(value, abs=1e-9) if isinstance(value, float) else value)

    @pytest.mark.skipif(sys.platform != "linux", reason="children are read from /proc")
    @pytest.mark.parametrize("number", [0, 1])
    def test_a_killed_process_ends_all_and_the_run_goes_on_bit_for_bit(self, tmp_path, monkeypatch, number):
        whole, killed, scratch = tmp_path / "whole", tmp_path / "killed", tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setenv("TMPDIR", str(scratch))
        assert ended(*WORDS, "--devices", "2", "--out", str(whole))[0] == 0
        process = command(*WORDS, "--devices", "2", "--out", str(killed), stderr=subprocess.PIPE)
        begun(killed, process)
        every = children(process)
        subprocess.run(["kill", "-9", str(every[number])], check=True)
        began = time.monotonic()
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - began < 10
        assert process.returncode == 128 + signal.SIGKILL
        assert f"infotorch: process {number} was ended by signal 9." in errors
        if (killed / "outcome.json").exists():  # the first one was left, and had the time to write it down
            outcome = json.loads((killed / "outcome.json").read_text())
            assert outcome["message"] == "another process of this run has ended; --resume goes on"
        assert not any(
            subprocess.run(["kill", "-0", str(one)], stderr=subprocess.DEVNULL).returncode == 0 for one in every
        )
        assert not list(scratch.glob("infotorch-*"))
        assert ended(*WORDS, "--devices", "2", "--out", str(killed), "--resume")[0] == 0
        assert (killed / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()

    def test_torchrun_is_as_good(self, tmp_path):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        words = [*torchrun, "-m", "infotorch", "--quiet", *WORDS, "--set", "epochs=2", "--out", str(tmp_path / "run")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("test_accuracy") == 1
        assert json.loads((tmp_path / "run" / "environment.json").read_text())["processes"] == 2

    def test_what_the_first_process_refuses_all_refuse_in_one_line(self, tmp_path):
        """They wait to hear from it before they begin."""
        words = [*WORDS, "--set", "epochs=1", "--out", str(tmp_path / "run")]
        assert ended(*words)[0] == 0
        code, out, errors = ended(*words, "--devices", "2", "--resume", "--seed", "4")
        assert (code, out) == (2, "")
        told = f"{tmp_path / 'run'} was begun with other settings (seed); resume needs the same ones."
        assert errors == f"infotorch: {told}\n"

    def test_what_another_process_alone_refuses_is_said(self, tmp_path):
        """The first one hears only that it is gone."""
        words = [*WORDS, "--set", "epochs=2", "--devices", "2", "--out", str(tmp_path / "run")]
        program = tmp_path / "sitecustomize.py"
        program.write_text(REFUSING)
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        process = command(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        _, errors = process.communicate(timeout=120)
        assert process.returncode != 0
        assert "infotorch: process 1: this process alone refuses\n" in errors

    def test_a_damaged_checkpoint_is_named_where_it_is(self, tmp_path):
        words = [*WORDS, "--set", "epochs=1", "--devices", "2", "--out", str(tmp_path / "run")]
        assert ended(*words)[0] == 0
        (tmp_path / "run" / "outcome.json").unlink()
        (tmp_path / "run" / "checkpoint" / "state.pt").write_bytes(b"damaged")
        code, _, errors = ended(*words, "--resume")
        assert code == 2
        (line,) = errors.splitlines()
        assert line.split(" is damaged")[0] == f"infotorch: {tmp_path / 'run' / 'checkpoint' / 'state.pt'}"

    def test_a_process_that_fails_alone_says_why(self, tmp_path):
        program = tmp_path / "program.py"
        program.write_text(FAILING)
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        words = [*torchrun, str(program), "--quiet", *WORDS, "--set", "epochs=2", "--out", str(tmp_path / "run")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert "infotorch: process 1: failed: MemoryError: this process's memory is full\n" in done.stderr
        outcome = json.loads((tmp_path / "run" / "outcome.json").read_text())
        assert outcome["message"] == "another process of this run has ended; --resume goes on"


REFUSING = """
import os

if os.environ.get("RANK") == "1":
    from infotorch.runs import session

    def refuse(*_, **__):
        raise ValueError("this process alone refuses")

    session.Session.run = refuse
"""

FAILING = """
import os
from infotorch.commands.main import main
from infotorch.training.stage import Stage

take = Stage.take

def failing(self, batch, position, **settings):
    if position.steps >= 3 and os.environ["RANK"] == "1":
        raise MemoryError("this process's memory is full")
    return take(self, batch, position, **settings)

Stage.take = failing
main()
"""


def test_a_directory_that_holds_a_run_is_refused_before_processes_start(call, tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    code, out, errors = call("run", "demo", "--devices", "2", "--out", str(tmp_path))
    assert (code, out) == (2, "")
    assert (
        errors
        == f"infotorch: {tmp_path} holds a run already; add --resume to go on with it, or choose another --out.\n"
    )


def test_what_processes_cannot_share_is_refused_before_they_start(call, tmp_path):
    for words, message in (
        (("demo", "--set", "tune=true"), "demo full-bound: several processes do not search; search in one"),
        (("demo", "--device", "cuda:1"), "--device must name a kind, such as cuda, where --devices is 2; got cuda:1"),
        (("why-ib-fails",), "several processes have nothing to share: nothing is trained"),
    ):
        code, _, errors = call("run", *words, "--devices", "2", "--out", str(tmp_path / "run"))
        assert code == 2
        assert message in errors
        assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_devices_are_as_many_as_the_launchers_processes(call, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "3")
    code, _, errors = call("run", "demo", "--devices", "2", "--out", str(tmp_path / "run"))
    assert code == 2
    assert "--devices must be left out, or 3 as the launcher's processes, got 2" in errors


def test_other_commands_refuse_to_be_one_of_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_processes("run", ("run",))
    with pytest.raises(ValueError, match=r"table runs in one process, and WORLD_SIZE=2 says that there are 2"):
        check_processes("table", ("run",))


@pytest.mark.parametrize(("codes", "wanted"), [((0, 0), 0), ((0, 3), 3), ((1, 0), 1)])
def test_the_exit_code_is_that_of_the_first_failure(codes, wanted):
    processes = [subprocess.Popen([sys.executable, "-S", "-c", f"raise SystemExit({code})"]) for code in codes]
    assert _first_failure(processes) == wanted


def test_a_process_joins_with_a_kind_of_device(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("infotorch.training.devices.resolve_device", torch.device)
    with pytest.raises(ValueError, match=r"device: cuda:1 is one, and there are 2 processes; give cuda, or auto"):
        join("cuda:1")
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r"device: 2 processes need as many of cuda, got 1; give fewer, or cpu"):
        join("cuda")


def test_the_third_signal_ends_a_process_that_answers_none():
    """As one does not that waits in a collective for a process which is stuck."""
    script = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-S", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"1\n"
    hand_on = _handing_on([process])
    for _ in range(2):
        hand_on(signal.SIGINT, None)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    hand_on(signal.SIGINT, None)
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()


def test_a_signal_is_told(capfd):
    script = "import os; os.kill(os.getpid(), 9)"
    assert _first_failure([subprocess.Popen([sys.executable, "-S", "-c", script])]) == 128 + 9
    assert capfd.readouterr().err == "infotorch: process 0 was ended by signal 9.\n"


def test_a_lost_process_is_seen_behind_what_a_module_says_of_it():
    gone = RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")
    told = ValueError("module 'fc1' cannot take a tensor")
    told.__cause__ = gone
    assert lost_another(gone)
    assert lost_another(told)
    assert lost_another(torch.distributed.DistNetworkError("failed to recv, got 0 bytes"))
    assert not lost_another(ValueError("gloo"))
    assert not lost_another(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
