"""What is printed: answers on standard output, what is waited for on standard error.

Whatever is printed is made printable here, see `show.text`; Rich gets texts, never its markup.
"""

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO

from nnbench.show.heartbeat import beating
from nnbench.show.plain import plain
from nnbench.show.text import LONGEST_CELL, printable, printable_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from nnbench.show.table import Cell, Table

PIPED_WIDTH = 120
LEAST_WIDTH, MOST_WIDTH = 20, 500
WIDEST_TEXT, WIDEST_OTHER, BETWEEN_COLUMNS = 28, 16, 2
"""Names, which are in a table's first column, are not folded below the first for the sake of
figures, other words not below the second."""

NARROW = 70
"""Below it, a table that has not room for all its columns is shown as a block a row."""

STILL_S = 10.0
"""Without a terminal, whoever waits is told so every so often."""

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
    """Print lines beside the answer, on standard error; nothing ends where they are not heard.

    On a terminal a line is broken between words, but for a command, which may be copied.
    """
    if not quiet:
        with suppress(OSError):
            shown = [_broken(printable(line)) for line in lines]
            sys.stderr.write("".join(f"{line}\n" for line in shown))
            sys.stderr.flush()


def _broken(line: str) -> str:
    if not sys.stderr.isatty() or "nnbench " in line or "`" in line:
        return line
    width, _ = terminal_size(PIPED_WIDTH)
    parts = textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(parts) or line


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


def print_pairs(heading: str, pairs: Sequence[tuple[str, str]]) -> None:
    """A heading over lines of two parts, the second of which is never broken: it may be copied."""
    if not pairs:
        return
    width = open_console().width
    left = max(len(first) for first, _ in pairs)
    lines = ["", f"{heading}:"]
    for first, second in pairs:
        first, second = printable(first), printable(second)
        beside = f"  {first:{left}}  {second}"
        lines += [beside] if len(beside) <= width else [f"  {first}", f"    {second}"]
    say(*lines)


def print_table(table: "Table", piped_width: int = PIPED_WIDTH, *, whole: bool = False) -> None:
    """Print a table for a person: its names whatever the width, and the figures there is room for.

    Below `NARROW` columns, and wherever else the table does not fit, a block a row has all of them;
    `whole` keeps every column, of a pipe however wide the lines get.
    """
    from rich.text import Text

    console = open_console(piped_width=piped_width)
    if whole and not console.is_terminal:
        console.width = max(console.width, _Columns.of(table).least)
    shown = table if whole else _fitting(table, console.width)
    narrow = console.width < NARROW and shown is not table
    rows = narrow or _Columns.of(shown).least > console.width
    console.print()
    console.print(Text(printable(table.title), style="italic"))
    for part in _blocks(table) if rows else (as_rows(shown, console.width),):
        console.print(part)
    caption = table.caption if rows else shown.caption
    if caption:
        console.print(Text(printable(caption), style="dim italic"))
    console.print()


