import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import infotorch
from infotorch.commands.main import main
from infotorch.data.catalogue import find
from infotorch.figures.page import packed_plotly
from infotorch.records.run_record import RunRecord
from infotorch.training import devices

# 100 rows in batches of 64: 2 steps an epoch.
SMALL = ["--set", "epochs=1", "--set", "data.limit=100", "--device", "cpu"]
WILD = ["--set", "optimizer.name=sgd", "--set", "optimizer.lr=1e20", "--set", "optimizer.schedule=constant"]
COMMANDS = "demo, run, table, sweep, list, measure, diagnose, lr-range, collect, report, log, data"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Every test in a folder of its own, with no data but what is embedded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFOTORCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of subprocesses: small steps wait for nobody


@pytest.fixture
def without_plotly(monkeypatch):
    """An installation without the extra `report`."""
    for name in [name for name in sys.modules if name.split(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    packed_plotly.cache_clear()


def shell(*words, **options):
    return subprocess.run([sys.executable, "-m", "infotorch", *words], capture_output=True, text=True, **options)


WRONG = {
    "rn demo": f"there is no command 'rn'; did you mean run? Allowed: {COMMANDS}.",
    "zzz": f"there is no command 'zzz'; allowed: {COMMANDS}.",
    "--verzion": "there is no option '--verzion'; did you mean --version? "
    "Allowed: --version, --quiet, --install-completion, --show-completion, --help.",
    "data lst": "data: there is no command 'lst'; did you mean list? Allowed: list, get, check.",
    "run": "run: RECIPE is missing: table to take it from: a name from `infotorch list`, or a recipe's file.",
    "table": "table: RECIPE is missing: tables to run: names from `infotorch list`, or recipes' files.",
    "lr-range": "lr-range: RECIPE is missing: table to take it from: a name from `infotorch list`, or a recipe's file.",
    "lr-range demo --trials 0": "lr-range: --trials: input should be greater than or equal to 1, got '0'.",
    "lr-range demo --part x": "lr-range: --part must be a number above 0 and at most 1, got 'x'.",
    "lr-range demo --part 2": "lr-range: --part must be a number above 0 and at most 1, got '2'.",
    "lr-range demo --c1 0": "lr-range: --c1 must be a positive number, got '0'.",
    "lr-range demo --c1 inf": "lr-range: --c1 must be a positive number, got 'inf'.",
    "lr-range demo --c2 much": "lr-range: --c2 must be a positive number, got 'much'.",
    "lr-range demo --rates 0.1,x": "lr-range: --rates must be positive numbers that ascend, such as 0.001,0.01,0.1, "
    "got '0.1,x'.",
    "lr-range demo --rates 0.1,0.01": "lr-range: --rates must be positive numbers that ascend, such as 0.001,0.01,0.1, "
    "got '0.1,0.01'.",
    "lr-range demo --rates ,": "lr-range: --rates must be positive numbers that ascend, such as 0.001,0.01,0.1, "
    "got ','.",
    "lr-range demo --attribute acuracy": "lr-range: there is no attribute 'acuracy'; did you mean accuracy? Allowed: "
    "accuracy, information, loss.",
    "lr-range demo --variant mole": "lr-range: demo mole trains 3 modules, each with a rate of its own; choose a "
    "variant that trains the whole network, such as bp.",
    "measure a.npy": "measure: Y is missing: a second file, or --x and --y, which name columns of one.",
    "measure": re.compile("^measure: X is missing: a .npy, .npz, csv or parquet"),
    "data get": "data get: NAME is missing: a name from `infotorch data list`.",
    "run demo --sed 3": "run: there is no option '--sed'; did you mean --seed or --set? Allowed: --variant, --set, "
    "--seed, --device, --devices, --out, --resume, --quiet, --help.",
    "run demo --seed x": re.compile(r"^run: --seed: input should be a valid integer.*, got 'x'\.$"),
    "run demo --seed -1": "run: --seed: input should be greater than or equal to 0, got '-1'.",
    "run demo --seed 1.5": re.compile(r"^run: --seed: input should be a valid integer.*, got '1.5'\.$"),
    "table demo --seeds 0": "table: --seeds: input should be greater than or equal to 1, got '0'.",
    "demo --seeds many": re.compile(r"^demo: --seeds: input should be a valid integer.*, got 'many'\.$"),
    "run demoo": "there is no recipe 'demoo'; did you mean demo?",
    "table demo demoo": "there is no recipe 'demoo'; did you mean demo?",
    "run demo --variant rnadom": "demo has no variant 'rnadom'; did you mean random?",
    "table demo --variant bp --variant bq": "demo has no variant 'bq'; did you mean bp?",
    "run demo --set epochs": "--set takes key=value, got 'epochs'.",
    "run demo --set epohcs=1": "demo has no setting 'epohcs'; did you mean epochs?",
    "run demo --set optimizer.name=adm": "demo: optimizer.name: there is no value 'adm'; did you mean adam or nadam? "
    "Allowed: adam, adamw, averaged-adam, nadam, adamp, rmsprop, sgd, lars, schedule-free, lookahead-sgd.",
    "run demo --set precision=16": "demo: precision: there is no value '16'; allowed: 32-true, 64-true, bf16-mixed.",
    "run demo --set epochs=0": "demo: epochs: input should be greater than or equal to 1, got 0.",
    "run demo --set data.name=digitz": re.compile(
        r"data: there is no data set 'digitz'. Did you mean digits\? There are"
    ),
    "run demo --device cdua": "device: must be auto, cpu, cuda, cuda:N or mps, got 'cdua'; did you mean cuda?",
    "table demo --device cdua": "device: must be auto, cpu, cuda, cuda:N or mps, got 'cdua'; did you mean cuda?",
    "table demo --set data.limit=99999 --device cpu": re.compile("limit"),
    "list recipez": "list: there is no topic 'recipez'; did you mean recipes? Allowed: recipes, variants, estimators, "
    "objectives, data.",
    "list variants": re.compile("list variants: RECIPE is missing; recipes: demo, "),
    "list variants demoo": "there is no recipe 'demoo'; did you mean demo?",
    "list data mnist": "list data: takes no name, got 'mnist'; only `list variants RECIPE` does.",
    "measure a.npy b.npy --estimator kgs": "there is no estimator 'kgs'; did you mean ksg or ksg-2? Allowed: "
    "auto, ksg, ksg-2, ksg-ensemble, gaussianised, amortised, ross, mixed-ksg, discrete, gaussian, gaussian-copula, "
    "neural, renyi.",
    "measure a.npy b.npy": "a.npy does not exist.",
    "report": "report: DIR is missing: run folders, folders above them, or tables' files.",
    "log": "log: DIR is missing: run folders, folders above them, or tables' files.",
    "log . --to tensorbord": "there is no format 'tensorbord'; did you mean tensorboard? Allowed: csv, tensorboard.",
    "report nowhere": "nowhere is not a directory, and no table's file.",
    "collect": "collect: DIR is missing: run folders, folders above them, or tables' files.",
    "collect nowhere": "nowhere is not a directory, and no table's file.",
    "collect nowhere --into folder": "collect: --into must name a .json file, got folder.",
    "data get mnits": re.compile("there is no data set 'mnits'. Did you mean mnist"),
    "data check mnits": re.compile("there is no data set 'mnits'. Did you mean mnist"),
    "data list x": re.compile(r"unexpected extra argument.*; usage: infotorch data list \[OPTIONS\]"),
}


class TestWrongUsage:
    @pytest.mark.parametrize("words", WRONG)
    def test_it_is_one_line_that_says_what_is_wrong_and_what_is_allowed(self, call, tmp_path, words):
        code, out, errors = call(*words.split())
        assert (code, out) == (2, "")
        assert re.fullmatch(r"infotorch: [^\n]+\n", errors)
        message, expected = errors.removeprefix("infotorch: ").rstrip("\n"), WRONG[words]
        assert message == expected if isinstance(expected, str) else expected.search(message)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("command", ["run demo", "table demo", "demo"])
    @pytest.mark.parametrize("out", ["file", "file/below/it"])
    def test_a_file_where_a_folder_is_needed(self, call, tmp_path, command, out):
        (tmp_path / "file").write_text("kept")
        code, _, errors = call(*command.split(), "--out", out)
        assert (code, errors.count("\n")) == (2, 1)
        assert re.search(rf"infotorch: --out {out}: .*file is a file, and a folder is needed there\.", errors)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_the_report_needs_a_file_that_can_be_written(self, call, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("kept")
        assert (
            call("report", ".", "--out", "folder")[2] == "infotorch: --out folder is a folder, and a file is needed.\n"
        )
        assert "file is a file, and a folder is needed" in call("report", ".", "--out", "file/page.html")[2]
        assert call("report", "folder")[2] == "infotorch: folder holds no run: no recipe.json at or below it.\n"

    @pytest.mark.skipif(not os.path.isdir("/proc"), reason="a file system of Linux, which takes no files")
    @pytest.mark.parametrize("words", ["run demo --out /proc/x", "demo --out /proc/x/y", "report . --out /proc/x.html"])
    def test_a_folder_that_takes_no_files_though_it_may_be_written_to(self, call, words):
        place = words.split()[-1]
        told = f"infotorch: --out {place}: the folder /proc cannot be written to.\n"
        assert call(*words.split()) == (2, "", told)

    def test_a_folder_of_other_things_is_left_alone(self, call, tmp_path):
        (tmp_path / "letters").mkdir()
        (tmp_path / "letters" / "dear.txt").write_text("dear")
        for words, message in (
            ("run demo", "is not empty and holds no run; choose another --out"),
            ("run demo --resume", "is not empty and holds no run"),
            ("table demo", "is not empty; add --resume to go on with it, or choose another"),
            ("table demo --resume", "is not empty and holds no table; choose another"),
        ):
            code, _, errors = call(*words.split(), *SMALL, "--out", "letters")
            assert code == 2
            assert message in errors
        assert os.listdir(tmp_path / "letters") == ["dear.txt"]

    @pytest.mark.parametrize("more", [[], ["--set", "tune=true"]])
    def test_a_damaged_data_file_leaves_no_run_behind(self, call, tmp_path, more):
        for file in find("mnist").files:
            (tmp_path / "data" / file.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / file.path).write_bytes(b"damaged")
        for command in (["run", "demo"], ["table", "demo"]):
            code, out, errors = call(*command, *SMALL, "--set", "data.name=mnist", *more, "--out", "here")
            assert (code, out, errors.count("\n")) == (2, "", 1)
            assert re.search("infotorch: mnist: .* is damaged: expected .* delete it to download it again", errors)
            assert not (tmp_path / "here").exists()

    def test_our_own_faults_keep_their_traceback(self, monkeypatch):
        def broken(*_, **__):
            raise ZeroDivisionError("ours")

        monkeypatch.setattr("infotorch.commands.data.print_data", broken)
        monkeypatch.setattr(sys, "argv", ["infotorch", "data"])
        with pytest.raises(ZeroDivisionError, match="ours"):
            main()


class TestHelp:
    @pytest.mark.parametrize(
        "command",
        [
            "",
            "demo",
            "run",
            "table",
            "sweep",
            "list",
            "measure",
            "lr-range",
            "report",
            "data",
            "data list",
            "data get",
            "data check",
        ],
    )
    def test_each_command_has_an_example_and_no_box(self, call, command):
        code, out, errors = call(*command.split(), "--help")
        assert (code, errors) == (0, "")
        assert re.search(rf"Example: infotorch {command}", out)
        assert out.isascii()
        assert call(*command.split(), "-h")[1] == out

    def test_a_bare_call_is_a_request_for_help(self, call):
        assert call() == call("--help")

    def test_allowed_values_stand_in_the_help(self, call):
        assert "auto, cpu, cuda, cuda:N or mps" in call("run", "--help")[1]
        assert "discrete" in call("measure", "--help")[1]
        assert "estimators, objectives" in call("list", "--help")[1]

    def test_the_version(self, call):
        assert call("--version") == (0, f"infotorch {infotorch.__version__}\n", "")

    def test_the_types_of_python_are_no_words_for_people(self, call):
        for command in ("run", "table", "measure", "diagnose", "report", "collect", "data get"):
            assert not re.search(r"<(str|path|list|Path)", call(*command.split(), "--help")[1]), command

    def test_quiet_leaves_results_and_errors(self, call):
        words = ["run", "demo", "--variant", "random", *SMALL]
        for place, quiet in enumerate((["-q", *words], [*words, "--quiet"])):
            code, out, errors = call(*quiet, "--out", f"q{place}")
            assert (code, errors) == (0, "")
            assert "test_accuracy" in out
        assert "demo random seed 0 in loud" in call(*words, "--out", "loud")[2]  # of that call alone
        assert call("-q", "run", "demoo")[2].startswith("infotorch: there is no recipe 'demoo'")
        assert "--quiet" in call("--help")[1]

    def test_shells_complete_commands_and_options(self):
        for words, expected in (("infotorch meas", ["measure"]), ("infotorch run --qui", ["--quiet"])):
            asked = {"_INFOTORCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": f"{words.count(' ')}"}
            done = shell(env={**os.environ, **asked})
            assert (done.returncode, done.stdout.split()) == (0, expected)
        assert "--install-completion" in shell("--help").stdout

    @pytest.mark.parametrize("words", ["--help", "list recipes", "list variants demo", "list estimators", "data list"])
    def test_light_commands_load_no_torch(self, words):
        code = (
            f"import sys; sys.argv = ['infotorch', *{words.split()!r}]\nfrom infotorch.commands.main import main\n"
            "try:\n    main()\nfinally:\n    print([m for m in ('torch', 'scipy', 'plotly') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]")


class TestLists:
    def test_recipes_variants_and_objectives(self, call):
        assert re.search(r"^demo +\S", call("list")[1], re.MULTILINE)
        assert call("list") == call("list", "recipes")
        assert re.search(r"^bp +\S", call("list", "variants", "demo")[1], re.MULTILINE)
        assert "Y:readout" in call("list", "objectives")[1]
        assert call("list", "estimators")[1].startswith("auto ")

    def test_data_sets_stand_in_columns_with_the_folder_last(self, call, tmp_path):
        (tmp_path / "data" / "imagenet").mkdir(parents=True)
        partly = tmp_path / "data" / find("mnist").files[0].path
        partly.parent.mkdir(parents=True)
        partly.write_bytes(b"")
        code, out, _ = call("data", "list")
        lines = {line.split()[0]: line for line in out.splitlines()}
        assert code == 0
        assert "embedded" in lines["digits"]
        assert "not here" in lines["cifar10"]
        assert re.search(r"incomplete: 1 of 4 files .* mnist/MNIST/raw$", lines["mnist"])
        assert re.search(r" here .* imagenet$", lines["imagenet"])
        assert lines["digits"].index("images") == lines["mnist"].index("images")
        assert str(tmp_path / "data") in lines["data"]
        assert call("data")[1] == call("list", "data")[1] == out

    def test_get_and_check_of_what_is_embedded_missing_and_damaged(self, call, tmp_path):
        assert call("data", "get", "digits") == (0, "digits is embedded; there is nothing to get.\n", "")
        assert call("data", "check", "digits") == (0, "digits is embedded; there is nothing to check.\n", "")
        damaged = tmp_path / "data" / find("mnist").files[0].path
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"damaged")
        code, out, errors = call("data", "check", "mnist")
        assert (code, errors) == (1, "infotorch: data check: 4 of 4 files of mnist are missing or damaged.\n")
        assert [line.split()[0] for line in out.splitlines()] == ["damaged", "missing", "missing", "missing"]
        code, out, errors = call("data", "get", "mnist")
        assert (code, out) == (2, "")
        assert "is damaged" in errors


class TestRun:
    def test_it_prints_numbers_and_keeps_plain_lines_apart(self, call, tmp_path):
        code, out, errors = call("run", "demo", *SMALL)
        assert code == 0
        assert re.search(r"^test_accuracy +0\.\d+$", out, re.MULTILINE)
        assert out.endswith("completed: runs/demo-full-bound-seed-0\n")
        assert errors.splitlines()[0] == "demo full-bound seed 0 in runs/demo-full-bound-seed-0"
        assert len(errors.splitlines()) == 5  # one for each of four stages
        assert RunRecord(tmp_path / "runs/demo-full-bound-seed-0").outcome().status == "completed"

    def test_a_warning_of_ours_is_one_line_and_one_of_others_is_theirs(self, call, monkeypatch):
        def slow():
            warnings.warn("others: beware", stacklevel=1)
            return False

        monkeypatch.setattr(devices, "_has_bfloat16", slow)
        devices._warn_of_bfloat16.cache_clear()
        with pytest.warns(UserWarning, match="others: beware") as heard:
            code, _, errors = call("run", "demo", "--variant", "bp", *SMALL, "--set", "precision=bf16-mixed")
        assert (code, len(heard)) == (0, 1)
        assert errors.startswith("infotorch: precision=bf16-mixed: torch computes bfloat16 many times slower than ")

    def test_the_next_run_takes_a_new_folder_and_resume_the_last(self, call):
        words = ["run", "demo", "--variant", "random", *SMALL]
        assert "completed: runs/demo-random-seed-0\n" in call(*words)[1]
        assert "completed: runs/demo-random-seed-0-2\n" in call(*words)[1]
        code, out, errors = call(*words, "--resume")
        assert (code, errors) == (0, "")
        assert out.endswith("completed: runs/demo-random-seed-0-2 was finished already\n")
        assert "test_accuracy" in out

    def test_resume_without_a_checkpoint_starts_afresh(self, call, tmp_path):
        (tmp_path / "empty").mkdir()
        for out in ("empty", "not/there/yet"):
            assert call("run", "demo", "--variant", "random", *SMALL, "--resume", "--out", out)[0] == 0

    def test_resume_with_other_settings_is_refused(self, call):
        words = ["run", "demo", "--variant", "random", *SMALL, "--out", "here"]
        call(*words)
        code, out, errors = call(*words, "--resume", "--set", "epochs=2")
        assert (code, out) == (2, "")
        assert "infotorch: here was begun with other settings (epochs); resume needs the same ones." in errors
        assert "holds a run already; add --resume" in call(*words)[2]

    def test_a_diverged_run_is_code_1_and_one_line(self, call):
        code, _, errors = call("run", "demo", "--variant", "bp", *SMALL, *WILD, "--out", "here")
        assert code == 1
        assert re.fullmatch(
            r"infotorch: diverged: the loss of module 'network' was not finite at .*; see here", errors.splitlines()[-1]
        )

    def test_a_failed_run_is_code_1_and_one_line(self, call, monkeypatch):
        def broken(*_, **__):
            raise RuntimeError("the disk is on fire\nand so is the house")

        monkeypatch.setattr("infotorch.runs.session.evaluate_modules", broken)
        code, _, errors = call("run", "demo", "--variant", "bp", *SMALL, "--out", "here")
        assert code == 1
        last = "infotorch: failed: RuntimeError: the disk is on fire and so is the house; see here"
        assert errors.splitlines()[-1] == last


class TestWithoutPlotly:
    """`pip install infotorch` without the extra `report`."""

    @pytest.fixture(autouse=True)
    def _without(self, without_plotly):
        pass

    def test_a_table_is_run_and_its_report_is_refused_in_a_line(self, call):
        assert call("table", "demo", "--variant", "bp", "--seeds", "1", *SMALL, "--out", "t")[0] == 0
        code, _, errors = call("report", "t", "--out", "page.html")
        assert code == 2
        assert errors == "infotorch: a figure needs plotly: pip install 'infotorch[report]'.\n"
        assert not Path("page.html").exists()

    def test_the_demo_ends_with_how_to_have_its_report(self, call, monkeypatch):
        monkeypatch.setattr("infotorch.commands.demo.run_and_show", lambda *_: 0)
        code, out, _ = call("demo", "--out", "d")
        told = "figures need plotly: pip install 'infotorch[report]', then infotorch report d"
        assert (code, out) == (0, f"no report: {told}\n")

    def test_information_is_measured(self, call):
        np.save("x.npy", np.arange(100) % 2)
        assert call("measure", "x.npy", "x.npy", "--json")[0] == 0


class TestLrRange:
    WORDS = ("lr-range", "demo", "--variant", "bp", *SMALL, "--trials", 1, "--epochs", 1)

    def test_it_prints_a_table_and_the_range_and_keeps_both(self, call, tmp_path):
        code, out, errors = call(*self.WORDS)
        assert code == 0
        assert errors.startswith("demo bp: range test of the learning rate\ntrial 0: step 1 of 16\n")
        lines = out.splitlines()
        assert lines[0] == "accuracy on training samples, and after how many epochs:"
        assert re.fullmatch(r"1e-05 +0\.\d{4} \(1\)", lines[2])
        kept = json.loads((tmp_path / "runs/lr-range-demo-bp-seed-0/range.json").read_text())
        assert re.search(rf"^lr_max +{kept['lr_max']:g}$", out, re.MULTILINE)
        assert lines[-2].startswith("cost: 16 epochs, ")
        assert lines[-1] == "range: runs/lr-range-demo-bp-seed-0"
        assert "Plotly" in (tmp_path / "runs/lr-range-demo-bp-seed-0/range.html").read_text()

    def test_without_plotly_the_numbers_are_kept_and_a_line_tells_how_to_draw(self, call, tmp_path, without_plotly):
        code, out, errors = call(*self.WORDS, "--quiet")
        assert (code, errors) == (0, "")
        assert out.endswith("no range.html: figures need plotly: pip install 'infotorch[report]'\n")
        assert [path.name for path in (tmp_path / "runs/lr-range-demo-bp-seed-0").iterdir()] == ["range.json"]

    def test_json_alone_and_folders_of_its_own(self, call, tmp_path):
        code, out, _ = call(*self.WORDS, "--json", "--exhaustive", "--out", "here")
        assert code == 0
        assert json.loads(out) == json.loads((tmp_path / "here/range.json").read_text())
        assert json.loads(out)["search"] == "exhaustive"
        assert call(*self.WORDS, "--out", "here")[0] == 0  # its own files alone are replaced
        (tmp_path / "here" / "letter.txt").write_text("dear")
        code, _, errors = call(*self.WORDS, "--out", "here")
        assert (code, errors) == (
            2,
            "infotorch: --out here holds other things than a range test; choose another.\n",
        )

    def test_candidates_and_constants_are_the_callers_and_an_end_of_the_grid_is_told(self, call, tmp_path):
        words = ("--rates", "0.001, 0.01", "--c1", 20, "--c2", 0.5)
        code, out, errors = call(*self.WORDS, *words, "--out", "here")
        assert code == 0
        kept = json.loads((tmp_path / "here/range.json").read_text())
        assert [line["lr"] for line in kept["table"]] == [0.001, 0.01]
        assert (kept["c1"], kept["c2"], kept["lr_max"]) == (20.0, 0.5, 0.01)
        assert kept["edges"][-2:] == ["lr_top", "lr_max"]
        assert re.search(rf"^at the edge +{' '.join(kept['edges'])}$", out, re.MULTILINE)
        assert errors.splitlines()[-1].startswith("infotorch: lr_range_test: ")
        assert "lr_top is the highest candidate; lr_max is the highest candidate; " in errors

    def test_the_papers_rule_trains_all_rates_to_the_end_with_the_recipes_constants(self, call, tmp_path):
        words = ("--rates", "0.001,0.01,1e6", "--rule", "paper", "--set", "schedule.c1=5", "--set", "schedule.c2=0.5")
        assert call(*self.WORDS[:-1], 2, *words, "--out", "here")[0] == 0
        kept = json.loads((tmp_path / "here/range.json").read_text())
        assert (kept["rule"], kept["search"], kept["c1"], kept["c2"]) == ("paper", "exhaustive", 5.0, 0.5)
        assert kept["part"] == 1.0
        assert kept["epochs"] == 6.0 or kept["table"][-1]["crashed"]
        assert not any(line["dead"] for line in kept["table"])

    def test_a_worker_that_gives_up_is_a_failure_in_one_line(self, call, monkeypatch):
        def lost(*_, **__):
            raise RuntimeError("a worker process ended on its own.")

        monkeypatch.setattr("infotorch.runs.range.range_of_recipe", lost)
        code, out, errors = call(*self.WORDS, "--out", "here")
        assert (code, out, errors) == (1, "", "infotorch: failed: a worker process ended on its own.\n")


class TestTable:
    def test_lines_as_it_goes_then_published_beside_measured(self, call, tmp_path):
        words = ["table", "demo", "demo", "--variant", "bp", "--variant", "random", "--seeds", 2, *SMALL, "--out", "t"]
        code, out, _ = call(*words)
        assert code == 0
        lines = [line for line in out.splitlines() if line.startswith("demo ") and "completed" in line]
        assert [line.split(":")[0] for line in lines] == [
            "demo bp seed 0", "demo bp seed 1", "demo random seed 0", "demo random seed 1",
        ]  # fmt: skip
        assert "published" in out
        assert re.search(r"bp .* ± .* 2 of 2", out)
        assert "| bp |" in (tmp_path / "t" / "table.md").read_text()
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("outcome.json")}
        code, out, errors = call(*words, "--resume")
        assert (code, errors) == (0, "4 runs in t; 4 are finished already and kept\n")
        assert "completed," not in out
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("outcome.json")} == before
        code, _, errors = call(*words, "--set", "epochs=2", "--resume")
        assert code == 2
        assert "begun with other settings (epochs)" in errors

    def test_resume_runs_what_is_missing(self, call):
        words = ["table", "demo", "--variant", "random", *SMALL, "--out", "t"]
        call(*words, "--seeds", 1)
        code, out, errors = call(*words, "--seeds", 2, "--resume")
        assert code == 0
        assert "2 runs in t; 1 are finished already and kept" in errors
        assert "seed 0:" not in out
        assert "demo random seed 1: completed" in out

    def test_resume_keeps_the_collected_runs_of_the_same_settings(self, call, tmp_path):
        words = ["table", "demo", "--variant", "random", *SMALL, "--out"]
        call(*words, "runs", "--seeds", 1)
        assert call("collect", "runs", "--out", "t")[:2] == (0, "t/demo.json: 1 runs added, 0 there before\n")
        collected = (tmp_path / "t/demo.json").read_bytes()
        code, out, errors = call(*words, "t", "--seeds", 2, "--resume")
        assert code == 0
        assert "2 runs in t; 1 are finished already and kept" in errors
        assert "seed 0:" not in out
        assert re.search(r"random .* ± .* 2 of 2", out)
        assert [path.name for path in (tmp_path / "t/demo/random").iterdir()] == ["seed-1"]
        assert call("collect", "t/demo", "--into", "t/demo.json")[1] == "t/demo.json: 1 runs added, 1 there before\n"
        assert (tmp_path / "t/demo.json").read_bytes() != collected
        code, _, errors = call(*words, "t", "--seeds", 1, "--set", "epochs=2", "--resume")  # others: run beside them
        assert code == 0
        assert "kept" not in errors

    def test_the_report_of_a_collected_table_has_its_numbers(self, call, tmp_path):
        call("table", "demo", "--variant", "random", *SMALL, "--seeds", 1, "--out", "runs")
        call("collect", "runs", "--into", "kept.json")
        accuracy = RunRecord(tmp_path / "runs/demo/random/seed-0").outcome().metrics["test_accuracy"]
        assert call("report", "kept.json", "--out", "r.html") == (0, "report: r.html\n", "")
        page = (tmp_path / "r.html").read_text()
        assert f"{100 * accuracy:.2f}" in page
        assert "kept.json/random/seed-0" in page

    def test_a_row_that_diverges_stops_no_other_and_is_named(self, call):
        code, out, errors = call("table", "demo", "--variant", "bp", "--variant", "random", *SMALL, *WILD, "--seeds", 1)
        assert code == 1
        assert "demo bp seed 0: diverged, the loss of module" in out
        assert "demo random seed 0:" in out
        assert re.fullmatch(
            r"infotorch: some variants did not complete: demo bp \(1 of 1 diverged\).*", errors.splitlines()[-1]
        )

    def test_the_demo_writes_its_page(self, call, tmp_path, monkeypatch):
        from infotorch.recipes import registry
        from infotorch.recipes.changes import change

        rows = [change(row, {"epochs": 1, "data.limit": 100}) for row in registry.variants_of("demo")]
        monkeypatch.setattr("infotorch.recipes.demo.variants", lambda: rows)
        code, out, _ = call("demo", "--seeds", 1, "--device", "cpu")
        assert code == 0
        assert out.endswith("report: runs/demo/report.html\n")
        page = (tmp_path / "runs/demo/report.html").read_text()
        assert "infotorch demo" in page
        assert call("report", "runs/demo", "--out", "new/page.html")[1] == "report: new/page.html\n"
        assert (tmp_path / "new" / "page.html").exists()


