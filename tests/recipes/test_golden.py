"""Golden numbers: what the recipes gave on a day, so that a change of the numbers is noticed and meant.

The tolerance covers other processors, whose matrix products round differently: over a few hundred steps that moves a
handful of test rows.
"""

import pytest

from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe
from infotorch.runs.runner import run


# 2026-11-21, infotorch run demo --variant V --set epochs=5 --set data.limit=500 --device cpu
@pytest.mark.parametrize(
    ("variant", "accuracy", "information"),
    [("full-bound", 0.7103, 0.713), ("mi-only", 0.7688, 1.243), ("bp", 0.8747, None)],
)
def test_the_demo_gives_what_it_gave(variant, accuracy, information, tmp_path):
    recipe = change(find_recipe("demo", variant), {"epochs": 5, "data.limit": 500})
    metrics = run(recipe, tmp_path / "run", device="cpu").metrics
    assert metrics["test_accuracy"] == pytest.approx(accuracy, abs=0.014)  # 5 of 359 test rows
    if information is not None:
        assert metrics["mi_ty_nats"] == pytest.approx(information, abs=0.03)


# 2026-11-21, infotorch run ib-mnist-1pct --variant full-bound --set epochs=10 --device cpu
@pytest.mark.data
def test_one_percent_of_mnist_gives_what_it_gave(real, tmp_path, monkeypatch):
    monkeypatch.setenv("INFOTORCH_DATA", str(real("mnist")))
    recipe = change(find_recipe("ib-mnist-1pct", "full-bound"), {"epochs": 10})
    metrics = run(recipe, tmp_path / "run", device="cpu").metrics
    assert metrics["test_accuracy"] == pytest.approx(0.8701, abs=0.01)  # three standard errors of 10,000 test rows
    assert metrics["majority_class"] == 0.1135
