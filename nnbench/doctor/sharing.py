"""With whom the CPUs are shared: quotas, hosts, other processes, and one's own threads."""

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from nnbench.doctor.finding import NOTE, OK, PROBLEM, Finding, text_of
from nnbench.machine import noise
from nnbench.machine.fingerprint import THREAD_SETTINGS

BUSY_CPUS = 0.10
"""Less than this is what a system at rest needs for itself."""
STOLEN_SHARE = 0.01
"""Since boot, with hours at rest in it: stricter than the noise watch, which sees seconds."""
LOOK_S = 1.0
TOP = 3


class Busy(NamedTuple):
    """A process and how many CPUs it keeps busy."""

    cpus: float
    pid: int
    name: str


def threads(settings: Mapping[str, str], cpus: int) -> Finding:
    """Thread settings of the environment against the CPUs that may be used."""
    here = {name: settings[name] for name in THREAD_SETTINGS if name in settings}
    counts = {name: int(value) for name, value in here.items() if value.isdigit()}
    told = ", ".join(f"{name}={value}" for name, value in here.items()) or "left to the backend"
    if too_many := [name for name, count in counts.items() if count > cpus]:
        named = ", ".join(f"{name}={counts[name]}" for name in too_many)
        effect = f"{named} on {cpus} usable CPUs: threads wait for one another"
        return Finding("threads", PROBLEM, effect, f"unset {' '.join(too_many)}")
    if idle := [name for name, count in counts.items() if 0 < count < cpus]:
        effect = f"{told}; {cpus} usable CPUs: some stay idle, on some backends only"
        mend = f"unset {' '.join(idle)}; nnbench --threads sets them for every backend alike"
        return Finding("threads", NOTE, effect, mend)
    return Finding("threads", OK, f"{told}; {cpus} usable CPUs")


def quota(root: Path, cpus: int) -> Finding | None:
    """How much CPU time the tightest control group around this process may use."""
    allowed = [found for folder in noise.cpu_groups(root) if (found := _quota_cpus(folder))]
    if not allowed:
        return None
    least = min(allowed)
    if least >= cpus:
        return Finding("CPU quota", OK, f"{least:g} CPUs, of {cpus} usable ones")
    effect = f"this container may use {least:g} CPUs of {cpus} and is stopped when it uses more"
    give = "give it whole CPUs instead (docker run --cpuset-cpus), or use nnbench run --threads"
    return Finding("CPU quota", PROBLEM, effect, f"{give} {max(1, int(least))}")


def _quota_cpus(folder: Path) -> float | None:
    first_version = " ".join(text_of(folder / f"cpu.cfs_{one}_us") for one in ("quota", "period"))
    # Where there is no quota the second version says "max", the first -1.
    found = re.match(r"(\d+) (\d+)", text_of(folder / "cpu.max") or first_version)
    return int(found[1]) / int(found[2]) if found else None


def virtual(root: Path) -> Finding | None:
    """Whether this is a guest on somebody's host."""
    flags = text_of(root / "proc/cpuinfo").replace("\n", " ")
    kinds = ("sys/hypervisor/type", "proc/device-tree/hypervisor/compatible")
    kind = next(filter(None, (text_of(root / name) for name in kinds)), "")
    if " hypervisor" not in flags and not kind:
        return None
    product = text_of(root / "sys/class/dmi/id/product_name")
    named = ", ".join(word for word in (kind.strip("\0"), product) if word)
    yes = f"yes ({named})" if named else "yes"
    effect = f"{yes}: other guests share caches and memory, unseen from here"
    mend = "expect slow minutes; more launches help, more blocks do not"
    return Finding("virtual machine", NOTE, effect, mend)


def stolen(root: Path) -> Finding | None:
    """What the host took of this machine's CPU time since boot."""
    # A minute's look would miss a neighbour that comes and goes.
    reading = noise.read([], root)
    if reading.busy_s is None or reading.stolen_s is None:
        return None
    wanted_s = reading.busy_s + reading.stolen_s
    share = reading.stolen_s / wanted_s if wanted_s else 0.0
    if share > STOLEN_SHARE:
        effect = f"{share:.1%} of the busy time since boot was taken by the host"
        return Finding("stolen time", PROBLEM, effect, "use a machine with CPUs of its own")
    return Finding("stolen time", OK, f"{share:.2%} of the busy time since boot")


def busy_processes() -> list[Busy]:
    """Every other process, after watching them for `LOOK_S`; the busiest first."""
    processes = [p for p in psutil.process_iter(["name"]) if p.pid not in (os.getpid(), 0)]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.cpu_percent()
    time.sleep(LOOK_S)
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            name = process.info["name"] or "?"
            found.append(Busy(process.cpu_percent() / 100, process.pid, name))
    return sorted(found, reverse=True)


def load(processes: Sequence[Busy]) -> Finding:
    """How many CPUs others keep busy, and which of them most, the busiest first."""
    cpus = sum(busy.cpus for busy in processes)
    if cpus < BUSY_CPUS:
        return Finding("other processes", OK, f"use {cpus:.2f} CPUs")
    top = [busy for busy in processes[:TOP] if busy.cpus > 0]
    named = ", ".join(f"{busy.name} (process {busy.pid}) {busy.cpus:.2f}" for busy in top)
    command = f"ps -o pid,user,etime,args -p {','.join(str(busy.pid) for busy in top)}"
    mend = f"wait until they are done, or end them; what they are says {command}"
    return Finding("other processes", PROBLEM, f"use {cpus:.2f} CPUs: {named}", mend)
