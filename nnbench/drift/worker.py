"""A worker process of a drift study: one backend on one device, one training at a time on request.

Requests and answers are JSON lines, as in `measure.worker`. What a training leaves behind is
written into the folder that the request names, and its file's name is answered.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.drift import generators, trajectory
from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.channel import open_answers
from nnbench.workload.case import Case


def main() -> None:
    """Serve requests until the input ends."""
    answer = open_answers()
    configuration = json.loads(sys.argv[1])
    case = Case.from_json(configuration["warm_up"])
    with np.load(configuration["data"]) as arrays:
        features, labels = arrays["features"], arrays["labels"]
    try:
        devices.start(*case.worker)
    except UserError as mistake:
        answer({"error": str(mistake)})
        return
    fresh = generators.remember()
    answer(
        {
            "device_name": devices.description(case.backend, case.device),
            "versions": devices.versions(case.backend),
            "cpus": devices.usable_cpus(),
        }
    )
    serve = {"train": _train, "time": _time}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request.get("fresh", True):
                fresh.restore()
            answer(serve[request["kind"]](request, features, labels))
        except UserError as mistake:
            answer({"error": str(mistake)})
        except Exception as failure:
            if not isinstance(failure, (ImportError, ValueError, TypeError, NotImplementedError)):
                raise
            reason = (str(failure).strip() or repr(failure)).splitlines()[0]
            answer({"error": f"{case.label} cannot be trained so on {case.backend}: {reason}"})


def _train(
    request: dict[str, Any], features: NDArray[np.float32], labels: NDArray[np.float32]
) -> dict[str, Any]:
    # Imports Keras: not before the backend is fixed.
    from nnbench.drift import training

    folder = Path(request["folder"])
    start = None
    if request["given"] is not None:
        given = trajectory.read(folder / request["given"])
        start = training.Start(given.at(0), list(given.draws))
    began_s = time.perf_counter()
    case = Case.from_json(request["case"])
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
    request: dict[str, Any], features: NDArray[np.float32], labels: NDArray[np.float32]
) -> dict[str, Any]:
    from nnbench.drift import policies
    from nnbench.training.fit import fit
    from nnbench.workload import keras_model

    case = Case.from_json(request["case"])
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


if __name__ == "__main__":
    main()
