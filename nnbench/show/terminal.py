"""What is printed: answers on standard output, what is waited for on standard error.

Whatever is printed is made printable here, see `show.text`; Rich gets texts, never its markup.
"""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from nnbench.show.plain import plain
from nnbench.show.text import LONGEST_CELL, printable, printable_lines

if TYPE_CHECKING:
    from rich.console import Console

    from nnbench.show.table import Cell, Table

PIPED_WIDTH = 120
LEAST_WIDTH, MOST_WIDTH = 20, 500
WIDEST_TEXT, BETWEEN_COLUMNS = 28, 3
"""A column of words is not folded below the first for the sake of further figures."""

TONES = {"good": "green", "warning": "yellow", "bad": "red"}


def open_console(stream: TextIO | None = None, piped_width: int = PIPED_WIDTH) -> "Console":
    """Standard output, or another stream, of the terminal's width or `piped_width`."""
    from rich.console import Console

    class Stream(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with status 1, which is an alarm's.
            raise BrokenPipeError

    stream = stream or sys.stdout
    width, height = terminal_size(piped_width)
    width = width if stream.isatty() else piped_width
    return Stream(
        file=stream,
        width=width,
        height=height,
        highlight=False,
        markup=False,
        emoji=False,
        force_jupyter=False,
    )


def terminal_size(usual: int) -> tuple[int, int]:
    """Columns and lines of the terminal, or as COLUMNS says; `usual` where neither tells."""
    columns, lines = shutil.get_terminal_size((usual, 24))
    return min(max(columns, LEAST_WIDTH), MOST_WIDTH), min(max(lines, 5), MOST_WIDTH)


def say(*lines: str) -> None:
    """Print lines of the answer on standard output, at once."""
    _write("".join(f"{printable(line)}\n" for line in lines))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def note(*lines: str, quiet: bool = False) -> None:
    """Print lines beside the answer, on standard error; nothing ends where they are not heard."""
    if not quiet:
        with suppress(OSError):
            sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
            sys.stderr.flush()


def skipped(reasons: Iterable[str]) -> None:
    """Say what the answer leaves out, each with its reason."""
    note(*(f"skipped {one}" for one in reasons))


def print_json(record: Any) -> None:
    """Print a record as JSON, see `show.plain`."""
    _write(f"{json.dumps(plain(record), indent=1)}\n")


def print_sentences(sentences: Sequence[str], style: str = "", *, wrap: bool = True) -> None:
    """Print sentences, each on lines of its own, or on one line however wide it is."""
    console = open_console()
    for sentence in sentences:
        console.print(printable(sentence), style=style, soft_wrap=not wrap)


def print_table(table: "Table", piped_width: int = PIPED_WIDTH) -> None:
    """Print a table for a person."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    def text(cell: "Cell") -> Text:
        shown = Text(printable(cell.text, LONGEST_CELL), style=TONES.get(cell.tone, ""))
        return shown.append(f"\n{printable_lines(cell.below)}" if cell.below else "", style="dim")

    console = open_console(piped_width=piped_width)
    table = _fitting(table, console.width)
    title, caption = (Text(printable(one)) if one else None for one in (table.title, table.caption))
    shown = RichTable(title=title, caption=caption, box=box.SIMPLE_HEAD)
    for position, name in enumerate(table.columns):
        header = Text(printable(name, LONGEST_CELL))
        if position < table.texts:
            shown.add_column(header, overflow="fold")
        else:
            shown.add_column(header, justify="right", no_wrap=True)
    for position, row in enumerate(table.rows):
        if row is None:
            shown.add_section()
        else:
            shown.add_row(*map(text, row), style="bold" if position in table.bold else None)
    console.print(shown)


def _fitting(table: "Table", width: int) -> "Table":
    """The table without those of its spare columns for which so narrow a terminal has no room."""
    names, rows = list(table.columns), [row for row in table.rows if row is not None]

    def wide(position: int) -> int:
        texts = [names[position]]
        for row in rows:
            texts += [row[position].text, *row[position].below.split("\n")]
        longest = max(map(len, texts))
        return min(longest, WIDEST_TEXT) if position < table.texts else longest

    left = {name: wide(position) + BETWEEN_COLUMNS for position, name in enumerate(names)}
    gone = []
    for name in table.spare:
        if sum(left.values()) < width:
            break
        gone.append(name)
        del left[name]
    if not gone:
        return table
    kept = [names.index(name) for name in left]
    cells = [None if row is None else [row[place] for place in kept] for row in table.rows]
    caption = f"{table.caption}; a wider terminal has {', '.join(gone)}, too"
    return replace(table, columns=list(left), rows=cells, caption=caption)


def answer(record: Any, shown: Iterable[object], *, as_json: bool) -> None:
    """Print an answer: a record as JSON, or tables, lists of sentences, and lines of text."""
    from nnbench.show.table import Table

    if as_json:
        print_json(record)
        return
    for part in shown:
        if isinstance(part, Table):
            print_table(part)
        elif isinstance(part, list):
            print_sentences(part)
        else:
            say(str(part))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on standard error that something is being waited for."""
    with open_console(sys.stderr).status(what):
        yield
