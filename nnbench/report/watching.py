"""What is shown of a run while it is measured: its estimates as they narrow, and the machine."""

from collections.abc import Callable, Sequence

from nnbench.measure.run import Progress
from nnbench.measure.standing import EARLY, MORE, SETTLED, SETTLING, Standing
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.show import units
from nnbench.show.intervals import MISSING
from nnbench.show.progress import Bar
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import NARROW
from nnbench.stats.estimate import Estimate

TONES = {SETTLED: "good", SETTLING: "", EARLY: "", MORE: "warning"}
ORDER = (MORE, EARLY, SETTLING, SETTLED)
SAFE = "Ctrl-C is safe: what was measured is kept, the same command goes on."
SAFE_IN_NOTEBOOK = (
    "Interrupting the kernel is safe: what was measured is kept, the same cell goes on."
)
SHOWN = {COLD: "whole training", EPOCH: "epoch", STEP: "step"}


def watcher(bar: Bar) -> Callable[[Progress], None]:
    """What shows on a bar where a run stands."""
    safe = SAFE_IN_NOTEBOOK if bar.is_in_notebook else SAFE
    made: tuple[Sequence[Standing], Table | None, str] = ((), None, "")

    def watch(progress: Progress) -> None:
        nonlocal made
        if progress.standings is not made[0]:
            made = progress.standings, *estimates(progress.standings, bar.rows, bar.width)
        _, table, more = made
        machine = f"machine: {progress.machine}" if progress.machine else ""
        lines = [line for line in (more, machine, safe) if line]
        bar.show(
            progress.done, progress.now, progress.total, progress.stage, table=table, lines=lines
        )

    return watch


def estimates(standings: Sequence[Standing], rows: int, width: int) -> tuple[Table | None, str]:
    """The estimates in at most so many rows, those that need most first; and how many are left."""
    if not standings:
        return None, ""
    shown = list(standings)
    if len(shown) > rows:
        shown.sort(key=lambda one: ORDER.index(one.state))
    shown, left = shown[:rows], shown[rows:]
    counts = {state: sum(one.state == state for one in left) for state in ORDER}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    several = len({one.context for one in standings}) > 1
    known = [phase for phase in SHOWN if any(phase in one.times for one in standings)]
    # Of a narrow terminal the whole training is what fits beside name and state.
    phases = known if width >= NARROW else known[:1]
    table = Table(
        "",
        ["network", *(SHOWN[phase] for phase in phases), ""],
        [
            [
                Cell(f"{one.name} ({one.context})" if several else one.name),
                *(_cell(one.times.get(phase), ratio=one.are_ratios) for phase in phases),
                Cell(one.state, tone=TONES[one.state]),
            ]
            for one in shown
        ],
    )
    return table, f"and {len(left)} more: {told}" if left else ""


def _cell(time: Estimate | None, *, ratio: bool) -> Cell:
    if time is None:
        return Cell(MISSING)
    number = (units.ratio if ratio else units.seconds)(time.value)
    known = time.has_interval and time.launches > 1
    return Cell(f"{number} {units.within(time.relative_half_width)}" if known else number)
