"""Where tables and sentences are printed: a terminal, or a pipe of a width that tables fit."""

import sys

from rich.console import Console

PIPED_WIDTH = 120


def open_console(piped_width: int = PIPED_WIDTH) -> Console:
    """Standard output; what is piped is not folded at 80 columns."""
    return Console(width=None if sys.stdout.isatty() else piped_width, highlight=False)
