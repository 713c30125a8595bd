"""The page of a race."""

from collections.abc import Mapping
from pathlib import Path

from nnbench.race import charts, words
from nnbench.race.time_to_loss import Race
from nnbench.show import html
from nnbench.show.html import Part
from nnbench.store.runs import Run

PAGE = "race.html"

LOSS = (
    "Steady epochs only on the left; on the right what is paid once, before and in the first "
    "epoch, counts too. Bands are intervals of the median over seeds. Left and below is better."
)
PARETO = (
    "Each network after all its epochs. Filled and joined: no other is better in both time and "
    "loss. Hollow: another is quicker and has the lower loss."
)


def write(run: Run, targets: Mapping[int, float]) -> Path:
    """Write the page into the run's folder; `targets` has one loss for each of `Race.of`."""
    parts, sentences, warnings = [], [], []
    for number, race in enumerate(Race.of(run)):
        target = targets[number]
        place = race.racers[0].case.place
        stem = place.replace(", ", "-").replace(":", "").replace(" ", "")
        table = words.table(race, target)
        sentences += [f"{place}: {one}" for one in words.sentences(race, target)]
        warnings += words.warnings(race)
        parts += [
            Part(table.title, table.caption, table),
            Part(
                f"Loss against wall-clock, {place}",
                LOSS,
                figure=charts.loss_against_time(race, target),
                name=f"{stem}-loss",
            ),
            Part(
                f"Time against loss, {place}",
                PARETO,
                figure=charts.pareto(race),
                name=f"{stem}-pareto",
            ),
        ]
    host = run.fingerprint
    return html.write(
        run.folder / PAGE,
        title="Time to a loss",
        subtitle=f"{run.created} on {host['host']}: {host['cpu']}, {host['cpus']} CPUs",
        sentences=sentences,
        warnings=list(dict.fromkeys(warnings)),
        parts=parts,
    )
