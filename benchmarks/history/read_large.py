"""How long does a long history take to read: 1,000 commits x 200 benchmarks of asv?

    python benchmarks/history/read_large.py [--commits 1000] [--benchmarks 200]

Writes result files in asv's format into a temporary folder, then times `history.table.read` and
the alarms over all of it, and prints seconds and the highest memory of the process.
"""

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nnbench.history import check, table

COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a",
           "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number", "stats_repeat"]  # fmt: skip
PARAMETERS = ["'6x2'", "'6x5'", "'100x2'", "'16x4'"]


def write(folder: Path, commits: int, benchmarks: int) -> None:
    """Benchmarks with four parameters each: `benchmarks` values a commit."""
    rng = np.random.default_rng(0)
    machine = folder / "host"
    machine.mkdir()
    (machine / "machine.json").write_text(json.dumps({"machine": "host", "version": 1}))
    names = [f"suite.Steps.time_{number}" for number in range(-(-benchmarks // len(PARAMETERS)))]
    known = {name: {"unit": "seconds", "param_names": ["network"]} for name in names}
    (folder / "benchmarks.json").write_text(json.dumps({**known, "version": 2}))
    for number in range(commits):
        commit = hashlib.sha1(str(number).encode()).hexdigest()
        rows = {}
        for name in names:
            value = 0.01 * np.exp(rng.normal(0, 0.05, len(PARAMETERS)))
            low, high = (0.97 * value).tolist(), (1.03 * value).tolist()
            rows[name] = [value.tolist(), [PARAMETERS], "1", 0, 1.0, low, high, low, high,
                          [1] * len(value), [10] * len(value)]  # fmt: skip
        plain = {"commit_hash": commit, "env_name": "virtualenv-py3.11", "date": 1000 * number,
                 "params": {"machine": "host", "cpu": "A CPU"}, "python": "3.11",
                 "requirements": {}, "env_vars": {}, "result_columns": COLUMNS, "results": rows,
                 "durations": {}, "version": 2}  # fmt: skip
        (machine / f"{commit[:8]}-virtualenv-py3.11.json").write_text(json.dumps(plain))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--benchmarks", type=int, default=200)
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), options.commits, options.benchmarks)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        history = table.read([Path(scratch)])
        read_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        began_s = time.perf_counter()
        found = check.run(history)
        check_s = time.perf_counter() - began_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = (
        f"{len(history.table):,} rows read in {read_s:.1f} s, {cpu_s:.1f} s of them CPU",
        f"alarms of {len(found.series)} series in {check_s:.1f} s; peak memory {peak:.0f} MiB",
    )
    print(*told, sep="\n")
    if options.ledger:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        from benchmarks import ledger

        question = "How long does a long history take to read?"
        ledger.keep("read", question, f"{'; '.join(told)}.", [])


if __name__ == "__main__":
    main()
