"""How far classes lie apart in t-SNE pictures of the raw data and of every module, trained by mutual information.

    python benchmarks/class_clusters.py [--tables mole-adult ...] [--seeds 3]

What Figures 2 to 5 of MOLE show, as a number: the silhouette of the classes among the points of each picture, of as
many training and validation samples as the table's own pictures have, at its settings and length; and of the same
network before training.
Writes results/class_clusters.json after every run; runs that are in it are not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from infotorch.diagnostics.embeddings import embed_modules
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import find_recipe
from infotorch.runs.setup import Setup
from infotorch.training.loop import train

RESULT = Path(__file__).parent / "results" / "class_clusters.json"
#: Table -> its row with a picture in the paper.
ROWS = {"mole-adult": "mine", "mole-mnist": "mine", "mole-mutagenicity": "gmi-mine", "mole-cora": "gmi-mine"}


def silhouettes(table: str, seed: int) -> dict[str, float | None]:
    """Place of the network -> silhouette of the classes in its picture, after training and before."""
    recipe = find_recipe(table, ROWS[table])
    assert isinstance(recipe, Recipe)
    setup = Setup(recipe, seed, "cpu")
    setup.prepare()
    untrained = {f"{place}, untrained": value for place, value in _pictured(setup, recipe, seed).items()}
    for info in train(setup.plan, setup.batches, epochs=recipe.epochs, fabric=setup.fabric):
        if info.diverged is not None:
            raise RuntimeError(f"{table}, seed {seed}: {info.diverged}")
    return _pictured(setup, recipe, seed) | untrained


def _pictured(setup: Setup, recipe: Recipe, seed: int) -> dict[str, float | None]:
    parts = {"train": setup.dataset.train, "validation": setup.dataset.validation}
    splits = {name: (part.x, part.y) for name, part in parts.items()}
    embeddings = embed_modules(setup.plan, splits, num_samples=2 * recipe.embedding_samples, seed=seed)
    return {one.place: one.silhouette() for one in embeddings}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=ROWS, default=[*ROWS])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    made: dict[str, object] = {"made_by": "python benchmarks/class_clusters.py"}
    kept = json.loads(RESULT.read_text(encoding="utf-8"))["tables"] if RESULT.exists() else {}
    for table in given.tables:
        entry = kept.setdefault(table, {"variant": ROWS[table], "runs": []})
        for seed in range(given.seeds):
            if seed in {run["seed"] for run in entry["runs"]}:
                continue
            found = silhouettes(table, seed)
            entry["runs"].append({"seed": seed, **found})
            print(table, seed, {place: value and round(value, 2) for place, value in found.items()}, flush=True)
            RESULT.write_text(json.dumps(made | {"tables": kept}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
