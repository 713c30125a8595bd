"""What the compiled path promises, on the backend named by NNBENCH_CHECK_COMPILED.

`test_compiled.py` runs this file in a process for each backend.
"""

import ctypes
import gc
import inspect
import os
import random
import re
import warnings
import weakref
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.training.compiled import prepare, program_cache
from nnbench.training.compiled.fast_fit import fast_fit
from nnbench.workload import datasets, initial_values

BACKEND = os.environ.get("NNBENCH_CHECK_COMPILED")
if BACKEND is None:
    pytest.skip("run by test_compiled.py", allow_module_level=True)

keras: Any = devices.start(BACKEND, "cpu")
layers = keras.layers

EPOCHS = 10
ARCHITECTURES = int(os.environ.get("NNBENCH_COMPILED_ARCHITECTURES", "1"))
"""Drawn architectures on each backend; 30 of them take minutes where TensorFlow's fit is slow."""

IN_TURN = os.environ.get("NNBENCH_COMPILED_ARCHITECTURES") is None
"""Whether what `test_fit_table.py` tries too, and what is Python's, is tried on one backend."""

ROWS, FEATURES = 70, 5
CLOSE = 1e-5
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(3e-3),
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-3),
}


def in_turn(cases: Any) -> Any:
    """Of cases that are tried elsewhere as well: a third, another one on each backend."""
    place = devices.BACKENDS.index(BACKEND)
    return [case for n, case in enumerate(cases) if not IN_TURN or (n + 1) % 3 == place]


@dataclass(frozen=True)
class Drawn:
    widths: tuple[int, ...]
    activations: tuple[str, ...]
    task: str
    optimizer: str
    batch_size: int


def _draw(number: int) -> Drawn:
    source = random.Random(number)
    depth = source.randint(0, 5)
    return Drawn(
        widths=tuple(source.choice([1, 2, 3, 6, 17, 40]) for _ in range(depth)),
        activations=tuple(
            source.choice(["relu", "tanh", "sigmoid", "linear", "elu"]) for _ in range(depth)
        ),
        task=("classification", "regression")[number % 2],
        optimizer=list(OPTIMIZERS)[number % 3],
        batch_size=source.choice([ROWS, ROWS, ROWS, 32]),
    )


def data(task: str = "classification", rows: int = ROWS) -> tuple[Any, Any]:
    numbers = np.random.default_rng(7)
    x = numbers.normal(size=(rows, FEATURES)).astype("float32")
    signal = x @ numbers.normal(size=(FEATURES, 1)) + 0.3 * numbers.normal(size=(rows, 1))
    y = signal > 0 if task == "classification" else signal
    return x, y.astype("float32")


def dense(drawn: Drawn) -> Any:
    last = {"classification": "sigmoid", "regression": "linear"}[drawn.task]
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            *(
                layers.Dense(width, activation=activation)
                for width, activation in zip(drawn.widths, drawn.activations, strict=True)
            ),
            layers.Dense(1, activation=last),
        ]
    )
    loss = {"classification": "binary_crossentropy", "regression": "mse"}[drawn.task]
    model.compile(OPTIMIZERS[drawn.optimizer](), loss)
    return model


def twins(build: Any) -> tuple[Any, Any]:
    """Two models with equal weights and equal seeds."""
    # JAX would compile what draws them for each new shape.
    with initial_values.quick():
        keras.utils.set_random_seed(11)
        first = build()
        keras.utils.set_random_seed(11)
        return first, build()


def state(model: Any) -> list[Any]:
    return [variable.numpy() for variable in [*model.variables, *model.metrics_variables]]


def assert_same(fitted: Any, compiled: Any, theirs: Any, ours: Any, close: float = CLOSE) -> None:
    assert list(ours.history) == list(theirs.history)
    assert ours.epoch == theirs.epoch
    assert ours.params == theirs.params
    for name, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=close, err_msg=name)
    # TensorFlow's fit builds metrics in its first step: with no epoch it has none.
    for mine, other in zip(state(compiled), state(fitted), strict=bool(theirs.epoch)):
        scale = np.abs(other).max(initial=0.0)
        np.testing.assert_allclose(mine, other, rtol=close, atol=close * float(scale))
    for mine, other in zip(compiled.optimizer.variables, fitted.optimizer.variables, strict=False):
        # A gradient near zero is what is left of terms that cancel out.
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=100 * close, atol=1e-7)


def check(build: Any, x: Any, y: Any, close: float = CLOSE, **arguments: Any) -> tuple[Any, Any]:
    fitted, compiled = twins(build)
    arguments = {"epochs": EPOCHS, "verbose": 0, "shuffle": False, **arguments}
    keras.utils.set_random_seed(5)
    theirs = fitted.fit(x, y, **arguments)
    keras.utils.set_random_seed(5)
    ours = fast_fit(compiled, x, y, **arguments)
    assert_same(fitted, compiled, theirs, ours, close)
    return fitted, compiled


@pytest.mark.parametrize("number", range(ARCHITECTURES))
def test_dense_architectures_train_as_with_fit(number: int) -> None:
    drawn = _draw(number)
    check(lambda: dense(drawn), *data(drawn.task), batch_size=drawn.batch_size)


@pytest.mark.skipif(BACKEND != "jax", reason="of the layout of narrow chains")
@pytest.mark.parametrize(("task", "batch_size"), [("classification", 200), ("regression", 130)])
def test_dense_chains_over_many_rows_train_as_with_fit(task: str, batch_size: int) -> None:
    drawn = Drawn((6, 3, 6), ("relu", "tanh", "elu"), task, "adam", batch_size)
    check(lambda: dense(drawn), *data(task, rows=200), batch_size=batch_size)


@pytest.mark.skipif(BACKEND != "jax", reason="of the layout of narrow chains")
def test_dense_chains_over_thousands_of_rows_train_as_with_fit() -> None:
    drawn = Drawn((4, 3), ("relu", "tanh"), "classification", "adam", 5000)
    check(lambda: dense(drawn), *data(rows=5000), batch_size=5000, epochs=10)


@pytest.mark.skipif(BACKEND != "jax", reason="of XLA's programs")
def test_few_cells_in_thousands_of_rows_take_no_logarithms_row_by_row_and_one_core() -> None:
    drawn = Drawn((4,), ("relu",), "classification", "adam", 5000)
    prepared = prepare(dense(drawn), *data(rows=5000), batch_size=5000)
    prepared.compile()
    program: Any = prepared.program
    text = program._chosen._compiled.as_text()
    functions = text.split("\n\n")
    assert any(" log(" in function for function in functions)
    assert not any(" log(" in one and " reduce(" in one for one in functions)
    # Nor is so little work parted over cores.
    assert "fusion(" in text
    assert 'partitions":["' not in text


