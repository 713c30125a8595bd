"""A project with one of every kind of file that nnbench reads, made without any training."""

import json
import shutil
import zlib
from hashlib import sha1
from pathlib import Path

import numpy as np
from fuzz.damage.of_commits import COMMITS, HEADS
from histories import asv_files, interleaved, pytest_benchmark_file, repository
from projects import git
from races import make_race
from runs import TIMES_S, make_run
from trajectories import made

from nnbench.costs import calibration, design
from nnbench.costs.setting import Setting
from nnbench.drift import golden, metrics, plan, trajectory
from nnbench.drift import saved as studies
from nnbench.machine import fingerprint
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.architecture import parse
from nnbench.workload.case import Case, Training

COMMITS_MADE = 9
DAY = "2026-01-01"

STUDY = """\
[networks]
architectures = ["6,6", "100,100"]

[data]
data = "data/table.csv"
label = "label"
features = "alpha,beta"
standardise = true

[training]
epochs = 3
batch = 32
optimizer = "sgd"

[machine]
backend = "jax"
path = "fit,compiled"
threads = 1

[effort]
launches = 2
budget = "1min"
precision = "5%"
limit = 60.5
"""
PROJECT = """\
[project]
name = "someone"
version = "1"
dependencies = ["numpy"]
[project.optional-dependencies]
jax = ["jax"]
"""


def make(folder):
    """Fill an empty folder."""
    commits = repository(folder, COMMITS_MADE)
    _write(folder / "pyproject.toml", PROJECT)
    _write(folder / "requirements.txt", "numpy>=1\n# none besides\nrich==13.0\n")
    _write(folder / "planted.py", "import pathlib\npathlib.Path('planted.ran').touch()\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A project")
    times_s = {"6,6": {}, "100,100": {"step": 0.002, "epoch": 0.06}}
    few = {"launches": 3, "blocks": 1, "backends": ("jax",), "cold_epochs": 3}
    make_run(folder / "runs" / "a", times_s, noise={"disturbed": 0.0}, **few)
    make_run(folder / "runs" / "b", times_s, seed=1, slower=1.1, **few)
    make_run(folder / "runs" / "sides", times_s, sides=("before", "after"), slower=1.2, **few)
    for name, commit in zip("ab", commits, strict=False):
        path = folder / "runs" / name / "run" / runs.RUN_FILE
        path.write_text(path.read_text().replace('"commit": null', f'"commit": "{commit}"'))
    race = {"6,6": (0.001, 0.1, 20, 0), "100,100": (0.005, 0.01, 10, 1)}
    make_race(folder / "races", race, seeds=3, epochs=12)
    levels = [1.0] * 5 + [1.3] * 4
    digests = ["one"] * 7 + ["other"] * 2
    interleaved(folder / "recorded", commits, levels, rounds=3, phases=("step",), digests=digests)
    rng = np.random.default_rng(0)
    values = np.asarray(levels) * np.exp(rng.normal(0, 0.01, COMMITS_MADE))
    suite = {"suite.Fit.time_step": values, "suite.Fit.track_loss": values}
    asv_files(folder / ".asv" / "results", commits, suite, units={"suite.Fit.track_loss": "nats"})
    for number, (commit, value) in enumerate(zip(commits, values, strict=True)):
        extra = {"digest": "one", "disturbed": 0.0, "pace_s": 0.1, "versions": {"jax": "0.7"}}
        storage = folder / ".benchmarks"
        pytest_benchmark_file(storage, commit, float(value), number=number + 1, extra=extra)
    remark = {"commit": commits[5], "text": "one more layer, wanted", "match": "step"}
    _write(folder / "nnbench-history.json", json.dumps({"annotations": [remark]}, indent=1))
    repository(folder / "odd", 1)
    _write(folder / "odd" / "commit.git", "")
    write_odd(folder)
    for name, seed in (("one", 0), ("two", 1)):
        _study(folder / "studies", name, seed)
    _golden(folder / "golden")
    _calibration(folder / "results")
    _session(folder / "session")
    _data(folder)
    _write(folder / "study.toml", STUDY)
    # What a text that git takes for an option would write into (see `damage.values`).
    _write(folder / "victim", "someone's own\n")
    _write(folder / "keras" / "keras.json", json.dumps({"backend": "jax", "floatx": "float32"}))


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_odd(folder, damage=None):
    """A repository of which one commit is as odd as `damage` says, and asv's results of it."""
    odd, parent, names = folder / "odd", None, []
    for number in range(COMMITS_MADE):
        head = f"author A <a@example.org> {1_700_000_000 + number} +0000"
        message = f"Change number {number}".encode()
        if damage and number == 5:
            head = HEADS.get(damage.value, head) if damage.what == "head" else head
            message = COMMITS[damage.value] if damage.what == "message" else message
        author, _, rest = head.partition("\n")
        lines = [f"tree {EMPTY_TREE}", *([f"parent {parent}"] if parent else [])]
        lines += [author, author.replace("author", "committer"), *([rest] if rest else [])]
        parent = _object(odd / ".git", "\n".join(lines).encode() + b"\n\n" + message + b"\n")
        names.append(parent)
    _write(odd / ".git" / "refs" / "heads" / "main", parent + "\n")
    shutil.rmtree(odd / "results", ignore_errors=True)
    asv_files(odd / "results", names, {"suite.time_step": [1.0, 1.01] * 2 + [1.0] + [1.5] * 4})


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _object(git_folder, content):
    whole = b"commit %d\0" % len(content) + content
    name = sha1(whole, usedforsecurity=False).hexdigest()
    path = git_folder / "objects" / name[:2] / name[2:]
    if not path.exists():
        _write(path, zlib.compress(whole))
    return name


