"""Run the fuzzers as long as wanted, and list every distinct fault that they find.

    python tests/fuzz/survey.py 5000 1000 [--random] [--only WORD]

Writes a line for each fault: its kind, where it was raised, how often, and the smallest example.
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import files, lines
from fuzz.kinds import KINDS
from fuzz.project import make
from fuzz.world import World
from hypothesis import HealthCheck, Phase, given, settings


def surveyed(strategy, check, count, *, derandomize):
    """Faults by what tells them apart: how often, and the shortest example."""
    found, seen = {}, Counter()

    @settings(
        max_examples=count,
        derandomize=derandomize,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(example):
        seen["examples"] += 1
        for fault in check(example):
            key = fault.kind, fault.where
            seen[key] += 1
            if key not in found or len(str(example)) < len(str(found[key][0])):
                found[key] = example, fault

    one()
    return found, seen


def main():
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("files", type=int)
    wanted.add_argument("lines", type=int)
    wanted.add_argument("--random", action="store_true")
    wanted.add_argument("--only", default="")
    asked = wanted.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pristine, base = Path(folder, "pristine"), Path(folder, "base")
        pristine.mkdir()
        make(pristine)
        world = World(pristine, base)
        chosen = [kind for kind in KINDS if re.search(asked.only, kind.name)]
        total = Counter()
        for kind in chosen if asked.files else []:
            began = time.monotonic()
            strategy = files.examples(kind, pristine)
            count = asked.files // len(chosen)
            found, seen = surveyed(
                strategy, lambda one: files.tried(world, one), count, derandomize=not asked.random
            )
            total["examples"] += seen["examples"]
            total["faults"] += len(found)
            took_s = time.monotonic() - began
            say(f"\n### {kind.part}: {kind.name} ({seen['examples']} files, {took_s:.0f} s)")
            report(found, seen)
        if asked.lines:
            strategy = lines.lines(lines.options())
            found, seen = surveyed(
                strategy,
                lambda one: lines.tried(world, one),
                asked.lines,
                derandomize=not asked.random,
            )
            say(f"\n### text+options: command lines ({seen['examples']})")
            report(found, seen)
        say(f"\n{total['examples']} files, {total['faults']} distinct faults")


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def report(found, seen):
    for key, (example, fault) in sorted(found.items(), key=lambda one: one[0]):
        told = ascii(" ".join(fault.detail.split())[:300])
        say(f"- **{fault.kind}** {fault.where} x{seen[key]}\n  {ascii(str(example))[1:-1]}")
        say(f"  {told}")


if __name__ == "__main__":
    main()
