"""Worker processes of drift studies: one training at a time on request.

What a training leaves behind is written into the folder that the request names, and its file's
name is answered.
"""

import math
import time
from pathlib import Path
from typing import Any

from nnbench.drift import generators, trajectory
from nnbench.drift.policies import Policy
from nnbench.errors import UserError
from nnbench.measure import serve
from nnbench.measure.process import DataFile, Worker
from nnbench.measure.protocol import Environment
from nnbench.workload.case import Case

ROOM = __name__

PATIENT = {"OMP_WAIT_POLICY": "passive"}
"""Torch's threads wait for each other asleep, which changes no number and spares a busy machine."""


def start(
    case: Case,
    policy: Policy,
    data: DataFile,
    log: Path,
    *,
    environment: Environment | None = None,
    patient: bool = True,
) -> Worker:
    """Start a process with a policy's settings; see `measure.process.Worker`."""
    settings = {**(PATIENT if patient else {}), **policy.settings_for(case.backend)}
    return Worker(case, data, log, environment=environment, room=ROOM, settings=settings)


def train(
    worker: Worker,
    case: Case,
    policy: Policy,
    seed: int,
    *,
    folder: Path,
    limit_s: float,
    given: str | None = None,
    fresh: bool = True,
    observe_order: bool = False,
) -> dict[str, Any]:
    """Have one training done and left in `folder`; see `nnbench.drift.training`.

    `given` is the file there whose weights it starts from, `fresh` puts the random generators
    back to a new process' first. Raises WorkerLostError as `Worker.ask` does.
    """
    return worker.ask(
        case,
        limit_s,
        kind="train",
        code=policy.code_for(case.backend),
        seed=seed,
        given=given,
        fresh=fresh,
        observe_order=observe_order,
        folder=str(folder.resolve()),
    )


def open_room(started: serve.Started) -> serve.Room:
    """Train, or time a training, for each request."""
    fresh = generators.remember()
    answers = {"train": _train, "time": _time}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        try:
            if request.get("fresh", True):
                fresh.restore()
            return answers[request["kind"]](request, case, *started.data_of(case))
        except UserError as mistake:
            return {"error": str(mistake)}
        except (ImportError, ValueError, TypeError, NotImplementedError) as failure:
            reason = (str(failure).strip() or repr(failure)).splitlines()[0]
            return {"error": f"{case.label} cannot be trained so on {case.backend}: {reason}"}

    return {}, answer


def _train(
    request: dict[str, Any], case: Case, features: serve.Array, labels: serve.Array
) -> dict[str, Any]:
    # Imports Keras: not before the backend is fixed.
    from nnbench.drift import training

    folder = Path(request["folder"])
    start = None
    if request["given"] is not None:
        given = trajectory.read(folder / request["given"])
        start = training.Start(given.at(0), list(given.draws))
    began_s = time.perf_counter()
    found = training.train(
        case,
        features,
        labels,
        code=request["code"],
        seed=request["seed"],
        epochs=case.cold_epochs,
        start=start,
        observe_order=request["observe_order"],
    )
    loss = found.losses[-1]
    return {
        "outcome": "ok",
        "file": trajectory.keep(found, folder),
        "initial_digest": found.initial_digest,
        "final_digest": found.final_digest,
        "order": found.order,
        "loss": loss if math.isfinite(loss) else None,
        "wall_s": time.perf_counter() - began_s,
    }


def _time(
    request: dict[str, Any], case: Case, features: serve.Array, labels: serve.Array
) -> dict[str, Any]:
    from nnbench.drift import policies
    from nnbench.training.fit import fit
    from nnbench.workload import keras_model

    policies.apply(request["code"], request["seed"])
    model = keras_model.for_case(case)

    def train(epochs: int) -> None:
        fit(
            model,
            features,
            labels,
            epochs=epochs,
            batch_size=case.training.batch_size,
            shuffle=case.training.shuffle,
        )

    train(2)
    began_s = time.perf_counter()
    train(case.cold_epochs)
    # The last epoch's loss was read as a number: the device has finished.
    return {"outcome": "ok", "duration_s": time.perf_counter() - began_s}
