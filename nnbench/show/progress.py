"""Progress on standard error: a live bar in a terminal, a line below a notebook's cell.

Elsewhere it is a line at each stage.

What has no stages is told of now and then; however long it lasts, there are few lines.
"""

import html
import sys
import time
from typing import Protocol, Self

from rich import progress

from nnbench.show import units
from nnbench.show.terminal import note as tell
from nnbench.show.terminal import open_console
from nnbench.show.text import printable

QUIET_S, STAGE_QUIET_S = 15.0, 60.0
"""Without a terminal, a line is written at most this often; within a stage the second."""

MANY_LINES = 15
"""After so many lines each further one waits twice as long as the one before, stage or not."""


class State(Protocol):
    """Where something stands: what is done of how many, and what is being done."""

    @property
    def done(self) -> int:
        """How many are finished."""

    @property
    def total(self) -> int:
        """How many there are."""

    @property
    def now(self) -> str:
        """What is being done."""

    @property
    def stage(self) -> str:
        """What that is a part of, such as a launch of several; empty where there are none."""


REDRAWN_S = 0.25
"""A notebook's line is drawn anew at most this often: each time is a message to the browser."""


class _Cell:
    """One line below a notebook's cell, drawn in place."""

    def __init__(self) -> None:
        from IPython.display import display

        self._shown = display({"text/plain": ""}, raw=True, display_id=True)
        self._told_s = 0.0

    def show(self, done: int, total: int, text: str) -> None:
        if time.monotonic() - self._told_s >= REDRAWN_S:
            self._told_s = time.monotonic()
            bar = f'<progress max="{max(total, 1)}" value="{done}"></progress> '
            self._update(text, f"<div>{bar}{html.escape(text)}</div>")

    def close(self) -> None:
        self._update("", "<div></div>")

    def _update(self, text: str, marked: str) -> None:
        if self._shown is not None:
            self._shown.update({"text/plain": text, "text/html": marked}, raw=True)


def _cell() -> _Cell | None:
    """The line of the notebook that this process runs, if any."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return _Cell() if getattr(shell, "kernel", None) is not None else None


class Bar:
    """A bar over a known number of `unit`; a context manager."""

    def __init__(self, total: int, unit: str, *, quiet: bool = False) -> None:
        self._total, self._unit, self._quiet = total, unit, quiet
        console = open_console(sys.stderr)
        # A notebook's kernel says that it is a terminal, too.
        self._cell = None if quiet else _cell()
        self._live = console.is_terminal and not quiet and self._cell is None
        columns = (
            progress.BarColumn(bar_width=24),
            progress.MofNCompleteColumn(),
            progress.TextColumn(unit, markup=False),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left:"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}", markup=False),
        )
        self._bar = progress.Progress(
            *columns, console=console, disable=not self._live, transient=True
        )
        self._task = self._bar.add_task("", total=total)
        self._began_s = self._told_s = time.monotonic()
        self._first_done: int | None = None
        self._stage, self._lines = "", 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.stop()
        if self._cell is not None:
            self._cell.close()

    def show(self, done: int, note: str, total: int | None = None, stage: str = "") -> None:
        """Show that `done` are finished; `note` says what is going on, as part of a `stage`."""
        self._total = total or self._total
        if self._first_done is None:
            self._first_done = done
        if self._live:
            shown = printable(note)
            self._bar.update(self._task, completed=done, total=self._total, description=shown)
        elif self._cell is not None:
            where = f"{stage}: " if stage else ""
            told = f"{where}{done}/{self._total} {self._unit}, {self._estimate(done)}{note}"
            self._cell.show(done, self._total, printable(told))
        elif not self._quiet and self._is_due(stage):
            self._told_s, self._stage = time.monotonic(), stage
            self._lines += 1
            where = f"{stage}: " if stage else ""
            tell(f"{where}{done}/{self._total} {self._unit}, {self._estimate(done)}{note}")

    def _is_due(self, stage: str) -> bool:
        waited_s = time.monotonic() - self._told_s
        if self._lines >= MANY_LINES:
            return waited_s >= QUIET_S * (2 << (self._lines - MANY_LINES))
        return stage != self._stage or waited_s >= (STAGE_QUIET_S if stage else QUIET_S)

    def watch(self, state: State) -> None:
        """Show where something stands."""
        self.show(state.done, state.now, state.total, state.stage)

    def _estimate(self, done: int) -> str:
        fresh = done - (self._first_done or 0)
        if fresh <= 0:
            return ""
        left_s = (time.monotonic() - self._began_s) / fresh * (self._total - done)
        return f"about {units.about(left_s)} left, "