@pytest.mark.skipif(BACKEND != "jax", reason="of XLA's options")
@pytest.mark.parametrize("steps", [24, 80])
def test_xla_takes_sums_itself_where_most_are_of_short_rows(steps: int) -> None:
    inputs = keras.Input((steps, 8))
    hidden = layers.MultiHeadAttention(4, 4)(inputs, inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(hidden)))
    model.compile("adam", "mse")
    rows = np.random.default_rng(1).normal(size=(32, steps, 8)).astype(np.float32)
    prepared = prepare(model, rows, rows[:, 0, :1], batch_size=32)
    prepared.compile()
    program: Any = prepared.program
    text = program._chosen._compiled.as_text()
    by_library = set(re.findall(r"kind=kCustom, calls=(%[\w.-]+)", text))
    functions = {one.strip().split()[0]: one for one in text.split("\n\n") if one.strip()}
    assert by_library <= set(functions)
    if steps == 24:
        # Else a library takes sums, where this XLA has one.
        assert not any(" reduce(" in functions[one] for one in by_library)


@pytest.mark.skipif(BACKEND != "jax", reason="of XLA's options")
def test_a_compiler_that_does_not_know_an_option_does_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nnbench.training.compiled import jax_dense_chain

    monkeypatch.setitem(jax_dense_chain.PRODUCTS_ONLY, "xla_no_such_option", "1")
    drawn = Drawn((4,), ("relu",), "classification", "adam", 5000)
    prepared = prepare(dense(drawn), *data(rows=5000), batch_size=5000)
    assert np.isfinite(prepared.run(2)["loss"]).all()


class Gated(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.gate = layers.Dense(4, activation="sigmoid")
        self.value = layers.Dense(4, kernel_regularizer="l2")
        self.out = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.out(self.gate(x) * self.value(x))


def functional() -> Any:
    inputs = keras.Input((FEATURES,))
    left = layers.Dense(4, activation="tanh")(inputs)
    right = layers.LayerNormalization()(layers.Dense(4)(inputs))
    outputs = layers.Dense(1)(layers.Concatenate()([left, right]))
    return keras.Model(inputs, outputs)


def normalised() -> Any:
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )


def dropped(seed: int | None = None) -> Any:
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.3, seed=seed),
            layers.GaussianNoise(0.1, seed=seed),
            layers.Dense(1),
        ]
    )


def convolved() -> Any:
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Reshape((FEATURES, 1)),
            layers.Conv1D(4, 2, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )


def compiled_with(build: Any, optimizer: Any = "adam", loss: str = "mse", **more: Any) -> Any:
    def compile_it() -> Any:
        model = build()
        chosen = optimizer() if callable(optimizer) else optimizer
        model.compile(optimizer=chosen, loss=loss, **more)
        return model

    return compile_it


@pytest.mark.parametrize(
    ("build", "batch_size"),
    [(Gated, 32), (functional, ROWS), (normalised, 32), (dropped, 32), (convolved, 35)],
)
def test_other_models_train_as_with_fit(build: Any, batch_size: int) -> None:
    check(compiled_with(build), *data("regression"), batch_size=batch_size, epochs=4)


def test_seeded_dropout_trains_as_with_fit() -> None:
    check(compiled_with(lambda: dropped(seed=3)), *data("regression"), epochs=4)


def schedule() -> Any:
    return keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9))


@pytest.mark.parametrize(
    "optimizer",
    in_turn(
        [
            schedule,
            lambda: keras.optimizers.SGD(0.05, nesterov=True, momentum=0.8, clipnorm=0.1),
            lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=0.5),
            lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=7),
            lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
        ]
    ),
)
def test_what_an_optimizer_can_do_besides(optimizer: Any) -> None:
    drawn = Drawn((6, 3), ("relu", "tanh"), "regression", "adam", 32)

    def build() -> Any:
        model = dense(drawn)
        model.compile(optimizer(), "mse")
        return model

    check(build, *data("regression"), epochs=5)


@pytest.mark.parametrize(("policy", "close"), [("mixed_bfloat16", 2e-2), ("mixed_float16", 3e-3)])
def test_mixed_precision(policy: str, close: float) -> None:
    def build() -> Any:
        model = keras.Sequential(
            [
                keras.Input((FEATURES,)),
                layers.Dense(8, activation="tanh", dtype=policy),
                layers.Dense(1, dtype="float32"),
            ]
        )
        optimizer = keras.optimizers.SGD(0.01)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(optimizer, "mse")
        return model

    check(build, *data("regression"), close=close, epochs=4)


def classifier() -> Any:
    return dense(Drawn((6,), ("relu",), "classification", "adam", 32))


def with_accuracy() -> Any:
    model = classifier()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], weighted_metrics=["mse"])
    return model


@pytest.mark.parametrize(
    "arguments",
    in_turn(
        [
            {"validation_split": 0.3},
            {"validation_split": 0.3, "validation_freq": 2, "validation_batch_size": 9},
            {"validation_freq": [2, 5], "validation_data": data(rows=20)},
            {"class_weight": {0: 1.0, 1: 3.0}},
            {"sample_weight": np.linspace(0.1, 2.0, ROWS), "validation_split": 0.2},
            {"initial_epoch": 2, "batch_size": 1000},
            {"shuffle": "batch", "batch_size": ROWS, "epochs": 3},
            {"steps_per_epoch": 5, "batch_size": None, "validation_steps": 2}
            | {"validation_split": 0.4},
            {"epochs": 0},
        ]
    ),
    ids=str,
)
def test_arguments_of_fit(arguments: dict[str, Any]) -> None:
    check(with_accuracy, *data(), **{"epochs": 6, **arguments})


def test_several_inputs_and_integer_classes() -> None:
    x, _ = data()
    parts = {"left": x[:, :2], "right": x[:, 2:]}
    classes = (np.arange(ROWS) % 3).astype("int64")

    def build() -> Any:
        left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
        both = layers.Concatenate()([left, right])
        model = keras.Model(
            {"left": left, "right": right}, layers.Dense(3, activation="softmax")(both)
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    check(build, parts, classes, epochs=5)


def test_fit_evaluate_and_save_go_on_from_there(tmp_path: Path) -> None:
    x, y = data()
    fitted, compiled = check(with_accuracy, x, y, epochs=4)
    assert compiled.optimizer.iterations == fitted.optimizer.iterations == 4 * 3
    again = {"epochs": 3, "shuffle": False, "verbose": 0}
    theirs = fitted.fit(x, y, **again).history["loss"]
    np.testing.assert_allclose(compiled.fit(x, y, **again).history["loss"], theirs, rtol=CLOSE)
    third = fitted.fit(x, y, **again).history["loss"]
    np.testing.assert_allclose(fast_fit(compiled, x, y, **again).history["loss"], third, rtol=CLOSE)
    loss = compiled.evaluate(x, y, verbose=0)[0]
    compiled.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0)[0] == pytest.approx(loss, rel=1e-6)


