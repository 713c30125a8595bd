"""Other tenants of a machine: a seeded load on every core, recorded as it was given.

    python benchmarks/calibration/tenants.py --seed 1 --seconds 60 --record tenants.jsonl

Each core has a tenant that works in bursts: plain arithmetic (`cpu`), copies of arrays larger than
any cache (`memory`), or, as a hypervisor takes a core away, slices in which nothing else may run
on it (`steal`: real-time priority where that is allowed, else the highest there is). How busy a
tenant is changes every few seconds: tenants come and go.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

KINDS = {"cpu": 0.5, "memory": 0.3, "steal": 0.2}
"""How often a burst is of each kind."""

BURST_S, REGIME_S = 0.5, 8.0
"""Mean length of a burst, and of a stretch in which a tenant is as busy as it is."""

BUSY = (0.05, 0.3, 0.7)
"""Shares of the time that a tenant works, one for each stretch."""

SLICE_S, STOLEN = 0.03, 0.4
"""Of a burst of `steal` so long a slice is taken at a time, this share of it."""

COPIED_BYTES = 64 << 20


@dataclass(frozen=True)
class Burst:
    """What the tenant of a core does, so many seconds after it began."""

    core: int
    begin_s: float
    length_s: float
    kind: str


def plan(seed: int, core: int) -> Iterator[Burst]:
    """The bursts of a core's tenant, without end; the same for the same seed."""
    drawn = random.Random(f"{seed}/{core}")
    now_s = until_s = 0.0
    busy = BUSY[0]
    while True:
        if now_s >= until_s:
            busy = drawn.choice(BUSY)
            until_s = now_s + drawn.expovariate(1 / REGIME_S)
        length_s = drawn.expovariate(1 / BURST_S)
        (kind,) = drawn.choices(list(KINDS), list(KINDS.values()))
        yield Burst(core, now_s, length_s, kind)
        now_s += length_s + drawn.expovariate(1 / BURST_S) * (1 - busy) / busy


def _spin(until_s: float) -> None:
    while time.monotonic() < until_s:
        sum(range(200))


def _copy(until_s: float) -> None:
    source, target = bytearray(COPIED_BYTES), bytearray(COPIED_BYTES)
    while time.monotonic() < until_s:
        target[:] = source


def _steal(until_s: float) -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    except PermissionError:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    while (now_s := time.monotonic()) < until_s:
        _spin(now_s + STOLEN * SLICE_S)
        time.sleep((1 - STOLEN) * SLICE_S)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, *before)
        os.setpriority(os.PRIO_PROCESS, 0, 0)


WORK = {"cpu": _spin, "memory": _copy, "steal": _steal}


def _tenant(seed: int, core: int, record: Path | None) -> None:
    os.sched_setaffinity(0, {core})
    began_s, began = time.monotonic(), time.time()
    for burst in plan(seed, core):
        time.sleep(max(0.0, began_s + burst.begin_s - time.monotonic()))
        WORK[burst.kind](time.monotonic() + burst.length_s)
        if record is not None:
            with record.open("a") as file:
                file.write(json.dumps({**asdict(burst), "tenants_began": began}) + "\n")


@contextlib.contextmanager
def at_work(seed: int | None, record: Path | None = None) -> Iterator[None]:
    """Tenants of this seed on every core that may be used, None for none; ended on the way out."""
    command = [sys.executable, __file__, "--seed", str(seed)]
    command += ["--record", str(record)] if record is not None else []
    cores = sorted(os.sched_getaffinity(0)) if seed is not None else []
    tenants = [subprocess.Popen([*command, "--core", str(core)]) for core in cores]
    try:
        yield
    finally:
        for one in tenants:
            one.terminate()
            one.wait()


def main() -> None:
    """Be the tenant of a core, or load all of them for a while."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--core", type=int, help="of one core alone, until it is ended")
    options = parser.parse_args()
    if options.core is not None:
        _tenant(options.seed, options.core, options.record)
    with at_work(options.seed, options.record):
        time.sleep(options.seconds)


if __name__ == "__main__":
    main()
