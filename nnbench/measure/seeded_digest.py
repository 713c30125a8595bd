"""What a training computes: a digest of one seeded training of each of some cases.

The same code, versions and device give the same digest; another one means other numbers, not
worse ones.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import keras_import
from nnbench.measure import serve
from nnbench.measure.process import DataFile, Worker, WorkerLostError
from nnbench.measure.protocol import DIGESTS, Environment
from nnbench.training.fit import fit
from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.datasets.nest import TrainingData

SEED, EPOCHS, REPETITIONS = 7, 3, 2
LIMIT_S = 600.0


def digests(
    cases: Sequence[Case], data: DataFile, environment: Environment, log: Path
) -> list[dict[str, Any]]:
    """Digests of cases of one worker, empty where nnbench has none; UserError if one fails."""
    first = environment.protocol == 1
    plain: Any = {"cases": [case.to_json() for case in cases]} if first else {}
    try:
        with Worker(cases[0], data, log, environment=environment, room=DIGESTS, **plain) as worker:
            if first:
                found: list[dict[str, Any]] = worker.answer(LIMIT_S)
                return found
            worker.wait_until_ready()
            return [worker.ask(case, LIMIT_S) for case in cases]
    except WorkerLostError as lost:
        if lost.outcome == "timeout":
            took = f"the seeded training took more than {LIMIT_S:.0f} s"
            raise UserError(f"{environment.folder}: {took}: --no-numbers") from None
        reason = lost.reason
        if "No module named" in reason and environment.worker_module(DIGESTS) in reason:
            return [{"digest": ""} for _ in cases]
        raise UserError(f"{environment.folder}: the seeded training failed: {reason}") from lost


def open_room(started: serve.Started) -> serve.Room:
    """Answer each case by the digest and losses of its training."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        found = [_train(case, started.data_of(case)) for _ in range(REPETITIONS)]
        agree = all(one["digest"] == found[0]["digest"] for one in found)
        return found[0] if agree else {**found[0], "digest": "various"}

    return {}, answer


def _train(case: Case, data: TrainingData) -> dict[str, Any]:
    # Imports Keras: not before the backend is fixed.
    import keras

    keras_import.set_random_seed(SEED)
    model = keras_model.for_case(case)
    keras_import.set_random_seed(SEED)
    losses = fit(
        model,
        data.x,
        data.y,
        sample_weight=data.sample_weight,
        epochs=EPOCHS,
        batch_size=case.training.batch_size,
        shuffle=False,
    )
    digest = hashlib.sha256(repr(losses).encode())
    for weight in model.trainable_weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return {"digest": digest.hexdigest(), "losses": losses}
