"""How long does `nnbench --help` take, and what does it import?

    python benchmarks/start.py [--pairs 30] [--ledger]

Runs it and `python -c "import rich"` in turn, each in a new process, and prints the ratio of a
pair's times with its 95 % interval, both medians, and the ten imports that took longest by
themselves. A ratio, because it is the same on a slow machine; what a person waits are the seconds.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from nnbench.show import units
from nnbench.stats.estimate import nested_estimate

HELP = ["-m", "nnbench", "--help"]
RICH = ["-c", "import rich"]
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| *(\S+)")


def seconds(arguments: list[str]) -> float:
    """From the start of a new Python to its end."""
    began_s = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began_s


def longest_imports(count: int) -> list[tuple[float, str]]:
    """Seconds and names of the modules whose own code took longest to import."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *HELP], check=True, capture_output=True, text=True
    ).stderr
    found = [(int(micro) / 1e6, name) for micro, name in IMPORT.findall(told)]
    return sorted(found, reverse=True)[:count]


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("--pairs", type=int, default=30, help="at least 20")
    reader.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = reader.parse_args()
    pairs = max(20, options.pairs)
    # The first of each reads files that later ones find in memory.
    seconds(HELP), seconds(RICH)
    helps, riches = [], []
    for pair in range(pairs):
        for arguments, kept in ((HELP, helps), (RICH, riches))[:: 1 if pair % 2 else -1]:
            kept.append(seconds(arguments))
    ratio = nested_estimate(np.divide(helps, riches), np.arange(pairs))
    told = (
        f"nnbench's help takes {units.ratio(ratio.value)} "
        f"[{units.ratio_range(ratio.low, ratio.high)}] as long as import rich, {pairs} pairs "
        f"(medians {units.seconds(statistics.median(helps))}, "
        f"{units.seconds(statistics.median(riches))})"
    )
    print(told)
    for own_s, name in longest_imports(10):
        print(f"{units.seconds(own_s):>9}  {name}")
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from benchmarks import ledger

        ledger.keep("start", "How long does the command line take to start?", f"{told}.", [])


if __name__ == "__main__":
    main()
