"""What a measurement depends on besides the case: host, versions, commit, settings.

`python -m nnbench.machine.fingerprint` prints that of the environment and folder it is run in.
"""

import contextlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from nnbench.machine import devices, git

PARTS = ("host", "system", "cpu", "cpus", "memory_bytes", "gpus", "python", "versions", "settings")
"""Two fingerprints are alike only if both tell each of these."""
MAY_BE_EMPTY = ("gpus", "settings")
"""An empty list of these says that there are none; any other part that is empty is unknown."""
NO_ANSWERS = ("", "unknown", "none", "null", "nan", "n/a", "?")
"""What says nothing, in small letters."""
UNTOLD = ": known of neither"

SAME_MEMORY = 0.01
"""What a system says of its memory differs from start to start by what it keeps for itself."""

THREAD_SETTINGS = (*devices.THREAD_COUNTS, "XLA_FLAGS", "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")


def take() -> dict[str, Any]:
    """The fingerprint of this host, environment and working directory, as plain data."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cpus": devices.usable_cpus(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "python": platform.python_version(),
        "versions": devices.versions(*devices.BACKENDS),
        "settings": {name: os.environ[name] for name in THREAD_SETTINGS if os.environ.get(name)},
        "commit": _commit(),
    }


def unlike(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What forbids comparing two fingerprints as if they were one; commits may differ."""
    return differences({**first, "commit": None}, {**second, "commit": None})


def differences(
    first: dict[str, Any], second: dict[str, Any], names: Iterable[str] | None = None
) -> list[str]:
    """What differs between two fingerprints, one readable phrase each; empty when nothing does.

    Compared are `names`, by default all. What neither tells may differ: a phrase says so.
    """
    found = []
    for name in sorted({*PARTS, *first, *second} if names is None else names):
        before, after = (_given(name, one.get(name)) for one in (first, second))
        if before and after and isinstance(before, dict) and isinstance(after, dict):
            pairs = {part: (before.get(part), after.get(part)) for part in before | after}
            found += [_phrase(part, *pairs[part], absent="absent") for part in sorted(pairs)]
        elif name != "commit" or before != after:
            found.append(_phrase(name, before, after))
    return [phrase for phrase in found if phrase]


def not_comparable(first: object, second: object, differing: Sequence[str]) -> str:
    """Why two runs that `differing` sets apart are not compared, but for what to do about it."""
    if all(phrase.endswith(UNTOLD) for phrase in differing):
        return f"whether {first} and {second} are alike cannot be told ({'; '.join(differing)})"
    apart = "their times differ for that alone"
    return f"{first} and {second} are unlike ({'; '.join(differing)}): {apart}"


def _given(name: str, value: Any) -> Any:
    """A part of a fingerprint; a setting that is empty is none, which earlier records held."""
    if name == "settings" and isinstance(value, dict):
        return {setting: one for setting, one in value.items() if one != ""}
    return value


def _phrase(name: str, before: Any, after: Any, absent: str = "None") -> str:
    if not (_tells(name, before) or _tells(name, after)):
        return f"{name}{UNTOLD}"
    both = [absent if value is None else value for value in (before, after)]
    return "" if _same(name, before, after) else f"{name} {both[0]} and {both[1]}"


def _same(name: str, before: Any, after: Any) -> bool:
    if name == "memory_bytes" and all(type(one) in (int, float) for one in (before, after)):
        return bool(abs(before - after) <= SAME_MEMORY * max(before, after))
    return bool(before == after)


def _tells(name: str, value: Any) -> bool:
    """Whether a part of a fingerprint says anything; that there are none says something of GPUs."""
    if isinstance(value, dict | list):
        parts = list(value.values() if isinstance(value, dict) else value)
        return any(_tells(name, part) for part in parts) if parts else name in MAY_BE_EMPTY
    if isinstance(value, str):
        return value.strip().lower() not in NO_ANSWERS
    return bool(value) and value is not True


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        if match:
            return match[1].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            query, capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.strip().splitlines() if answer.returncode == 0 else []


def _commit() -> str | None:
    try:
        commit = git.text(git.ask(Path(), "rev-parse", "HEAD"))
        changed = git.ask(Path(), "status", "--porcelain", "--untracked-files=no")
    except git.GitError:
        return None
    return f"{commit}+changes" if changed else commit


if __name__ == "__main__":
    sys.stdout.write(json.dumps(take()) + "\n")
