"""How far a run's figures can be trusted: one line, why, and the command that mends it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnbench.phases import COLD, EPOCH, STEP
from nnbench.show import units
from nnbench.stats.summary import CaseSummary
from nnbench.store.folder import ASKED
from nnbench.store.runs import Run

GOOD, FAIR, LOW = "good", "fair", "low"

NARROW, WIDE = 0.10, 0.20
"""Half widths of intervals up to which figures are good, and beyond which they are low."""

SOME_NOISE, MUCH_NOISE = 0.10, 0.50
"""Shares of noisy blocks with the same meaning."""

ENOUGH_LAUNCHES = 5

LONGEST = "10min"
"""A machine may be too busy for narrow intervals, however long one measures."""


@dataclass(frozen=True)
class Trust:
    """`level` is good, fair or low; `mend` a command, or empty where nothing needs mending."""

    level: str
    why: str
    mend: str


def judge(run: Run, summaries: Sequence[CaseSummary], blocks: int, noisy: int) -> Trust:
    """Judge a run by its launches, its widest interval and its noisy blocks; the worst decides."""
    times = [
        time
        for one in summaries
        for phase, time in one.times.items()
        if phase in (COLD, EPOCH, STEP)
    ]
    if not times:
        return Trust(LOW, "nothing was measured to the end", "nnbench doctor")
    launches = min(time.launches for time in times)
    known = [time.relative_half_width for time in times if time.has_interval and launches > 1]
    widest = max(known, default=None)
    doctor = "nnbench doctor"
    found = [_of_launches(launches, run)]
    if widest is not None:
        level = GOOD if widest <= NARROW else FAIR if widest <= WIDE else LOW
        precision = f"{5 if widest <= WIDE else 10}%"
        mend = _command(run, {"launches": "", "precision": precision, "budget": LONGEST})
        found.append((level, f"intervals are within {units.within(widest)}", mend))
    share = noisy / blocks if blocks else 0.0
    level = GOOD if share <= SOME_NOISE else FAIR if share <= MUCH_NOISE else LOW
    found.append((level, noise_told(noisy, blocks), doctor))
    order = (LOW, FAIR, GOOD)
    worst = min(found, key=lambda one: order.index(one[0]))
    why = "; ".join(told for _, told, _ in sorted(found, key=lambda one: order.index(one[0])))
    # On a machine that is busy all the time, measuring more tells little.
    mend = doctor if share > MUCH_NOISE else worst[2]
    return Trust(worst[0], why, mend if worst[0] != GOOD else "")


def noise_told(noisy: int, blocks: int) -> str:
    """How many blocks were noisy: all, some, none."""
    if not noisy:
        return "no noise was seen"
    if noisy == blocks:
        return "the only block was noisy" if blocks == 1 else f"all {blocks} blocks were noisy"
    return f"{noisy} of {blocks} blocks were noisy"


def _of_launches(launches: int, run: Run) -> tuple[str, str, str]:
    mend = _command(run, {"launches": str(ENOUGH_LAUNCHES)})
    if launches == 1:
        return LOW, "one launch: how far another process would differ is not known", mend
    level = GOOD if launches >= ENOUGH_LAUNCHES else FAIR if launches > 2 else LOW
    return level, f"{launches} launches", mend


def _command(run: Run, options: Mapping[str, str]) -> str:
    """The command that was given, with other values of options; of older runs its beginning.

    Those whose value is '' are left out.
    """
    asked: str = run.specification.get(ASKED, {}).get("command", "")
    given = {name: value for name, value in options.items() if value}
    if asked.startswith("nnbench.run("):
        # Asked in Python.
        for name in options:
            asked = re.sub(rf", {name}=('[^']*'|[^,)]*)", "", asked)
        written = (f"{name}={value if value.isdigit() else repr(value)}"
                   for name, value in given.items())  # fmt: skip
        return f"{asked[:-1]}, {', '.join(written)})"
    words = shlex.split(asked) or ["nnbench", "run", "…"]
    for option in (f"--{name}" for name in options):
        if option in words:
            place = words.index(option)
            words[place : place + 2] = []
    more = " ".join(f"--{name} {value}" for name, value in given.items())
    return f"{shlex.join(words) if asked else ' '.join(words)} {more}"
