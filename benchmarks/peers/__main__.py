"""All peers, interleaved: `python -m benchmarks.peers --help`."""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.peers import task
from nnbench.errors import UserError
from nnbench.machine import devices, fingerprint
from nnbench.show.intervals import RATIO, sentence
from nnbench.stats.estimate import nested_estimate

ENTRIES = Path(__file__).parent / "entries"
NETS = "6x2,100x2,6x5,6x20,512x2,1024x4"
BLOCK_S = 0.15
PRODUCT_SIDE = 1024
"""Side of the matrices that `entries/product.py` multiplies."""

START_NET, START_EPOCHS = "6x2", 2000

CHECKED_EPOCHS = 10
FULL_BATCH_EPOCHS = 50
APART = 1 / 3
"""Of the first epoch's loss: so far from the others' median the last loss may be."""

BACKENDS = {"tensorflow": "tensorflow", "torch": "torch", "jax": "jax", "flax": "jax"}
"""What names of entries hold, and the backend that this means."""

FEATURES = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
ISA = {
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    }
}
"""What limits oneDNN, Torch, MKL and OpenBLAS; XLA has a flag for it."""


COLUMNS = "{:31}  {:>22}  {:24}  {:24}  {}"
HEADINGS = (
    *("", "us per epoch (smallest)", "to the fastest [95 %]", "to nnbench, same backend"),
    "loss of the first epochs",
)


class LeftOutError(Exception):
    """A peer cannot take part: not installed, not for this net, or it failed."""


@dataclass(frozen=True)
class Machine:
    """What a worker runs on; `cache` is a folder for compiled programs, None for no cache."""

    threads: int
    isa: str | None
    cache: str | None = None

    def environment(self, entry: str) -> dict[str, str]:
        settings = {
            **os.environ,
            **devices.environment(backend(entry) or "jax", "cpu", self.threads),
            "NNBENCH_PEER_THREADS": str(self.threads),
        }
        if self.isa:
            flags = [settings.get("XLA_FLAGS", ""), f"--xla_cpu_max_isa={self.isa.upper()}"]
            settings |= {**ISA[self.isa], "XLA_FLAGS": " ".join(flags).strip()}
        if self.cache:
            settings |= {
                "JAX_COMPILATION_CACHE_DIR": self.cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
                "TORCHINDUCTOR_CACHE_DIR": self.cache,
            }
        return settings


