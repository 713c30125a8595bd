"""The page of a tuning."""

from pathlib import Path

from nnbench.show import html
from nnbench.show.html import Part
from nnbench.tune import charts, tables, words
from nnbench.tune.finding import Finding

PAGE = "tune.html"

READING = (
    "Each bar goes from 1, which is now, to the setting's ratio, with its 95 % interval. Ratios "
    "are of the same turn: settings take turns, so that what slows the machine hits all of them."
)
TITLES = {True: "The same training, faster", False: "Faster still, with another training"}


def write(found: Finding) -> Path:
    """Write the page of a tuning into its folder."""
    table = tables.table(found)
    parts = [
        Part(TITLES[one.setting.keeps], f"What to write: {one.setting.name}.", code=one.code)
        for one in found.answers
    ]
    parts += [
        Part("Every setting that was timed", READING, figure=charts.ratios(found), name="ratios"),
        Part(table.title, table.caption, table),
    ]
    host, created = found.tuning.fingerprint, found.tuning.created
    return html.write(
        found.folder / PAGE,
        title=f"What to change to train {found.tuning.name} faster",
        subtitle=f"{created} on {host['host']}: {host['cpu']}, {host['cpus']} CPUs",
        sentences=words.sentences(found),
        warnings=words.warnings(found),
        parts=parts,
    )
