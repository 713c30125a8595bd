"""What is printed: answers on standard output, what is waited for on standard error."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nnbench.show.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

    from nnbench.show.table import Table

PIPED_WIDTH = 120
TONES = {"good": "green", "warning": "yellow", "bad": "red"}


def open_console(piped_width: int = PIPED_WIDTH) -> "Console":
    """Standard output, of the terminal's width or `piped_width`."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else piped_width, highlight=False)


def say(text: str) -> None:
    """Print a line of the answer on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str, *, quiet: bool = False) -> None:
    """Print a line beside the answer, on standard error."""
    if not quiet:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def print_json(record: Any) -> None:
    """Print a record as JSON, see `show.plain`."""
    say(json.dumps(plain(record), indent=1))


def print_sentences(sentences: Sequence[str], style: str = "") -> None:
    """Print sentences, each on lines of its own."""
    console = open_console()
    for sentence in sentences:
        console.print(sentence, markup=False, style=style)


def print_table(table: "Table", piped_width: int = PIPED_WIDTH) -> None:
    """Print a table for a person."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(title=table.title or None, caption=table.caption or None, box=box.SIMPLE_HEAD)
    for position, name in enumerate(table.columns):
        if position < table.texts:
            shown.add_column(name, overflow="fold")
        else:
            shown.add_column(name, justify="right", no_wrap=True)
    for position, row in enumerate(table.rows):
        if row is None:
            shown.add_section()
        else:
            texts = [Text(cell.text, style=TONES.get(cell.tone, "")) for cell in row]
            for cell, text in zip(row, texts, strict=True):
                text.append(f"\n{cell.below}" if cell.below else "", style="dim")
            shown.add_row(*texts, style="bold" if position in table.bold else None)
    open_console(piped_width).print(shown)


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
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