class TestMeasure:
    @pytest.fixture(autouse=True)
    def _arrays(self, tmp_path):
        generator = np.random.default_rng(0)
        x = generator.normal(size=2000)
        np.save("x.npy", x)
        np.save("y.npy", 0.9 * x + 0.19**0.5 * generator.normal(size=2000))
        np.save("labels.npy", np.arange(2000) % 4)
        np.save("short.npy", x[:100])
        np.save("words.npy", np.array(["a", "b"]))
        np.save("one.npy", np.array(1.0))
        np.save("objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
        np.savez("many.npz", x=x, labels=np.arange(2000) % 4)
        lines = [
            f"{20 + k % 7},{'left' if k % 2 else 'right'},{number!r},user{k}" for k, number in enumerate(x.tolist())
        ]
        (tmp_path / "people.csv").write_text("\n".join(["age,hand,height,login", *lines]))
        (tmp_path / "text.npy").write_text("1 2 3")
        (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-100])
        (tmp_path / "folder.npy").mkdir()

    @pytest.mark.parametrize(
        "name", ["auto", "ksg", "ksg-2", "ksg-ensemble", "mixed-ksg", "gaussian", "gaussian-copula"]
    )
    def test_gaussian_pairs_have_their_known_information(self, call, name):
        code, out, _ = call("measure", "x.npy", "y.npy", "--estimator", name, "--json")
        found = json.loads(out)
        assert code == 0
        assert found["value_nats"] == pytest.approx(0.8304, abs=0.08)  # -log(1 - 0.81) / 2; three s.e. at n = 2000
        assert found["value_bits"] == pytest.approx(found["value_nats"] / np.log(2))
        assert set(found) == {
            "value_nats", "value_bits", "std_error_nats", "interval_95_nats", "side", "ceiling_nats", "saturated",
            "reliable", "n", "estimator", "reason",
        }  # fmt: skip
        assert found["n"] == 2000

    def test_a_type_can_be_forced_as_in_the_api(self, call):
        # Class numbers in floats: log 4 as symbols.
        np.save("floats.npy", np.arange(2000) % 4.0)
        code, out, _ = call("measure", "floats.npy", "floats.npy", "--discrete-x", "--discrete-y", "--json")
        assert (code, json.loads(out)["value_nats"]) == (0, pytest.approx(np.log(4), abs=0.01))
        code, _, err = call("measure", "x.npy", "y.npy", "--discrete-x", "--estimator", "ksg")
        assert code == 2
        assert "discrete_x must be left out where an estimator is named" in err

    def test_effort_and_the_interval(self, call):
        fast, default = (
            json.loads(call("measure", "x.npy", "y.npy", *more, "--json")[1]) for more in (["--effort", "fast"], [])
        )
        assert fast["estimator"].startswith("ksg k=3")
        assert default["estimator"] == "amortised_mi+ksg+gaussianised_mi"
        low, high = default["interval_95_nats"]
        assert low < default["value_nats"] < high
        assert " to " in call("measure", "x.npy", "y.npy")[1]
        code, _, err = call("measure", "x.npy", "y.npy", "--effort", "some")
        assert code == 2
        assert "effort must be" in err
        code, _, err = call("measure", "x.npy", "y.npy", "--effort", "fast", "--estimator", "ksg")
        assert code == 2
        assert "effort must be left out where an estimator is named" in err

    @pytest.mark.slow
    def test_a_critic_is_trained_alike_at_every_call(self, call):
        found = [json.loads(call("measure", "x.npy", "y.npy", "--estimator", "neural", "--json")[1]) for _ in range(2)]
        assert found[0] == found[1]
        assert found[0]["value_nats"] == pytest.approx(0.8304, abs=0.2)  # 400 test rows: s.e. 0.05
        assert found[0]["side"] == "lower"
        assert "rows" in found[0]["reason"]

    @pytest.mark.slow
    def test_matrix_based_information_names_its_kernel_width(self, call):
        found = json.loads(call("measure", "x.npy", "y.npy", "--estimator", "renyi", "--json")[1])
        assert 0 < found["value_nats"] < found["ceiling_nats"]
        assert "alpha=1.01" in found["estimator"]

    @pytest.mark.parametrize("name", ["auto", "discrete"])
    def test_integers_are_discrete(self, call, name):
        found = json.loads(call("measure", "labels.npy", "labels.npy", "--estimator", name, "--json")[1])
        assert found["value_bits"] == pytest.approx(2.0, abs=0.01)  # Miller and Madow add 3 / (2 n) nats

    @pytest.mark.parametrize("pair", [("x.npy", "labels.npy"), ("labels.npy", "x.npy")])
    def test_ross_takes_the_labels_on_either_side(self, call, pair):
        found = json.loads(call("measure", *pair, "--estimator", "ross", "--json")[1])
        assert found["value_nats"] == pytest.approx(0.0, abs=0.06)
        assert found["reason"] == "asked for by name"

    def test_for_people_it_is_one_line_a_number(self, call):
        code, out, errors = call("measure", "x.npy", "y.npy")
        assert (code, errors) == (0, "")
        assert [line.split()[0] for line in out.splitlines()][:5] == [
            "value_nats",
            "value_bits",
            "std_error_nats",
            "interval_95_nats",
            "side",
        ]
        assert re.search(r"^saturated +no$", out, re.MULTILINE)
        assert re.search(r"^reason +x is continuous", out, re.MULTILINE)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("x.npy short.npy", "x.npy and short.npy must be paired row by row, got 2000 and 100 rows."),
            ("words.npy x.npy", "words.npy and x.npy must be paired row by row, got 2 and 2000 rows."),
            ("one.npy x.npy", "one.npy must hold rows of samples, got a single number."),
            ("objects.npy x.npy", "objects.npy holds Python objects, which are not loaded; save numbers, or words as"),
            ("many.npz x.npy", "many.npz holds 2 arrays; name the one to take: x, labels."),
            ("many.npz x.npy --x lables", "many.npz has no array 'lables'; did you mean labels? Allowed: x, labels."),
            ("x.npy y.npy --x a", "x.npy is one array without names; leave out the column 'a'."),
            ("people.csv x.npy --x ages", "people.csv has no column 'ages'; did you mean age?"),
            ("people.csv --x age", "measure: Y is missing: a second file, or --x and --y, which name columns of one."),
            (
                "people.csv x.npy --x login",
                "measure: words of X must occur again, got 2000 different ones in 2000 rows; merge some.",
            ),
            (
                "x.npy people.csv --y hand --no-discrete-y",
                "measure: discrete_y must be True or left out, as words and booleans have no order, got False.",
            ),
            ("people.csv people.csv", "people.csv: columns of words and of real numbers are no one variable"),
            ("text.npy x.npy", "text.npy is not a .npy file; save an array with numpy.save."),
            ("folder.npy x.npy", "folder.npy is a folder."),
            ("cut.npy x.npy", "cut.npy is damaged: "),
            ("x.npy y.npy --estimator discrete", "must be"),
        ],
    )
    def test_what_cannot_be_measured_is_one_line(self, call, words, message):
        code, out, errors = call("measure", *words.split())
        assert (code, out, errors.count("\n")) == (2, "", 1)
        assert errors.startswith("infotorch: ")
        assert message in errors

    def test_columns_of_a_csv_file_are_named_and_words_are_classes(self, call, tmp_path, monkeypatch):
        words = ("--x", "hand", "--y", "hand", "--json")
        found = json.loads(call("measure", "people.csv", *words)[1])
        assert found["value_bits"] == pytest.approx(1.0, abs=0.01)
        assert found["n"] == 2000
        piped = io.TextIOWrapper(io.BytesIO((tmp_path / "people.csv").read_bytes()))
        monkeypatch.setattr(sys, "stdin", piped)
        assert json.loads(call("measure", "-", *words)[1]) == found
        both = json.loads(call("measure", "people.csv", "y.npy", "--x", "height", "--json")[1])
        assert both == json.loads(call("measure", "x.npy", "y.npy", "--json")[1])
        packed = call("measure", "many.npz", "many.npz", "--x", "x", "--y", "labels", "--json")[1]
        assert packed == call("measure", "x.npy", "labels.npy", "--json")[1]

    @pytest.mark.parametrize("other", ["height", "hand"])
    def test_dates_are_numbers_in_every_file_as_in_a_data_frame(self, call, other):
        pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
        generator = np.random.default_rng(0)
        day = generator.integers(0, 900, 200)
        table = pd.DataFrame({"day": np.datetime64("2026-01-01", "ns") + day * np.timedelta64(1, "D")})
        table["height"], table["hand"] = day + generator.normal(size=200) * 100, np.where(day > 450, "left", "right")
        table.to_csv("days.csv", index=False)
        table.to_parquet("days.parquet")
        expected = infotorch.mutual_information(table["day"], table[other])
        for name in ("days.csv", "days.parquet"):
            found = json.loads(call("measure", name, "--x", "day", "--y", other, "--json")[1])
            assert found["value_nats"] == pytest.approx(float(expected), rel=1e-6)  # units of time differ, ranks do not
            assert found["reason"] == expected.reason
            assert "as told" in found["reason"]

    def test_one_standard_input_for_one_variable_or_both(self, call, monkeypatch):
        class Terminal(io.TextIOWrapper):
            def isatty(self):
                return True

        monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO()))
        both = "infotorch: measure: X and Y cannot both be -; give it once, and name columns by --x and --y.\n"
        assert call("measure", "-", "-") == (2, "", both)
        nothing = "infotorch: measure: - stands for what is piped in, and nothing is.\n"
        assert call("measure", "-", "x.npy") == (2, "", nothing)

    def test_an_unfinished_header_is_one_line(self, call, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros((100, 2)))
        header = (tmp_path / "x.npy").read_bytes().replace(b"2), }", b"2)   ")
        (tmp_path / "x.npy").write_bytes(header)
        code, out, errors = call("measure", "x.npy", "x.npy")
        assert (code, out, errors.count("\n")) == (2, "", 1)
        assert "x.npy is damaged" in errors


