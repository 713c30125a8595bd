"""What handing out a study of many cases costs: `python -m benchmarks.cluster [CASES] [HOSTS]`.

A scheduler and hosts in their own processes, with simulated trials (see `simulated`), and this
process as the client. Prints what lies between the trials that a host measures, as a share of what
as many real trials take, and the most memory that this process held.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks.cluster.simulated import TRIAL_S
from nnbench.cluster import study as on_cluster
from nnbench.measure import effort
from nnbench.store import runs
from nnbench.workload.study import Study

SWEEPS = 3
"""As for slow networks: the fewer steps, the less of a case's time lies between two messages."""


def main(cases: int = 10_000, hosts: int = 1) -> None:
    side = round(cases**0.5)
    study = Study.of(
        [f"depth=1..{side}", f"width=1..{side}"],
        backend="jax",
        data="synthetic:rows=100,features=4",
        epochs=3,
        launches=hosts,
        blocks=1,
    )
    effort.SWEEPS = SWEEPS
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NNBENCH_CACHE"] = f"{scratch}/cache"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        where = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", "127.0.0.1:0"]
        commands = [["distributed.cli.dask_scheduler", *where]]
        commands += [["benchmarks.cluster.simulated", address, f"h{one}"] for one in range(hosts)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen([sys.executable, "-m", *one], **quiet) for one in commands]
        try:
            began_s = time.perf_counter()
            data = study.load()
            where_to = on_cluster.Where(address)
            asked = on_cluster.Asked(study, data, where_to, Path(scratch), name="many")
            found = on_cluster.measure(asked, print, lambda _: None)
            wall_s = time.perf_counter() - began_s
            # In kilobytes; before the records are read, which is not the client's work.
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            told = [_of_host(folder) for folder in found.hosts.values()]
            used = resource.getrusage(resource.RUSAGE_SELF)
            cpu_s = [used.ru_utime + used.ru_stime]
            cpu_s += [sum(psutil.Process(one.pid).cpu_times()[:2]) for one in started]
        finally:
            for one in started:
                one.kill()
    answer = {"cases": side**2, "wall_s": wall_s, "client_mb": held, "hosts": told}
    # Wall-clock between trials is longer where other processes want the cores, too: a chain of
    # messages takes no less than what it computes.
    names = ("client", "scheduler", *(f"host {one}" for one in range(hosts)))
    answer["cpu_s"] = dict(zip(names, cpu_s, strict=True))
    print(json.dumps(answer, indent=1))


def _of_host(folder: Path) -> dict[str, float]:
    count, slept_s, real_s, moments = 0, 0.0, 0.0, []
    with (folder / runs.TRIALS_FILE).open() as lines:
        for line in lines:
            record = json.loads(line)
            if record["kind"] == "trial":
                count += 1
                slept_s += record["slept_s"]
                real_s += TRIAL_S[record["trial_kind"]]
                moments.append(record["began"])
    first, last = (datetime.fromisoformat(one) for one in (min(moments), max(moments)))
    spent_s = (last - first).total_seconds()
    between_s = spent_s - slept_s
    return {
        "trials": count,
        "spent_s": spent_s,
        "between_trials_s": between_s,
        "as_share_of_real_trials": between_s / real_s,
        "ms_per_trial": 1e3 * between_s / count,
    }


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