def _case(**changes):
    data = datasets.load("synthetic:rows=40,features=3")
    fixed = {"backend": "jax", "cold_epochs": 2, **changes}
    return Case(parse("4"), Training(), data.name, data.digest, data.rows, data.width, **fixed)


def _trajectory(seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(3, *shape)).astype(np.float32) for shape in ((3, 4), (4,), (4, 1))]
    outputs = [rng.normal(size=(4, width)).astype(np.float32) for width in (4, 1)]
    return made(
        *weights,
        outputs=outputs,
        losses=tuple(rng.uniform(size=2).tolist()),
        predictions=rng.uniform(size=(40, 1)).astype(np.float32),
    )


def _study(parent, name, seed):
    effort = plan.Effort("numpy,keras", "same process,new process,equal start", seeds=2)
    wanted = plan.specification([_case()], effort, cpus=2, gpu=False, other_side=None)
    here = {**fingerprint.take(), "host": f"host {seed}"}
    folder = studies.FORMAT.create(parent, name, wanted, here)
    records = [
        {"kind": "process", "process": 0, "backend": "jax", "device": "cpu", "threads": None}
    ]
    for number, one in enumerate(one for group in plan.plan(wanted) for one in group):
        same = one.policy == "keras"
        drawn = _trajectory(one.seed if same else 10 * number + seed)
        records.append(
            {
                "kind": "training",
                "key": one.key,
                "backend": "jax",
                "policy": one.policy,
                "seed": one.seed,
                "condition": one.condition,
                "member": one.member,
                "process": 0,
                "outcome": "ok",
                "file": trajectory.keep(drawn, folder / studies.TRAJECTORIES),
                "order": drawn.order,
                "wall_s": 1.0,
            }
        )
    remedy = {"kind": "remedy", "backend": "jax", "code": "keras.utils", "reproduces": True}
    records.append({**remedy, "seeds_equal": 2, "seeds": 2, "problem": "", "last": False})
    records.append({"kind": "skipped", "why": "device against device: no GPU"})
    text = "".join(json.dumps(one) + "\n" for one in records)
    _write(folder / "trials.jsonl", text)


