"""All peers, interleaved: `python -m benchmarks.peers --help`."""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from nnbench.machine import devices
from nnbench.workload import architecture, datasets

ENTRIES = Path(__file__).parent / "entries"
NETS = "6x2,100x2,6x5,6x20,512x2,1024x4"
BLOCK_S = 0.15
PRODUCT_SIDE = 1024
"""Side of the matrices that `entries/product.py` multiplies."""

START_NET, START_EPOCHS = "6x2", 2000


class Peer:
    """A worker process and how many epochs it trains in a block of each net."""

    def __init__(self, name: str, threads: int, source: str) -> None:
        self.name = name
        self.epochs: dict[str, int] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.worker", name, source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(name, threads),
            preexec_fn=lambda: _bind(threads),
        )

    def train(self, net: str, epochs: int) -> float:
        """Seconds for `epochs` more epochs."""
        assert self.process.stdin
        assert self.process.stdout
        widths = list(architecture.parse(net).widths)
        self.process.stdin.write(json.dumps({"net": widths, "epochs": epochs}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} stopped")
        return float(json.loads(answer))

    def warm_up(self, net: str) -> None:
        """Compile, then find how many epochs make a block."""
        self.train(net, 1)
        epochs, seconds = 1, self.train(net, 1)
        while seconds < BLOCK_S / 3 and epochs < 10**5:
            epochs = max(2 * epochs, int(epochs * BLOCK_S / max(seconds, 1e-6)))
            seconds = self.train(net, epochs)
        self.epochs[net] = epochs

    def block(self, net: str) -> float:
        """Microseconds per epoch."""
        return self.train(net, self.epochs[net]) / self.epochs[net] * 1e6

    def close(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(30)


def main() -> None:
    options = _options()
    names = options.peers.split(",") if options.peers else sorted(p.stem for p in _entries())
    if options.start:
        _report_start(names, options)
        return
    peers = [Peer(name, options.threads, options.data) for name in names]
    for net in options.nets.split(","):
        peers = _ready(peers, net)
        _report(net, options.data, _measure(peers, net, options.blocks))
    for peer in peers:
        peer.close()


def _ready(peers: list[Peer], net: str) -> list[Peer]:
    """Those that can train the net, compiled and warmed up."""
    ready = []
    for peer in peers:
        try:
            peer.warm_up(net)
            ready.append(peer)
        except (RuntimeError, BrokenPipeError) as failure:
            print(f"left out: {failure} (is it installed?)", file=sys.stderr)
    return ready


def _measure(peers: list[Peer], net: str, blocks: int) -> dict[str, list[float]]:
    """Microseconds per epoch of every block, in rounds over all peers."""
    times: dict[str, list[float]] = {peer.name: [] for peer in peers}
    order = random.Random(0)
    for _ in range(blocks):
        for peer in order.sample(peers, len(peers)):
            times[peer.name].append(peer.block(net))
    return times


def _report(net: str, source: str, times: dict[str, list[float]]) -> None:
    data = datasets.load(source)
    sides = itertools.pairwise((data.width, *architecture.parse(net).widths, 1))
    weights = sum(n * m for n, m in sides)
    flops = 6 * weights * len(data.features)
    product = times.pop("product", None)
    peak = 6 * PRODUCT_SIDE**2 * len(data.features)
    rate = peak / statistics.median(product) if product else float("nan")
    print(f"\n{net}: us per epoch, median (smallest); product {rate / 1e3:.0f} GFLOP/s")
    fastest = min(times, key=lambda name: statistics.median(times[name]))
    for name in sorted(times, key=lambda name: statistics.median(times[name])):
        ratio = statistics.median(a / b for a, b in zip(times[name], times[fastest], strict=True))
        median = statistics.median(times[name])
        print(
            f"  {name:22} {median:10.1f} ({min(times[name]):10.1f})  {ratio:8.2f}x"
            f"  utilisation {flops / median / rate:5.1%}",
            flush=True,
        )


def _report_start(names: list[str], options: argparse.Namespace) -> None:
    times: dict[str, list[float]] = {name: [] for name in names if name != "product"}
    for _ in range(options.blocks):
        for name in random.sample(list(times), len(times)):
            begin = perf_counter()
            peer = Peer(name, options.threads, options.data)
            try:
                peer.train(START_NET, START_EPOCHS)
                times[name].append(perf_counter() - begin)
            except RuntimeError:
                times.pop(name)
            peer.close()
    trained = f"{START_EPOCHS} epochs of {START_NET}"
    print(f"s from process start to {trained}, median of {options.blocks}")
    for name in sorted(times, key=lambda name: statistics.median(times[name])):
        print(f"  {name:22} {statistics.median(times[name]):8.2f}")


def _entries() -> list[Path]:
    return [path for path in ENTRIES.glob("*.py") if not path.stem.startswith("_")]


def _environment(name: str, threads: int) -> dict[str, str]:
    backend = next((b for b in ("tensorflow", "jax", "torch") if name.endswith(b)), "jax")
    return {
        **os.environ,
        **devices.environment(backend, "cpu", threads),
        "NNBENCH_PEER_THREADS": str(threads),
    }


def _bind(threads: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.peers", description=__doc__)
    parser.add_argument("--peers", help="names of files in entries/, comma-separated")
    parser.add_argument("--nets", default=NETS)
    parser.add_argument("--data", default="banknotes", help="or synthetic:rows=8000,features=4")
    parser.add_argument("--threads", type=int, default=devices.usable_cpus())
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--start", action="store_true", help="time from process start instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
