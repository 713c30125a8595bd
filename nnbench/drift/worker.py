"""What answers in a worker process of drift (see `measure.serve`): a training on each request.

Every request has its `kind`, the policy's `code` and the `seed`. A `train` leaves its trajectory
in the `folder` that is named, and answers the name of its file. `given` is the file there whose
start it takes, if any; `observe_order` asks for the order of rows. A `time` answers how long `fit`
takes. Unless `fresh` is false, the generators are first put back to those of a new process. What
cannot be trained is answered by an `error`.
"""

import math
import time
from functools import partial
from pathlib import Path
from typing import Any

from nnbench.drift import metrics, policies, training, trajectory
from nnbench.errors import UserError
from nnbench.measure import serve
from nnbench.training.fit import fit
from nnbench.workload import keras_model
from nnbench.workload.case import Case


def open_room(started: serve.Started) -> serve.Room:
    """Train, or time a training, for each request."""
    restore = policies.remember_generators()
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
    folder, given = Path(request["folder"]), request.get("given")
    began_s = time.perf_counter()
    found = training.train(
        case,
        features,
        labels,
        code=request["code"],
        seed=request["seed"],
        given=trajectory.read(folder / given) if given else None,
        observe_order=request.get("observe_order", False),
    )
    return {
        "outcome": "ok",
        "file": trajectory.keep(found, folder),
        "initial_digest": metrics.digest(found.at(0)),
        "final_digest": metrics.digest(found.at(-1)),
        "order": found.order,
        "loss": found.losses[-1] if math.isfinite(found.losses[-1]) else None,
        "wall_s": time.perf_counter() - began_s,
    }


def _time(
    request: dict[str, Any], case: Case, features: serve.Array, labels: serve.Array
) -> dict[str, Any]:
    policies.apply(request["code"], request["seed"])
    model = keras_model.for_case(case)
    size, shuffle = case.training.batch_size, case.training.shuffle
    train = partial(fit, model, features, labels, batch_size=size, shuffle=shuffle)
    train(epochs=2)
    began_s = time.perf_counter()
    train(epochs=case.cold_epochs)
    # The last epoch's loss was read as a number: the device has finished.
    return {"outcome": "ok", "duration_s": time.perf_counter() - began_s}
