"""What decides how fast the CPU goes, and how well time is told."""

import time
from itertools import pairwise
from pathlib import Path

import psutil

from nnbench.doctor.finding import NOTE, OK, PROBLEM, Finding, text_of
from nnbench.machine import noise
from nnbench.show import units

CPUS = "sys/devices/system/cpu"
CLOCK_SOURCE = "sys/devices/system/clocksource/clocksource0"

STEADY_GOVERNORS = {"performance", "userspace"}
FOLLOWING_DRIVERS = ("intel_pstate", "amd-pstate-epp", "")
"""With these drivers the governor called powersave follows the load, too."""
HOT_CELSIUS = 85.0
"""Most CPUs cut their clock between 90 and 105 degrees, and a training warms them further."""
SLOW_CLOCK_S = 1e-6
"""A step may take 10 microseconds on a compiled path: its clock should cost far less."""
CLOCK_READINGS = 1000


def governor(root: Path) -> Finding | None:
    """Who chooses the CPU's clock."""
    folders = sorted((root / CPUS).glob("cpu[0-9]*/cpufreq"))
    governors = {text_of(folder / "scaling_governor") for folder in folders} - {""}
    if not governors:
        return None
    named = ", ".join(sorted(governors))
    if governors <= STEADY_GOVERNORS:
        return Finding("CPU governor", OK, named)
    driver = text_of(folders[0] / "scaling_driver")
    slowest = governors == {"powersave"} and driver not in FOLLOWING_DRIVERS
    effect = "the clock stays at its lowest" if slowest else "the clock follows the load"
    mend = "sudo cpupower frequency-set --governor performance"
    return Finding("CPU governor", PROBLEM, f"{named}: {effect}", mend)


def turbo(root: Path) -> Finding | None:
    """Whether the CPU goes faster than its nominal clock while it can."""
    for file, off in (("intel_pstate/no_turbo", "1"), ("cpufreq/boost", "0")):
        setting = text_of(root / CPUS / file)
        if setting == off:
            return Finding("turbo", OK, "off")
        if setting:
            effect = "on: the clock depends on temperature and on how many cores are busy"
            return Finding("turbo", NOTE, effect, f"echo {off} | sudo tee /{CPUS}/{file}")
    return None


def hyperthreads(root: Path) -> Finding | None:
    """Whether two CPUs of the system are one core."""
    active = text_of(root / CPUS / "smt/active")
    if active == "0":
        return Finding("SMT", OK, "off: a CPU is a core")
    if active != "1":
        return None
    effect = "on: two CPUs share a core, and how threads are spread over cores changes their speed"
    return Finding("SMT", NOTE, effect, f"echo off | sudo tee /{CPUS}/smt/control")


def clock(root: Path) -> Finding:
    """Where time comes from, what reading it costs, and the smallest step it makes."""
    source = text_of(root / CLOCK_SOURCE / "current_clocksource")
    cost_s, step_s = _clock_cost_and_step_s()
    cost, step = units.seconds(cost_s), units.seconds(step_s)
    told = f"{source or 'unknown source'}, a reading costs {cost}, its smallest step is {step}"
    if max(cost_s, step_s) <= SLOW_CLOCK_S:
        return Finding("clock", OK, told)
    mend = "rely on phases of a millisecond and more"
    offered = text_of(root / CLOCK_SOURCE / "available_clocksource").split()
    if source != "tsc" and "tsc" in offered:
        mend = f"echo tsc | sudo tee /{CLOCK_SOURCE}/current_clocksource"
    return Finding("clock", NOTE, told, mend)


def _clock_cost_and_step_s() -> tuple[float, float]:
    readings = [time.perf_counter_ns() for _ in range(CLOCK_READINGS)]
    steps = [later - sooner for sooner, later in pairwise(readings)]
    moved = [step for step in steps if step > 0]
    return sum(steps) / len(steps) / 1e9, min(moved, default=0) / 1e9


def temperature(root: Path) -> Finding | None:
    """How hot the CPU is, and whether its clock was ever cut for it."""
    celsius, cuts = noise.celsius(root), noise.heat_throttlings(root)
    told = [] if celsius is None else [f"{celsius:.0f} °C"]
    if cuts:
        told.append(f"the clock was cut for heat {cuts} times since boot")
    if not told:
        return None
    level, mend = OK, ""
    if celsius is not None and celsius >= HOT_CELSIUS:
        level, mend = PROBLEM, "let it cool down, clear the fan's way"
    elif cuts:
        level, mend = NOTE, "watch it with `sensors` while measuring"
    return Finding("temperature", level, ", ".join(told), mend)


def power(root: Path) -> Finding | None:
    """Whether the machine runs on its battery."""
    match _plugged_in(root):
        case True:
            return Finding("power", OK, "plugged in")
        case False:
            return Finding("power", PROBLEM, "on battery: the clock is kept low", "plug it in")
    return None


def _plugged_in(root: Path) -> bool | None:
    """None without a battery, and where the system does not tell."""
    supplies = root / "sys/class/power_supply"
    if supplies.is_dir():
        kinds = {folder: text_of(folder / "type") for folder in supplies.iterdir()}
        own = [folder for folder, kind in kinds.items() if kind == "Battery"]
        # A mouse's battery calls itself one, too, but says that it is a device's.
        if not any(text_of(folder / "scope") != "Device" for folder in own):
            return None
        mains = [text_of(folder / "online") for folder, kind in kinds.items() if kind != "Battery"]
        return "1" in mains if mains else None
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if battery is None else bool(battery.power_plugged)
