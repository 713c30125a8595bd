"""The page of a race."""

from collections.abc import Sequence
from pathlib import Path

from nnbench.race import charts, tables, words
from nnbench.race.time_to_loss import Race
from nnbench.show import html
from nnbench.show.html import Part
from nnbench.store.runs import Run

PAGE = "race.html"

CURVES = (
    "Steady epochs only on the left; on the right what is paid once, before and in the first "
    "epoch, counts too. Bands are intervals of the median over seeds."
)
PARETO = (
    "Each network after all its epochs. Filled and joined: no other is better in both. Hollow: "
    "another is quicker and ends better."
)


def write(run: Run, races: Sequence[Race]) -> Path:
    """Write the page of a run's races into its folder."""
    parts: list[Part] = []
    for one in races:
        where, name = one.case.context, one.goal.name
        what = name[:1].upper() + name[1:]
        curves = f"{CURVES} Left and {'above' if one.goal.rises else 'below'} is better."
        stem = where.replace(", ", "-").replace(":", "").replace(" ", "")
        table, loss, pareto = tables.table(one), charts.loss_against_time(one), charts.pareto(one)
        parts += [
            Part(table.title, table.caption, table),
            Part(f"{what} against wall-clock, {where}", curves, figure=loss, name=f"{stem}-loss"),
            Part(f"Time against {name}, {where}", PARETO, figure=pareto, name=f"{stem}-pareto"),
        ]
    host = run.fingerprint
    sentences = [f"{one.case.context}: {text}" for one in races for text in words.sentences(one)]
    return html.write(
        run.folder / PAGE,
        kind=f"Time to a {races[0].goal.name}",
        title=sentences[0].rstrip("."),
        subtitle=f"{run.created} on {host['host']}: {host['cpu']}, {host['cpus']} CPUs",
        sentences=sentences[1:],
        warnings=list(dict.fromkeys(text for one in races for text in words.warnings(one))),
        parts=parts,
    )
