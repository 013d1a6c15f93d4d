"""Draw the README's picture from the committed runs: `make results`.

Left: how its best variant is trained. Right: test accuracy of every variant of the table of 600 labels, a dot a seed.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from infotorch.records.finding import find_runs
from infotorch.report import summarise

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "results" / "mole-mnist-1pct.json"
PICTURE = Path(__file__).parent / "picture.svg"
WIDTH, STEP, TOP = 920, 66, 86
INK, FAINT, OURS, PLAIN, GROUND = "#1b2430", "#8a94a3", "#1f6feb", "#5b6675", "#ffffff"
WORDS = {
    "label-free": "infotorch: convolutions from images without labels",
    "bp": "back-propagation, tuned",
    "random": "convolutions that nothing trained",
}


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
    """The network, its modules and their local losses."""
    parts = [text(20, 30, "No gradient crosses a module", size=16, weight=600)]
    losses = [
        ("two views of an image agree", "55,000 images, no label"),
        ("two views of an image agree", "55,000 images, no label"),
        ("information about the label", "600 labels"),
        ("cross-entropy", "600 labels"),
    ]
    for number, ((loss, data), name) in enumerate(
        zip(losses, ("convolution", "convolution", "linear", "output"), strict=True)
    ):
        y = 56 + 56 * number
        parts += [
            box(20, y, 104, name, INK),
            box(196, y, 206, loss, OURS),
            text(299, y + 48, data, size=11, color=FAINT, anchor="middle"),
            arrow(126, y + 12, 192, y + 12, INK),
            arrow(194, y + 24, 130, y + 24, OURS, "4 3"),
        ]
        if number < 3:
            parts.append(arrow(72, y + 36, 72, y + 53, INK))
    parts.append(text(160, 50, "gradient, dashed", size=11, color=OURS, anchor="middle"))
    return parts


def dots() -> tuple[list[str], int]:
    """Every variant of the table on one axis, and where the drawing ends."""
    values = {variant.variant: variant.metrics["test_accuracy"] for variant in summarise(find_runs(RUNS))}
    low = min(min(m.values.values()) for m in values.values())
    high = max(max(m.values.values()) for m in values.values())
    left, right = 480, 880

    def place(value: float) -> float:
        return left + (right - left) * (value - low + 0.002) / (high - low + 0.004)

    parts = [text(460, 30, "MNIST with 600 labels: test accuracy, %", size=16, weight=600)]
    for number, (variant, measured) in enumerate(sorted(values.items(), key=lambda item: -item[1].mean)):
        y = TOP + STEP * number
        color = OURS if variant == "label-free" else PLAIN
        parts.append(text(left, y - 14, WORDS[variant], weight=600 if color == OURS else 400, color=color))
        parts.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#e3e7ec"/>')
        parts += [
            f'<circle cx="{place(v):.1f}" cy="{y}" r="4" fill="{color}" opacity="0.45"/>'
            for v in measured.values.values()
        ]
        x = place(measured.mean)
        parts.append(f'<line x1="{x:.1f}" y1="{y - 8}" x2="{x:.1f}" y2="{y + 8}" stroke="{color}" stroke-width="2.4"/>')
        parts.append(text(x, y + 22, f"{100 * measured.mean:.1f}", size=12, color=color, anchor="middle"))
    y = TOP + STEP * len(values) - 12
    parts += [
        f'<circle cx="{left + 6}" cy="{y}" r="4" fill="{PLAIN}" opacity="0.45"/>',
        text(left + 16, y + 4, "one seed", size=11, color=FAINT),
        f'<line x1="{left + 84}" y1="{y - 7}" x2="{left + 84}" y2="{y + 7}" stroke="{PLAIN}" stroke-width="2.4"/>',
        text(left + 92, y + 4, "mean of three", size=11, color=FAINT),
    ]
    return parts, 288


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
        f'aria-label="A network whose modules have losses of their own, and test accuracies on MNIST with 600 labels">'
        f'<defs>{heads}</defs><rect width="{WIDTH}" height="{height}" fill="{GROUND}"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
