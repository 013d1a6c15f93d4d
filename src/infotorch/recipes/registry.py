"""Recipes by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from infotorch.recipes import (
    demo,
    ib_cifar10,
    ib_mnist,
    ib_mnist_1pct,
    milr_cifar10_allconv,
    milr_cifar10_vgg16,
    milr_cifar100_wrn28_10,
    milr_imagenet_resnet50,
    milr_mnist,
    milr_sample_size,
    milr_temperature,
    mole_adult,
    mole_cora,
    mole_mnist,
    mole_mnist_1pct,
    mole_mutagenicity,
    prox_binary,
    prox_cifar10,
    prox_mnist,
    prox_vae_cifar10,
    prox_vae_mnist,
    remedies_mnist,
    why_ib_fails,
)
from infotorch.recipes.demonstration import TableRow

# name -> the table's rows, the method's own first: it is what `run` takes when no variant is named
_TABLES: dict[str, Callable[[], Sequence[TableRow]]] = {
    "demo": demo.rows,
    "ib-mnist-1pct": ib_mnist_1pct.rows,
    "ib-mnist": ib_mnist.rows,
    "ib-cifar10": ib_cifar10.rows,
    "mole-adult": mole_adult.rows,
    "mole-mnist": mole_mnist.rows,
    "mole-mnist-1pct": mole_mnist_1pct.rows,
    "mole-cora": mole_cora.rows,
    "mole-mutagenicity": mole_mutagenicity.rows,
    "prox-binary": prox_binary.rows,
    "prox-mnist": prox_mnist.rows,
    "prox-cifar10": prox_cifar10.rows,
    "prox-vae-mnist": prox_vae_mnist.rows,
    "prox-vae-cifar10": prox_vae_cifar10.rows,
    "milr-mnist": milr_mnist.rows,
    "milr-cifar10-allconv": milr_cifar10_allconv.rows,
    "milr-cifar10-vgg16": milr_cifar10_vgg16.rows,
    "milr-cifar100-wrn28-10": milr_cifar100_wrn28_10.rows,
    "milr-imagenet-resnet50": milr_imagenet_resnet50.rows,
    "milr-temperature": milr_temperature.rows,
    "milr-sample-size": milr_sample_size.rows,
    "remedies-mnist": remedies_mnist.rows,
    "why-ib-fails": why_ib_fails.rows,
}


def recipe_names() -> list[str]:
    """The names of all recipes.

    Example:
        >>> "ib-mnist" in recipe_names()
        True
    """
    return list(_TABLES)


def table_rows(name: str) -> Sequence[TableRow]:
    """The rows of a table.

    Raises:
        ValueError: no recipe has that name; near misses are suggested.

    Example:
        >>> [row.variant for row in table_rows("ib-mnist")][:2]
        ['full-bound', 'full']
    """
    if name not in _TABLES:
        near = difflib.get_close_matches(name, _TABLES, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"recipes: {', '.join(_TABLES)}."
        raise ValueError(f"there is no recipe {name!r}; {hint}")
    return _TABLES[name]()


def find_recipe(name: str, variant: str | None = None) -> TableRow:
    """One row; without a variant the table's first, which is the method itself.

    Raises:
        ValueError: no recipe or no variant has that name; near misses are suggested.

    Example:
        >>> find_recipe("ib-mnist", "ce").plan.objectives
        ('CE',)
    """
    rows = {row.variant: row for row in table_rows(name)}
    if variant is None:
        return next(iter(rows.values()))
    if variant not in rows:
        near = difflib.get_close_matches(variant, rows, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"variants: {', '.join(rows)}."
        raise ValueError(f"{name} has no variant {variant!r}; {hint}")
    return rows[variant]
