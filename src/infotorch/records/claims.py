"""What papers claim, in our words: the rows of our tables that would show it, and what is still missing to tell.

In claims.json, which stands beside the tables' files: paper -> claims, each with the fields of `Claim`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from infotorch.records.files import read_json
from infotorch.records.forms import COUNT, NOT_NEGATIVE, NUMBER, TEXT, Each, Optional, check_form

#: What a claim may expect of a row beside its reference.
EXPECTED = ("higher", "lower", "comparable")

_FORM = Each([{
    "claim": TEXT, "where": TEXT, "expected": Optional(TEXT), "table": Optional(TEXT), "pairs": Optional([TEXT]),
    "settings": Optional([TEXT]), "metric": Optional(TEXT), "epoch": Optional(COUNT), "margin": Optional(NOT_NEGATIVE),
    "published": Optional(Each([NUMBER])), "file": Optional(TEXT), "values": Optional(Each([TEXT])),
    "demonstration": Optional(TEXT), "remark": Optional(TEXT), "waits": Optional(TEXT), "command": Optional(TEXT),
}])  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """One claim.

    Args:
        claim: what is said, in our words.
        where: the section, table or figure that says it.
        expected: one of `EXPECTED`, of the metric's value; "" for a demonstration, and where no row could tell.
        table: recipe whose rows are compared.
        pairs: "row/reference" of the table, or of `values`.
        settings: "key=value" that the runs have, where the table holds runs of several settings.
        metric: what is compared; "" for the table's main metric.
        epoch: the metric is read from the curves after this epoch; None for the end of the run.
        margin: how far below its reference a comparable row may lie; None for the published difference.
        published: pair -> the paper's values of row and reference, where the table's file has them not.
        file: a benchmark's JSON file, from the root of the repository, in place of a table.
        values: name -> the place of its values in the file, one of each seed.
        demonstration: variant of the table whose own claims, computed, are lines of the page.
        remark: what a reader must know of the line.
        waits: why it cannot be told yet, whatever the numbers say; "" where they decide.
        command: what would tell, where it waits.
    """

    claim: str
    where: str
    expected: str = ""
    table: str = ""
    pairs: Sequence[str] = ()
    settings: Sequence[str] = ()
    metric: str = ""
    epoch: int | None = None
    margin: float | None = None
    published: Mapping[str, Sequence[float]] = field(default_factory=dict)
    file: str = ""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    demonstration: str = ""
    remark: str = ""
    waits: str = ""
    command: str = ""


def read_claims(path: Path) -> dict[str, list[Claim]]:
    """Paper -> its claims, in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or a claim has a field of another name; the message names it.
    """
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, _written: int) -> dict[str, list[Claim]]:
    content = read_json(path)
    check_form(content, _FORM, where=path)
    return {paper: [_claim(one, path) for one in claims] for paper, claims in content.items()}


def _claim(fields: Mapping[str, Any], path: Path) -> Claim:
    where = f"{path} is damaged: the claim {fields['claim']!r}"
    known = set(Claim.__dataclass_fields__)
    if unknown := set(fields) - known:
        raise ValueError(f"{where} must have no other fields than {', '.join(sorted(known))}, "
                         f"got {', '.join(sorted(unknown))}.")  # fmt: skip
    claim = Claim(**fields)
    if claim.pairs and claim.expected not in EXPECTED:
        raise ValueError(f"{where} must expect one of {', '.join(EXPECTED)}, got {claim.expected!r}.")
    if wrong := [pair for pair in claim.pairs if len(pair.split("/")) != 2]:
        raise ValueError(f"{where} must name pairs such as best/bp, got {', '.join(wrong)}.")
    if not (claim.pairs or claim.demonstration or claim.waits):
        raise ValueError(f"{where} must have pairs, a demonstration, or what it waits for.")
    return claim
