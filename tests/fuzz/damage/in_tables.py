"""Damage to a table of text with commas."""

import re

from fuzz.damage.values import FOREIGN, Damage, text
from hypothesis import strategies as st

CELLS = {
    "blank": "",
    "nan": "nan",
    "NA": "NA",
    "inf": "inf",
    "1e999": "1e999",
    "1e39": "1e39",
    "true": "true",
    "text": "text",
    "a decimal comma": '"1,5"',
    "a thousand": '"1,234.5"',
    "money": "$10",
    "a share": "5%",
    "a date": "2026-01-01",
    "5,000 digits": "9" * 5000,
    "an underscore": "1_000",
    "a hexadecimal": "0x10",
    "an open quote": '"1.0',
    "a NUL": "1\0",
    "two cells": "1,2",
}
NOT_A_NUMBER = ("nan", "inf", "1e999", "text", "a date", "an underscore", "a hexadecimal", "a NUL")
MEANS_THE_SAME = (
    *("UTF-16", "a byte order mark", "CRLF", "CR", "a comment", "blank last lines"),
    *("Excel's sep", "quoted"),
)
SEPARATORS = {"semicolons": ";", "tabs": "\t", "pipes": "|", "spaces": " ", "colons": ":"}
WHOLE = {
    "UTF-16": lambda text: text.encode("utf-16"),
    "Latin-1": lambda text: text.replace("a", "é").encode("latin-1"),
    "a byte order mark": lambda text: text.encode("utf-8-sig"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "no header": lambda text: text.partition("\n")[2].encode(),
    "the header alone": lambda text: text.partition("\n")[0].encode(),
    "the header twice": lambda text: (text.partition("\n")[0] + "\n" + text).encode(),
    "a comment": lambda text: ("# a comment\n" + text).encode(),
    "blank last lines": lambda text: (text + "\n\n  \n").encode(),
    "Excel's sep": lambda text: ("sep=,\n" + text).encode(),
    "quoted": lambda text: re.sub(r"[^,\n]+", lambda found: f'"{found[0]}"', text).encode(),
    "a last comma": lambda text: text.replace("\n", ",\n").encode(),
    "an index": lambda text: "\n".join(
        f"{number - 1 if number else ''},{line}" for number, line in enumerate(text.splitlines())
    ).encode(),
    "one row": lambda text: "\n".join(text.splitlines()[:2]).encode(),
    "one column": lambda text: "\n".join(one.split(",")[-1] for one in text.splitlines()).encode(),
    "300 columns": lambda text: "\n".join(
        one + "".join(f",c{number}" if not row else ",1" for number in range(300))
        for row, one in enumerate(text.splitlines()[:5])
    ).encode(),
}


def applied(content, damage):
    """The file after damage."""
    text_before = content.decode()
    if damage.what == "as a whole":
        return WHOLE[damage.value](text_before)
    if damage.what == "separate by":
        return text_before.replace(",", SEPARATORS[damage.value]).encode()
    rows = [line.split(",") for line in text_before.splitlines()]
    row, column = map(int, damage.place.split(":"))
    value = CELLS[damage.value] if damage.value in CELLS else text(damage.value)
    if damage.what == "column":
        for one in rows[1:]:
            one[column] = value
    else:
        rows[row][column] = value
    told = "\n".join(",".join(one) for one in rows) + "\n"
    return told.encode("utf-8", "surrogatepass")


@st.composite
def damages(draw, content):
    """Damage to a cell, a column or all of a table."""
    text_before = content.decode()
    rows = [line.split(",") for line in text_before.splitlines()]
    what = draw(st.sampled_from(["cell", "cell", "column", "header", "as a whole", "separate by"]))
    if what == "as a whole":
        return Damage(what, value=draw(st.sampled_from(list(WHOLE))))
    if what == "separate by":
        return Damage(what, value=draw(st.sampled_from(list(SEPARATORS))))
    row = 0 if what == "header" else draw(st.integers(1, len(rows) - 1))
    column = draw(st.integers(0, len(rows[0]) - 1))
    values = list(FOREIGN) if what == "header" else [*CELLS, *FOREIGN]
    return Damage(what, f"{row}:{column}", draw(st.sampled_from(values)))
