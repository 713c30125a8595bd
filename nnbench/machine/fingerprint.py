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
from pathlib import Path
from typing import Any

import psutil

from nnbench.machine import devices

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
        "settings": {name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ},
        "commit": _commit(),
    }


def unlike(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What forbids comparing two fingerprints as if they were one; commits may differ."""
    return differences({**first, "commit": None}, {**second, "commit": None})


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What differs between two fingerprints, one readable phrase each; empty when nothing does."""
    found = []
    for name in sorted(first.keys() | second.keys()):
        before, after = first.get(name), second.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            found += [
                f"{part} {before.get(part, 'absent')} and {after.get(part, 'absent')}"
                for part in sorted(before.keys() | after.keys())
                if before.get(part) != after.get(part)
            ]
        else:
            found.append(f"{name} {before} and {after}")
    return found


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        if match:
            return match[1].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    query = ("--query-gpu=name,driver_version", "--format=csv,noheader")
    return _output_of("nvidia-smi", *query).splitlines()


def _commit() -> str | None:
    commit = _output_of("git", "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _output_of("git", "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changed else commit


def _output_of(*command: str) -> str:
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(take()) + "\n")
