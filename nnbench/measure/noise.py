"""The noise watch: what else the machine did while a trial was measured.

Readings are taken by the parent before and after a trial, never while something is timed. What a
system does not tell is None. Linux tells most of it under /proc and /sys.
"""

import contextlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TICKS_PER_S = 100
"""USER_HZ, in which Linux counts CPU time for programs on every architecture in use."""

STOLEN_SHARE = 0.02
"""Above this share of stolen CPU time a difference of a few per cent may be the host's."""

OTHERS_CPUS = 0.15
"""Others using more than this many CPUs compete with the threads of a training."""

INTERRUPTED_PER_S = 250.0
"""More forced switches than this: the worker shares its CPUs with something busy."""

SLOWED_CLOCK = 0.9
"""A clock that falls below this part of its pace before the trial is throttled or shared."""


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; times in seconds, summed over CPUs."""

    moment_s: float
    busy_s: float | None = None
    stolen_s: float | None = None
    workers_s: float | None = None
    forced_switches: float | None = None
    throttled_s: float | None = None
    runnable: int | None = None
    mhz: tuple[float, ...] = field(default=())
    celsius: float | None = None


def read(workers: Sequence[int], root: Path = Path("/")) -> Reading:
    """Read the counters of this machine and of the worker processes with these numbers."""
    busy_s, stolen_s = _cpu_time(root)
    return Reading(
        moment_s=time.monotonic(),
        busy_s=busy_s,
        stolen_s=stolen_s,
        workers_s=_total(_worker_time(root, pid) for pid in workers),
        forced_switches=_total(_forced_switches(root, pid) for pid in workers),
        throttled_s=_throttled(root),
        runnable=_runnable(root),
        mhz=_mhz(root),
        celsius=_celsius(root),
    )


def between(before: Reading, after: Reading) -> dict[str, Any]:
    """What happened between two readings, as plain data.

    `stolen_share` is of all CPU time of all CPUs that were busy; `others_cpus` is how many CPUs
    everything but the workers kept busy on average; `forced_switches_per_s` counts their
    involuntary context switches; frequencies are in MHz, the lowest and highest of any CPU.
    """
    wall_s = max(after.moment_s - before.moment_s, 1e-9)
    busy_s = _difference(before.busy_s, after.busy_s)
    stolen_s = _difference(before.stolen_s, after.stolen_s)
    workers_s = _difference(before.workers_s, after.workers_s)
    switches = _difference(before.forced_switches, after.forced_switches)
    throttled_s = _difference(before.throttled_s, after.throttled_s)
    found: dict[str, Any] = {
        "wall_s": round(wall_s, 4),
        "stolen_share": None,
        "others_cpus": None,
        "forced_switches_per_s": None if switches is None else round(switches / wall_s, 1),
        "throttled_s": throttled_s,
        "runnable": after.runnable,
        "mhz_lowest": min(after.mhz, default=None),
        "mhz_highest": max(after.mhz, default=None),
        "mhz_before": min(before.mhz, default=None),
        "celsius": after.celsius,
    }
    if busy_s is not None and stolen_s is not None and busy_s + stolen_s > 0:
        found["stolen_share"] = round(stolen_s / (busy_s + stolen_s), 4)
    if busy_s is not None and workers_s is not None:
        found["others_cpus"] = round(max(0.0, busy_s - workers_s) / wall_s, 3)
    return found


def contamination(noise: dict[str, Any]) -> list[str]:
    """Why a trial's figures may be off, in words; empty when nothing was seen."""
    reasons = []
    stolen, others = noise.get("stolen_share"), noise.get("others_cpus")
    switches, throttled_s = noise.get("forced_switches_per_s"), noise.get("throttled_s")
    before_mhz, lowest_mhz = noise.get("mhz_before"), noise.get("mhz_lowest")
    if stolen is not None and stolen > STOLEN_SHARE:
        reasons.append(f"{stolen:.1%} of the CPU time was stolen by the host")
    if others is not None and others > OTHERS_CPUS:
        reasons.append(f"other processes used {others:.2f} CPUs")
    if switches is not None and switches > INTERRUPTED_PER_S:
        reasons.append(f"the workers were interrupted {switches:.0f} times a second")
    if throttled_s:
        reasons.append(f"the CPU quota held it up for {throttled_s:.2f} s")
    if before_mhz and lowest_mhz and lowest_mhz < SLOWED_CLOCK * before_mhz:
        reasons.append(f"the CPU clock fell from {before_mhz:.0f} to {lowest_mhz:.0f} MHz")
    return reasons


def _difference(before: float | None, after: float | None) -> float | None:
    # A counter that ran backwards belongs to a process or machine that was replaced.
    if before is None or after is None or after < before:
        return None
    return after - before


def _total(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _text(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text()
    return ""


def _cpu_time(root: Path) -> tuple[float | None, float | None]:
    """Seconds in which CPUs were busy, and in which the host had taken them away."""
    match = re.match(r"cpu\s+(.+)", _text(root / "proc/stat"))
    fields = [int(part) for part in match[1].split()] if match else []
    if len(fields) < 8:
        return None, None
    user, nice, system, _idle, _wait, interrupt, soft_interrupt, stolen = fields[:8]
    busy = user + nice + system + interrupt + soft_interrupt
    return busy / TICKS_PER_S, stolen / TICKS_PER_S


def _worker_time(root: Path, pid: int) -> float | None:
    # The name stands in parentheses and may itself hold spaces.
    _, _, rest = _text(root / f"proc/{pid}/stat").rpartition(")")
    fields = rest.split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if len(fields) > 12 else None


def _forced_switches(root: Path, pid: int) -> int | None:
    found = [
        int(match[1])
        for status in (root / f"proc/{pid}/task").glob("*/status")
        if (match := re.search(r"^nonvoluntary_ctxt_switches:\s*(\d+)", _text(status), re.M))
    ]
    return sum(found) if found else None


def _throttled(root: Path) -> float | None:
    match = re.search(r"^throttled_usec (\d+)", _text(root / "sys/fs/cgroup/cpu.stat"), re.M)
    return int(match[1]) / 1e6 if match else None


def _runnable(root: Path) -> int | None:
    match = re.search(r"^procs_running (\d+)", _text(root / "proc/stat"), re.M)
    return int(match[1]) if match else None


def _mhz(root: Path) -> tuple[float, ...]:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    scaled = tuple(int(text) / 1e3 for file in files if (text := _text(file).strip()).isdigit())
    if scaled:
        return scaled
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _text(root / "proc/cpuinfo"), re.M)
    return tuple(float(text) for text in found)


def _celsius(root: Path) -> float | None:
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    found = [int(text) / 1e3 for zone in zones if (text := _text(zone).strip()).isdigit()]
    return max(found, default=None)