def test_a_loss_that_is_not_a_number_goes_through() -> None:
    x, y = data("regression")
    build = compiled_with(functional, lambda: keras.optimizers.SGD(1e30))
    _, model = twins(build)
    history = fast_fit(model, x, y, epochs=5, verbose=0)
    assert np.isnan(history.history["loss"][-1])


def test_shuffling_visits_every_row_once_and_follows_its_seed() -> None:
    x = np.arange(ROWS, dtype="float32")[:, None]

    class Seen(keras.Model):
        """Its loss is the last batch's sum of rows: an epoch's order is seen in its mean."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = layers.Dense(1, use_bias=False, kernel_initializer="ones")

        def call(self, x: Any) -> Any:
            return self.scale(x)

    def losses(seed: int, shuffle: bool = True) -> list[float]:
        model = Seen()
        model.compile(keras.optimizers.SGD(1e-6), "mse")
        history = fast_fit(
            model, x, 0 * x, epochs=3, batch_size=16, seed=seed, shuffle=shuffle, verbose=0
        )
        return list(history.history["loss"])

    frozen = Seen()
    frozen.compile(keras.optimizers.SGD(0.0), "mse")
    still = fast_fit(frozen, x, 0 * x, epochs=3, batch_size=16, verbose=0).history["loss"]
    np.testing.assert_allclose(still, np.mean(x**2), rtol=1e-5)
    assert losses(1) == losses(1)
    assert losses(1) != losses(2)
    assert losses(1) != losses(1, shuffle=False)


def test_set_random_seed_decides_the_shuffling() -> None:
    x, y = data()

    def losses() -> list[float]:
        keras.utils.set_random_seed(3)
        return list(fast_fit(classifier(), x, y, epochs=3, verbose=0).history["loss"])

    assert losses() == losses()


def test_stages_add_up_to_one_training() -> None:
    x, y = data()
    fitted, compiled = twins(classifier)
    losses = fitted.fit(x, y, epochs=5, batch_size=ROWS, verbose=0).history["loss"]
    prepared = prepare(compiled, x, y, batch_size=ROWS)
    prepared.trace()
    prepared.compile()
    before = [weights.copy() for weights in compiled.get_weights()]
    parts = [prepared.run(1)["loss"], prepared.run(4)["loss"]]
    prepared.sync()
    np.testing.assert_allclose(np.concatenate(parts), losses, rtol=CLOSE)
    assert any((a != b).any() for a, b in zip(before, compiled.get_weights(), strict=True))


class Listener(keras.callbacks.Callback):
    def __init__(self, stop_after: int = 10**6) -> None:
        super().__init__()
        self.heard: list[int] = []
        self.weights: list[Any] = []
        self.stop_after = stop_after

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.heard.append(epoch)
        self.weights.append(self.model.get_weights()[0].copy())
        self.model.stop_training = epoch >= self.stop_after


def test_callbacks_hear_of_every_epoch_and_see_its_weights() -> None:
    x, y = data()
    fitted, compiled = twins(classifier)
    theirs, ours = Listener(), Listener()
    fitted.fit(x, y, epochs=4, shuffle=False, verbose=0, callbacks=[theirs])
    fast_fit(compiled, x, y, epochs=4, shuffle=False, verbose=0, callbacks=[ours])
    assert ours.heard == theirs.heard
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=CLOSE, atol=1e-6)


def test_callbacks_every_third_epoch_and_stopping() -> None:
    x, y = data()
    listener = Listener(stop_after=5)
    history = fast_fit(
        classifier(), x, y, epochs=20, verbose=0, callbacks=[listener], callback_every=3
    )
    assert listener.heard == [2, 5]
    assert history.epoch == list(range(6))
    assert len(history.history["loss"]) == 6


def test_a_learning_rate_scheduler_trains_as_with_fit() -> None:
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (1 + epoch))
    check(classifier, *data(), epochs=5, callbacks=[scheduler])


class SetsTheRate(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = 0.1 / (epoch + 1)


class LogsTheRate(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["rate"] = float(self.model.optimizer.learning_rate)


def test_callbacks_that_hear_of_an_epochs_beginning_are_called_for_every_one() -> None:
    x, y = data()
    fitted, compiled = twins(classifier)

    def callbacks() -> list[Any]:
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (1 + epoch))
        stops = keras.callbacks.EarlyStopping("loss", patience=2, min_delta=9, start_from_epoch=2)
        return [schedule, stops]

    options = {"epochs": 9, "shuffle": False, "verbose": 0}
    heard: list[int] = []
    seldom = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(epoch))
    theirs = fitted.fit(x, y, callbacks=callbacks(), **options)
    ours = fast_fit(compiled, x, y, callbacks=[*callbacks(), seldom], callback_every=3, **options)
    assert_same(fitted, compiled, theirs, ours)
    assert heard == [2, theirs.epoch[-1]]


class DoublesTheFactor(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.layers[0].factor *= 2


class Scaled(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.factor, self.calls = 1.0, 0

    def call(self, x: Any) -> Any:
        self.calls += 1
        return x * (self.factor + self.calls)


def scaled() -> Any:
    return keras.Sequential([keras.Input((FEATURES,)), Scaled(), layers.Dense(1)])


SCALED = compiled_with(scaled, lambda: keras.optimizers.SGD(1e-4))


@pytest.mark.parametrize(
    ("build", "callback", "what"),
    in_turn(
        [
            (classifier, SetsTheRate, "learning_rate"),
            (classifier, LogsTheRate, "the logs"),
            (SCALED, DoublesTheFactor, "an attribute"),
        ]
    ),
)
def test_a_callback_that_sets_something_is_left_out_of_no_epoch(
    build: Any, callback: Any, what: str
) -> None:
    x, y = data()
    fitted, compiled = twins(build)
    options = {"epochs": 5, "shuffle": False, "verbose": 0}
    theirs = fitted.fit(x, y, callbacks=[callback()], **options)
    more = {"callbacks": [callback()], "callback_every": 2, **options}
    with pytest.raises(UserError, match=f"{callback.__name__} changes .*{what}.*callback_every=2"):
        fast_fit(twins(build)[1], x, y, **more)
    with pytest.warns(UserWarning, match="model.fit now, .*callbacks were called .* already"):
        ours = fast_fit(compiled, x, y, otherwise="fit", **more)
    assert_same(fitted, compiled, theirs, ours)


def test_a_callback_within_the_epoch_is_refused_by_name() -> None:
    x, y = data()
    with pytest.raises(UserError, match="TerminateOnNaN wants Python within an epoch"):
        fast_fit(classifier(), x, y, callbacks=[keras.callbacks.TerminateOnNaN()], verbose=0)


class Peeking(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        if float(keras.ops.sum(x)) > 0:
            return x
        return 2 * x


def peeking() -> Any:
    return keras.Sequential([layers.Dense(3), Peeking(name="peeking"), layers.Dense(1)])


@pytest.mark.skipif(BACKEND == "torch", reason="Torch can take such a step as it is")
def test_a_layer_that_cannot_be_traced_is_named() -> None:
    x, y = data("regression")
    _, model = twins(compiled_with(peeking))
    with pytest.raises(UserError, match=r"layer 'peeking' \(Peeking\).*model\.fit"):
        fast_fit(model, x, y, verbose=0)


class SetsTheFactor(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.layers[0].factor = 3.0 + epoch


@pytest.mark.parametrize("batch_size", [ROWS, 32])
@pytest.mark.parametrize("callbacks", [[], [SetsTheFactor()]])
def test_what_a_layer_keeps_in_python_counts_as_with_fit(batch_size: int, callbacks: Any) -> None:
    check(SCALED, *data("regression"), batch_size=batch_size, epochs=4, callbacks=callbacks)


class OwnStep(keras.Model):
    """Writes into its batch, as Keras' own mask does into sample weights."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        y *= 0.5
        return keras.ops.mean(keras.ops.square(y - y_pred))


