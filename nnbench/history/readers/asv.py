"""Results of asv (airspeed velocity), API versions 1 and 2: one file a commit and environment.

    <results>/benchmarks.json               what each benchmark is: unit, names of parameters
    <results>/<machine>/machine.json        the host
    <results>/<machine>/<commit>-<env>.json values, quartiles and 99 % intervals

Written by asv 0.6; see `asv/results.py` there (`Results.save`, and `update_to_2` of what asv before
0.4.2 wrote). A case is known by its parameters
as the result's own file lists them; `benchmarks.json` only says what they are called today. What a
suite of ours tracks of the machine, `track_disturbed` and `track_pace`, is said of all that was
measured beside it and makes no rows of its own.
"""

import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from nnbench.errors import DamageError
from nnbench.history.readers import (
    BYTES,
    LARGEST_VALUE,
    LONGEST_S,
    SHORTEST_S,
    Row,
    Skipped,
    begins_with,
    commit_of,
    cpu_of,
    if_known,
    joined,
    said,
    word,
)
from nnbench.machine import fields
from nnbench.machine.fields import Field

SOURCE = "asv"
API_VERSIONS = (1, 2)
MACHINE_FILE = "machine.json"
BENCHMARKS_FILE = "benchmarks.json"
MEASUREMENT = ("started_at", "duration", "result")
STATISTICS = ("stats_ci_99_a", "stats_ci_99_b", "stats_repeat")
NORMAL_99 = 2.5758
NOISY, MACHINE_SPEED = "track_disturbed", "track_pace"
UNITS = {"seconds": "s", "time": "s", "bytes": BYTES, "memory": BYTES}
TIME = re.compile(r"time(raw)?_|Time")
"""How asv knows a function that it times."""
BARE = re.compile(r"'([^'\\]*)'")
NUMBER = r"[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?j?$"
LITERAL = re.compile(rf"{NUMBER}|[(\[{{<]|(None|True|False|[-+]?(nan|inf))$|$")
"""What is no text is written down like this: such a text keeps its quotes."""
HASH = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")
MOST_DATE_MS = 7_200_000_000_000
"""In the year 2198."""


def is_result(path: Path, siblings: set[str]) -> bool:
    """Whether a file lies where asv would put one, or begins like one."""
    if path.name in (MACHINE_FILE, BENCHMARKS_FILE):
        return False
    return MACHINE_FILE in siblings or begins_with(path, "commit_hash")


def read(path: Path) -> Iterator[Row | Skipped]:
    """Rows of one result file. Damaged and foreign files, and failed benchmarks, are `Skipped`."""
    try:
        plain = fields.read(path)
        if (version := plain["version"].whole()) not in API_VERSIONS:
            raise DamageError(path, f"asv's version {version}, not 1 or 2")
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            milliseconds=plain["date"].number(least=-MOST_DATE_MS, most=MOST_DATE_MS)
        )
        host, commit = said(plain["params"]["machine"]), commit_of(plain["commit_hash"])
        result = Row(SOURCE, host, _environment(plain), commit, date)
        result = result._replace(cpu=_cpu(plain), software=_environment(plain, hardware=False))
        measured = _measured if version > 1 else _measured_by_1
        items = measured(plain)
    except DamageError as failure:
        yield Skipped(str(path), f"not a result file of asv ({failure.reason})")
        return
    known: Field | None = None
    try:
        known = _benchmarks(path.parent.parent / BENCHMARKS_FILE)
    except DamageError as failure:
        yield Skipped(failure.file, failure.reason)
    rows: list[Row] = []
    for name, columns in items.items():
        try:
            rows += _rows(name, columns(), (known or Field({}, ""))[name], result)
        except DamageError as failure:
            yield Skipped(f"{failure.file}, {name}", f"damaged ({failure.reason})")
    yield from _with_machine(rows)


def _measured(plain: Field) -> dict[str, Callable[[], Field]]:
    """What a file of version 2 says of each benchmark, by column; a call may find damage."""
    columns = [one.text() for one in plain["result_columns"].entries()]

    def of(stored: Field) -> Field:
        values = [one.value for one in stored.entries()]
        return Field(dict(zip(columns, values, strict=False)), stored.file, stored.place)

    return {name: partial(of, stored) for name, stored in plain["results"].members().items()}


def _measured_by_1(plain: Field) -> dict[str, Callable[[], Field]]:
    """The same of version 1, which had a number for a benchmark without parameters."""
    beside = {
        column: plain[name].members({})
        for column, name in (
            ("version", "benchmark_version"),
            ("started_at", "started_at"),
            ("duration", "duration"),
        )
    }

    def of(name: str, stored: Field) -> Field:
        told = stored.value if isinstance(stored.value, dict) else {"result": stored.value}
        found = {column: one[name].value for column, one in beside.items() if name in one}
        found |= {column: _listed(told.get(column)) for column in ("result", "params")}
        statistics = [one if isinstance(one, dict) else {} for one in _listed(told.get("stats"))]
        for end, column in enumerate(STATISTICS[:2]):
            both = [_listed(one.get("ci_99")) for one in statistics]
            found[column] = [one[end] if len(one) == 2 else None for one in both]
        found["stats_repeat"] = [one.get("repeat") for one in statistics]
        return Field(found, stored.file, stored.place)

    stored = plain["results"].members()
    return {name: partial(of, name, one) for name, one in stored.items()}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _with_machine(rows: list[Row]) -> list[Row]:
    seen: dict[str, dict[tuple[str, str], float]] = {NOISY: {}, MACHINE_SPEED: {}}
    rest = []
    for row in rows:
        suite, _, function = row.benchmark.rpartition(".")
        if function in seen:
            seen[function][suite, row.case] = row.value
        else:
            rest.append(((suite, row.case), row))
    noisy, pace_s = seen.values()
    usual = [statistics.median(one.values()) if one else math.nan for one in seen.values()]
    return [
        row._replace(noisy=noisy.get(key, usual[0]), pace_s=pace_s.get(key, usual[1]))
        for key, row in rest
    ]


