"""Texts of a table and lists of them, in a line. What a terminal would obey is seen to where it is
shown."""

from collections.abc import Sequence

SHOWN = 8


def shown(text: str, most: int = 40) -> str:
    """A text without blanks around it, cut where it is long."""
    text = text.strip()
    return text if len(text) <= most else text[:most] + "..."


def listed(names: Sequence[str], most: int = SHOWN) -> str:
    """Names in one line, the first ones if they are many."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