def masked() -> Any:
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Embedding(4, 3, mask_zero=True),
            layers.Dropout(0.2, seed=3),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    return model


@pytest.mark.parametrize("batch_size", [32] if BACKEND == "tensorflow" else [ROWS, 32])
def test_no_step_changes_the_data_of_the_next_epoch(batch_size: int) -> None:
    x, y = data("regression")
    tokens, targets = (np.abs(2 * x)).astype("int64") % 4, np.repeat(y[..., None], FEATURES, 1)
    weights = np.linspace(0.5, 1.5, x.size).reshape(x.shape)
    arguments: dict[str, Any] = {"batch_size": batch_size, "epochs": 4, "sample_weight": weights}
    arguments["validation_data"] = (tokens[:20], targets[:20], weights[:20])
    check(masked, tokens, targets, **arguments)
    if BACKEND == "torch":
        kept = y.copy()
        check(compiled_with(OwnStep, loss=None), x, y, batch_size=batch_size, epochs=4)
        np.testing.assert_array_equal(y, kept)


class Reconstructs(layers.Layer):
    def call(self, given: Any) -> Any:
        x, made = given
        self.add_loss(keras.ops.mean(keras.ops.square(x - made)))
        return made


def test_a_layer_that_adds_to_the_loss_is_compiled_without_targets() -> None:
    def build() -> Any:
        inputs = keras.Input((FEATURES,))
        made = layers.Dense(FEATURES)(layers.Dense(3, "tanh")(inputs))
        model = keras.Model(inputs, Reconstructs()([inputs, made]))
        model.compile("adam")
        return model

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check(build, data()[0], None, epochs=4)


def reads_the_count() -> Any:
    optimizer = keras.optimizers.SGD(lambda: 0.1 / (1 + int(np.asarray(optimizer.iterations))))
    return optimizer


@pytest.mark.skipif(BACKEND != "torch", reason="elsewhere fit holds it as well, or cannot")
def test_torch_records_nothing_that_is_read_out() -> None:
    build = compiled_with(functional, reads_the_count)
    _, model = twins(build)
    with pytest.warns(UserWarning, match="hands values to NumPy: it is taken as fit takes it"):
        fast_fit(model, *data("regression"), verbose=0)
    check(build, *data("regression"), epochs=4)


@pytest.mark.skipif(BACKEND != "torch", reason="elsewhere a step runs in Python once")
def test_torch_refuses_a_step_that_counts_out_of_sight() -> None:
    count = iter(range(1, 99))
    model = compiled_with(functional, lambda: keras.optimizers.SGD(lambda: 0.1 / next(count)))()
    with pytest.raises(UserError, match="another one each time"):
        fast_fit(model, *data("regression"), verbose=0)


class Doubles(layers.Layer):
    made: ClassVar[list[Any]] = []

    def call(self, x: Any) -> Any:
        doubled = 2 * x
        if getattr(doubled, "requires_grad", False) and not doubled.is_meta:
            self.made.append(weakref.ref(doubled))
        return doubled


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
def test_a_check_of_a_recording_leaves_no_trace() -> None:
    def build() -> Any:
        inner = [layers.BatchNormalization(), Doubles(), layers.Dropout(0.3), layers.Dense(1)]
        return keras.Sequential([keras.Input((FEATURES,)), *inner])

    _, model = twins(compiled_with(build, metrics=["mae"]))
    prepared = prepare(model, *data("regression"), batch_size=32)
    before = [*map(np.copy, state(model)), *(v.numpy() for v in model.optimizer.variables)]
    random.seed(3)
    drawn = random.random(), random.seed(3)
    prepared.trace()
    after = [*state(model), *(v.numpy() for v in model.optimizer.variables)]
    for mine, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(mine, other)
    program: Any = prepared.program
    assert program.form == "a recorded step"
    assert Doubles.made
    gc.collect()
    assert not any(made() is not None for made in Doubles.made)
    assert random.random() == drawn[0]


class TwoSteps(keras.Model):
    """A training step of its own, with an optimizer of its own and a seed."""

    def __init__(self, clears: bool = True) -> None:
        super().__init__()
        self.made, self.judged = layers.Dense(FEATURES), layers.Dense(1)
        self.seeds, self.clears = keras.random.SeedGenerator(3), clears
        self.mean = keras.metrics.Mean(name="loss")

    def compile(self, *given: Any, **named: Any) -> None:
        super().compile(*given, **named)
        self.second = keras.optimizers.SGD(0.01, momentum=0.9)

    def call(self, x: Any) -> Any:
        return self.judged(self.made(x))

    @property
    def metrics(self) -> list[Any]:
        return [self.mean]

    def train_step(self, batch: Any) -> Any:
        x, y = batch
        for layer, optimizer in ((self.made, self.optimizer), (self.judged, self.second)):
            if self.clears:
                self.zero_grad()
            noise = keras.random.normal(x.shape, seed=self.seeds)
            loss = keras.ops.mean(keras.ops.square(self(x + noise) - y))
            loss.backward()
            weights = layer.trainable_weights
            optimizer.apply([weight.value.grad for weight in weights], weights)
        self.mean.update_state(loss)
        return {"loss": self.mean.result(), "last": loss}


class Constants(layers.Layer):
    """Looks at a constant, and writes into another."""

    def call(self, x: Any) -> Any:
        import torch

        times = torch.tensor(0.0)
        while times < 2:
            times = times + 1
        return x * times + torch.tensor([0.0] * FEATURES, device=x.device).add_(x.detach().mean(0))


def momentum() -> Any:
    warms_up = {"warmup_target": 0.02, "warmup_steps": 4}
    rate = keras.optimizers.schedules.CosineDecay(0.001, 30, **warms_up)
    return keras.optimizers.SGD(rate, momentum=0.9)


