"""The page of a comparison: `compare.html`, or beside a saved run `compare-with-NAME.html`."""

from pathlib import Path

from nnbench.report.comparison import ComparedSides
from nnbench.report.comparison_words import context, finding, measured, name, next_steps, word
from nnbench.show import html
from nnbench.show.html import Part
from nnbench.show.intervals import CHANGE, MISSING, cell, sentence
from nnbench.show.palette import SERIES_COLOURS
from nnbench.show.panel import INK, of_rows
from nnbench.show.svg import WIDTH, Chart
from nnbench.show.table import Cell, Table
from nnbench.show.text import file_name
from nnbench.stats import verdict
from nnbench.stats.verdict import DIFFERENT, EQUIVALENT, UNDECIDED

TONES = {DIFFERENT: "bad", EQUIVALENT: "good", UNDECIDED: "warning"}
SIGNS = {
    DIFFERENT: (SERIES_COLOURS[1], "D"),
    EQUIVALENT: (SERIES_COLOURS[2], "o"),
    UNDECIDED: (SERIES_COLOURS[6], "X"),
}
READING = (
    "To the right of the line {second} takes longer than {first}. Diamonds are different, circles "
    "equivalent within the margin (the two thin lines), crosses not decided; lines are 95 % "
    "intervals."
)

NOT_JUDGED = "Measured besides what was asked for; --phase names what is judged."


def write(found: ComparedSides, folder: Path, *, beside: bool = False) -> Path:
    """Write the page into a folder. Raises UserError if it cannot be written."""
    file = f"compare-with-{file_name(Path(found.first).name)}.html" if beside else "compare.html"
    told = [verdict.sentence(one, found.first, found.second) for one in found.comparisons]
    differ = [text for text, one in zip(told, found.comparisons, strict=True)
              if one.verdict == DIFFERENT]  # fmt: skip
    reading = READING.format(first=found.first, second=found.second)
    drawn = chart(found)
    return html.write(
        folder / file,
        kind="Comparison",
        title=finding(found),
        subtitle=f"{_sides(found)}, 95 % intervals",
        sentences=[*(f"{text}." for text in differ[:3]), *next_steps(found)],
        warnings=[*(f"Unlike: {one}" for one in found.unlike), *found.damage],
        parts=[
            Part("Every comparison", reading, figure=drawn, name=Path(file).stem),
            Part("All figures", " ".join(measured(found)), table(found)),
            *([Part("Not judged", NOT_JUDGED, _others(found))] if found.others else []),
        ],
    )


def _sides(found: ComparedSides) -> str:
    where = f"{context(found)}: " if context(found) else ""
    return f"{where}{found.second} against {found.first}"


def chart(found: ComparedSides) -> Chart:
    """Every ratio with its interval and verdict."""
    names = [name(one.label, found) for one in found.comparisons]
    panel, middles, _ = of_rows(names, 1.5 * WIDTH, least=18)
    ratios = [one.ratio for one in found.comparisons]
    ends = [end for one in ratios for end in (one.low, one.value, one.high) if end == end]
    low, high = min([*ends, 1 / 1.05]), max([*ends, 1.05])
    panel.scale_x(low / (high / low) ** 0.03, high * (high / low) ** 0.03, log=True)
    panel.x_axis(lambda ratio: f"{ratio:.4g}×", label=f"times {found.first}", count=7, grid=True)
    margin = found.comparisons[0].margin
    for edge, style in ((1.0, "-"), (1 + margin, ":"), (1 / (1 + margin), ":")):
        line = [(panel.x(edge), end) for end in panel.upright]
        panel.line(line, color=INK, linewidth=1, linestyle=style)
    for one, middle in zip(found.comparisons, middles, strict=True):
        told = f"{name(one.label, found)}: {sentence(one.ratio, CHANGE)}, {one.verdict}"
        panel.interval(one.ratio, middle, told, None, sign=SIGNS[one.verdict], size=6)
    return panel.done(finding(found))


def table(found: ComparedSides) -> Table:
    """A row a comparison."""
    rows = [
        [
            Cell(name(one.label, found)),
            cell(one.ratio, CHANGE),
            Cell(word(one), tone=TONES[one.verdict]),
            Cell(MISSING if not one.more_launches else f"{one.more_launches:,}"),
        ]
        for one in found.comparisons
    ]
    columns = ["what", "change", "verdict", "more launches needed"]
    caption = f"{_sides(found)}: changes with their 95 % intervals below"
    return Table("Changes", columns, rows, caption)


def _others(found: ComparedSides) -> Table:
    rows = [
        [Cell(name(label, found)), cell(ratio, CHANGE)]
        for label, ratio in (found.others or {}).items()
    ]
    return Table("Not judged", ["what", "change"], rows)
