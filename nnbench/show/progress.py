"""Progress on standard error: redrawn in place in a terminal, and below a notebook's cell.

Elsewhere it is a line at each stage.

However long something lasts, there are few lines; and none is waited for long.
"""

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment, Segments
from rich.text import Text

from nnbench.show import notebook, units
from nnbench.show.heartbeat import beating
from nnbench.show.table import Table
from nnbench.show.terminal import as_rows, open_console
from nnbench.show.terminal import note as tell
from nnbench.show.text import printable

QUIET_S = 15.0
"""Without a terminal, there is a line at each new stage, and at least one every so often."""

MANY_LINES = 40
"""After so many lines each further one waits twice as long as the one before, stage or not."""

REDRAWN_PER_S = 2
"""More often would take from the machine that is being timed."""

LEAST_DONE = 0.1
"""Before more than such a share is done, nothing is said of the time left: starts take longest."""

BAR_WIDTH, OTHER_LINES = 20, 11
"""Of what is redrawn in place: the bar, and lines that are not the table's rows."""


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


@dataclass(frozen=True)
class _Shown:
    """What is redrawn: of how many so many are done, a table, and lines below it."""

    done: int
    total: int
    note: str
    stage: str
    table: Table | None
    lines: Sequence[str]


class Bar:
    """A bar over a known number of `unit`, with a table below where there is one.

    A context manager. A `total` of 0 is one that is not known yet.
    """

    def __init__(self, total: int, unit: str, *, quiet: bool = False) -> None:
        self._unit = unit
        self._console = open_console(sys.stderr)
        # A notebook's kernel says that it is a terminal, too.
        self._cell = None if quiet else notebook.cell_output()
        self._live = self._console.is_terminal and not quiet and self._cell is None
        self._told = not self._live and not quiet and self._cell is None
        self._began_s = self._told_s = time.monotonic()
        self._first_done: int | None = None
        self._lines = 0
        self._now = _Shown(0, total, "starting", "", None, ())
        self._drawn: tuple[Table | None, list[list[Segment]]] = (None, [])
        self._lock = threading.Lock()
        self._open = ExitStack()

    @property
    def rows(self) -> int:
        """How many rows of a table there is room for."""
        return max(3, self._console.height - OTHER_LINES)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self._console.width if self._cell is None else notebook.WIDTH

    @property
    def is_in_notebook(self) -> bool:
        """Whether it is drawn below a notebook's cell."""
        return self._cell is not None

    def __enter__(self) -> Self:
        if self._live:
            options: dict[str, Any] = {"transient": True, "vertical_overflow": "crop"}
            shown = Live(self, console=self._console, refresh_per_second=REDRAWN_PER_S, **options)
            self._open.enter_context(shown)
        self._open.enter_context(beating(self._tell_again, only_if=self._told))
        self._open.enter_context(beating(self._draw, only_if=self.is_in_notebook))
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.close()
        if self._cell is not None:
            self._cell.close()

    def show(
        self,
        done: int,
        note: str,
        total: int | None = None,
        stage: str = "",
        *,
        table: Table | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        """Show that `done` are finished; `note` says what is going on, as part of a `stage`.

        A table and lines below it are only shown where they can be redrawn.
        """
        if self._first_done is None:
            self._first_done = done
        begins = stage != self._now.stage
        self._now = _Shown(done, total or self._now.total, note, stage, table, lines)
        self._draw()
        if self._told:
            self._tell_if_due("", begins=begins)

    def watch(self, state: State) -> None:
        """Show where something stands."""
        self.show(state.done, state.now, state.total, state.stage)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, passed = self._now, units.clock(time.monotonic() - self._began_s)
        line: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"}
        if now.stage:
            yield Text(printable(now.stage), style="bold", **line)
        counted = f"{now.done}/{now.total} {self._unit}, " if now.total else ""
        bar = self._bar(now, "#-" if options.ascii_only else "━╌")
        left = self._left(now)
        yield Text(f"{bar}{counted}{passed} passed{f', {left} left' if left else ''}", **line)
        yield Text(f"now: {printable(now.note)}", style="dim", **line)
        if now.table is not None:
            yield from self._table(now.table, console)
        for text in now.lines:
            yield Text(printable(text))

    def _bar(self, now: _Shown, letters: str) -> str:
        if not now.total:
            return ""
        width = min(BAR_WIDTH, self.width // 6)
        full = min(width, round(width * now.done / now.total))
        return f"{letters[0] * full}{letters[1] * (width - full)} "

    def _table(self, table: Table, console: Console) -> RenderResult:
        """The table, laid out once."""
        if self._drawn[0] is not table:
            rows = as_rows(table, console.width)
            self._drawn = table, console.render_lines(rows, pad=False)
        for line in self._drawn[1]:
            yield Segments([*line, Segment.line()])

    def _draw(self) -> None:
        if self._cell is not None:
            self._cell.draw(self)

    def _tell_again(self) -> None:
        self._tell_if_due("still ", begins=False)

    def _tell_if_due(self, again: str, *, begins: bool) -> None:
        with self._lock:
            if not self._is_due(begins=begins):
                return
            self._told_s = time.monotonic()
            self._lines += 1
            tell(self._line(self._now, again))

    def _line(self, now: _Shown, again: str = "") -> str:
        """All of it in one line."""
        where = f"{now.stage}: " if now.stage else ""
        counted = f"{now.done}/{now.total} {self._unit}, " if now.total else ""
        left = self._left(now)
        return f"{where}{counted}{f'{left} left, ' if left else ''}{again}{now.note}"

    def _is_due(self, *, begins: bool) -> bool:
        waited_s = time.monotonic() - self._told_s
        if self._lines >= MANY_LINES:
            return waited_s >= QUIET_S * (2 << (self._lines - MANY_LINES))
        return begins or waited_s >= QUIET_S

    def _left(self, now: _Shown) -> str:
        fresh, left = now.done - (self._first_done or 0), now.total - now.done
        if not now.total or fresh <= LEAST_DONE * (fresh + left):
            return ""
        left_s = (time.monotonic() - self._began_s) / fresh * left
        return f"about {units.about(left_s)}"