def stack(*inner: Any) -> Any:
    return lambda: keras.Sequential([keras.Input((FEATURES,)), *(one() for one in inner)])


def read_unseen(variable: Any, kind: Any) -> Any:
    """What a variable holds, read past Torch; 1 of one that is only sketched."""
    address = variable.value.data_ptr()
    return kind.from_address(address).value if address else 1


def unseen_rate(rate: Any) -> Any:
    """An optimizer whose rate is of its count of steps, which it reads unseen."""

    def build() -> Any:
        def now() -> float:
            return float(rate(read_unseen(optimizer.iterations, ctypes.c_int32)))

        optimizer = keras.optimizers.SGD(now)
        return optimizer

    return build


class ReadsItsWeight(layers.Layer):
    """Shrinks its inputs by its weight, which it reads unseen."""

    def build(self, shape: Any) -> None:
        self.weight = self.add_weight(shape=(), initializer="ones")

    def call(self, x: Any) -> Any:
        return self.weight * x / (1 + read_unseen(self.weight, ctypes.c_float))


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
@pytest.mark.parametrize(
    ("build", "optimizer"),
    [
        (functional, unseen_rate(lambda count: 0.1 / (1 + count))),
        (functional, unseen_rate(lambda count: 0.1 if count % 2 else 0.2)),
        (stack(ReadsItsWeight, lambda: layers.Dense(1)), lambda: keras.optimizers.SGD(0.01)),
    ],
    ids=["rate", "every other step", "weight"],
)
def test_torch_finds_what_a_recording_would_hold_for_ever(build: Any, optimizer: Any) -> None:
    build = compiled_with(build, optimizer)
    with pytest.warns(UserWarning, match="takes another step than its recording"):
        _, compiled = check(build, *data("regression"), epochs=3, batch_size=32, shuffle=False)
    (program,) = programs(compiled)
    assert program.form.startswith("fit's own step")


class Noise(layers.Layer):
    """Adds numbers that Keras' own generator draws, which it makes when first asked."""

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x))


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
def test_torch_holds_no_noise_of_a_generator_that_the_first_step_makes() -> None:
    keras.utils.clear_session()
    model = compiled_with(
        stack(Noise, lambda: layers.Dense(1)), lambda: keras.optimizers.SGD(0.0)
    )()
    with pytest.warns(UserWarning, match="takes another step than its recording"):
        losses = fast_fit(model, *data("regression"), epochs=4, verbose=0).history["loss"]
    assert len(set(losses)) == 4


def sequence(kind: str, units: int = 3, both_ways: bool = False, **more: Any) -> Any:
    """What makes a layer that returns a sequence."""

    def make() -> Any:
        layer = getattr(layers, kind)(units, return_sequences=True, **more)
        return layers.Bidirectional(layer) if both_ways else layer

    return make


class Answers(layers.Layer):
    """Begins a sequence with the last state of another, with layers of two kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True
        self.asks = layers.LSTM(3, return_state=True, return_sequences=True, use_bias=False)
        self.tells = layers.GRU(3, return_state=True, return_sequences=True)

    def compute_mask(self, *_: Any) -> None:
        """There are no time steps in what it returns."""

    def call(self, x: Any, mask: Any = None) -> Any:
        asked, hidden, carry = self.asks(x, mask=mask)
        told, last = self.tells(asked, mask=mask, initial_state=[keras.ops.tanh(carry)])
        return keras.ops.concatenate([told[:, 0], told[:, 2], last, hidden, carry], 1)


STEPS = partial(layers.Reshape, (FEATURES, 1))
TOKENS = partial(layers.Embedding, 4, 3, mask_zero=True)
LAST = layers.Flatten, partial(layers.Dense, 1, dtype="float32")

RECURRENT = {
    "lstm": [STEPS, sequence("LSTM"), partial(layers.LSTM, 2, go_backwards=True, dropout=0.2)],
    "gru": [STEPS, sequence("GRU"), partial(layers.GRU, 2, go_backwards=True, dropout=0.2)],
    "both ways": [
        *(STEPS, sequence("LSTM", both_ways=True), sequence("GRU", both_ways=True)),
        lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="sum"),
    ],
    "states": [STEPS, Answers],
    "masked": [
        *(TOKENS, sequence("LSTM"), sequence("GRU", both_ways=True)),
        *(sequence("LSTM", go_backwards=True, zero_output_for_mask=True), partial(layers.GRU, 2)),
    ],
    "masked states": [TOKENS, Answers],
    "double": [STEPS, sequence("LSTM", dtype="float64"), sequence("GRU", dtype="float64")],
    "dropout from step to step": [
        *(STEPS, sequence("LSTM", recurrent_dropout=0.2), sequence("GRU", recurrent_dropout=0.2))
    ],
    "other forms": [
        *(STEPS, sequence("LSTM", activation="relu"), sequence("GRU", reset_after=False)),
        *(sequence("LSTM", unroll=True), sequence("GRU", use_cudnn=False)),
    ],
    "half": [STEPS, *(sequence(one, dtype="mixed_bfloat16") for one in ("LSTM", "GRU"))],
}
IN_FEW_OPERATIONS = {
    "lstm": {"mkldnn_rnn_layer": 2},
    "gru": {"gru": 2},
    "both ways": {"mkldnn_rnn_layer": 4, "gru": 2},
    "states": {"mkldnn_rnn_layer": 1, "gru": 1},
    "masked": {"lstm": 2, "gru": 3},
    "masked states": {"lstm": 1, "gru": 1},
    "double": {"lstm": 1, "gru": 1},
}
"""Operations that each of them takes for all time steps; the others take Keras' for each."""


