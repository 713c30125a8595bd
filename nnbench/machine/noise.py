"""The noise watch: what else the machine did while a trial was measured.

Readings are taken by the parent before and after a trial, never while something is timed. What a
system does not tell is None. Linux tells most of it under /proc and /sys.
"""

import contextlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TICKS_PER_S = 100
"""USER_HZ, in which Linux counts CPU time for programs on every architecture in use."""

# Beyond these a trial may have been disturbed, see `contamination`.
STOLEN_SHARE = 0.02  # of all CPU time: a difference of a few per cent may be the host's
STOLEN_FROM_ONE_CPU = 0.05  # one CPU held up holds up all threads that meet at a step's end
OTHERS_CPUS = 0.15  # CPUs that others use compete with the threads of a training
INTERRUPTED_PER_S = 250.0  # forced switches: the worker shares its CPUs with something busy
OTHERS_AT_ALL = 0.05  # CPUs; below it a worker's own threads push each other aside
SLOWED_CLOCK = 0.9  # of the clock before the trial: it is throttled or shared

_SWITCHES = re.compile(r"\nvoluntary_ctxt_switches:\s*(\d+)\nnonvoluntary_ctxt_switches:\s*(\d+)")


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; times in seconds, summed over CPUs where not said otherwise.

    `workers_s` holds the workers' threads and children. `forced_switches` and `waits` are the
    involuntary and voluntary context switches of the workers' threads, `switches` those of the
    whole system. `pressure_s` is how long some task waited for a CPU. `throttled_s` and
    `throttlings` are of the CPU quota, `heat_throttlings` count clocks cut for heat. `load` is the
    system's average over a minute.
    """

    moment_s: float
    busy_s: float | None = None
    stolen_s: float | None = None
    cpus_busy_s: tuple[float, ...] = ()
    cpus_stolen_s: tuple[float, ...] = ()
    workers_s: float | None = None
    forced_switches: float | None = None
    waits: float | None = None
    switches: int | None = None
    pressure_s: float | None = None
    throttled_s: float | None = None
    throttlings: int | None = None
    heat_throttlings: int | None = None
    runnable: int | None = None
    load: float | None = None
    mhz: tuple[float, ...] = ()
    celsius: float | None = None


def read(workers: Sequence[int], root: Path = Path("/")) -> Reading:
    """Read the counters of this machine and of the worker processes with these numbers."""
    stat = _text(root / "proc/stat")
    cpus = _cpu_times(stat)
    busy_s, stolen_s = cpus.pop("cpu", (None, None))
    switches = [_switches(root, pid) for pid in workers]
    throttled_s, throttlings = _throttled(root)
    pressure_us = _number(_text(root / "proc/pressure/cpu"), "some .*total=")
    return Reading(
        moment_s=time.monotonic(),
        busy_s=busy_s,
        stolen_s=stolen_s,
        cpus_busy_s=tuple(busy for busy, _ in cpus.values()),
        cpus_stolen_s=tuple(stolen for _, stolen in cpus.values()),
        workers_s=_total(_worker_time(root, pid) for pid in workers),
        forced_switches=_total(forced for forced, _ in switches),
        waits=_total(waits for _, waits in switches),
        switches=_counted(stat, "ctxt"),
        pressure_s=None if pressure_us is None else pressure_us / 1e6,
        throttled_s=throttled_s,
        throttlings=throttlings,
        heat_throttlings=heat_throttlings(root),
        runnable=_counted(stat, "procs_running"),
        load=_number(_text(root / "proc/loadavg"), ""),
        mhz=_mhz(root),
        celsius=celsius(root),
    )


def between(before: Reading, after: Reading) -> dict[str, Any]:
    """What happened between two readings, see `results/README.md`; None is what is not told."""
    wall_s = max(after.moment_s - before.moment_s, 1e-9)

    def change(name: str) -> Any:
        earlier, later = getattr(before, name), getattr(after, name)
        # A counter that ran backwards belongs to a process or machine that was replaced.
        return None if earlier is None or later is None or later < earlier else later - earlier

    def rate(name: str, digits: int) -> float | None:
        found = change(name)
        return None if found is None else round(found / wall_s, digits)

    busy_s, stolen_s, workers_s = change("busy_s"), change("stolen_s"), change("workers_s")
    stolen_share = others_cpus = None
    if busy_s is not None and stolen_s is not None and busy_s + stolen_s > 0:
        stolen_share = round(stolen_s / (busy_s + stolen_s), 4)
    if busy_s is not None and workers_s is not None:
        others_cpus = round(max(0.0, busy_s - workers_s) / wall_s, 3)
    return {
        "wall_s": round(wall_s, 4),
        "stolen_share": stolen_share,
        "stolen_worst_cpu_share": _worst(before.cpus_stolen_s, after.cpus_stolen_s, wall_s),
        "others_cpus": others_cpus,
        "busiest_cpu_share": _worst(before.cpus_busy_s, after.cpus_busy_s, wall_s),
        "forced_switches_per_s": rate("forced_switches", 1),
        "waits_per_s": rate("waits", 1),
        "switches_per_s": rate("switches", 1),
        "cpu_pressure_share": rate("pressure_s", 4),
        "throttled_s": change("throttled_s"),
        "throttlings": change("throttlings"),
        "heat_throttlings": change("heat_throttlings"),
        "runnable": after.runnable,
        "load": after.load,
        "mhz_lowest": min(after.mhz, default=None),
        "mhz_highest": max(after.mhz, default=None),
        "mhz_before": max(before.mhz, default=None),
        "celsius": after.celsius,
    }


def contamination(noise: Mapping[str, Any]) -> list[str]:
    """Why a trial's figures may be off, in words; empty when nothing was seen.

    Pressure and run queue are no reasons (workers' threads wait, too), nor is heat itself.
    """
    seen = {name: value for name, value in noise.items() if value is not None}
    stolen, one_cpu = seen.get("stolen_share", 0.0), seen.get("stolen_worst_cpu_share", 0.0)
    others, switches = seen.get("others_cpus", 0.0), seen.get("forced_switches_per_s", 0.0)
    throttled_s, heat = seen.get("throttled_s", 0.0), seen.get("heat_throttlings", 0)
    # The fastest CPU: one that is idle at the moment of reading clocks down and tells nothing.
    before_mhz, after_mhz = seen.get("mhz_before"), seen.get("mhz_highest")
    reasons = []
    if stolen > STOLEN_SHARE:
        reasons.append(f"{stolen:.1%} of the CPU time was stolen by the host")
    elif one_cpu > STOLEN_FROM_ONE_CPU:
        reasons.append(f"the host took one CPU away for {one_cpu:.1%} of the time")
    if others > OTHERS_CPUS:
        reasons.append(f"other processes used {others:.2f} CPUs")
    shared = "others_cpus" not in seen or others > OTHERS_AT_ALL
    if shared and switches > INTERRUPTED_PER_S:
        reasons.append(f"the workers were interrupted {switches:.0f} times a second")
    if throttled_s:
        reasons.append(f"the CPU quota held it up for {throttled_s:.2f} s")
    if heat:
        reasons.append(f"the CPU clock was cut for heat {heat:.0f} times")
    if before_mhz and after_mhz and after_mhz < SLOWED_CLOCK * before_mhz:
        reasons.append(f"the CPU clock fell from {before_mhz:.0f} to {after_mhz:.0f} MHz")
    return reasons


def noisy_blocks(
    looks: Iterable[tuple[tuple[int, int], Mapping[str, Any]]],
) -> set[tuple[int, int]]:
    """The (launch, block) pairs in which a look, of these with theirs, saw something."""
    return {block for block, seen in looks if contamination(seen)}


def _worst(before: Sequence[float], after: Sequence[float], wall_s: float) -> float | None:
    # A CPU that came or went would shift all that follow.
    if not before or len(before) != len(after):
        return None
    changes = [later - earlier for earlier, later in zip(before, after, strict=True)]
    return round(max(0.0, *changes) / wall_s, 4)


def _total(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _text(path: Path) -> str:
    # Unbuffered: a worker may have hundreds of threads, each a file.
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return (file.readall() or b"").decode()
    return ""


def _whole_numbers(paths: Iterable[Path]) -> list[int]:
    texts = (_text(path).strip() for path in paths)
    return [int(text) for text in texts if text.isdigit()]


def _number(text: str, before: str) -> float | None:
    match = re.search(rf"^{before}(\d+\.?\d*)", text, re.M)
    return float(match[1]) if match else None


def _counted(text: str, name: str) -> int | None:
    found = _number(text, f"{name} ")
    return None if found is None else int(found)


def _cpu_times(stat: str) -> dict[str, tuple[float, float]]:
    """Seconds in which each CPU (`cpu`: all) was busy, and in which the host had taken it away."""
    found = {}
    for name, numbers in re.findall(r"^(cpu\d*) +((?:\d+ ?){8,})", stat, re.M):
        user, nice, system, _, _, interrupt, soft_interrupt, stolen = map(int, numbers.split()[:8])
        busy = user + nice + system + interrupt + soft_interrupt
        found[name] = busy / TICKS_PER_S, stolen / TICKS_PER_S
    return found


def _worker_time(root: Path, pid: int) -> float | None:
    """CPU seconds of a process, its ended children, and the living ones of its main thread."""
    # The name stands in parentheses and may itself hold spaces.
    _, _, rest = _text(root / f"proc/{pid}/stat").rpartition(")")
    fields = rest.split()
    if len(fields) < 15:
        return None
    own_s = sum(int(field) for field in fields[11:15]) / TICKS_PER_S
    children = _text(root / f"proc/{pid}/task/{pid}/children").split()
    return own_s + sum(_worker_time(root, int(child)) or 0.0 for child in children)


def _switches(root: Path, pid: int) -> tuple[int | None, int | None]:
    texts = map(_text, (root / f"proc/{pid}/task").glob("*/status"))
    found = [counts for text in texts if (counts := _SWITCHES.search(text))]
    if not found:
        return None, None
    return sum(int(counts[2]) for counts in found), sum(int(counts[1]) for counts in found)


@cache
def cpu_groups(root: Path = Path("/")) -> tuple[Path, ...]:
    """Folders of this process' control group for CPUs, and of those that limit it from around."""
    told = _text(root / "proc/self/cgroup")
    second = re.search(r"^0::/(.*)$", told, re.M)
    first = re.search(r"^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:/(.*)$", told, re.M)
    # Where both versions are mounted, CPUs belong to the first.
    base, inner = root / "sys/fs/cgroup", second[1] if second else ""
    if first:
        base, inner = root / "sys/fs/cgroup/cpu", first[1]
    own = base / inner
    return tuple(folder for folder in (own, *own.parents) if folder.is_relative_to(base))


def _throttled(root: Path) -> tuple[float | None, int | None]:
    """Seconds for which, and how often, a CPU quota held this group of processes up."""
    durations_s, counts = [], []
    for folder in cpu_groups(root):
        text = _text(folder / "cpu.stat")
        micro, nano = _counted(text, "throttled_usec"), _counted(text, "throttled_time")
        if micro is not None or nano is not None:
            durations_s.append((micro or 0) / 1e6 + (nano or 0) / 1e9)
            counts.append(_counted(text, "nr_throttled") or 0)
    return (sum(durations_s), sum(counts)) if counts else (None, None)


@cache
def _cpu_folders(root: Path) -> tuple[Path, ...]:
    return tuple(sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*")))


def heat_throttlings(root: Path = Path("/")) -> int | None:
    """How often a core's clock was cut for heat since boot; None if it is not told."""
    name = "thermal_throttle/core_throttle_count"
    found = _whole_numbers(cpu / name for cpu in _cpu_folders(root))
    return sum(found) if found else None


def _mhz(root: Path) -> tuple[float, ...]:
    files = (cpu / "cpufreq/scaling_cur_freq" for cpu in _cpu_folders(root))
    if scaled := tuple(khz / 1e3 for khz in _whole_numbers(files)):
        return scaled
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _text(root / "proc/cpuinfo"), re.M)
    return tuple(map(float, found))


@cache
def _thermometers(root: Path) -> tuple[Path, ...]:
    """Files with temperatures of the CPU; of anything where none is known to be the CPU's."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    kinds = {zone / "temp": _text(zone / "type").strip().lower() for zone in zones}
    # Others in use are of disks, network cards and the board.
    cpus = [file for file, kind in kinds.items() if re.search(r"cpu|x86_pkg|soc|package", kind)]
    for chip in sorted((root / "sys/class/hwmon").glob("*")):
        if _text(chip / "name").strip() in ("coretemp", "k10temp", "zenpower"):
            cpus.append(chip / "temp1_input")
    return tuple(cpus or kinds)


def celsius(root: Path = Path("/")) -> float | None:
    """The highest temperature of the CPU now, in degrees Celsius; None if it is not told."""
    found = _whole_numbers(_thermometers(root))
    return max(found) / 1e3 if found else None
