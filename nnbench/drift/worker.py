"""What answers in a worker process of drift (see `measure.serve`): a training on each request.

What a training leaves behind is written into the folder that the request names, and its file's
name is answered.
"""

import math
import time
from pathlib import Path
from typing import Any

from nnbench.drift import generators, metrics, policies, training, trajectory
from nnbench.errors import UserError
from nnbench.measure import serve
from nnbench.training.fit import fit
from nnbench.workload import keras_model
from nnbench.workload.case import Case


def open_room(started: serve.Started) -> serve.Room:
    """Train, or time a training, for each request."""
    restore = generators.remember()
    answers = {"train": _train, "time": _time}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        try:
            if request.get("fresh", True):
                restore()
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
    folder = Path(request["folder"])
    given = trajectory.read(folder / request["given"]) if request["given"] else None
    began_s = time.perf_counter()
    found = training.train(
        case,
        features,
        labels,
        code=request["code"],
        seed=request["seed"],
        epochs=case.cold_epochs,
        given=given,
        observe_order=request["observe_order"],
    )
    loss = found.losses[-1]
    return {
        "outcome": "ok",
        "file": trajectory.keep(found, folder),
        "initial_digest": metrics.digest(found.at(0)),
        "final_digest": metrics.digest(found.at(-1)),
        "order": found.order,
        "loss": loss if math.isfinite(loss) else None,
        "wall_s": time.perf_counter() - began_s,
    }


def _time(
    request: dict[str, Any], case: Case, features: serve.Array, labels: serve.Array
) -> dict[str, Any]:
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
