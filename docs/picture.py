"""Draw the README's picture from the committed runs: `make results`.

Left: how a layer-by-layer run works. Right: test accuracy of every variant of the MNIST 1 % table, each seed a dot.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from infotorch.records.finding import find_runs
from infotorch.report import summarise

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "results" / "ib-mnist-1pct.json"
PICTURE = Path(__file__).parent / "picture.svg"
WIDTH, STEP, TOP = 920, 33, 66
INK, FAINT, OURS, PAPER, GROUND = "#1b2430", "#8a94a3", "#1f6feb", "#d1602b", "#ffffff"


def text(
    x: float, y: float, words: str, *, size: int = 13, color: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def box(x: float, y: float, width: float, words: str, color: str) -> str:
    """A rounded box with a word in it."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="34" rx="7" fill="{GROUND}" stroke="{color}" '
        'stroke-width="1.6"/>' + text(x + width / 2, y + 22, words, anchor="middle", color=color)
    )


def arrow(x1: float, y1: float, x2: float, y2: float, color: str, dash: str = "") -> str:
    """A line with a head."""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}" stroke-width="1.6" '
        f'stroke-dasharray="{dash}" marker-end="url(#{"blue" if color == OURS else "ink"})"/>'
    )


def scheme() -> list[str]:
    """The network, its cuts and its local losses."""
    parts = [text(20, 30, "No gradient crosses a module", size=16, weight=600)]
    losses = ["−I(Y;L) + β I(X;L+ε)", "−I(Y;L) + β I(X;L+ε)", "cross-entropy"]
    parts.append(text(20, 74, "x"))
    for number, loss in enumerate(losses):
        y = 88 + 68 * number
        parts += [
            box(20, y, 92, f"module {number + 1}", INK),
            box(206, y, 178, loss, OURS),
            arrow(114, y + 12, 202, y + 12, INK),
            arrow(204, y + 24, 118, y + 24, OURS, "4 3"),
        ]
        if number < 2:
            parts += [arrow(66, y + 36, 66, y + 64, INK), text(76, y + 56, "values only", size=11, color=FAINT)]
    parts.append(text(160, 80, "gradient, dashed", size=11, color=OURS, anchor="middle"))
    return parts


def dots() -> tuple[list[str], int]:
    """Every variant of the table on one axis, and where the drawing ends."""
    values = {variant.variant: variant.metrics["test_accuracy"] for variant in summarise(find_runs(RUNS))}
    low = min(min(m.values.values()) for m in values.values())
    high = max(max(m.values.values()) for m in values.values())
    left, right = 560, 890

    def place(value: float) -> float:
        return left + (right - left) * (value - low + 0.004) / (high - low + 0.008)

    parts = [text(430, 30, "MNIST with 600 labels: test accuracy, %", size=16, weight=600)]
    for number, (variant, measured) in enumerate(sorted(values.items(), key=lambda item: -item[1].mean)):
        y = TOP + STEP * number
        parts.append(text(548, y + 4, variant, anchor="end"))
        parts.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#e3e7ec"/>')
        parts += [
            f'<circle cx="{place(v):.1f}" cy="{y}" r="4" fill="{OURS}" opacity="0.45"/>'
            for v in measured.values.values()
        ]
        x = place(measured.mean)
        parts.append(f'<line x1="{x:.1f}" y1="{y - 8}" x2="{x:.1f}" y2="{y + 8}" stroke="{OURS}" stroke-width="2.4"/>')
        parts.append(text(x, y - 11, f"{100 * measured.mean:.1f}", size=11, color=OURS, anchor="middle"))
        if measured.published is not None and low - 0.004 <= measured.published <= high + 0.004:
            at = place(measured.published)
            parts.append(
                f'<path d="M{at:.1f} {y - 5} l5 5 l-5 5 l-5 -5 z" fill="none" stroke="{PAPER}" stroke-width="1.6"/>'
            )
    y = TOP + STEP * len(values) + 6
    parts += [
        f'<circle cx="{left + 6}" cy="{y}" r="4" fill="{OURS}" opacity="0.45"/>',
        text(left + 16, y + 4, "one seed", size=11, color=FAINT),
        f'<line x1="{left + 84}" y1="{y - 7}" x2="{left + 84}" y2="{y + 7}" stroke="{OURS}" stroke-width="2.4"/>',
        text(left + 92, y + 4, "mean", size=11, color=FAINT),
        f'<path d="M{left + 140} {y - 5} l5 5 l-5 5 l-5 -5 z" fill="none" stroke="{PAPER}" stroke-width="1.6"/>',
        text(left + 150, y + 4, "published", size=11, color=FAINT),
    ]
    return parts, y + 24


def main() -> None:
    """Write the picture."""
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{color}"/></marker>'
        for name, color in (("ink", INK), ("blue", OURS))
    )
    drawn, height = dots()
    body = "\n".join([*scheme(), *drawn])
    PICTURE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" '
        f'aria-label="A network in three modules with local losses, and the accuracies of the MNIST 1 % table">'
        f'<defs>{heads}</defs><rect width="{WIDTH}" height="{height}" fill="{GROUND}"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