def as_rows(table: "Table", width: int) -> "RichTable":
    """A table's header and rows as Rich draws them, its words folded to fit into `width`."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    padding = (0, BETWEEN_COLUMNS - 1, 0, 0)
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    widths = _Columns.of(table).within(width)
    for position, (name, wide) in enumerate(zip(table.columns, widths, strict=True)):
        header = Text(printable(name, LONGEST_CELL))
        if position < table.texts:
            shown.add_column(header, overflow="fold", width=wide)
        else:
            shown.add_column(header, justify="right", width=wide)
    for position, row in enumerate(table.rows):
        if row is None:
            shown.add_section()
        else:
            shown.add_row(*map(_text, row), style="bold" if position in table.bold else None)
    return shown


def _text(cell: "Cell") -> "Text":
    from rich.text import Text

    shown = Text(printable(cell.text, LONGEST_CELL), style=TONES.get(cell.tone, ""))
    return shown.append(f"\n{printable_lines(cell.below)}" if cell.below else "", style="dim")


def _blocks(table: "Table") -> "Iterator[Text]":
    """A block a row: its name, then a line for each figure, with what stands below it beside."""
    from rich.cells import cell_len
    from rich.text import Text

    from nnbench.show.intervals import MISSING

    names = [printable(name, LONGEST_CELL) for name in table.columns]
    longest = max(map(cell_len, names[1:]), default=0)
    figures = [
        cell_len(row[place].text)
        for row in table.rows
        for place in range(table.texts, len(names))
        if row is not None
    ]
    wide = min(max(figures, default=0), WIDEST_TEXT)
    for row in table.rows:
        if row is None:
            continue
        first, *others = row
        beside = f" ({first.below})" if first.below else ""
        shown = Text(printable(f"{first.text}{beside}", LONGEST_CELL), style="bold")
        for place, (name, cell) in enumerate(zip(names[1:], others, strict=True), start=1):
            if cell.text == MISSING:
                continue
            text = printable(cell.text, LONGEST_CELL)
            text = text if place < table.texts else _padded(text, wide)
            shown.append(f"\n  {_padded(name, longest, left=True)}  ", style="not bold")
            shown.append(text, style=f"not bold {TONES.get(cell.tone, '')}")
            if cell.below:
                below = printable_lines(cell.below).replace("\n", ", ")
                shown.append(f"  {below}", style="not bold dim")
        yield shown


def _padded(text: str, width: int, *, left: bool = False) -> str:
    from rich.cells import cell_len

    padding = " " * (width - cell_len(text))
    return text + padding if left else padding + text


@dataclass(frozen=True)
class _Columns:
    """How wide the columns of a table would be, and how narrow those of words may get."""

    wanted: list[int]
    fewest: list[int]

    @classmethod
    def of(cls, table: "Table") -> "_Columns":
        from rich.cells import cell_len

        wanted, fewest = [], []
        for position, name in enumerate(table.columns):
            words = [printable(name, LONGEST_CELL)]
            cells = [
                line
                for row in table.rows
                if row is not None
                for line in (
                    printable(row[position].text, LONGEST_CELL),
                    *printable_lines(row[position].below).split("\n"),
                )
            ]
            longest_word = max(map(cell_len, words[0].split()), default=0)
            longest = max(map(cell_len, cells), default=0)
            if position < table.texts:
                most = WIDEST_TEXT if position == 0 else WIDEST_OTHER
                wanted.append(max(longest, cell_len(words[0])))
                fewest.append(max(min(longest, most), longest_word))
            else:
                wanted.append(max(longest, longest_word))
                fewest.append(wanted[-1])
        return cls(wanted, fewest)

    @property
    def least(self) -> int:
        """The width of the whole with the words as narrow as they may get."""
        return sum(self.fewest) + BETWEEN_COLUMNS * (len(self.fewest) - 1)

    def within(self, width: int) -> list[int]:
        """Widths that fit together where `least` does: the widest columns give way."""
        widths, room = list(self.wanted), width - BETWEEN_COLUMNS * (len(self.wanted) - 1)
        while sum(widths) > room:
            widest = max(range(len(widths)), key=lambda one: widths[one] - self.fewest[one])
            if widths[widest] <= self.fewest[widest]:
                break
            widths[widest] -= 1
        return widths


def _fitting(table: "Table", width: int) -> "Table":
    """The table without those of its spare columns for which so narrow a terminal has no room."""
    left, gone = table, []
    for name in table.spare:
        if _Columns.of(left).least <= width:
            break
        gone.append(name)
        kept = [place for place, one in enumerate(left.columns) if one != name]
        cells = [None if row is None else [row[place] for place in kept] for row in left.rows]
        left = replace(left, columns=[left.columns[place] for place in kept], rows=cells)
    if not gone:
        return table
    caption = f"{table.caption}; {_has(table)} has {', '.join(gone)}, too"
    return replace(left, caption=caption)


def _has(table: "Table") -> str:
    return f"a wider terminal or {table.all_with}" if table.all_with else "a wider terminal"


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
def waiting(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Show that something is being waited for: on standard error, of a pipe if it lasts."""
    from nnbench.show import notebook

    console = open_console(sys.stderr)
    cell = None if quiet else notebook.cell_output()
    began_s = told_s = time.monotonic()

    def beat() -> None:
        nonlocal told_s
        if cell is not None:
            cell.draw(f"{what}, for {time.monotonic() - began_s:.0f} s")
        elif time.monotonic() - told_s >= STILL_S:
            told_s = time.monotonic()
            note(f"still {what}, for {told_s - began_s:.0f} s")

    # A notebook's kernel says that it is a terminal, too.
    live = console.is_terminal and not quiet and cell is None
    shown = console.status(what) if live else closing(cell) if cell else nullcontext()
    with shown, beating(beat, only_if=not live and not quiet):
        yield