def _rows(name: str, found: Field, known: Field, result: Row) -> list[Row]:
    values = found["result"].entries(())
    axes = [[one.text() for one in axis.entries()] for axis in found["params"].entries(())]
    if not values:
        return []
    # Counted before they are crossed, which a damaged file may make many.
    if len(values) != math.prod(map(len, axes)):
        found["result"].refuse(
            f"has {len(values)} values, not one for each case of {len(axes)} axes"
        )
    timed = TIME.match(name.rpartition(".")[2]) is not None
    unit, version = known["unit"].text("seconds" if timed else ""), word(found["version"])
    whole = HASH.fullmatch(version)
    result = result._replace(
        benchmark=name,
        version=whole[1] if whole else version,
        unit=UNITS.get(unit, unit),
        session=repr([found[name].value for name in MEASUREMENT]),
    )
    least, most = (SHORTEST_S, LONGEST_S) if timed else (-LARGEST_VALUE, LARGEST_VALUE)
    missing = [Field(None, found.file)] * len(values)
    told = ([*found[name].entries(()), *missing] for name in STATISTICS)
    cases = _cases(tuple(_names(known, axes)), tuple(map(tuple, axes)))
    if twice := [case for case, count in Counter(cases).items() if count > 1]:
        found["params"].refuse(f"has two cases {twice[0][:60]!r}")
    rows = []
    for case, value, low, high, repeat in zip(cases, values, *told, strict=False):
        # What failed is null there, what was skipped NaN.
        if value.value is None or value.value != value.value:
            continue
        error = _log_error(if_known(low), if_known(high))
        measured, samples = value.number(least=least, most=most), repeat.whole(1, least=1)
        rows.append(result._replace(case=case, value=measured, log_error=error, samples=samples))
    return rows


@lru_cache(maxsize=1000)
def _cases(names: tuple[str, ...], axes: tuple[tuple[str, ...], ...]) -> list[str]:
    return [
        ", ".join(f"{name}={_shown(one)}" for name, one in zip(names, chosen, strict=True))
        for chosen in itertools.product(*axes)
    ]


def _names(known: Field, axes: Sequence[Sequence[str]]) -> list[str]:
    """What these parameters are called: as today where they are today's, else by their place."""
    names = [one.text() for one in known["param_names"].entries(())]
    today = [[one.text() for one in axis.entries()] for axis in known["params"].entries(())]
    told = today or axes
    alike = len(names) == len(axes) == len(told) and all(map(_overlap, told, axes))
    return names if alike else [f"p{number}" for number in range(len(axes))]


def _overlap(first: Sequence[str], second: Sequence[str]) -> bool:
    return not set(first).isdisjoint(second)


def _shown(stored: str) -> str:
    """A parameter as asv wrote it down; without its quotes where it can be nothing but a text."""
    bare = BARE.fullmatch(stored)
    plain = bare is not None and ", " not in stored and stored.isprintable()
    return bare[1] if bare and plain and not LITERAL.match(bare[1]) else stored


def _log_error(low: float, high: float) -> float:
    return math.log(high / low) / 2 / NORMAL_99 if 0 < low <= high else math.nan


def _cpu(plain: Field) -> str:
    machine = plain["params"]
    return cpu_of(word(machine["cpu"]), word(machine["num_cpu"]))


def _environment(plain: Field, *, hardware: bool = True) -> str:
    """All that is told of a measurement's surroundings, or without what the machine is."""
    parameters = {name: word(one) for name, one in plain["params"].members().items()}
    del parameters["machine"]
    requirements = plain["requirements"].members({})
    wanted = {f"{name} {word(version)}" for name, version in requirements.items()}
    variables = {f"{name}={word(one)}" for name, one in plain["env_vars"].members({}).items()}
    told = [one for one in ("cpu", "num_cpu", "os", "arch", "ram") if parameters.get(one)]
    machine = [f"{name} {parameters.pop(name)}" for name in told]
    for name in requirements:
        parameters.pop(name, None)
    python = [f"python {parameters.pop('python', '') or plain['python'].text()}"]
    rest = [f"{name} {text}" for name, text in sorted(parameters.items()) if text]
    shown = machine if hardware else []
    return joined([*python, *sorted(wanted), *sorted(variables), *shown, *rest])


def _benchmarks(path: Path) -> Field:
    """What is said there of the benchmarks; nothing where it is not there."""
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        return Field({}, str(path))
    return _read_once(path, changed_ns)


@cache
def _read_once(path: Path, changed_ns: int) -> Field:
    found = fields.read(path)
    found.members()
    return found
