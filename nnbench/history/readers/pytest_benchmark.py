"""Files of pytest-benchmark 4 and 5: of its storage, or written with `--benchmark-json`.

    .benchmarks/<machine>/NNNN_<commit or name>_<time>.json

Each file is one session: one process, hence one launch of every benchmark in it. A benchmark is
known by its `fullname`, a case of it by its `param`: `params` holds addresses of that process.
"""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from nnbench.errors import DamageError
from nnbench.history.readers import (
    LONGEST_S,
    SHORTEST_S,
    Row,
    Skipped,
    begins_with,
    commit_of,
    cpu_of,
    digest,
    if_known,
    joined,
    said,
    word,
)
from nnbench.machine import fields
from nnbench.machine.fields import Field

SOURCE = "pytest-benchmark"
NAME = re.compile(r"\d{4}_.+\.json")
PYTHON, SYSTEM = ("python_implementation", "python_version"), ("system", "release", "machine")
NORMAL_IQR = 1.349
MEDIAN_INEFFICIENCY = 1.2533


def is_result(path: Path) -> bool:
    """Whether a file is named as pytest-benchmark names those it saves, or begins like them."""
    # The second where its names were sorted on the way.
    begins = begins_with(path, "machine_info") or begins_with(path, "benchmarks")
    return bool(NAME.fullmatch(path.name)) or begins


def read(path: Path) -> Iterator[Row | Skipped]:
    """Rows of one saved session; damaged and foreign files are `Skipped`."""
    try:
        plain = fields.read(path)
        info, machine = plain["commit_info"], plain["machine_info"]
        commit = commit_of(info["id"])
        if info["dirty"].flag(False):
            yield Skipped(str(path), f"measured with changes that {commit[:9]} does not hold")
            return
        known = info["time"].value is not None
        date = (info["time"] if known else plain["datetime"]).moment()
        session = Row(SOURCE, said(machine["node"]), _environment(machine), commit, date)
        session = session._replace(cpu=_cpu(machine), software=_told(machine, PYTHON))
        benchmarks = plain["benchmarks"].entries()
    except DamageError as failure:
        yield Skipped(str(path), f"not a session of pytest-benchmark ({failure.reason})")
        return
    names: Counter[tuple[str, str]] = Counter()
    for one in benchmarks:
        with contextlib.suppress(DamageError):
            names[_name(one)] += 1
    for one in benchmarks:
        try:
            name = _name(one)
            if names[name] > 1:
                one["fullname"].refuse(f"stands there {names[name]} times")
            yield _row(one, session)
        except DamageError as failure:
            told = one.value.get("fullname") if isinstance(one.value, dict) else None
            called = told if isinstance(told, str) else one.place
            yield Skipped(f"{path}, {called}", f"damaged ({failure.reason})")


def _name(one: Field) -> tuple[str, str]:
    return one["fullname"].text(), one["param"].text("")


def _row(one: Field, session: Row) -> Row:
    stats, extra = one["stats"], one["extra_info"]
    median = stats["median"].number(least=SHORTEST_S, most=LONGEST_S)
    rounds = stats["rounds"].whole(least=1)
    spread = stats["iqr"].number(least=0, most=LONGEST_S) / NORMAL_IQR
    error = MEDIAN_INEFFICIENCY * spread / math.sqrt(rounds) / median if rounds > 1 else math.nan
    fullname, case = _name(one)
    # Anybody may keep anything in `extra_info`.
    told = extra if isinstance(extra.value, dict) else Field({}, extra.file)
    versions, numbers = told["versions"].value, told["digest"].value
    named = sorted(versions.items()) if isinstance(versions, dict) else []
    texts = [f"{name} {version}" for name, version in named if isinstance(version, str)]
    environment, software = (
        ", ".join(filter(None, [text, joined(texts)]))
        for text in (session.environment, session.software)
    )
    return session._replace(
        environment=environment,
        software=software,
        benchmark=fullname.removesuffix(f"[{case}]"),
        case=case,
        value=median,
        log_error=error,
        samples=rounds,
        session=digest({name: number for name, number in stats.value.items() if name != "data"}),
        digest=numbers if isinstance(numbers, str) else "",
        noisy=if_known(told["disturbed"], most=1),
        pace_s=if_known(told["pace_s"]) or math.nan,
    )


def _environment(machine: Field) -> str:
    python, system = (_told(machine, names) for names in (PYTHON, SYSTEM))
    count = word(machine["cpu"]["count"]) or "unknown"
    return f"{python}, cpu {_brand(machine) or 'unknown'}, num_cpu {count}, {system}"


def _told(machine: Field, names: Iterable[str]) -> str:
    return " ".join(said(machine[name]) for name in names)


def _brand(machine: Field) -> str:
    return word(machine["cpu"]["brand_raw"]) or word(machine["processor"])


def _cpu(machine: Field) -> str:
    # What it calls a processor where it knows no model is the architecture: that tells nothing.
    return cpu_of(word(machine["cpu"]["brand_raw"]), word(machine["cpu"]["count"]))
