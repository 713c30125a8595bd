"""Damage to lines of JSON.

A place is `line:path`, or `*:path` for the same in all lines that have it.
"""

import json

from fuzz.damage import in_json
from fuzz.damage.values import WRONG, Damage
from hypothesis import strategies as st

LINES = {
    "line twice": lambda line: [line, line],
    "line lost": lambda line: [],
    "half a line": lambda line: [line[: len(line) // 2]],
    "line {}": lambda line: ["{}"],
    "line null": lambda line: ["null"],
    "line of a deep list": lambda line: [WRONG["a deep list"]],
    "line of 5,000 digits": lambda line: [WRONG["5,000 digits"]],
    "line of NULs": lambda line: ["\0" * 100],
    "blank line": lambda line: ["", line],
    "line of a mapping's length": lambda line: [line, '{"kind": "trial"}'],
    "two in a line": lambda line: [line + line],
}


def applied(content, damage):
    """The file after damage to one or all of its lines."""
    lines = content.decode().splitlines()
    if damage.what == "all twice":
        return content + content
    number, _, path = damage.place.partition(":")
    told = []
    for position, line in enumerate(lines):
        if number not in ("*", str(position)):
            told.append(line)
        elif damage.what in LINES:
            told += LINES[damage.what](line)
        else:
            plain = json.loads(line)
            there = path in set(in_json.places(plain))
            inner = Damage(damage.what, path, damage.value)
            told.append(in_json.changed(plain, inner) if there else line)
    return "".join(f"{line}\n" for line in told).encode()


@st.composite
def damages(draw, content):
    """Damage to a line, to a node of a line, or to a node of all lines."""
    lines = content.decode().splitlines()
    kind = draw(st.sampled_from(["line", "node", "node", "nodes", "all"]))
    if kind == "all":
        return Damage("all twice")
    position = draw(st.integers(0, len(lines) - 1))
    if kind == "line":
        return Damage(draw(st.sampled_from(list(LINES))), str(position))
    inner = draw(in_json.damages_of(json.loads(lines[position])))
    number = str(position) if kind == "node" else "*"
    return Damage(inner.what, f"{number}:{inner.place}", inner.value)
