"""Texts of a table and lists of them, in a line, which is made printable where it is shown."""

from collections.abc import Sequence

SHOWN = 8


def shown(text: str, most: int = 40) -> str:
    """A text in one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most] + "..."


def listed(names: Sequence[str], most: int = SHOWN) -> str:
    """Names in one line, the first ones if they are many."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
