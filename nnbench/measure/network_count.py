"""What answers in the worker that counts networks for a prediction (see `measure.serve`).

It builds each network and counts what it consists of; nothing is trained.
"""

from typing import Any

from nnbench.errors import UserError
from nnbench.measure import serve, trial
from nnbench.workload import keras_model, user_code
from nnbench.workload.case import Case
from nnbench.workload.counts import built
from nnbench.workload.datasets.nest import TrainingData


def open_room(started: serve.Started) -> serve.Room:
    """Count each case that is asked for."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        case = Case.from_json(request["case"])
        try:
            return {"count": count(case, started.data_of(case))}
        except UserError as mistake:
            return {"error": "\n".join(user_code.told(mistake))}
        except Exception as failure:
            if case.model is None:
                raise
            reason, *details = user_code.told(failure)
            return {"error": "\n".join([f"{case.label} cannot be counted: {reason}", *details])}

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
