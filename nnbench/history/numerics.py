"""Whether a commit changed what a training computes: a digest of one seeded training.

`python -m nnbench.history.numerics '<configuration>'` trains a case in the environment and folder
it is run in, from a fixed seed, rows in their order, and prints one JSON line. Timing plays no
part. The same code, versions and device give the same digest; another one means other numbers,
not worse ones.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench import devices
from nnbench.case import Case
from nnbench.datasets import Dataset
from nnbench.devices import usable_cpus
from nnbench.errors import UserError
from nnbench.history.readers.runs import NUMERICS_FILE
from nnbench.measure.run import Progress, Side, Watcher

Array = NDArray[np.float32]

EPOCHS = 3
REPETITIONS = 2
SEED = 7
LIMIT_S = 600.0


def record(
    folder: Path,
    cases: Sequence[Case],
    data: Dataset,
    sides: Mapping[str, tuple[str, Side]],
    watch: Watcher,
) -> None:
    """Add the digests that are missing of a run, for each case and commit.

    `sides` maps a side to its commit's full hash and its place. Raises UserError if a training
    fails there.
    """
    path = folder / NUMERICS_FILE
    have = _known(path)
    workers = dict.fromkeys(case.worker for case in cases)
    missing = [
        (commit, side, [case for case in cases if case.worker == worker])
        for commit, side in sides.values()
        for worker in workers
        if any(case.worker == worker and (commit, case.key) not in have for case in cases)
    ]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(usable_cpus()) as pool:
        arrays = Path(scratch) / "data.npz"
        np.savez(arrays, features=data.features, labels=data.labels)
        answers = pool.map(lambda one: _digests(one[2], arrays, one[1]), missing)
        for done, ((commit, _, mine), found) in enumerate(zip(missing, answers, strict=True)):
            watch(Progress(done + 1, len(missing), "numbers"))
            lines = [
                json.dumps({"commit": commit, "case": case.key, **one}) + "\n"
                for case, one in zip(mine, found, strict=True)
            ]
            with path.open("a") as file:
                file.writelines(lines)


def _known(path: Path) -> set[tuple[str, str]]:
    known = set()
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            one = json.loads(line)
            known.add((one["commit"], one["case"]))
        except (ValueError, KeyError, TypeError):
            continue
    return known


def _digests(cases: Sequence[Case], arrays: Path, side: Side) -> list[dict[str, Any]]:
    """What each case computes there; empty digests where that nnbench is older than this study."""
    configuration = {"cases": [case.to_json() for case in cases], "data": str(arrays)}
    try:
        answer = subprocess.run(
            [side.python, "-m", __name__, json.dumps(configuration)],
            cwd=side.folder,
            env={**os.environ, **devices.environment(*cases[0].worker)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{side.folder}: the seeded training took more than {LIMIT_S:.0f} s: --no-numbers"
        ) from None
    if answer.returncode == 0:
        found: list[dict[str, Any]] = json.loads(answer.stdout.strip().splitlines()[-1])
        return found
    reason = "".join(answer.stderr.strip().splitlines()[-1:])
    if "No module named" in reason and "nnbench.history" in reason:
        return [{"digest": ""} for _ in cases]
    raise UserError(f"{side.folder}: the seeded training failed: {reason}")


def main() -> None:
    """Train, and print digests and losses."""
    configuration = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cases = [Case.from_json(plain) for plain in configuration["cases"]]
    devices.start(*cases[0].worker)
    with np.load(configuration["data"]) as arrays:
        features, labels = arrays["features"], arrays["labels"]
    found = [_trained(case, features, labels) for case in cases]
    answers.write(json.dumps(found) + "\n")
    answers.flush()


def _trained(case: Case, features: Array, labels: Array) -> dict[str, Any]:
    """Digests of some repetitions: one where they agree, else `various`."""
    found = [_train(case, features, labels) for _ in range(REPETITIONS)]
    agree = all(one["digest"] == found[0]["digest"] for one in found)
    return found[0] if agree else {**found[0], "digest": "various"}


def _train(case: Case, features: Array, labels: Array) -> dict[str, Any]:
    # Imports Keras: not before the backend is fixed.
    import keras

    from nnbench import network
    from nnbench.training.fit import fit

    keras.utils.set_random_seed(SEED)
    model = network.for_case(case)
    keras.utils.set_random_seed(SEED)
    losses = fit(
        model,
        features,
        labels,
        epochs=EPOCHS,
        batch_size=case.training.batch_size,
        shuffle=False,
    )
    digest = hashlib.sha256(repr([float(loss) for loss in losses]).encode())
    for weight in model.trainable_weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return {"digest": digest.hexdigest(), "losses": [float(loss) for loss in losses]}


if __name__ == "__main__":
    main()
