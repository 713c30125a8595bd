"""Result files of asv and pytest-benchmark as those tools write them, and repositories for them."""

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
from runs import FINGERPRINT, TIMES_S, case

from nnbench.history.series import Series
from nnbench.store import runs

COLUMNS = [
    *("result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"),
    *("stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples", "profile"),
]


def repository(folder: Path, count: int) -> list[str]:
    """A repository of so many commits; their hashes in order. Dates all alike: order is git's."""
    folder.mkdir(parents=True, exist_ok=True)

    def git(*arguments):
        identity = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
        moment = "2026-01-01T12:00:00+0000"
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment},
        ).stdout

    git("init", "-q", "-b", "main")
    for number in range(count):
        git("commit", "-q", "--allow-empty", "-m", f"Change number {number}")
    return git("log", "--topo-order", "--reverse", "--format=%H").split()


def asv_files(
    results: Path, commits, values_s, *, machine="host", python="3.11", version="1", units=None
):
    """Write results of asv: `values_s` maps a benchmark to a value a commit; params a and b.

    `units` are those of benchmarks that are not in seconds.
    """
    folder = results / machine
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(json.dumps({"machine": machine, "version": 1}))
    known = {
        name: {
            "name": name,
            "unit": (units or {}).get(name, "seconds"),
            "param_names": ["network"],
            "type": "time",
        }
        for name in values_s
    }
    (results / "benchmarks.json").write_text(json.dumps({**known, "version": 2}))
    for number, commit in enumerate(commits):
        rows = {}
        for name, values in values_s.items():
            value = float(values[number])
            rows[name] = [
                [value, None],
                [["'6x2'", "'6x5'"]],
                version,
                1_700_000_000_000,
                1.0,
                [value * 0.98, None],
                [value * 1.02, None],
                [value * 0.99, None],
                [value * 1.01, None],
                [1, None],
                [10, None],
            ]
        plain = {
            "commit_hash": commit,
            "env_name": f"virtualenv-py{python}",
            "date": 1_700_000_000_000 + number,
            "params": {"machine": machine, "cpu": "A CPU", "num_cpu": "2", "python": python},
            "python": python,
            "requirements": {"keras": "3.15"},
            "env_vars": {},
            "result_columns": COLUMNS,
            "results": rows,
            "durations": {},
            "version": 2,
        }
        (folder / f"{commit[:8]}-virtualenv-py{python}.json").write_text(json.dumps(plain))


def pytest_benchmark_file(
    storage: Path, commit, median_s, *, number=1, dirty=False, node="host", extra=None
):
    """Write one session of pytest-benchmark, of one benchmark."""
    folder = storage / "Linux-CPython-3.11-64bit"
    folder.mkdir(parents=True, exist_ok=True)
    plain = {
        "machine_info": {
            "node": node,
            "processor": "",
            "machine": "x86_64",
            "python_implementation": "CPython",
            "python_version": "3.11.7",
            "release": "6.1",
            "system": "Linux",
            "cpu": {"brand_raw": "A CPU", "count": 2},
        },
        "commit_info": {"id": commit, "time": "2026-01-01T12:00:00+00:00", "dirty": dirty},
        "benchmarks": [
            {
                "group": "6x2",
                "name": "test_step[6x2]",
                "fullname": "test_speed.py::test_step[6x2]",
                "params": {"network": "6x2"},
                "param": "6x2",
                "extra_info": extra or {},
                "stats": {"median": median_s, "iqr": median_s * 0.04, "rounds": 25},
            }
        ],
        "datetime": "2026-01-01T12:00:01+00:00",
        "version": "5.3.1",
    }
    (folder / f"{number:04d}_{commit}_20260101.json").write_text(json.dumps(plain))


def interleaved(
    folder,
    commits,
    levels,
    *,
    rounds=5,
    spread=0.01,
    shared=0.1,
    seed=0,
    name="run",
    phases=("step",),
    noise=None,
    digests=None,
):
    """A recorded run: each commit a side, `levels` times 1 ms; rounds differ by `shared`."""
    one = case("6,6", backend="jax")
    named = {commit[:9]: commit for commit in commits}
    wanted = {
        "cases": [one.to_json()],
        "launches": rounds,
        "blocks": 1,
        "seed": 0,
        "limit_s": 10.0,
        "precision": None,
        "budget_s": None,
        "sides": list(named),
        "commits": named,
    }
    path = runs.create(folder, name, wanted, {**FINGERPRINT, "commit": None})
    writer = runs.Writer(path)
    rng = np.random.default_rng(seed)
    launch = trial = 0
    for number in range(rounds):
        slowed = np.exp(rng.normal(0, shared))
        for side, level in zip(named, levels, strict=True):
            for sweep in range(3):
                value = TIMES_S["step"] * level * slowed * np.exp(rng.normal(0, spread))
                writer.append(
                    {
                        "kind": "trial",
                        "trial": trial,
                        "launch": launch,
                        "round": number,
                        "side": side,
                        "block": 0,
                        "case": one.key,
                        "trial_kind": "step",
                        "sweep": sweep,
                        "outcome": "ok",
                        "steps_per_sample": 1,
                        "samples_s": {phase: [float(value)] for phase in phases},
                        "began": "2026-01-01T00:00:00+00:00",
                        "wall_s": 1.0,
                        "noise": noise or {},
                    },
                    sync=False,
                )
                trial += 1
            launch += 1
    writer.close()
    for commit, digest in zip(commits, digests or [], strict=False):
        with (path / "numerics.jsonl").open("a") as file:
            file.write(json.dumps({"commit": commit, "case": one.key, "digest": digest}) + "\n")
    return path


def series(
    logs,
    *,
    error=0.0,
    interleaved=False,
    freedom=30,
    digests=None,
    raw=None,
    noisy=None,
    pace_s=None,
    **names,
):
    """One series with these logarithms of seconds."""
    logs = np.asarray(logs, dtype=float)
    count = len(logs)
    shared = {"source": "asv", "host": "host", "environment": "e", "benchmark": "step"}
    shared |= {"case": "6x2", "version": "", "unit": "s", **names}
    return Series(
        **shared,
        commits=tuple(f"{number:040x}" for number in range(count)),
        orders=tuple(range(count)),
        logs=logs,
        errors=np.full(count, error),
        launches=(1,) * count,
        freedom=freedom,
        interleaved=interleaved,
        digests=tuple(digests or [""] * count),
        raw=np.exp(logs) if raw is None else np.asarray(raw, dtype=float),
        noisy=np.full(count, np.nan) if noisy is None else np.asarray(noisy, dtype=float),
        pace_s=np.full(count, np.nan) if pace_s is None else np.asarray(pace_s, dtype=float),
    )


def number(alarm):
    """The commit of an alarm of `series`, as a number."""
    return int(alarm.commit, 16)


def noise(rng, count, share, tails=4):
    """Log noise of this coefficient of variation with heavy tails (t distribution)."""
    return rng.standard_t(tails, count) * share * math.sqrt((tails - 2) / tails)
