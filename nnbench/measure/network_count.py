"""What answers in the worker that counts networks for a prediction (see `measure.serve`).

It builds each network and counts what it consists of; nothing is trained.
"""

from typing import Any

from nnbench.measure import serve, trial
from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.counts import built
from nnbench.workload.datasets.nest import TrainingData


def open_room(started: serve.Started) -> serve.Room:
    """Count each case that is asked for."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])

        def counted() -> dict[str, Any]:
            return {"count": count(case, started.data_of(case))}

        return serve.found_or_told(case, counted, "counted")

    return {}, answer


def count(case: Case, data: TrainingData) -> dict[str, Any]:
    """What a network of a case consists of on a batch of it, as plain data."""
    import keras

    network = keras_model.for_case(case)
    given = trial.inputs_of(trial.batch_of(case, data))
    # The case may have other rows than the data: a count wants shapes alone.
    batch = keras.tree.map_structure(
        lambda one: keras.KerasTensor(
            (case.batch_rows, *one.shape[1:]), keras.backend.standardize_dtype(one.dtype)
        ),
        given,
    )
    keras_model.make_weights(network, batch)
    return built.count(network, batch).to_json()