class Peer:
    """A worker process that trains one net; LeftOutError if it cannot."""

    def __init__(self, name: str, net: str, source: str, machine: Machine, once: str = "") -> None:
        self.name = name
        self.epochs = 1  # Of a block.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.worker", name, net, source, once],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=machine.environment(name),
            preexec_fn=lambda: _bind(machine.threads),
        )
        try:
            ready = self._answer()
        except LeftOutError:
            self.close()
            raise
        self.parameters, self.how = ready["parameters"], ready["how"]

    def train(self, epochs: int) -> tuple[float, float]:
        """Seconds for so many epochs more, and the loss of the last one."""
        try:
            self.process.stdin.write(f"{epochs}\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
        except BrokenPipeError:
            raise LeftOutError("its process ended") from None
        answer = self._answer()
        return answer["taken_s"], answer["loss"]

    def warm_up(self, checked: int) -> tuple[float, float]:
        """Compile, then find how many epochs make a block. Losses of epochs 1 and `checked`."""
        _, first = self.train(1)
        _, last = self.train(checked - 1)
        taken_s, _ = self.train(self.epochs)
        while taken_s < BLOCK_S / 3 and self.epochs < 10**5:
            longer = int(self.epochs * BLOCK_S / max(taken_s, 1e-6))
            self.epochs = max(2 * self.epochs, longer)
            taken_s, _ = self.train(self.epochs)
        return first, last

    def block(self) -> float:
        """Microseconds per epoch."""
        return self.train(self.epochs)[0] / self.epochs * 1e6

    def close(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _answer(self) -> dict:
        answer = self.process.stdout.readline()  # type: ignore[union-attr]
        if not answer:
            raise LeftOutError("its process ended")
        read = json.loads(answer)
        if "problem" in read:
            raise LeftOutError(read["problem"])
        return read


@dataclass
class Found:
    """Of one peer and net: microseconds per epoch by launch and round, and its losses."""

    losses: tuple[float, float]
    how: str
    times: list[list[float]] = field(default_factory=list)

    @property
    def all_times(self) -> list[float]:
        return list(itertools.chain(*self.times))

    def over(self, other: "Found") -> str:
        """The ratio of the times, with its interval."""
        if self is other:
            return "1"
        pairs = [
            (launch, mine / theirs)
            for launch, both in enumerate(zip(self.times, other.times, strict=True))
            for mine, theirs in zip(*both, strict=True)
        ]
        launches, ratios = zip(*pairs, strict=True)
        return sentence(nested_estimate(ratios, launches), RATIO)


def main() -> None:
    options = _options()
    names = options.peers.split(",") if options.peers else sorted(p.stem for p in _entries())
    try:
        devices.check_threads(options.threads)
        if min(options.blocks, options.launches) < 1:
            raise UserError("there is at least 1 block and 1 launch")
        nets = [START_NET] if options.start else options.nets.split(",")
        tasks = {net: task.load(net, options.data) for net in nets}
        unknown = set(names) - {path.stem for path in _entries()}
        if unknown:
            raise UserError(f"no peer '{unknown.pop()}': {ENTRIES.name}/ has a file for each")
        _print_machine(options)
        if options.start:
            _report_start(names, options)
        for net, asked in tasks.items() if not options.start else ():
            _report(net, asked, _measure(names, net, asked, options))
    except UserError as mistake:
        sys.exit(f"benchmarks.peers: {mistake}")


def _measure(
    names: Sequence[str], net: str, asked: task.Task, options: argparse.Namespace
) -> dict[str, Found]:
    """Every peer that can train the net, in rounds over all of them, in fresh processes."""
    found: dict[str, Found] = {}
    for launch in range(options.launches):
        peers = []
        for name in names if launch == 0 else list(found):
            try:
                peer = Peer(name, net, options.data, Machine(options.threads, options.isa))
                peers.append(peer)
                losses = peer.warm_up(CHECKED_EPOCHS if asked.steps > 1 else FULL_BATCH_EPOCHS)
            except LeftOutError as failure:
                peers = [peer for peer in peers if peer.name != name]
                found.pop(name, None)
                print(f"left out: {name} ({failure})", file=sys.stderr)
            else:
                found.setdefault(name, Found(losses, peer.how))
        if launch == 0:
            _check_parameters(net, peers)
            for name in _untrained(found):
                first, last = found.pop(name).losses
                print(
                    f"left out: {name} (its loss went from {first:.3g} to {last:.3g})",
                    file=sys.stderr,
                )
        taking_part = [peer for peer in peers if peer.name in found]
        times: dict[str, list[float]] = {peer.name: [] for peer in taking_part}
        order = random.Random(launch)
        for _ in range(options.blocks):
            for peer in order.sample(taking_part, len(taking_part)):
                times[peer.name].append(peer.block())
        for peer in peers:
            peer.close()
        for name, taken in times.items():
            found[name].times.append(taken)
    return {name: one for name, one in found.items() if len(one.times) == options.launches}


def _check_parameters(net: str, peers: Sequence[Peer]) -> None:
    """Raise UserError unless all peers train as many parameters."""
    counts = {peer.name: peer.parameters for peer in peers if peer.parameters is not None}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise UserError(f"the peers do not train the same {net}: parameters of {told}")


def _untrained(found: dict[str, Found]) -> list[str]:
    """Peers whose loss does not fall, or falls otherwise than the others'."""
    losses = {name: one.losses for name, one in found.items() if name != "product"}
    if not losses:
        return []
    begin, usual = np.nanmedian(list(losses.values()), axis=0)
    return [
        name
        for name, (first, last) in losses.items()
        if not (last < first and abs(last - usual) < APART * begin)
    ]


def _report(net: str, asked: task.Task, found: dict[str, Found]) -> None:
    product = found.pop("product", None)
    if not found:
        print(f"\n{net}: no peer trains it here")
        return
    rows = len(asked.x)
    rate, flops = float("nan"), 0.0
    title = f"{net}: {rows} rows in batches of {asked.batch_size}"
    if product:
        rate = 6 * PRODUCT_SIDE**2 * rows / statistics.median(product.all_times)
        sides = itertools.pairwise((asked.x.shape[1], *asked.widths, 1))
        flops = 6 * rows * sum(n * m for n, m in sides)
        title += f"; product {rate / 1e3:.0f} GFLOP/s"
    print(f"\n{title}\n  {COLUMNS.format(*HEADINGS)}")
    in_order = sorted(found, key=lambda name: statistics.median(found[name].all_times))
    for name in in_order:
        one, own = found[name], found.get(f"nnbench_{backend(name)}")
        median = statistics.median(one.all_times)
        cells = COLUMNS.format(
            name,
            f"{median:.1f} ({min(one.all_times):.1f})",
            one.over(found[in_order[0]]),
            one.over(own) if own else "",
            f"{one.losses[0]:.3f} to {one.losses[1]:.3f}",
        )
        use = f"utilisation {flops / median / rate:.1%}" if product else ""
        print("  " + "  ".join(filter(None, [cells, use, one.how])), flush=True)


def _report_start(names: Sequence[str], options: argparse.Namespace) -> None:
    """Each peer with a cache of its own: empty at its first start, and as that left it."""
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in names if name != "product"}
    for _ in range(options.blocks):
        for name in random.sample(list(times), len(times)):
            with tempfile.TemporaryDirectory() as cache:
                machine = Machine(options.threads, options.isa, cache)
                try:
                    both = [_start_s(name, options.data, machine) for _ in range(2)]
                    times[name].append(tuple(both))
                except LeftOutError as failure:
                    times.pop(name)
                    print(f"left out: {name} ({failure})", file=sys.stderr)
    trained = f"{START_EPOCHS} epochs of {START_NET}"
    print(f"s from process start to {trained}, median of {options.blocks}: first start, later ones")
    for name in sorted(times, key=lambda name: statistics.median(s[1] for s in times[name])):
        first, later = (statistics.median(part) for part in zip(*times[name], strict=True))
        print(f"  {name:31} {first:8.2f} {later:8.2f}")


def _start_s(name: str, source: str, machine: Machine) -> float:
    begin = perf_counter()
    peer = Peer(name, START_NET, source, machine, once="once")
    try:
        peer.train(START_EPOCHS)
        return perf_counter() - begin
    finally:
        peer.close()


def _print_machine(options: argparse.Namespace) -> None:
    about = fingerprint.take()
    limit = f", limited to {options.isa}" if options.isa else ""
    print(f"{about['cpu']}, --threads {options.threads}: {', '.join(_features())}{limit}")
    print(", ".join(f"{name} {version}" for name, version in about["versions"].items()))


def _features() -> list[str]:
    """Of `FEATURES`, those that Linux says the CPU has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ["features unknown"]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return [name for name in FEATURES if name in flags] or ["features unknown"]


def _entries() -> list[Path]:
    return [path for path in ENTRIES.glob("*.py") if not path.stem.startswith("_")]


def backend(entry: str) -> str | None:
    """What an entry runs on, of Keras' backends."""
    return next((name for part, name in BACKENDS.items() if part in entry), None)


def _bind(threads: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.peers", description=__doc__)
    parser.add_argument("--peers", help="names of files in entries/, comma-separated")
    parser.add_argument("--nets", default=NETS, help=f"widths as in 6x2, {', '.join(task.DATA)}")
    parser.add_argument("--data", default="banknotes", help="or synthetic:rows=8000,features=4")
    parser.add_argument("--threads", type=int, default=devices.usable_cpus())
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--launches", type=int, default=1, help="each starts all peers anew")
    parser.add_argument("--isa", choices=list(ISA), help="use no newer instructions of the CPU")
    parser.add_argument("--start", action="store_true", help="time from process start instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
