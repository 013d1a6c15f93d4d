"""Vasudevan 2020, Figure 1: mutual information against the number of rows that it is measured on; 1,000 was chosen."""

from __future__ import annotations

from infotorch.recipes.demonstration import Demonstration

_SETS = {"mnist": "MNIST", "cifar10": "CIFAR-10"}


def variants() -> list[Demonstration]:
    """A row for each of the paper's two sets."""
    return [
        Demonstration(
            name="milr-sample-size",
            variant=f"sample-size-{name}",
            title="Mutual information against the number of samples",
            description=f"I(X; Y) of {words} by KSG and by Ross, on samples of 100 to 2,000 images",
            source="Vasudevan 2020, Fig. 1",
            values={"draws": 5, "largest": 2000},
        )
        for name, words in _SETS.items()
    ]
