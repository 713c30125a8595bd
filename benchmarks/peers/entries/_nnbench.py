"""`fast_fit`'s stages; from the process's start on, `fast_fit` itself."""

from benchmarks.peers.entries import _keras
from benchmarks.peers.task import Prepared


def prepare(task, backend):
    _keras.start(backend)
    from nnbench.training import compiled
    from nnbench.training.compiled import program_cache
    from nnbench.training.compiled.fast_fit import fast_fit
    from nnbench.workload import initial_values

    # As `nnbench train` makes a model.
    with program_cache.on_disk(), initial_values.quick():
        model = _keras.model(task)
    given = {"batch_size": task.batch_size, "jit_compile": "auto"}
    if task.once:

        def train(epochs):
            history = fast_fit(model, task.x, task.y, epochs=epochs, verbose=0, **given)
            return history.history["loss"][-1]

    else:
        prepared = compiled.prepare(model, task.x, task.y, **given)

        def train(epochs):
            return float(prepared.run(epochs)["loss"][-1])

    return Prepared(train, _keras.parameters(model))
