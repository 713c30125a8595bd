"""Text of files and people, made printable: names and messages are shown, never obeyed.

Every exit calls this by itself: terminal, pages, charts, comments. What is kept as JSON stays as
it is.
"""

import re
import unicodedata
import zlib

LONGEST_NAME = 255
"""No file's name has more: a path is never cut."""

LONGEST_TICK = 44
LONGEST_CELL, LONGEST_LINE = 300, 1000

_MARKUP = re.compile(r"[\\`*_\[\]{}<>#!|~@&:$]")
_NOT_IN_FILES = re.compile(r"[^\w.+-]", re.ASCII)
_FORMULA = re.compile(r"[=+\-@\t\r]")
_PLAINER = {"–": "-", "—": "-", "×": "x", "±": "+-", "µ": "u", "…": "...", "─": "-", "✎": "*"}


def printable(text: str, longest: int = LONGEST_LINE) -> str:
    """The text as one line that looks like what it is, in any terminal and on any page.

    Control characters, line breaks, what turns the direction of writing, what cannot be seen and
    halves of surrogate pairs are written as escapes, such as `\\x1b`. Words longer than a file's
    name may be, and texts longer than `longest`, are cut in the middle, where their length is said.
    """
    shown = text if text.isprintable() else "".join(map(_visible, text))
    most = min(LONGEST_NAME, longest)
    words_cut = re.sub(rf"[^\s/]{{{most + 1},}}", lambda word: _cut(word[0], most), shown)
    return _cut(words_cut, longest, whole=shown)


def printable_lines(text: str) -> str:
    """The same of a text whose line breaks are meant."""
    return "\n".join(map(printable, text.split("\n")))


def markdown(text: str, longest: int = LONGEST_CELL // 3) -> str:
    """The text as literal code in Markdown: no mention, link, image, comment or cell begins in it.

    An element rather than backquotes, in which a `|` after a backslash would end a table's cell.
    """
    literal = _MARKUP.sub(r"\\\g<0>", printable(text, longest))
    return f"<code>{literal}</code>"


def file_name(text: str) -> str:
    """The text as part of a file's name: without what leads elsewhere, and not too long."""
    name = _NOT_IN_FILES.sub("", text)
    return name if len(name) <= 150 else f"{name[:140]}-{zlib.crc32(name.encode()):08x}"


def encodable(text: str) -> str:
    """The text as any file can hold it: halves of surrogate pairs as escapes."""
    return text.encode(errors="backslashreplace").decode()


def no_formula(text: str) -> str:
    """The text as a spreadsheet takes for text, too."""
    return f"'{text}" if _FORMULA.match(text) else text


def plainer(failure: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a stream cannot encode; see `codecs.register_error`."""
    assert isinstance(failure, UnicodeEncodeError)
    part = failure.object[failure.start : failure.end]
    return "".join(_PLAINER.get(one) or _escaped(one) for one in part), failure.end


def shortened(text: str, longest: int = LONGEST_TICK) -> str:
    """A name as a chart has room for it, with what it begins and ends with."""
    shown = printable(text)
    half = (longest - 1) // 2
    return shown if len(shown) <= longest else f"{shown[:half]}…{shown[-half:]}"


def _visible(character: str) -> str:
    kept = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if kept else _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _cut(text: str, longest: int, whole: str = "") -> str:
    if len(text) <= longest:
        return text
    # Two long names that differ where they are cut still look different.
    whole = whole or text
    checksum = zlib.crc32(whole.encode(errors="surrogatepass"))
    middle = f"…({len(whole):,} characters, {checksum:08x})…"
    left = longest - len(middle)
    return text[: left - left // 3] + middle + text[-(left // 3) :]
