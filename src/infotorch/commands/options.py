"""What several commands take: their arguments and options, and what is made of them."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from infotorch.records.progress import hushed

if TYPE_CHECKING:
    from infotorch.recipes.demonstration import AnyRecipe


def share(text: Any) -> float:
    """Parse a number above 0 and at most 1."""
    found = _number(text)
    if 0 < found <= 1:
        return found
    raise typer.BadParameter(f"must be a number above 0 and at most 1, got {str(text)!r}.")


def positive(text: Any) -> float:
    """Parse a positive, finite number."""
    found = _number(text)
    if 0 < found < math.inf:
        return found
    raise typer.BadParameter(f"must be a positive number, got {str(text)!r}.")


def ascending(text: Any) -> list[float]:
    """Parse positive numbers that ascend, with commas between them."""
    found = [_number(part) for part in str(text).split(",")]
    if all(low < high for low, high in pairwise([0.0, *found, math.inf])):
        return found
    raise typer.BadParameter(f"must be positive numbers that ascend, such as 0.001,0.01,0.1, got {str(text)!r}.")


def _number(text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _hush(context: typer.Context, quiet: bool) -> None:
    if quiet:
        context.with_resource(hushed())


class PlainCommand(TyperCommand):
    """A command whose help leaves out the types of Python, which some versions of typer print behind arguments."""

    def get_help(self, ctx: Any) -> str:
        """The help as people read it."""
        return re.sub(r"<[\w\[\]]+>", lambda found: " " * len(found[0]), super().get_help(ctx))


HELP = {"help_option_names": ["-h", "--help"]}
Recipes = Annotated[
    list[str], typer.Argument(metavar="RECIPE", help="tables to run: names from `infotorch list`, or recipes' files.")
]
RecipeName = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="table to take it from: a name from `infotorch list`, or a recipe's file."),
]
Variant = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A variant of the table, `infotorch list variants RECIPE`; by default the first."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, e.g. epochs=2 or data.limit=500; repeatable."),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Decides everything random; from 0.")]
Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="Seeds 0 to N-1 for every variant.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")]
Devices = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Processes that share every batch, or the modules of a pipeline: on a GPU or some of the cores each.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_hush, help="Show no progress; results and errors alone."),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; by default a new folder in ./runs.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with what is in --out; finished and collected runs are kept.")
]


def chosen(
    names: list[str], variants: list[str] | None, settings: list[str], *, first: bool = False
) -> list[AnyRecipe]:
    """The recipes that are named, each once, with their settings changed; all that names can get wrong is found.

    Args:
        names: of tables, or of files that hold a recipe each and end in .json.
        variants: of each table; None for all.
        settings: KEY=VALUE.
        first: of each table the first variant alone.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a name, a key or a value that does not exist, a file that holds no recipe, a variant of a file, or
            two variants of one name.
    """
    from infotorch.recipes.changes import change_from_text
    from infotorch.recipes.demonstration import Demonstration, change_demonstration
    from infotorch.recipes.recipe_file import read_recipe
    from infotorch.recipes.registry import find_recipe, variants_of
    from infotorch.runs.preflight import check_names

    if variants and all(name.endswith(".json") for name in names):
        raise ValueError(f"{' '.join(names)}: a file holds one variant; leave out --variant.")
    found: list[AnyRecipe] = []
    for name in dict.fromkeys(names):
        if name.endswith(".json"):
            found.append(read_recipe(Path(name)))
            continue
        wanted = list(dict.fromkeys(variants or [one.variant for one in variants_of(name)]))
        found += [find_recipe(name, variant) for variant in (wanted[:1] if first else wanted)]
    found = [
        change_demonstration(one, settings) if isinstance(one, Demonstration) else change_from_text(one, settings)
        for one in found
    ]
    _check_distinct(found)
    check_names(found)
    return found


def _check_distinct(recipes: list[AnyRecipe]) -> None:
    seen: set[tuple[str, str]] = set()
    for recipe in recipes:
        if (recipe.name, recipe.variant) in seen:
            raise ValueError(f"{recipe.name} {recipe.variant} is named twice, by a file too; leave one of them out.")
        seen.add((recipe.name, recipe.variant))


def directory_for(out: Path | None, stem: str, resume: bool) -> Path:
    """`out`, or runs/<stem>; when that is taken, the next free number, or with resume the last one taken."""
    if out is not None:
        return out
    first = Path("runs") / stem
    taken, number = None, 1
    candidate = first
    while candidate.exists():
        taken, number = candidate, number + 1
        candidate = first.with_name(f"{stem}-{number}")
    return taken if resume and taken is not None else candidate
