"""What happens to files, for tests of what reads them: every value another, every line broken."""

import copy
import json
from itertools import chain

WRONG = (
    *(None, True, 0, -1, 10**400, 1e999, float("nan"), 1e300, "", "now", "\x1b[31m[/]", "\u2028"),
    *([], {}, [[]], {"a": {}}, ["x" * 10_000]),
)
"""What may stand where something else belongs."""

DEEP = b"[" * 100_000
CONTENTS = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"3",
    b'"\\ud800"',
    b"{",
    DEEP,
    b'{"a":' * 9**5,
)
"""What may be in a file instead of what belongs there."""


def places(plain, above=()):
    """The ways to all values of plain data; of what a list holds to the first only."""
    inside = plain.items() if isinstance(plain, dict) else ()
    inside = enumerate(plain[:1]) if isinstance(plain, list) else inside
    return [above, *chain.from_iterable(places(one, (*above, name)) for name, one in inside)]


def changed(plain, place, value):
    """A copy whose value at a place is another."""
    if not place:
        return value
    found = copy.deepcopy(plain)
    inner = found
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return found


def without(plain, place):
    """A copy that lacks what is at a place."""
    found = copy.deepcopy(plain)
    inner = found
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    return found


def damaged(content):
    """What may become of JSON: every value wrong or gone, half of it, something else."""
    plain = json.loads(content)
    yield from CONTENTS
    yield content[: len(content) // 2]
    for place in places(plain):
        for value in WRONG:
            yield json.dumps(changed(plain, place, value)).encode()
        if place:
            yield json.dumps(without(plain, place)).encode()
