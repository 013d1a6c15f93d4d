"""What would stop a run or a table, found before anything is written and before the first run starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infotorch.recipes.demonstration import AnyRecipe
from infotorch.recipes.recipe import Recipe
from infotorch.records.lock import is_empty
from infotorch.records.table_file import is_table

if TYPE_CHECKING:
    from infotorch.runs.setup import Setups


def check_folder(out: Path, *, asked: Path | None = None) -> None:
    """Refuse a folder that cannot be made or written to.

    Args:
        out: the folder.
        asked: a file in it that the caller named.

    Raises:
        ValueError: it, or a folder above it, is a file or is not writable.
    """
    said = f"--out {asked or out}"
    there = next(path for path in (out, *out.absolute().parents) if path.exists() or path.is_symlink())
    if not there.is_dir():
        raise ValueError(f"{said}: {there} is a file, and a folder is needed there.")
    if not os.access(there, os.W_OK | os.X_OK) or not _takes_files(there):
        raise ValueError(f"{said}: the folder {there} cannot be written to.")


def _takes_files(folder: Path) -> bool:
    """Asked by a file without a name: permissions say nothing of /proc, or to root."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def check_run(directory: Path, *, resume: bool) -> None:
    """Refuse a directory that a run must not write into.

    Raises:
        FileExistsError: it holds something and resume is not asked for, or holds no run.
    """
    from infotorch.records.run_record import RunRecord

    record = RunRecord(directory)
    if not directory.exists() or is_empty(directory):
        return
    if not record.exists() and not (resume and record.cut_short()):
        raise FileExistsError(f"{directory} is not empty and holds no run; choose another --out.")
    if not resume:
        raise FileExistsError(
            f"{directory} holds a run already; add --resume to go on with it, or choose another --out."
        )


def check_shareable(recipe: AnyRecipe) -> None:
    """Refuse what several processes would each do whole, or one of them otherwise than another.

    Raises:
        ValueError: the recipe is no training, or one that begins with a search.
    """
    from infotorch.recipes.recipe import Recipe

    where = f"{recipe.name} {recipe.variant}: several processes"
    if not isinstance(recipe, Recipe):
        raise ValueError(f"{where} have nothing to share: nothing is trained; use one.")
    if recipe.tune or recipe.searches_objectives:
        raise ValueError(
            f"{where} do not search; search in one (infotorch sweep, or the same command) and train with what it finds."
        )


def check_range(out: Path) -> None:
    """Refuse a folder that a range test must not write into.

    Raises:
        ValueError: it cannot be written to, or holds other things than a range test.
    """
    check_folder(out)
    if out.exists() and {path.name for path in out.iterdir()} - {"range.json", "range.html"}:
        raise ValueError(f"--out {out} holds other things than a range test; choose another.")


def check_file(out: Path) -> None:
    """Refuse a file that cannot be written.

    Raises:
        ValueError: it is a folder, or its folder cannot be made or written to.
    """
    if out.is_dir():
        raise ValueError(f"--out {out} is a folder, and a file is needed.")
    check_folder(out.parent, asked=out)


def check_names(recipes: Sequence[AnyRecipe]) -> None:
    """Refuse names of data sets that do not exist; no torch.

    Raises:
        ValueError: an unknown name; near misses are suggested.
    """
    from infotorch.data.catalogue import find

    for name in {recipe.data.name for recipe in recipes if isinstance(recipe, Recipe)}:
        if "/" not in name and not name.startswith("folder:"):
            find(name)


def check_runs(runs: Iterable[tuple[AnyRecipe, int]], device: str) -> Setups:
    """Load the data of variants with their seeds and build their models and plans, of each for its first seed.

    Returns:
        What was loaded and built, for the runs themselves.

    Raises:
        ValueError: the device is not there, a setting does not fit, or a data file is damaged.
        FileNotFoundError: a data file is missing and cannot be downloaded.
    """
    from infotorch.runs.setup import Setups
    from infotorch.training.devices import resolve_device

    resolve_device(device)
    setups, checked = Setups(), set[tuple[str, str]]()
    for recipe, seed in runs:
        if isinstance(recipe, Recipe) and (recipe.name, recipe.variant) not in checked:
            setups.check(recipe, seed, device)
            checked.add((recipe.name, recipe.variant))
    return setups


def check_table(
    recipes: Sequence[AnyRecipe], directory: Path, seeds: int, *, resume: bool
) -> set[tuple[str, str, int]]:
    """Refuse a folder that a table must not write into.

    Returns:
        Recipe, variant and seed of the runs that have ended there already: a resumed table keeps them.

    Raises:
        ValueError: it holds something and `resume` is not asked for, it holds no table, or runs of other settings.
    """
    check_folder(directory)
    if not directory.exists() or is_empty(directory):
        return set()
    if not resume:
        raise ValueError(f"--out {directory} is not empty; add --resume to go on with it, or choose another.")
    if not any(directory.glob("*/*/seed-*")) and not any(map(is_table, directory.glob("*.json"))):
        raise ValueError(f"--out {directory} is not empty and holds no table; choose another.")
    from infotorch.records.run_record import RunRecord
    from infotorch.runs.resume import check_same, collected_outcomes

    ended = set(collected_outcomes(recipes, directory, seeds))
    for recipe in recipes:
        for seed in recipe.seeds(seeds):
            record = RunRecord(directory / recipe.name / recipe.variant / f"seed-{seed}")
            if not record.exists():
                continue
            check_same(record, recipe, seed)
            if (outcome := record.outcome()) is not None and outcome.status in {"completed", "diverged"}:
                ended.add((recipe.name, recipe.variant, seed))
            else:
                ended.discard((recipe.name, recipe.variant, seed))
    return ended
