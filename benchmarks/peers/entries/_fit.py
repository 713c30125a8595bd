"""Keras `Model.fit` at its best: the settings that are timed to be the fastest for the task."""

import itertools
from time import perf_counter

from benchmarks.peers.entries import _keras
from benchmarks.peers.task import Prepared

JIT = {"tensorflow": (False, True), "jax": (True,), "torch": (False, True)}
"""JAX without jit runs operation by operation, which is never the fastest."""

TIMES = 3


def prepare(task, backend):
    _keras.start(backend)
    if task.once:
        settings = [{}]
    else:
        settings = [
            {"jit_compile": jit, "steps_per_execution": steps}
            for jit, steps in itertools.product(JIT[backend], sorted({1, task.steps}))
        ]
    made = [_candidate(task, one) for one in settings]
    if len(made) == 1:
        [(train, model)] = made
        return Prepared(train, _keras.parameters(model))
    taken_s = {}
    for place, (train, model) in enumerate(made):
        held = _values(model)
        try:
            taken_s[place] = _epoch_s(train)
        except Exception:  # noqa: BLE001
            # Not every step can be compiled on every backend.
            continue
        for variable, value in zip(_variables(model), held, strict=True):
            variable.assign(value)
    place = min(taken_s, key=taken_s.__getitem__)
    train, model = made[place]
    how = ", ".join(f"{name}={value}" for name, value in settings[place].items())
    return Prepared(train, _keras.parameters(model), how)


def _candidate(task, settings):
    model = _keras.model(task, **settings)

    def train(epochs):
        history = model.fit(
            task.x, task.y, epochs=epochs, batch_size=task.batch_size, verbose=0
        ).history
        return history["loss"][-1]

    return train, model


def _epoch_s(train):
    """The least that an epoch takes once the step is compiled."""
    train(1)
    taken_s = []
    for _ in range(TIMES):
        begin = perf_counter()
        train(2)
        taken_s.append((perf_counter() - begin) / 2)
    return min(taken_s)


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _values(model):
    model.optimizer.build(model.trainable_variables)
    return [variable.numpy().copy() for variable in _variables(model)]
