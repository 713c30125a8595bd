"""The notation of networks, as a person types them: architectures, one's own models, grids.

`6,6`, `[100, 100]`, `6x5` (five layers of 6), `conv:32x4(kernel=5)`, `train.py:build`,
`train.py:build(depth=4)`, `model.keras`. A grid is every combination of the values of its axes:
`depth=1..8 width=4,16` for Dense networks, `lstm depth=1,2 width=16,64` for another family,
`train.py:build depth=2,4 width=16..20` for the parameters of a function.
"""

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence

from nnbench.errors import UserError
from nnbench.workload import architecture as arch
from nnbench.workload import user_model
from nnbench.workload.architecture import MAX_DEPTH, MAX_WIDTH, Architecture
from nnbench.workload.families import FAMILIES
from nnbench.workload.user_model import UserModel

Network = Architecture | UserModel
AXES = ("depth", "width")
LIMITS = {"depth": MAX_DEPTH, "width": MAX_WIDTH}
MOST = 100_000

_WORD = re.compile(r"(?:[^\s;\[\]()]|\[[^\]]*\]|\([^)]*\)|[\[\]()])+")
# Of a number with more digits none can be built.
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def parse(texts: Sequence[str]) -> list[Network]:
    """Read networks and grids, in order, each network once. Raises UserError for none.

    A text is one network or several, separated by `;` or white space outside brackets; a grid's
    parts may be neighbouring texts.
    """
    found: list[Network] = []
    for head, axes in _groups(_words(texts)):
        if axes:
            found += _grid(head, axes)
        elif user_model.is_model(head):
            found.append(user_model.parse(head))
        else:
            found.append(arch.parse(head))
    if not found:
        raise UserError("no network was named: try 6,6 100,100 6x5")
    return list(dict.fromkeys(found))


def parse_one(text: str) -> Network:
    """Read one network. Raises UserError for none or several."""
    found = parse([text])
    if len(found) > 1:
        raise UserError(f"'{text}' is {len(found)} networks: name one")
    return found[0]


def dense_chains(texts: Sequence[str], command: str) -> list[Architecture]:
    """Read chains of Dense layers for a command that knows no others, else UserError."""
    found = parse(texts)
    for one in found:
        if isinstance(one, UserModel) or one.family != "dense":
            raise UserError(
                f"{command} knows chains of Dense layers: {one.label} is timed by "
                f"nnbench run {shlex.quote(one.label)}"
            )
    return [one for one in found if isinstance(one, Architecture)]


def architectures(texts: Sequence[str]) -> list[Architecture]:
    """The same where one's own models cannot be used. Raises UserError for them."""
    found = parse(texts)
    for one in found:
        if isinstance(one, UserModel):
            raise UserError(f"{one.label} is your own model: an architecture such as 6x5 is wanted")
    return [one for one in found if isinstance(one, Architecture)]


def typed(texts: Sequence[str]) -> dict[str, str]:
    """What was typed for each network whose label is another text: `100x2` by `100,100`."""
    found = [one for one in parse(texts) if isinstance(one, Architecture)]
    return {one.label: one.name for one in found if one.name != one.label}


def listed(names: Sequence[str], between: str = ", ") -> str:
    """Names one after the other: of several, `[100,100]` where one has commas of its own."""
    return between.join(names if len(names) < 2 else map(bracketed, names))


def bracketed(name: str) -> str:
    """A name in a list: `[100,100]`, which is typed so, too, where it has commas of its own."""
    return f"[{name}]" if "," in name and ":" not in name and "[" not in name else name


def _words(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in _WORD.findall(re.sub(r"\s*,\s*", ",", text))]


def _groups(words: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What is named, each with the axes that follow; a Dense grid has no name."""
    head = ""
    axes: dict[str, str] = {}
    for word in words:
        axis, equals, values = word.partition("=")
        if equals and "(" not in axis:
            if axis in axes and not (head == "" and set(AXES) <= axes.keys()):
                raise UserError(f"'{word}' names {axis} twice before its grid is complete")
            if axis in axes:
                yield head, axes
                axes = {}
            axes[axis] = values
            continue
        if head or axes:
            yield head, axes
        head, axes = word, {}
        if word not in FAMILIES and not user_model.is_model(word):
            # An architecture has no axes: what follows is a grid of its own.
            yield word, {}
            head = ""
    if head or axes:
        yield head, axes


def _grid(head: str, axes: dict[str, str]) -> list[Network]:
    if user_model.is_model(head):
        lists = [values(axis, text) for axis, text in axes.items()]
        base = user_model.parse(head) if "(" in head else None
        fixed = {name: str(value) for name, value in base.arguments} if base else {}
        reference = head.partition("(")[0]
        return [
            user_model.with_arguments(reference, {**fixed, **dict(zip(axes, one, strict=True))})
            for one in _product(axes, lists)
        ]
    family = FAMILIES[head or "dense"]
    for axis in axes:
        if axis not in (*AXES, *family.knobs):
            known = ", ".join((*AXES, *family.knobs))
            raise UserError(
                f"'{axis}={axes[axis]}' is not part of a grid: write depth=1..8 width=4,16,64; "
                f"{family.name} has {known}"
            )
    for present, missing in (AXES, AXES[::-1]):
        if missing not in axes:
            told = f"{present}= is there, " if present in axes else ""
            raise UserError(f"a grid needs both parts: {told}{missing}= is missing")
    axes = {axis: axes[axis] for axis in (*AXES, *(one for one in axes if one not in AXES))}
    lists = [values(axis, text) for axis, text in axes.items()]
    found: list[Network] = []
    for one in _product(axes, lists):
        given = dict(zip(axes, one, strict=True))
        depth, width = (_size(axis, given.pop(axis), axes[axis]) for axis in AXES)
        found.append(Architecture((width,) * depth, family.name, family.settings(given)))
    return found


def _product(axes: dict[str, str], lists: list[list[str]]) -> Iterator[tuple[str, ...]]:
    """Every combination, the last axis changing first."""
    count = 1
    for one in lists:
        count *= len(one)
    if count > MOST:
        raise UserError(f"this grid has {count:,} networks: {MOST:,} at most")
    return itertools.product(*lists)


def values(axis: str, text: str) -> list[str]:
    """The values of an axis, in order: `1..3,8` is four; UserError for an endless range."""
    values: list[str] = []
    for part in text.split(","):
        span = _RANGE.fullmatch(part)
        if not span:
            values.append(part)
            continue
        first, last = int(span[1]), int(span[2])
        if last < first or last - first >= MAX_DEPTH:
            raise UserError(f"the range '{part}' in '{axis}={text}' is empty or too long")
        values += map(str, range(first, last + 1))
    return values


def _size(axis: str, value: str, text: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise UserError(f"'{value}' in '{axis}={text}' is not a number or a range such as 1..8")
    if not 1 <= int(value) <= LIMITS[axis]:
        raise UserError(f"a {axis} of {value} cannot be built: it goes from 1 to {LIMITS[axis]}")
    return int(value)
