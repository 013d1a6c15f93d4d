"""The README's promises: its files are there, its numbers are those of the committed runs (test_docs runs its code)."""

import importlib
import json
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest

from infotorch.recipes.recipe import Recipe
from infotorch.records.finding import find_runs
from infotorch.records.searches import read_searches
from infotorch.report import summarise

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = {page.stem: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs/results").glob("*.md"))}


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert all((ROOT / link).exists() for link in links if not link.startswith("http"))


def measured(table: str) -> dict[str, float]:
    """Mean test accuracy of every variant, in percent, of three seeds or more."""
    accuracies = {
        row.variant: row.metrics["test_accuracy"] for row in summarise(find_runs(ROOT / f"results/{table}.json"))
    }
    assert all(accuracy.n >= 3 for accuracy in accuracies.values())
    return {variant: 100 * accuracy.mean for variant, accuracy in accuracies.items()}


def test_the_accuracies_are_those_of_the_committed_runs():
    text = " ".join(README.split())
    found = measured("mole-mnist")
    for variant, words in (
        ("bp", "On MNIST it reaches {:.2f} %"),
        ("best", "our best variant with isolated layers {:.2f} %"),
        ("label-free", "convolutions that never see a label {:.2f} %"),
        ("random", "convolutions that nothing trained {:.2f} %"),
    ):
        assert words.format(found[variant]) in text
    few = measured("mole-mnist-1pct")
    fewer = 1 - (100 - few["label-free"]) / (100 - few["bp"])
    assert f"That makes {100 * fewer:.0f} % fewer errors than tuned back-propagation" in text
    graphs = measured("mole-mutagenicity")
    assert round(graphs["bp"] - graphs["best"]) == 2
    assert "On Mutagenicity isolated layers end two points lower on average" in text


def test_the_deep_network_is_that_of_the_committed_benchmark():
    sides = json.loads((ROOT / "benchmarks/results/deep_digits.json").read_text())["sides"]
    said = []
    for side in ("local losses", "back-propagation"):
        scores = [100 * score for score in sides[side]["test_accuracy"]]
        said.append(f"{fmean(scores):.1f} ± {stdev(scores) / len(scores) ** 0.5:.1f} %")
    assert len(scores) == 10
    ours, theirs = (sides[side]["saved_mib"] for side in ("local losses", "back-propagation"))
    text = " ".join(README.split())
    assert f"{said[0]} with local losses and {said[1]} with back-propagation" in text
    assert f"{ours:.1f} and {theirs:.1f} MiB of activations" in text


def test_the_costs_are_those_of_the_committed_benchmarks():
    memory = json.loads((ROOT / "benchmarks/results/memory.json").read_text())["rows"]
    ours, bp = memory["module by module, K = 16"], memory["back-propagation"]
    assert f"| module by module, K = 16 | {ours['distinct_mib']:.1f} |" in RESULTS["cost"]
    assert f"| back-propagation | {bp['distinct_mib']:.1f} |" in RESULTS["cost"]
    assert (round(ours["as_saved_mib"]), round(bp["as_saved_mib"])) == (6, 66)
    loop = json.loads((ROOT / "benchmarks/results/loop.json").read_text())["rows"]["784-500-256-10"]
    assert f"{loop['median_ratio']:.2f} x a bare PyTorch loop" in RESULTS["cost"]


def test_the_costs_of_a_signal_are_those_of_the_committed_benchmark():
    found = json.loads((ROOT / "benchmarks/results/information_signal.json").read_text())
    shares = {(row["estimator"], row["of"]): row["share"] for row in found["rows"] if row["columns"] == 1024}
    of_output = {row["estimator"]: row["share"] for row in found["rows"] if row["of"] == "output"}
    assert set(of_output) == {"ross", "ksg", "renyi", "readout"}
    for name, share in of_output.items():
        of_layers = shares.get((name, "all layers"))
        cell = "–" if of_layers is None else f"{of_layers:.1%}".replace("%", " %")
        assert f"| `{name}` | {100 * share:.1f} % | {cell} |" in RESULTS["cost"]
    assert f"({found['epoch_seconds']:.1f} s of processor time on one thread)" in RESULTS["cost"]


ATTEMPTS = {
    "milr-temperature": {
        "best, training rows alone": "Without it `best` ends where the control that knows the clock alone does ({} for",
        "control: loss of validation rows in place of their information": "with that for a signal ends at {}",
        "best, a fall of 5 %": "A fall of 5 % in place of 1 % is noticed later ({}",
        "best, layer by layer": "rates layer by layer ({})",
        "best, the line put off by 3 epochs": "the line put off by three epochs ({})",
        "network, epsilon times 0.01": "C2 = 0.01 for regression the rule ends at {}",
        "best, layers that are done are frozen": "whose own information has stopped growing ends at {}",
        "best, raised again where no lower rate is left": "where no lower one is left ends at {}",
    },
    "milr-mnist": {
        "best, training rows alone": "are one and the same run: {} and",
        "control: loss of validation rows in place of their information": "and {}. Rates layer by layer",
        "best, layer by layer": "Rates layer by layer end at {}.",
        "best, layers that are done are frozen": "growing ends at {} with all but the last layer frozen",
    },
    "milr-cifar10-allconv": {
        "best, the line put off by 3 epochs": "have brought little, `best` ends at {}: it is then the control on two",
    },
}


@pytest.mark.parametrize("recipe", ATTEMPTS)
def test_the_attempts_at_a_schedule_are_those_of_the_committed_benchmark(recipe):
    runs = json.loads((ROOT / f"benchmarks/results/rate_attempts_{recipe}.json").read_text())["runs"]
    text = " ".join(RESULTS[recipe].split())
    for name, words in ATTEMPTS[recipe].items():
        scores = [run["test_mae"] if "test_mae" in run else 100 * run["test_accuracy"] for run in runs[name].values()]
        assert len(scores) == 3
        said = f"{fmean(scores):.2f} ± {stdev(scores) / 3**0.5:.2f}"
        assert words.format(said) in text, f"{name}: {said}"


def test_the_accuracy_and_the_speed_are_those_of_the_committed_benchmarks():
    choice = json.loads((ROOT / "benchmarks/results/accuracy.json").read_text())["choice"]["suite"]
    laws = len(choice["ksg k=3"]["by_law"])
    assert f"On {laws} distributions" in README
    assert f"its mean error is {100 * (1 - choice['ratio']):.0f} % lower than that of the usual KSG estimator" in README
    rows = json.loads((ROOT / "benchmarks/results/speed.json").read_text())["rows"]
    same = [row for row in rows if row["name"].startswith(("KSG", "Ross")) and row["equal"]]  # the same definition
    ratios = [row["ratio"] for row in same]
    assert f"{min(ratios):.0f} to {max(ratios):.0f} times as fast as the fastest other package" in README
    assert all(row["equal"] in {True, None} for row in rows)


def test_every_search_whose_settings_a_recipe_has_is_kept_and_no_row_without_one_has_results():
    from infotorch.recipes.registry import recipe_names, variants_of
    from infotorch.recipes.search import best_trial

    for name in recipe_names():
        found = getattr(importlib.import_module(f"infotorch.recipes.{name.replace('-', '_')}"), "FOUND", {})
        path = ROOT / f"results/{name}.json"
        kept = read_searches(path)
        having = {run.recipe()["variant"] for run in find_runs(path)} if path.exists() else set()
        for row in (row for row in variants_of(name) if isinstance(row, Recipe)):
            trials = kept.get(row.variant)
            assert (trials is not None) == (row.variant in found), f"{name} {row.variant}"
            if trials is None:
                unsearched = row.variant in having and row.search.space
                assert not unsearched, f"{name} {row.variant}: a row without a search has no results"
                continue
            assert len(trials) == row.search.trials
            best = best_trial(row, trials)["settings"]
            assert best["optimizer.lr"] == pytest.approx(row.optimizer.lr, rel=5e-3)  # kept to three digits
