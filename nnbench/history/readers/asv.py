"""Results of asv (airspeed velocity), API version 2: one file a commit and environment.

    <results>/benchmarks.json               what each benchmark is: unit, names of parameters
    <results>/<machine>/machine.json        the host
    <results>/<machine>/<commit>-<env>.json values, quartiles and 99 % intervals

Written by asv 0.6; see `asv/results.py` there (`Results.save`). What a suite of ours tracks of the
machine, `track_disturbed` and `track_pace`, is said of all that was measured beside it and makes
no rows of its own.
"""

import itertools
import json
import math
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from nnbench.history.readers import BYTES, Row, Skipped, reason

SOURCE = "asv"
API_VERSION = 2
MACHINE_FILE = "machine.json"
BENCHMARKS_FILE = "benchmarks.json"
NORMAL_99 = 2.5758
QUOTE = "'"
NOISY, MACHINE_SPEED = "track_disturbed", "track_pace"
UNITS = {"seconds": "s", "time": "s", "bytes": BYTES, "memory": BYTES}


def is_result(path: Path, siblings: set[str]) -> bool:
    """Whether a file lies where asv would put one."""
    return (
        MACHINE_FILE in siblings
        and path.suffix == ".json"
        and path.name not in (MACHINE_FILE, BENCHMARKS_FILE)
    )


def read(path: Path) -> Iterator[Row | Skipped]:
    """Rows of one result file. Damaged and foreign files, and failed benchmarks, are `Skipped`."""
    try:
        plain = json.loads(path.read_bytes())
        if plain.get("version") != API_VERSION:
            yield Skipped(str(path), f"asv's version {plain.get('version')}, not {API_VERSION}")
            return
        commit, parameters = str(plain["commit_hash"]), plain["params"]
        date = datetime.fromtimestamp(plain["date"] / 1000, UTC)
        result = Row(SOURCE, parameters["machine"], _environment(plain), commit, date)
        columns, items = plain["result_columns"], list(plain["results"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        yield Skipped(str(path), f"not a result file of asv ({reason(failure)})")
        return
    known = _benchmarks(path.parent.parent)
    rows: list[Row] = []
    for name, fields in items:
        try:
            found = dict(zip(columns, fields, strict=False))
            rows += _rows(name, found, known.get(name, {}), result)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as failure:
            yield Skipped(f"{path}, {name}", f"damaged ({reason(failure)})")
    yield from _with_machine(rows)


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


def _rows(name: str, found: dict[str, Any], known: dict[str, Any], result: Row) -> Iterator[Row]:
    axes = found.get("params") or []
    names = known.get("param_names") or [f"p{number}" for number in range(len(axes))]
    unit = str(known.get("unit") or ("seconds" if ".time" in name else ""))
    version, unit = str(found.get("version") or "")[:12], UNITS.get(unit, unit)
    low, high = found.get("stats_ci_99_a"), found.get("stats_ci_99_b")
    repeats = found.get("stats_repeat")
    result = result._replace(benchmark=name, version=version, unit=unit)
    cases = _cases(tuple(names), tuple(tuple(axis) for axis in axes))
    for number, (case, value) in enumerate(zip(cases, found["result"] or (), strict=False)):
        if value is None or isinstance(value, str) or not math.isfinite(value):
            continue
        error = _log_error(low[number], high[number]) if low and high else math.nan
        samples = int(repeats[number] or 1) if repeats else 1
        yield result._replace(case=case, value=float(value), log_error=error, samples=samples)


@cache
def _cases(names: tuple[str, ...], axes: tuple[tuple[str, ...], ...]) -> list[str]:
    combinations = [zip(names, one, strict=False) for one in itertools.product(*axes)]
    return [
        ", ".join(f"{name}={one.strip(QUOTE)}" for name, one in pairs) for pairs in combinations
    ]


def _log_error(low: float | None, high: float | None) -> float:
    if not low or not high or not 0 < low <= high < math.inf:
        return math.nan
    return math.log(high / low) / 2 / NORMAL_99


def _environment(plain: dict[str, Any]) -> str:
    parameters = {name: text for name, text in plain["params"].items() if name != "machine"}
    wanted = {f"{name} {version}" for name, version in plain.get("requirements", {}).items()}
    variables = {f"{name}={text}" for name, text in plain.get("env_vars", {}).items()}
    told = [one for one in ("cpu", "num_cpu", "os", "arch", "ram") if parameters.get(one)]
    hardware = [f"{name} {parameters.pop(name)}" for name in told]
    for name in plain.get("requirements", {}):
        parameters.pop(name, None)
    python = [f"python {parameters.pop('python', plain['python'])}"]
    rest = [f"{name} {text}" for name, text in sorted(parameters.items()) if text]
    return ", ".join([*python, *sorted(wanted), *sorted(variables), *hardware, *rest])


@cache
def _benchmarks(folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / BENCHMARKS_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: one for name, one in known.items() if isinstance(one, dict)}