class TestOtherWays:
    def test_an_empty_variant_is_no_variant(self, call):
        code, out, errors = call("run", "demo", "--variant", "")
        assert (code, out) == (2, "")
        assert errors.startswith("infotorch: demo has no variant ''; ")

    def test_no_name_in_a_file_commands_the_terminal(self, call, tmp_path):
        (tmp_path / "theirs.csv").write_text("a\x1b[2J\x9b1mé,b\n1,2\n")
        code, out, errors = call("measure", "theirs.csv", "--x", "c", "--y", "b")
        assert (code, out) == (2, "")
        assert r"a\x1b[2J\x9b1mé, b" in errors
        assert errors.rstrip("\n").isprintable()

    def test_ctrl_c_anywhere_is_one_line_and_130(self, call, monkeypatch):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("infotorch.commands.data.print_data", interrupted)
        assert call("data") == (130, "", "infotorch: interrupted.\n")
        monkeypatch.setattr("infotorch.runs.preflight.check_runs", interrupted)
        line = "infotorch: interrupted; the same command with --resume --out runs/table-demo goes on.\n"
        assert call("table", "demo", *SMALL) == (130, "", line)
        monkeypatch.setattr("infotorch.runs.runner.run", interrupted)
        code, _, errors = call("run", "demo", *SMALL, "--out", "here")
        assert (code, errors) == (130, "infotorch: interrupted; the same command with --resume --out here goes on.\n")

    @pytest.mark.slow
    def test_an_interrupted_table_goes_on(self, tmp_path):
        words = ["table", "demo", "--variant", "bp", "--seeds", "2", "--device", "cpu", "--out", "t"]
        words += ["--set", "epochs=120", "--set", "data.limit=100", "--set", "validate_every=100"]
        process = subprocess.Popen([sys.executable, "-m", "infotorch", *words], stderr=subprocess.PIPE, text=True)
        metrics = tmp_path / "t/demo/bp/seed-0/metrics.jsonl"
        deadline = time.monotonic() + 60
        while not metrics.exists() or not metrics.stat().st_size:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        last = r"infotorch: interrupted after step \d+; the same command with --resume --out t goes on\."
        assert re.fullmatch(last, errors.splitlines()[-1])
        done = shell(*words, "--resume")
        assert done.returncode == 0, done.stderr
        assert "2 of 2" in done.stdout

    @pytest.mark.parametrize("name", ["WORLD_SIZE", "OMPI_COMM_WORLD_SIZE"])
    def test_one_of_several_processes_refuses(self, call, monkeypatch, tmp_path, name):
        monkeypatch.setenv(name, "2")
        shared = ["run demo --out there"] if name != "WORLD_SIZE" else []
        for command in ("table demo --out there", "demo --out there", "lr-range demo", *shared):
            code, out, errors = call(*command.split())
            assert (code, out) == (2, "")
            assert errors.startswith(f"infotorch: {command.split()[0]} runs in one process, and {name}=2 says")
            assert errors.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setenv(name, "1")
        assert call("list", "data")[0] == 0

    @pytest.mark.slow
    def test_torchrun_of_a_table_is_refused_before_anything_is_written(self, tmp_path):
        words = ["--nproc-per-node", "2", "--standalone", "-m", "infotorch", "table", "demo", "--out", "there"]
        done = subprocess.run([sys.executable, "-m", "torch.distributed.run", *words], capture_output=True, text=True)
        assert done.returncode != 0
        # Once or twice: torchrun ends the other process as soon as one has ended.
        assert "infotorch: table runs in one process, and WORLD_SIZE=2" in done.stderr
        assert not (tmp_path / "there").exists()

    @pytest.mark.slow
    def test_a_terminal_has_a_bar(self, tmp_path):
        words = ["run", "demo", "--variant", "bp", *SMALL[:4], "--device", "cpu", "--out", "here"]
        leader, follower = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        process = subprocess.Popen(
            [sys.executable, "-m", "infotorch", *words], stdout=follower, stderr=follower, env=environment
        )
        os.close(follower)
        seen = b""
        try:
            while piece := os.read(leader, 65536):
                seen += piece
        except OSError:  # how Linux says that the other end is closed
            seen += b""
        os.close(leader)
        assert process.wait(60) == 0
        text = seen.decode()
        assert "━" in text
        assert "100 %" in text
        assert "step 1 of" not in text
        assert "completed: here" in text

    def test_plain_lines_are_one_a_stage_and_one_every_few_seconds(self, capsys, monkeypatch):
        from infotorch.records import progress

        clock = iter(np.arange(100.0))
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
        with progress.show_progress("title") as show:
            for step in range(12):  # a second each
                show("fc1" if step < 8 else "fc2", step, 12)
        shown = capsys.readouterr().err.splitlines()
        assert shown == [
            "title",
            "fc1: step 0 of 12",
            "fc1: step 5 of 12; 0:05 elapsed, 0:07 left",
            "fc2: step 8 of 12; 0:08 elapsed, 0:04 left",
        ]

    def test_one_clock_counts_all_runs_of_a_table(self):
        from infotorch.records.progress import Clock

        done = 0
        clock = Clock(lambda: (done, 3))
        assert clock.tell(0.0, 0, 10) == ""
        assert clock.tell(60.0, 5, 10) == "1:00 elapsed, 5:00 left"  # a sixth of three runs
        done = 2
        assert clock.tell(300.0, 5, 10) == "5:00 elapsed, 1:00 left"
        again = Clock()
        again.tell(0.0, 0, 10)
        again.tell(3600.0, 10, 10)
        assert again.tell(3601.0, 1, 10) == ""  # another search of the same run: no guess before it moves
        assert again.tell(3602.0, 2, 10) == "1:00:02 elapsed, 0:08 left"
