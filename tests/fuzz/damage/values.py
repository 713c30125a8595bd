"""Values and names that do not belong where they are put, and the record of damage.

They are the raw text of a JSON file: much of it no writer of JSON would write.
"""

import json
from dataclasses import dataclass

DEEP = 100_000

FOREIGN = {
    "a lone surrogate": r"\ud800",
    "an escape sequence": r"\u001b[31mred\u001b]0;title\u0007",
    "a closing tag": "[/]",
    "a colour": "[red]d",
    "a link": "[link=file:///etc/passwd]x[/link]",
    "a type": "list[int]",
    "U+2028": r"a\u2028b",
    "U+0085": r"a\u0085b",
    "right to left": r"a\u202eb\u2066c",
    "zero width": r"a\u200bb\ufeff",
    "a newline": r"a\nb\r\nc",
    "a NUL": r"a\u0000b",
    "a form feed": r"a\u000cb",
    "10,000 characters": "x" * 10_000,
    "10,000 wide characters": r"\u6f22" * 10_000,
    "a formula of matplotlib": r"$\\frac{",
    "an odd dollar": "$x_{$ 5$",
    "Markdown": "@everyone <!-- | ![x](http://example.org) `a` ~~~",
    "a script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a template": "{{ 7 * 7 }}{% endif %}",
    "a format": "%s %(x)d {0} {name!r}",
    "a path": "../../../outside",
    "an absolute path": "/nowhere/at/all",
    "an option": "--output=victim",
    "a formula of a sheet": "=1+1,\\t;",
    "quotes": "\\\"'`",
    "accents": "espèce 漢字 🎉 e\\u0301",
    "blank": "   ",
    "a date of year 3,000,000": "3000000-01-01T00:00:00+00:00",
    "a date of year 1": "0001-01-01T00:00:00+14:00",
    "no date": "2026-13-45",
    "a regular expression": "(a+)+$[",
    "a code's name": "planted.py:load",
    "a module's name": "planted:load",
    "a huge network": "1000000x10000",
}
"""Text as files and people have it, escaped as in a JSON string."""

WRONG = {
    "null": "null",
    "true": "true",
    "false": "false",
    "zero": "0",
    "minus one": "-1",
    "one": "1",
    "a half": "0.5",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "1e999": "1e999",
    "1e300": "1e300",
    "1e-320": "1e-320",
    "2**63": str(2**63),
    "a billion": "1000000000",
    "400 digits": "9" * 400,
    "5,000 digits": "9" * 5000,
    "empty text": '""',
    "text": '"text"',
    "a number as text": '"1.5"',
    "a list": "[]",
    "a list of one": "[1]",
    "a list of nothing": "[null]",
    "a list of lists": "[[1, 2], []]",
    "a mapping": "{}",
    "a mapping of one": '{"a": 1}',
    "a twice named key": '{"a": 1, "a": {}}',
    "a deep list": "[" * DEEP + "]" * DEEP,
    "a deep mapping": '{"a":' * DEEP + "1" + "}" * DEEP,
    "500 lists": "[" * 500 + "]" * 500,
    "12 axes": json.dumps([[str(number) for number in range(10)]] * 12),
    "a long list": json.dumps([1] * 5000),
}
"""What may stand where something else belongs, as it is written in JSON."""

IMPOSSIBLE_DURATIONS = (
    *("true", "minus one", "NaN", "Infinity", "1e999", "400 digits", "text", "a mapping"),
)


@dataclass(frozen=True)
class Damage:
    """What is done, to what, in words and as a change of the bytes."""

    what: str
    place: str = ""
    value: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.what, self.place, self.value and f"({self.value})"]))


def raw(value):
    """The JSON of a value that has a name in WRONG or FOREIGN."""
    return WRONG[value] if value in WRONG else f'"{FOREIGN[value]}"'


def text(value):
    """The text of a value that has a name in FOREIGN."""
    return json.loads(f'"{FOREIGN[value]}"')