def _golden(folder):
    case, drawn = _case(), _trajectory(0)
    trajectory.write(drawn, folder / golden.ARRAYS)
    description = {
        "schema": golden.SCHEMA,
        "created": "2026-01-01T00:00:00+00:00",
        "case": case.to_json(),
        "data": {"data": case.data, "features": None, "label": None, "as_": None},
        "policy": "keras",
        "seed": 1,
        "bounds": {"relative": 1e-4, "ulp": None},
        "fingerprint": fingerprint.take(),
        "code": {},
        "weights_digest": metrics.digest(drawn.at(-1)),
    }
    _write(folder / golden.DESCRIPTION, json.dumps(description, indent=1))


def _calibration(results):
    setting = Setting("jax")
    cases = design.candidates(setting, count=16)
    folder = results / calibration.folder_of(Path(), setting)
    path = calibration.create_run(folder, cases, 0)
    lines = [
        {
            "kind": "launch",
            "launch": 0,
            "round": 0,
            "side": "",
            "began": f"{DAY}T00:00:00+00:00",
            "backend": "jax",
            "device": "cpu",
            "threads": None,
            "import_s": 4.0,
            "first_use_s": 1.0,
            "device_name": "2 usable CPUs",
            "product_flops_per_s": 5e10,
        }
    ]
    for number, case in enumerate(cases):
        cost = case.step_cost
        step_s = 1e-3 + (cost.forward_flops + cost.backward_flops) / 5e10
        times_s = {**TIMES_S, "step": step_s, "epoch": step_s * case.steps_per_epoch + 1e-3}
        for sweep, kind in enumerate(["phases", "step", "step"]):
            names = ["step"] if kind == "step" else [one for one in times_s if one != "step"]
            lines.append(
                {
                    "kind": "trial",
                    "trial": len(lines),
                    "launch": 0,
                    "round": 0,
                    "side": "",
                    "block": 0,
                    "case": case.key,
                    "trial_kind": kind,
                    "sweep": max(0, sweep - 1),
                    "outcome": "ok",
                    "began": "now",
                    "wall_s": 1.0,
                    "noise": {},
                    "steps_per_sample": case.steps_per_epoch,
                    "first_epoch_s": step_s * 2,
                    "peak_host_bytes": 10**8 + number,
                    "host_bytes_before": 10**8,
                    "samples_s": {name: [times_s[name] * (1 + number / 1e3)] for name in names},
                }
            )
    _write(path / runs.TRIALS_FILE, "".join(json.dumps(one) + "\n" for one in lines))


def _session(folder):
    weights = [np.ones(shape, np.float32) for shape in ((4, 6), (6,), (6, 1), (1,))]
    folder.mkdir()
    np.savez(folder / "initial_weights.npz", *weights)
    np.savez(folder / "final_weights.npz", *weights)
    _write(folder / "model.keras", b"no model")
    plain = {"schema": 1, "architecture": "6", "training": vars(Training()), "data": "banknotes"}
    _write(folder / "training.json", json.dumps({**plain, "seed": 1, "losses": [0.7, 0.6]}))


def _data(folder):
    import gzip
    import zipfile

    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{c},{int(a > 0)}" for a, b, c in rng.normal(size=(12, 3)).round(2)]
    table = "\n".join(["alpha,beta,gamma,label", *rows]) + "\n"
    _write(folder / "data" / "table.csv", table)
    _write(folder / "data" / "packed.csv.gz", gzip.compress(table.encode()))
    with zipfile.ZipFile(folder / "data" / "packed.zip", "w") as archive:
        archive.writestr("table.csv", table)
    x, y = rng.normal(size=(12, 3)).astype(np.float32), np.arange(12) % 2
    np.savez(folder / "data" / "xy.npz", x=x, y=y)
    banknotes = "\n".join(["feature_1,feature_2,feature_3,feature_4,is_fake"] + ["1,2,3,4,0"] * 3)
    banknotes += "\n2,3,4,5,1\n"
    _write(folder / "cache" / "bank_note_original.csv", banknotes)
    _write(folder / "downloaded.txt", "3.6216,8.6661,-2.8073,-0.44699,0\n" * 3)
    with zipfile.ZipFile(folder / "downloaded.zip", "w") as archive:
        archive.writestr("data_banknote_authentication.txt", "1,2,3,4,0\n")
