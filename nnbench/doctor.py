"""What this machine allows: its settings examined, and its noise floor measured.

The noise floor is found by comparing identical code with itself, exactly as `nnbench compare`
compares two sides.
"""

import contextlib
import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from nnbench import datasets, fingerprint, results, units
from nnbench.architecture import Architecture
from nnbench.case import Case, Training
from nnbench.devices import usable_cpus
from nnbench.fingerprint import THREAD_SETTINGS
from nnbench.measure import run as measuring
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.statistics import Estimate
from nnbench.summary import Measured

OK, NOTE, PROBLEM = "ok", "note", "problem"

BUSY_SHARE = 0.10
LEAST_FREE_BYTES = 1 << 30
LOOK_S = 1.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and what to change if anything."""

    subject: str
    level: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class NoiseFloor:
    """What comparing identical code with itself gave.

    `half_widths` are of the 95 % intervals of the ratio, by phase, after `launches` launches of
    each side that took `seconds_per_side`.
    """

    launches: int
    seconds_per_side: float
    half_widths: Mapping[str, float]
    ratios: Mapping[str, Estimate]

    def launches_for(self, phase: str, change: float) -> int:
        """Launches of each side after which a `change` of a phase stands out from its interval.

        The interval narrows with the square root of the launches.
        """
        wanted = math.log1p(change)
        return max(3, math.ceil(self.launches * (self.half_widths[phase] / wanted) ** 2))

    def change_within(self, phase: str, budget_s: float) -> float:
        """The smallest change of a phase that stands out after so many seconds on each side."""
        launches = max(2.0, budget_s / (self.seconds_per_side / self.launches))
        return math.expm1(self.half_widths[phase] * math.sqrt(self.launches / launches))


def examine(folder: Path, root: Path = Path("/")) -> list[Finding]:
    """Look at the settings of this machine that make timings noisy; takes about a second.

    `folder` is where results are written. What the system does not tell is left out.
    """
    found = [
        _governor(root),
        _turbo(root),
        _quota(root),
        _virtual(root),
        _threads(),
        _swap(),
        _load(),
        _stolen(root),
        _clock(root),
        _battery(),
        _memory(),
        _disk(folder),
    ]
    return [finding for finding in found if finding is not None]


def _text(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""


def _governor(root: Path) -> Finding | None:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    governors = sorted({text for file in files if (text := _text(file))})
    if not governors:
        return None
    if governors == ["performance"]:
        return Finding("CPU governor", OK, "performance")
    return Finding(
        "CPU governor",
        PROBLEM,
        f"{', '.join(governors)}: the clock follows the load",
        "sudo cpupower frequency-set --governor performance",
    )


def _turbo(root: Path) -> Finding | None:
    intel = _text(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = _text(root / "sys/devices/system/cpu/cpufreq/boost")
    if not intel and not boost:
        return None
    if intel == "1" or boost == "0":
        return Finding("turbo", OK, "off")
    file = "intel_pstate/no_turbo" if intel else "cpufreq/boost"
    value = "1" if intel else "0"
    return Finding(
        "turbo",
        NOTE,
        "on: the clock depends on temperature and on how many cores are busy",
        f"echo {value} | sudo tee /sys/devices/system/cpu/{file}",
    )


def _quota(root: Path) -> Finding | None:
    match = re.match(r"(\d+) (\d+)", _text(root / "sys/fs/cgroup/cpu.max"))
    if not match:
        return None
    allowed = int(match[1]) / int(match[2])
    return Finding(
        "CPU quota",
        PROBLEM,
        f"this container may use {allowed:g} CPUs and is stopped when it uses more",
        f"give it whole CPUs instead (docker run --cpuset-cpus), or use --threads {int(allowed)}",
    )


def _virtual(root: Path) -> Finding | None:
    if " hypervisor " not in _text(root / "proc/cpuinfo").replace("\n", " "):
        return None
    return Finding(
        "virtual machine",
        NOTE,
        "yes: other guests share caches and memory, unseen from here",
        "expect slow minutes; more launches help, more blocks do not",
    )


def _threads() -> Finding:
    cpus = usable_cpus()
    set_here = {name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ}
    too_many = [
        f"{name}={value}"
        for name, value in set_here.items()
        if value.isdigit() and int(value) > cpus
    ]
    if too_many:
        return Finding(
            "threads",
            PROBLEM,
            f"{', '.join(too_many)} on {cpus} usable CPUs: threads wait for one another",
            f"unset them, or use --threads {cpus}",
        )
    told = ", ".join(f"{name}={value}" for name, value in set_here.items()) or "left to the backend"
    return Finding("threads", OK, f"{told}; {cpus} usable CPUs")


def _swap() -> Finding:
    swap = psutil.swap_memory()
    if swap.used > 0.05 * psutil.virtual_memory().total:
        return Finding(
            "swap",
            PROBLEM,
            f"{units.data_size(swap.used)} in use: memory is short",
            "close programs, or sudo swapoff -a",
        )
    return Finding("swap", OK, "not in use" if swap.total else "none")


def _load() -> Finding:
    processes = [p for p in psutil.process_iter(["name"]) if p.pid not in (os.getpid(), 0)]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.cpu_percent()
    time.sleep(LOOK_S)
    shares = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            shares.append((process.cpu_percent() / 100, process.info["name"] or "?"))
    busy = sum(share for share, _ in shares)
    if busy < BUSY_SHARE:
        return Finding("other processes", OK, f"use {busy:.2f} CPUs")
    top = ", ".join(f"{name} {share:.2f}" for share, name in sorted(shares, reverse=True)[:3])
    return Finding(
        "other processes", PROBLEM, f"use {busy:.2f} CPUs ({top})", "stop them while measuring"
    )


def _stolen(root: Path) -> Finding | None:
    # The whole time since boot: a minute's look would miss a neighbour that comes and goes.
    match = re.match(r"cpu\s+(.+)", _text(root / "proc/stat"))
    fields = [int(part) for part in match[1].split()] if match else []
    if len(fields) < 8 or not sum(fields[:8]):
        return None
    busy = sum(fields[:3]) + sum(fields[5:8])
    share = fields[7] / busy if busy else 0.0
    if share > 0.01:
        return Finding(
            "stolen time",
            PROBLEM,
            f"{share:.1%} of the busy time since boot was taken by the host",
            "use a machine with CPUs of its own",
        )
    return Finding("stolen time", OK, f"{share:.2%} of the busy time since boot")


def _clock(root: Path) -> Finding:
    source = _text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource")
    readings = [time.perf_counter_ns() for _ in range(1000)]
    cost_s = (readings[-1] - readings[0]) / 999 / 1e9
    told = f"{source or 'unknown source'}, a reading costs {units.seconds(cost_s)}"
    if cost_s > 1e-6:
        return Finding("clock", NOTE, told, "boot with clocksource=tsc if the CPU has a stable one")
    return Finding("clock", OK, told)


def _battery() -> Finding | None:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None:
        return None
    if battery.power_plugged:
        return Finding("power", OK, "plugged in")
    return Finding("power", PROBLEM, "on battery: the clock is held down", "plug it in")


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    if free < LEAST_FREE_BYTES:
        return Finding(
            "memory", PROBLEM, f"{units.data_size(free)} available", "close other programs"
        )
    return Finding("memory", OK, f"{units.data_size(free)} available")


def _disk(folder: Path) -> Finding:
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(existing).free
    if free < LEAST_FREE_BYTES:
        return Finding("disk", PROBLEM, f"{units.data_size(free)} free for results", "make room")
    return Finding("disk", OK, f"{units.data_size(free)} free for results")


def noise_floor(
    backend: str, watch: measuring.Watcher, *, launches: int = 5, seed: int = 0
) -> NoiseFloor:
    """Compare identical code with itself on this machine; takes about a minute.

    Raises UserError if the backend is not there.
    """
    data = datasets.load("banknotes")
    case = Case(
        Architecture((100, 100)),
        Training(),
        data.name,
        data.digest,
        data.rows,
        data.width,
        backend=backend,
    )
    wanted = measuring.specification(
        [case], launches=launches, blocks=1, seed=seed, limit_s=120.0, sides=("A", "B")
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = results.create(Path(scratch), "floor", wanted, fingerprint.take())
        run = measuring.execute(folder, data, watch, {"A": measuring.Side(), "B": measuring.Side()})
        ratios = Measured.of(run).ratios_between_sides(case, "A", "B")
        half_widths = {
            phase: math.log(ratio.high / ratio.low) / 2
            for phase, ratio in ratios.items()
            if ratio.has_interval
        }
        return NoiseFloor(launches, measuring.seconds_spent(run) / 2, half_widths, ratios)


def sentences(floor: NoiseFloor) -> list[str]:
    """What precision can be had here, in words made from the noise floor."""
    told = []
    for phase in (STEP, EPOCH, COLD):
        if phase not in floor.half_widths:
            continue
        minute, long = floor.change_within(phase, 60.0), floor.change_within(phase, 600.0)
        told.append(
            f"{phase}: in 1 minute a side a change of {units.share(minute)} stands out, in 10 "
            f"minutes one of {units.share(long)}; for 5 % it takes about "
            f"{floor.launches_for(phase, 0.05)} launches a side, for 2 % "
            f"{floor.launches_for(phase, 0.02)}."
        )
    return told


def as_json(findings: list[Finding], floor: NoiseFloor | None) -> dict[str, Any]:
    """Everything as plain data."""
    return {
        "findings": [asdict(finding) for finding in findings],
        "noise_floor": None
        if floor is None
        else {
            "launches": floor.launches,
            "seconds_per_side": floor.seconds_per_side,
            "half_widths": dict(floor.half_widths),
            "sentences": sentences(floor),
        },
    }
