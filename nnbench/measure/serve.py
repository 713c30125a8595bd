"""The main of every worker process: one backend on one device, answering requests one at a time.

`python -m nnbench.measure.worker '<configuration>'` starts one. The configuration names a case to
get ready for (`warm_up`), a file with arrays (`data`), the data set that they are (`data_name`),
whether that is a `stream`, which is then made here, and the module that answers (`room`), which is
imported once Keras runs on its backend. Its `open_room(started)` returns what the worker says of
itself when it is ready, and the function that answers each request.

Requests are JSON lines on standard input, answers on what was standard output; what libraries
print goes to standard error, the worker's log. The worker ends when its input ends, and with a
last answer, `failure`, when a case cannot be trained. A device that is not there is an `error`.
With `handed` in the configuration the first line of the input is what a notebook hands over (see
`workload.handed`). With `tell_start` the first answer, `started`, is that the backend runs.
On a side of a comparison answers also hold the `modules` of the project that were imported for
them (see `measure.own_code`).
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.own_code import Imported, Project
from nnbench.workload import datasets, handed, user_code
from nnbench.workload.case import Case
from nnbench.workload.datasets import nest
from nnbench.workload.datasets.arrays import make_stream
from nnbench.workload.datasets.nest import TrainingData

TRIALS = "nnbench.measure.timed_trials"

Answer = Callable[[dict[str, Any]], Any]
Room = tuple[dict[str, Any], Answer]
"""What a worker says of itself when it is ready, and what answers its requests."""


@dataclass(frozen=True)
class Started:
    """A process whose backend runs, for `case` and the others of its device.

    A `bare` one does nothing that it is not asked for. `began_s` and `imported_s` are clock
    readings before and after the import of Keras; `data` holds what `fit` is given of data sets by
    name.
    """

    case: Case
    data: dict[str, TrainingData]
    is_stream: bool
    began_s: float
    imported_s: float
    bare: bool = False

    def data_of(self, case: Case) -> TrainingData:
        """What `fit` is given of a case's data set; a stream is made by a person's function."""
        if case.data not in self.data:
            self.data[case.data] = make_stream(case.data) if self.is_stream else _loaded(case)
        return self.data[case.data]


def _loaded(case: Case) -> TrainingData:
    loaded = datasets.load(case.data, as_given=case.model is not None)
    return loaded.taken_by([case.architecture]).training_data


def main() -> None:
    """Get ready, say so, and answer requests until the input ends."""
    configuration = json.loads(sys.argv[1])
    if configuration.get("handed"):
        handed.receive(sys.stdin.readline())
    began_s = time.perf_counter()
    project = configuration.get("project")
    imported = Imported(Project.of(project)) if project else None
    answer = _open_answers(imported)
    case = Case.from_json(configuration["warm_up"])
    if imported:
        imported.follow(case.model)
    is_stream = configuration.get("stream", False)
    data = {} if is_stream else {configuration["data_name"]: _read(configuration["data"])}
    try:
        devices.start(*case.worker)
    except UserError as mistake:
        answer({"error": str(mistake)})
        return
    if configuration.get("tell_start"):
        answer({"started": True})
    bare = configuration.get("bare", False)
    started = Started(case, data, is_stream, began_s, time.perf_counter(), bare)
    try:
        # Rooms may import Keras: not before the backend is fixed.
        room = importlib.import_module(configuration.get("room", TRIALS))
        ready, respond = room.open_room(started)
        ready |= {
            "device_name": devices.description(case.backend, case.device),
            "versions": devices.versions(case.backend),
            "cpus": devices.usable_cpus(),
        }
        answer(ready)
        for line in sys.stdin:
            request = json.loads(line)
            if imported:
                imported.follow(request["case"].get("model"))
            answer(respond(request))
    except Exception as failure:
        # Whatever a person's code raises ends this process: the parent starts another.
        answer({"failure": user_code.told(failure)})
        raise


def found_or_told(case: Case, work: Callable[[], dict[str, Any]], done: str) -> dict[str, Any]:
    """What `work` finds of a case, or an `error` in lines for a person: it cannot be `done`.

    A person's own model may raise anything; of other networks that is a fault of ours, and raised.
    """
    try:
        return work()
    except UserError as mistake:
        return {"error": "\n".join(user_code.told(mistake))}
    except Exception as failure:
        if case.model is None:
            raise
        reason, *details = user_code.told(failure)
        return {"error": "\n".join([f"{case.label} cannot be {done}: {reason}", *details])}


def _read(file: str) -> TrainingData:
    with np.load(file) as saved:
        if "features" in saved:
            return TrainingData(saved["features"], saved["labels"])
        return nest.unpack(saved)


def _open_answers(imported: Imported | None) -> Callable[[dict[str, Any]], None]:
    """What sends an answer; one of a project's side adds what was imported for it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(record: dict[str, Any]) -> None:
        if imported and (modules := imported.report()):
            record = {**record, "modules": modules}
        answers.write(json.dumps(record) + "\n")
        answers.flush()

    return answer