def images() -> Any:
    """Convolutions of several kinds over images of 6 x 5 pixels of 3 channels."""
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.RepeatVector(18),
            layers.Reshape((6, FEATURES, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2, padding="same"),
            layers.DepthwiseConv2D(2, activation="tanh"),
            layers.Conv2D(4, 2, strides=2, padding="same", groups=2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
def test_torch_copies_no_images() -> None:
    model = compiled_with(images)()
    fast_fit(model, *data("regression"), batch_size=ROWS, verbose=0)
    (program,) = programs(model)
    (recorded,) = program._recordings.values()
    copies = [op for op in recorded._tape.ops if "clone" in str(op.call)]
    # Of three convolutions' kernels, and of what is repeated.
    assert len(copies) == 4


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
@pytest.mark.parametrize("form", RECURRENT)
def test_torch_takes_recurrent_layers_in_few_operations(form: str) -> None:
    from keras.src import backend

    from nnbench.training.compiled import torch_recurrent

    plain = backend.lstm, backend.gru, layers.LSTM.inner_loop, layers.GRU.inner_loop
    x, y = data("regression")
    if TOKENS in RECURRENT[form]:
        x = np.abs(2 * x).astype("int64") % 4
    taken = IN_FEW_OPERATIONS.get(form, {})
    _, compiled = check(compiled_with(stack(*RECURRENT[form], *LAST), momentum), x, y, epochs=4)
    (program,) = programs(compiled)
    assert program.form == "a recorded step"
    for recording in program._recordings.values():
        own = filter(torch_recurrent.is_own, recording._tape.ops)
        assert Counter(str(op.call).split(".")[1] for op in own) == taken
    assert plain == (backend.lstm, backend.gru, layers.LSTM.inner_loop, layers.GRU.inner_loop)


@pytest.mark.skipif(BACKEND != "jax", reason="of what JAX traces")
@pytest.mark.parametrize("form", ["gru", "both ways", "masked", "other forms"])
def test_jax_takes_grus_in_few_operations(form: str, monkeypatch: Any) -> None:
    from keras.src import backend

    from nnbench.training.compiled import jax_gru

    plain, taken = backend.gru, []
    states = jax_gru._gru_states
    monkeypatch.setattr(jax_gru, "_gru_states", lambda *given: taken.append(1) or states(*given))
    x, y = data("regression")
    if TOKENS in RECURRENT[form]:
        x = np.abs(2 * x).astype("int64") % 4
    check(compiled_with(stack(*RECURRENT[form], *LAST), momentum), x, y, epochs=4)
    assert bool(taken) == (form in ("gru", "both ways"))
    assert backend.gru is plain


@pytest.mark.skipif(BACKEND != "jax", reason="of what JAX traces")
@pytest.mark.parametrize(
    ("form", "known"),
    [
        ({}, True),
        ({"epsilon": 0.1, "axis": 1}, True),
        ({"scale": False}, False),
        ({"center": False}, False),
    ],
)
def test_jax_normalises_layers_with_the_gradient_written_out(
    form: dict[str, Any], known: bool, monkeypatch: Any
) -> None:
    from nnbench.training.compiled import jax_layer_norm

    plain, taken = jax_layer_norm._normalised, []
    told = lambda *given: taken.append(1) or plain(*given)  # noqa: E731
    monkeypatch.setattr(jax_layer_norm, "_normalised", told)
    norm = partial(layers.LayerNormalization, **form)
    build = compiled_with(stack(lambda: layers.Dense(4), norm, *LAST), momentum)
    check(build, *data("regression"), epochs=4)
    assert bool(taken) == known


@pytest.mark.skipif(BACKEND != "jax", reason="of what JAX traces")
@pytest.mark.parametrize("axis", [1, [1, 2], -1])
def test_jax_normalises_over_any_axes_as_with_fit(axis: Any) -> None:
    norm = partial(layers.LayerNormalization, axis=axis)
    check(compiled_with(stack(STEPS, sequence("LSTM"), norm, *LAST), momentum), *data("regression"))


class Slope(keras.Model):
    """Its loss holds a derivative forwards."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = [layers.GRU(2), layers.LayerNormalization(), layers.Dense(1)]

    def call(self, x: Any) -> Any:
        for layer in self.inner:
            x = layer(x)
        return x

    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        import jax

        _, slope = jax.jvp(self, (x,), (keras.ops.ones_like(x),))
        return keras.ops.mean((y - y_pred) ** 2) + keras.ops.mean(slope**2)


@pytest.mark.skipif(BACKEND != "jax", reason="of what JAX differentiates")
def test_a_derivative_forwards_goes_through_a_gru_as_with_fit() -> None:
    x, y = data("regression")
    check(compiled_with(Slope, momentum, loss=None), x[..., None], y, epochs=3)


class Smooth(keras.Model):
    """Its loss holds a gradient, so its training takes a gradient of a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = [layers.LSTM(2, return_sequences=True), layers.GRU(2), layers.Dense(1)]

    def call(self, x: Any) -> Any:
        for layer in self.inner:
            x = layer(x)
        return x

    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        import torch

        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self(x).sum(), x, create_graph=True)
        return keras.ops.mean((y - y_pred) ** 2) + keras.ops.mean(slope**2)


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
def test_a_gradient_of_a_gradient_goes_through_recurrent_layers_as_with_fit() -> None:
    x, y = data("regression")
    _, compiled = check(compiled_with(Smooth, momentum, loss=None), x[..., None], y, epochs=3)
    (program,) = programs(compiled)
    assert program.form == "a recorded step"
    assert not any(one.adds_in_another_order for one in program._recordings.values())


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
@pytest.mark.parametrize("optimizer", ["sgd", momentum, "adadelta"])
def test_torch_leaves_an_optimizers_rate_on_the_device(optimizer: Any) -> None:
    import torch

    from nnbench.training.compiled import torch_tape

    model = compiled_with(stack(lambda: layers.Dense(3), lambda: layers.Dense(1)), optimizer)()
    prepared = prepare(model, *data("regression"), batch_size=32)
    prepared.trace()
    program: Any = prepared.program
    recording = next(iter(program._recordings.values()))
    assert recording._tape.in_python
    tape = torch_tape.on_device(recording._tape)
    assert not tape.in_python
    batch = [torch.as_tensor(part[:32]) for part in data("regression")]
    outcomes = []
    trained = program._all_of(recording)
    begun = [value.clone() for value in trained]
    for step in (recording._run, torch_tape.function(tape, tape.outputs)):
        for value, before in zip(trained, begun, strict=True):
            value.data.copy_(before)
        with torch.no_grad():
            step(*batch)
        outcomes.append([value.clone() for value in trained])
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other)
    assert any(not torch.equal(one, before) for one, before in zip(outcomes[1], begun, strict=True))


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
@pytest.mark.parametrize(
    ("build", "optimizer"),
    [
        (lambda: dropped(seed=3), momentum),
        (dropped, momentum),
        (stack(lambda: layers.GaussianDropout(0.2, seed=1), lambda: layers.Dense(1)), "nadam"),
        (stack(lambda: layers.Dense(4), layers.BatchNormalization, lambda: layers.Dense(1)), "sgd"),
        (stack(*RECURRENT["dropout from step to step"], *LAST), "lion"),
        (stack(Constants, lambda: layers.Dense(1)), "rmsprop"),
        (TwoSteps, momentum),
        (images, momentum),
    ],
    ids=["seeded", "unseeded", "noise", "batchnorm", "gru", "constants", "own step", "images"],
)
def test_torch_records_and_trains_bit_for_bit(build: Any, optimizer: Any) -> None:
    fitted, compiled = twins(compiled_with(build, optimizer))
    options = {"epochs": 4, "batch_size": 32, "shuffle": False, "verbose": 0}
    histories = []
    for train in (fitted.fit, lambda *given, **told: fast_fit(compiled, *given, **told)):
        keras.utils.set_random_seed(5)
        histories.append(train(*data("regression"), **options).history)
    assert histories[0] == histories[1]
    for mine, other in zip(state(compiled), state(fitted), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert [program.form for program in programs(compiled)] == ["a recorded step"]


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
@pytest.mark.parametrize(
    ("build", "why"),
    [(lambda: TwoSteps(False), "adds to the gradients"), (peeking, "looks at values in Python")],
)
def test_torch_says_what_it_cannot_record(build: Any, why: str) -> None:
    build = compiled_with(build, momentum)
    with pytest.warns(UserWarning, match=f"the model's training step {why}"):
        _, compiled = check(build, *data("regression"), epochs=3)
    (program,) = programs(compiled)
    assert program.form.startswith(f"fit's own step: its training step {why}")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's two compilers")
def test_jit_compile_is_respected_and_a_compiler_that_fails_is_worded() -> None:
    import tensorflow as tf

    class OnThePython(layers.Layer):
        def call(self, x: Any) -> Any:
            y = tf.py_function(lambda a: 2 * a, [x], tf.float32)
            y.set_shape(x.shape)
            return y

    def build() -> Any:
        return keras.Sequential(
            [keras.Input((FEATURES,)), OnThePython(name="python"), layers.Dense(1)]
        )

    build = compiled_with(build, jit_compile=False)
    x, y = data("regression")
    check(build, x, y, epochs=3)
    with pytest.raises(UserError, match=r"the compiler does not take the model: .*EagerPyFunc"):
        fast_fit(build(), x, y, verbose=0, jit_compile=True)
    with pytest.warns(UserWarning, match="trained with model.fit now"):
        history = fast_fit(build(), x, y, verbose=0, jit_compile=True, otherwise="fit")
    assert len(history.history["loss"]) == 1
    model = build()
    fast_fit(model, x, y, verbose=0, jit_compile="auto")
    assert programs(model)[0].form == "a graph of all epochs: no step of it can be tried and undone"


@pytest.mark.skipif(BACKEND == "torch", reason="Keras' own fit fails on it there")
def test_a_stateful_network_with_a_fixed_batch_trains_before_and_after_a_fit() -> None:
    x, y = data("regression")

    def build() -> Any:
        inputs = keras.Input(batch_shape=(35, FEATURES, 1))
        model = keras.Model(inputs, layers.Dense(1)(layers.LSTM(2, stateful=True)(inputs)))
        model.compile("sgd", "mse")
        return model

    options = {"batch_size": 35, "epochs": 2, "shuffle": False, "verbose": 0}
    fitted, compiled = check(build, x[..., None], y, **options)
    theirs = fitted.fit(x[..., None], y, **options)
    fast = fast_fit(compiled, x[..., None], y, **options)
    np.testing.assert_allclose(fast.history["loss"], theirs.history["loss"], rtol=CLOSE)


def programs(model: Any) -> list[Any]:
    kept = vars(model)["_nnbench_kept"]
    return [prepared.program for _, _, prepared in kept.programs]


@pytest.mark.parametrize("batch_size", [ROWS, 32])
def test_a_second_training_needs_no_new_program(batch_size: int) -> None:
    fitted, compiled = check(classifier, *data(), batch_size=batch_size, epochs=2)
    (first,) = programs(compiled)
    for x, y in (data(), tuple(part[::-1].copy() for part in data())):
        options = {"batch_size": batch_size, "epochs": 3, "verbose": 0, "shuffle": False}
        theirs = fitted.fit(x, y, **options)
        ours = fast_fit(compiled, x, y, **options)
        assert_same(fitted, compiled, theirs, ours)
        assert programs(compiled) == [first]


def test_another_program_is_made_of_what_has_changed() -> None:
    fitted, compiled = check(classifier, *data(), epochs=2)

    def frozen() -> None:
        for model in (fitted, compiled):
            model.layers[0].trainable = False
            model.compile("adam", "binary_crossentropy")

    x, y = data()
    for change, rows in ((frozen, ROWS), (lambda: None, ROWS // 2)):
        change()
        options = {"epochs": 2, "verbose": 0, "shuffle": False}
        known = programs(compiled)
        theirs, ours = (
            train(x[:rows], y[:rows], **options)
            for train in (fitted.fit, lambda *data, **told: fast_fit(compiled, *data, **told))
        )
        assert_same(fitted, compiled, theirs, ours)
        assert len(programs(compiled)) == len(known) + 1


def test_of_the_data_nothing_is_kept_and_the_rest_goes_with_its_model() -> None:
    x, y = data()
    model = classifier()
    fast_fit(model, x, y, verbose=0, validation_data=(x, y))
    gone = weakref.ref(x)
    del x
    gc.collect()
    assert programs(model)
    assert gone() is None
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(BACKEND != "torch", reason="of recordings")
def test_torch_records_a_deep_chain_whose_gradients_are_small() -> None:
    banknotes = datasets.load("banknotes")
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(6, "relu") for _ in range(20)]
    model = keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    x, y = banknotes.features, banknotes.labels
    prepared = prepare(model, x, y, batch_size=len(x))
    prepared.compile()
    assert prepared.program.form == "a recorded step"


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX's programs on disk")
def test_programs_are_on_disk_for_the_next_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jax

    found: list[str] = []
    jax.monitoring.register_event_listener(lambda event, **_: found.append(event))
    x, y = data()

    def hits(chosen: Path | str) -> int:
        monkeypatch.setenv("NNBENCH_CACHE", str(chosen))
        keras.utils.set_random_seed(1)
        model = classifier()
        del found[:]
        losses.append(fast_fit(model, x, y, batch_size=35, epochs=2, verbose=0).history["loss"])
        return found.count("/jax/compilation_cache/cache_hits")

    losses: list[Any] = []
    before = dict(jax.config.values)
    assert hits(tmp_path) == 0
    kept = [*tmp_path.rglob("*-cache")]
    assert kept
    assert hits(tmp_path) > 0
    for path in kept:
        path.write_bytes(path.read_bytes()[:-9])
    assert hits(tmp_path) == 0
    hits(tmp_path)
    assert hits(tmp_path) > 0
    assert hits("off") == 0
    monkeypatch.setattr(program_cache, "MOST_BYTES", 1)
    hits(tmp_path)
    assert not [*tmp_path.rglob("*-cache")]
    assert all(one == losses[0] for one in losses)
    assert dict(jax.config.values) == before


@pytest.mark.skipif(BACKEND != "jax", reason="XLA's convolutions in a loop")
def test_convolutions_take_a_program_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    from nnbench.training.compiled.jax_steps import Steps

    def build() -> Any:
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                layers.Conv2D(4, 3, activation="tanh"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse", metrics=["mae"])
        return model

    x = np.random.default_rng(0).normal(size=(70, 12, 12, 1)).astype("float32")
    y = x.mean((1, 2))
    for more in ({}, {"validation_split": 0.2}, {"batch_size": 70}):
        check(build, x, y, epochs=3, **more)
    model = build()
    fast_fit(model, x, y, verbose=0)
    (program,) = programs(model)
    assert isinstance(program._chosen, Steps)
    assert program._chosen._compiled
    fast_fit(classifier(), *data(), verbose=1)
    assert "Trained as one XLA program of all epochs" in capsys.readouterr().out


@pytest.mark.skipif(BACKEND != "jax", reason="how JAX draws it")
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100, 1372])
def test_an_order_is_every_row_once_wherever_it_may_lie(rows: int) -> None:
    import jax

    from nnbench.training.compiled import jax_order

    draw = jax.jit(jax.vmap(lambda key: jax_order.drawn(key, rows)))
    orders = np.asarray(draw(jax.random.split(jax.random.key(0), 600)))
    assert (np.sort(orders, axis=1) == np.arange(rows)).all()
    # Every row comes about as often first as another: beyond 5 deviations once in 10^6.
    first = np.bincount(orders[:, 0], minlength=rows)
    expected = 600 / rows
    assert (np.abs(first - expected) <= 5 * np.sqrt(expected) + 3).all()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's two compilers")
class TestWhetherXlaIsTaken:
    """What is chosen depends on the machine's load; what a choice leaves behind must not."""

    def test_a_choice_leaves_no_trace_and_is_told(self) -> None:
        import tensorflow as tf

        class Counts(layers.Layer):
            """Counts its calls in a variable that Keras does not know."""

            def __init__(self) -> None:
                super().__init__()
                self.hidden = [tf.Variable(0.0)]

            def call(self, x: Any) -> Any:
                self.hidden[0].assign_add(1.0)
                return x

        def build() -> Any:
            inner = [Counts(), layers.BatchNormalization(), layers.Dense(1)]
            return keras.Sequential([keras.Input((FEATURES,)), *inner])

        fitted, model = twins(compiled_with(build, metrics=["mae"]))
        validation = data("regression", rows=20)
        options = {"batch_size": 32, "shuffle": False, "validation_data": validation}
        prepared = prepare(model, *data("regression"), jit_compile="auto", **options)

        def held() -> list[Any]:
            variables = [*model.optimizer.variables, *model.layers[0].hidden]
            return [*map(np.copy, state(model)), *(one.numpy() for one in variables)]

        before = held()
        prepared.compile()
        for mine, other in zip(held(), before, strict=True):
            np.testing.assert_array_equal(mine, other)
        program: Any = prepared.program
        assert "times as fast" in program.form
        theirs = fitted.fit(*data("regression"), epochs=3, verbose=0, **options).history
        for name, values in prepared.run(3).items():
            np.testing.assert_allclose(values, theirs[name], rtol=CLOSE)

    def test_xla_is_tried_only_where_the_epochs_may_pay_for_it(self) -> None:
        model, (x, y) = classifier(), data()
        fast_fit(model, x, y, epochs=2, verbose=0, jit_compile="auto")
        (program,) = programs(model)
        assert program.form == "a graph of all epochs: too short a training to try XLA"
        prepare(model, x, y, jit_compile="auto", epochs=10**7)
        assert "times as fast" in program.form

    @pytest.mark.parametrize(("batch_size", "times"), [(35, 1), (32, 2), (ROWS, 1)])
    def test_a_step_is_in_the_graph_once_for_each_size_of_batch(
        self, batch_size: int, times: int
    ) -> None:
        prepared = prepare(classifier(), *data(), batch_size=batch_size, jit_compile=True)
        prepared.trace()
        program: Any = prepared.program
        definition = program._graph._program.graph.as_graph_def()
        nodes = [node for one in definition.library.function for node in one.node_def]
        name = program._passes.train.name.decode()
        assert sum(node.attr["f"].func.name == name for node in nodes) == times

    def test_convolutions_and_random_numbers_decide_before_any_clock(self) -> None:
        losses = []
        for model, jit in zip(twins(compiled_with(convolved)), (False, True), strict=True):
            options = {"batch_size": 35, "shuffle": False, "jit_compile": jit}
            prepared = prepare(model, *data("regression"), **options)
            losses.append(prepared.run(4)["loss"])
        assert prepared.program.form == "a graph of all epochs, with an XLA program a step"
        np.testing.assert_allclose(*losses, rtol=CLOSE)
        prepared = prepare(compiled_with(dropped)(), *data("regression"), jit_compile="auto")
        prepared.compile()
        assert prepared.program.form.endswith("XLA would draw other random numbers than fit")

    def test_every_form_takes_the_rows_in_the_same_order(self) -> None:
        losses = []
        for jit in (False, True):
            _, model = twins(classifier)
            given = {"seed": 4, "epochs": 3, "batch_size": 35, "verbose": 0, "jit_compile": jit}
            losses.append(fast_fit(model, *data(), **given).history["loss"])
        np.testing.assert_allclose(*losses, rtol=CLOSE)


def test_every_argument_of_fit_is_taken_in_its_order() -> None:
    theirs = list(inspect.signature(keras.Model.fit).parameters)[1:]
    assert list(inspect.signature(fast_fit).parameters)[1 : len(theirs) + 1] == theirs


def test_steps_that_are_not_a_pass_can_be_answered_by_fit() -> None:
    with pytest.raises(UserError, match=r"steps_per_epoch=2 is not one pass .* 3 batches"):
        fast_fit(classifier(), *data(), 32, steps_per_epoch=2, verbose=0)
    with pytest.warns(UserWarning, match="trained with model.fit now"):
        fast_fit(classifier(), *data(), 32, steps_per_epoch=2, verbose=0, otherwise="fit")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: keras.Sequential([layers.Dense(1)]), r"call model\.compile"),
        (compiled_with(functional, run_eagerly=True), "run_eagerly=True"),
    ],
)
def test_models_that_are_refused(model: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        fast_fit(model(), *data(), verbose=0)


def test_a_refusal_can_be_answered_by_fit() -> None:
    model = compiled_with(functional, run_eagerly=True)()
    with pytest.warns(UserWarning, match="trained with model.fit now"):
        history = fast_fit(model, *data(), epochs=2, verbose=0, otherwise="fit")
    assert len(history.history["loss"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch size of 0"),
        ({"callback_every": 0}, "every 0 epochs"),
        ({"otherwise": "cry"}, "choose from raise, fit"),
        ({"sample_weight": np.ones(3)}, "cardinality"),
        ({"validation_split": 1.0}, "validation_split"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fast_fit(classifier(), *data(), verbose=0, **arguments)


def test_data_that_is_not_in_memory_is_refused() -> None:
    with pytest.raises(UserError, match="arrays held in memory, not on a generator"):
        fast_fit(classifier(), (row for row in data()), verbose=0)


def test_verbose_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    model = classifier()
    fast_fit(model, *data(), epochs=3, verbose=2)
    *told, last = capsys.readouterr().out.splitlines()
    form = getattr(programs(model)[0], "form", "")
    assert told[0] == f"Trained as {form}" or not form
    assert last.startswith("Epoch 3/3 - loss: ")
