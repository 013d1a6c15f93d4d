"""Recipes by name: the file of a table carries its name, with underscores for hyphens."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence

from infotorch.recipes.demonstration import AnyRecipe

#: The tables, in the order in which they are listed. `variants()` of a table's file gives its variants, the method's
#: own first: it is what `run` takes when no variant is named.
_TABLES = (
    "demo",
    "ib-mnist-1pct",
    "ib-mnist",
    "ib-cifar10",
    "mole-adult",
    "mole-mnist",
    "mole-mnist-1pct",
    "mole-cora",
    "mole-mutagenicity",
    "prox-binary",
    "prox-mnist",
    "prox-cifar10",
    "prox-vae-mnist",
    "prox-vae-cifar10",
    "milr-mnist",
    "milr-cifar10-allconv",
    "milr-cifar10-vgg16",
    "milr-cifar100-wrn28-10",
    "milr-imagenet-resnet50",
    "milr-temperature",
    "milr-sample-size",
    "remedies-mnist",
    "remedies-strength",
    "why-ib-fails",
    "cifar10",
    "cifar10-large",
    "arena",
)


def recipe_names() -> list[str]:
    """The names of all recipes.

    Example:
        >>> "ib-mnist" in recipe_names()
        True
    """
    return list(_TABLES)


def variants_of(name: str) -> Sequence[AnyRecipe]:
    """The variants of a table, of which its file alone is imported.

    Raises:
        ValueError: no recipe has that name; near misses are suggested.

    Example:
        >>> [recipe.variant for recipe in variants_of("ib-mnist")][:2]
        ['full-bound', 'full']
    """
    if name not in _TABLES:
        near = difflib.get_close_matches(name, _TABLES, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"recipes: {', '.join(_TABLES)}."
        raise ValueError(f"there is no recipe {name!r}; {hint}")
    return importlib.import_module(f"infotorch.recipes.{name.replace('-', '_')}").variants()


def find_recipe(name: str, variant: str | None = None) -> AnyRecipe:
    """One variant; without a variant the table's first, which is the method itself.

    Raises:
        ValueError: no recipe or no variant has that name; near misses are suggested.

    Example:
        >>> find_recipe("ib-mnist", "ce").plan.objectives
        ('CE',)
    """
    variants = {recipe.variant: recipe for recipe in variants_of(name)}
    if variant is None:
        return next(iter(variants.values()))
    if variant not in variants:
        near = difflib.get_close_matches(variant, variants, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"variants: {', '.join(variants)}."
        raise ValueError(f"{name} has no variant {variant!r}; {hint}")
    return variants[variant]
