"""Storage of pytest-benchmark 4 and 5: `.benchmarks/<machine>/NNNN_<commit or name>_<time>.json`.

Each file is one session: one process, hence one launch of every benchmark in it.
"""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnbench.history.readers import Row, Skipped, reason

SOURCE = "pytest-benchmark"
NAME = re.compile(r"\d{4}_.+\.json")
NORMAL_IQR = 1.349
MEDIAN_INEFFICIENCY = 1.2533


def is_result(path: Path) -> bool:
    """Whether a file is named as pytest-benchmark names those it saves."""
    return bool(NAME.fullmatch(path.name))


def read(path: Path) -> Iterator[Row | Skipped]:
    """Rows of one saved session; damaged and foreign files are `Skipped`."""
    try:
        plain = json.loads(path.read_bytes())
        info, machine = plain["commit_info"], plain["machine_info"]
        commit = info["id"]
        if not re.fullmatch(r"[0-9a-f]{7,64}", str(commit)):
            yield Skipped(str(path), "it names no commit")
            return
        if info.get("dirty"):
            yield Skipped(str(path), f"measured with changes that {commit[:9]} does not hold")
            return
        date = _moment(info.get("time") or plain["datetime"])
        place = machine["node"], _environment(machine)
        session = Row(SOURCE, *place, commit, date, session=str(path))
        benchmarks = list(plain["benchmarks"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        yield Skipped(str(path), f"not a session of pytest-benchmark ({reason(failure)})")
        return
    for one in benchmarks:
        try:
            yield _row(one, session)
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            name = one.get("fullname", "?") if isinstance(one, dict) else "?"
            yield Skipped(f"{path}, {name}", f"damaged ({failure!r})")


def _row(one: dict[str, Any], session: Row) -> Row:
    stats, extra = one["stats"], one.get("extra_info") or {}
    median, rounds = float(stats["median"]), int(stats["rounds"])
    if not math.isfinite(median):
        raise ValueError("its median is not finite")
    spread = float(stats["iqr"]) / NORMAL_IQR
    known = rounds > 1 and median > 0
    error = MEDIAN_INEFFICIENCY * spread / math.sqrt(rounds) / median if known else math.nan
    parameters = one.get("params") or {}
    versions = extra.get("versions")
    named = sorted(versions.items()) if isinstance(versions, dict) else []
    case = ", ".join(f"{name}={text}" for name, text in parameters.items())
    return session._replace(
        environment=session.environment + "".join(f", {name} {text}" for name, text in named),
        benchmark=str(one["fullname"]).partition("[")[0],
        case=case or str(one.get("param") or ""),
        value=median,
        log_error=error,
        samples=rounds,
        digest=str(extra.get("digest") or ""),
        noisy=_number(extra.get("disturbed")),
        pace_s=_number(extra.get("pace_s")),
    )


def _number(found: Any) -> float:
    return float(found) if isinstance(found, int | float) else math.nan


def _environment(machine: dict[str, Any]) -> str:
    cpu = machine.get("cpu") or {}
    return (
        f"{machine['python_implementation']} {machine['python_version']}, "
        f"cpu {cpu.get('brand_raw') or machine.get('processor') or 'unknown'}, "
        f"num_cpu {cpu.get('count', 'unknown')}, {machine['system']} {machine['release']} "
        f"{machine['machine']}"
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
