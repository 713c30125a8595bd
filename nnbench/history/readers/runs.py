"""Our own runs: `nnbench run` at a commit, and `nnbench history record` of several in turn.

The commit of a run with sides is that of each side, `specification.commits`; of one without it
is its fingerprint's. Besides rows a run gives its blocks, which alarms compare:
`pairs` has one row a commit, case, phase, round and block.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nnbench.errors import DamageError, UserError
from nnbench.history.readers import Row, Skipped, commit_of, cpu_of, digest, said
from nnbench.machine import fields, noise
from nnbench.machine.fields import Field
from nnbench.machine.fingerprint import NO_ANSWERS
from nnbench.show.text import encodable
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.summary import Measured, product_rates
from nnbench.store import runs
from nnbench.workload.case import Case

SOURCE = "nnbench"
GFLOP = 1e9
CHANGES = "+changes"
SOFTWARE = ("python", "versions", "settings")
"""Parts of a fingerprint that no machine decides."""
NUMERICS_FILE = "numerics.jsonl"
PAIR_COLUMNS = [
    *("host", "environment", "benchmark", "case", "commit"),
    *("session", "round", "block", "log", "noisy"),
]


def is_result(path: Path) -> bool:
    """Whether a file describes a run."""
    return path.name == runs.RUN_FILE


def read(path: Path) -> tuple[list[Row | Skipped], pd.DataFrame]:
    """Rows of a run, and its blocks (`PAIR_COLUMNS`); damage and what is no run are `Skipped`."""
    nothing = pd.DataFrame(columns=PAIR_COLUMNS)
    folder = path.parent
    try:
        run = runs.read(folder)
        told = Field(run.fingerprint, str(path), "fingerprint")
        host, environment = said(told["host"]), environment_of(told)
        cpu = cpu_of(said(told["cpu"]), told["cpus"].value)
        software = environment_of(told, names=SOFTWARE)
        created = Field(run.created, str(path), "created").moment()
        commits = _commits(run, path)
        with (folder / runs.TRIALS_FILE).open("rb") as lines:
            session = hashlib.file_digest(lines, "sha256").hexdigest()
    except UserError as failure:
        return [Skipped(str(path), failure.reason)], nothing
    place = str(folder / runs.TRIALS_FILE)
    found: list[Row | Skipped] = [
        Skipped(place, damage.removeprefix(f"{place}: ")) for damage in run.damage
    ]
    for name in commits.values():
        if name.endswith(CHANGES):
            reason = f"measured with changes that {name[:9]} does not hold"
            return [*found, Skipped(str(folder), reason)], nothing
    if not len(run.good_rows()):
        return [*found, Skipped(str(folder), "it has no finished trial")], nothing
    blocks = _blocks(run, commits)
    digests, unread = digests_of(folder)
    found += unread
    together = len(commits) > 1
    labels = {key: encodable(case_label(case)) for key, case in run.cases.items()}
    rates = {key: product_rates(run, case) for key, case in run.cases.items()}
    for (commit, key, phase), group in blocks.groupby(["commit", "case", "phase"], sort=False):
        estimate = nested_estimate(group["seconds"], group["launch"])
        found.append(
            Row(
                *(SOURCE, host, environment, str(commit), created),
                benchmark=str(phase),
                case=labels[str(key)],
                value=estimate.value,
                log_error=estimate.log_error if estimate.launches > 1 else math.nan,
                samples=int(group["samples"].sum()),
                launches=estimate.launches,
                interleaved=together,
                session=session,
                noisy=float(group["noisy"].mean()),
                pace_s=GFLOP / float(np.median(rates[str(key)] or [math.nan])),
                digest=digests.get((str(commit), str(key)), ""),
                cpu=cpu,
                software=software,
            )
        )
    if not together:
        return found, nothing
    pairs = blocks.assign(host=host, environment=environment, session=session)
    pairs = pairs.assign(case=pairs["case"].map(labels), log=np.log(pairs["seconds"]))
    return found, pairs.rename(columns={"phase": "benchmark"})[PAIR_COLUMNS]


def _blocks(run: runs.Run, commits: dict[str, str]) -> pd.DataFrame:
    measured = Measured.of(run)
    blocks = measured.paired_values if len(commits) > 1 else measured.blocks
    blocks = blocks.assign(commit=blocks["side"].map(commits))
    noisy = noise.noisy_blocks(run.looks())
    both = zip(blocks["launch"], blocks["block"], strict=True)
    return blocks.assign(noisy=[one in noisy for one in both])


def _commits(run: runs.Run, path: Path) -> dict[str, str]:
    """The commit of each side; of the only one, where a run has none, that of its fingerprint."""
    specification = Field(run.specification, str(path), "specification")
    commits = specification["commits"].members({})
    commits = commits or {"": Field(run.fingerprint, str(path), "fingerprint")["commit"]}
    if [one.text() for one in specification["sides"].entries()] not in (list(commits), [""]):
        specification["sides"].refuse("are no commits")
    for one in commits.values():
        commit_of(replace(one, value=one.text().removesuffix(CHANGES)))
    return {side: one.text() for side, one in commits.items()}


def digests_of(folder: Path) -> tuple[dict[tuple[str, str], str], list[Skipped]]:
    """Digests by commit and case (`various` if repetitions differ), and what could not be read."""
    path = folder / NUMERICS_FILE
    seen: dict[tuple[str, str], set[str]] = {}
    skipped = []
    lines = path.read_bytes().splitlines() if path.is_file() else ()
    for number, line in enumerate(lines, start=1):
        try:
            record = fields.parse(line, f"{path}, line {number}")
            commit, case, one = (record[name].text() for name in ("commit", "case", "digest"))
            seen.setdefault((commit, case), set()).add(one)
        except DamageError as failure:
            skipped.append(Skipped(failure.file, f"cannot be read ({failure.reason})"))
    return {key: one.pop() if len(one) == 1 else "various" for key, one in seen.items()}, skipped


def environment_of(fingerprint: Field, names: Sequence[str] = ()) -> str:
    """A fingerprint without host and commit, in a line; equal exactly when all of it is.

    With `names` only those parts count, and the CPU is not named.
    """
    rest = {name: one.value for name, one in fingerprint.members().items()}
    left_out = rest.keys() - set(names) if names else {"host", "commit"}
    rest = {name: part for name, part in rest.items() if name not in left_out}
    known = fingerprint["versions"].members()
    if all(one.value in NO_ANSWERS for one in known.values()):
        fingerprint["versions"].refuse("says nothing")
    named = [name for name in known if name in ("keras", "tensorflow", "jax", "torch")]
    versions = [f"{name} {known[name].text()}" for name in named]
    shown = [f"Python {said(fingerprint['python'])}", *versions]
    shown += [] if names else [said(fingerprint["cpu"])]
    return f"{', '.join(shown)} ({digest(rest)[:12]})"


def case_label(case: Case) -> str:
    """A case in words, with its key, which distinguishes it from all others."""
    batch = "full batch" if case.training.batch_size is None else f"batch {case.batch_rows}"
    return f"{case.label}, {case.context}, {case.data}, {batch} ({case.key})"
