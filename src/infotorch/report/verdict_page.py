"""Lines of verdicts -> a measured part of docs/verdicts.md: a table, its counts, and the commands of its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from infotorch.report.comparisons import counted_pairs
from infotorch.report.verdicts import VERDICTS, Line

_HEADER = ("claim", "where", "published", "our rows and setting", "found", "verdict")
_AGAIN = "″"
#: Where a command is broken.
_WIDTH = 105


def verdicts_markdown(lines: Sequence[Line]) -> str:
    """The lines as a GitHub table, how many there are of each verdict, and the commands below.

    Args:
        lines: from `verdict_lines`; at least one.
    """
    rows = [_HEADER, (":--",) * len(_HEADER)]
    before = None
    for line in lines:
        same = before is not None and (line.claim.claim, line.claim.where) == (before.claim.claim, before.claim.where)
        said = (_AGAIN, _AGAIN) if same else (line.claim.claim, line.claim.where)
        why = _AGAIN if before is not None and same and line.why == before.why else line.why
        verdict = f"**{line.verdict}**" + (f": {why}" if line.why else "")
        rows.append((*said, line.published, line.rows, line.found, verdict))
        before = line
    table = "".join(f"| {' | '.join(_cell(cell) for cell in row)} |\n" for row in rows)
    commands = "".join(f"    {_wrapped(command)}\n" for command in verdict_commands(lines))
    return f"\n\n{table}\n{_counted(lines)}" + (f"\n\nMade by\n\n{commands}\n" if commands else "\n\n")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _counted(lines: Sequence[Line]) -> str:
    told = ", ".join(f"{verdict}: {sum(line.verdict == verdict for line in lines)}" for verdict in VERDICTS)
    made = [line.comparison for line in lines if line.comparison is not None]
    compared = f" ({counted_pairs(made)})" if made else ""
    return f"{len(lines)} lines; {told}{compared}."


def verdict_commands(lines: Sequence[Line]) -> list[str]:
    """The commands that made the lines' numbers, one for the variants of a table that share their settings.

    Example:
        >>> from infotorch.records.claims import Claim
        >>> made = (("infotorch table demo --seeds 3", "bp"), ("infotorch table demo --seeds 3", "best"))
        >>> verdict_commands([Line(Claim("", ""), "", "", "", "holds", "", None, made)])
        ['infotorch table demo --seeds 3 --variant bp --variant best --out runs']
    """
    grouped: dict[str, list[str]] = {}
    for head, variant in (made for line in lines for made in line.made_by):
        grouped.setdefault(head, []).append(variant)
    return [
        " ".join([head, *(f"--variant {name}" for name in dict.fromkeys(variants)), "--out runs"])
        if variants[0]
        else head
        for head, variants in grouped.items()
    ]


def _wrapped(command: str) -> str:
    lines = [""]
    for word in command.replace(" --", "\n--").split("\n"):
        if len(lines[-1]) + len(word) > _WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return " \\\n        ".join(lines)
