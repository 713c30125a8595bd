"""What of `Model.fit` the compiled path does the same, on one backend: a row for each thing.

`test_fit_table.py` runs this file in a process for each backend: `python fit_table.py BACKEND`
prints `[section, row, outcome, reason]` a line, for every row or, with `FIRST STEP`, for some.
"""

import contextlib
import importlib
import inspect
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import devices

BACKEND = sys.argv[1]
keras: Any = devices.start(BACKEND, "cpu")
layers, losses, ops = keras.layers, keras.losses, keras.ops

ROWS, BATCH = 11, 4
NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(ROWS, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
YES = (Y > 0).astype("float32")
TOKENS = NUMBERS.integers(1, 5, size=(ROWS, 4))
TOKENS[::2, 2:] = 0
STEPWISE = "same, in a bare loop"

Build = Callable[[], Any]
Table = dict[tuple[str, str], Callable[[], tuple[str, str]]]
ROWS_OF_TABLE: Table = {}


def network(optimizer: Any = "sgd", loss: Any = "mse", **more: Any) -> Build:
    def build() -> Any:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])
        made = optimizer() if callable(optimizer) else optimizer
        model.compile(made, loss() if inspect.isclass(loss) else loss, **more)
        return model

    return build


def row(section: str, name: str, build: Build | None = None, **options: Any) -> None:
    """A training with `fit` and with `fast_fit`, from equal weights; `compare` has the options."""
    ROWS_OF_TABLE[section, name] = lambda: compare(build or network(), **options)


def train(run: Callable[..., Any], data: Any, callbacks: Any, arguments: dict[str, Any]) -> Any:
    x, *rest = data()
    given = {"epochs": 3, "batch_size": BATCH, "shuffle": False, "verbose": 0, **arguments}
    if callbacks is not None:
        given["callbacks"] = callbacks()
    keras.utils.set_random_seed(5)
    with contextlib.redirect_stdout(io.StringIO()):
        return run(x, *rest, **given)


def compare(
    build: Build,
    data: Callable[[], Any] = lambda: (X, Y),
    callbacks: Callable[[], Any] | None = None,
    every: int = 1,
    noise: bool = False,
    **arguments: Any,
) -> tuple[str, str]:
    import nnbench

    def model() -> Any:
        keras.utils.set_random_seed(11)
        return build()

    def fitted() -> Any:
        mine = model()
        return mine, train(mine.fit, data, callbacks, arguments)

    def fast(**more: Any) -> Any:
        mine = model()

        def run(*given: Any, **named: Any) -> Any:
            return nnbench.fast_fit(mine, *given, callback_every=every, **named, **more)

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            history = train(run, data, callbacks, arguments)
        return mine, history, [str(one.message) for one in said]

    try:
        theirs = fitted()
    except Exception as failure:  # noqa: BLE001 (whatever it is, the other is to fail too)
        theirs = failure
    try:
        *ours, said = fast()
    except UserError as refusal:
        if isinstance(theirs, Exception):
            return "neither", str(refusal)
        told = fast(otherwise="fit")[2]
        assert any("trained with model.fit now" in one for one in told), told
        return "refused", str(refusal)
    assert not isinstance(theirs, Exception), f"fit fails ({theirs}) and fast_fit does not"
    if noise:
        varied = [len(set(history.history["loss"])) > 1 for _, history in (theirs, ours)]
        assert varied[0] == varied[1], f"fit varies: {varied[0]}, fast_fit: {varied[1]}"
        return ("drawn anew in each step" if varied[0] else "drawn once, as with fit"), ""
    assert_same(*theirs, *ours)
    notes = [one for one in said if "is taken as fit takes it" in one]
    return (STEPWISE, notes[0]) if notes else ("same", "")


def assert_same(fitted: Any, theirs: Any, compiled: Any, ours: Any) -> None:
    assert list(ours.history) == list(theirs.history)
    assert ours.epoch == theirs.epoch
    for name, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=2e-4, atol=1e-6, err_msg=name)
    for mine, other in zip(compiled.variables, fitted.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=2e-4, atol=1e-5)
    assert int(compiled.optimizer.iterations) == int(fitted.optimizer.iterations)


class Dataset(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


def generator() -> Any:
    while True:
        yield X, Y


def tf_data() -> Any:
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def torch_loader() -> Any:
    import torch

    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(rows, batch_size=4)


def tensors(library: str) -> Callable[[], Any]:
    def data() -> Any:
        module = importlib.import_module(library)
        convert = module.tensor if library == "torch" else module.constant
        return convert(X), convert(Y)

    return data


def jax_arrays() -> Any:
    import jax

    return jax.numpy.asarray(X), jax.numpy.asarray(Y)


def frames() -> Any:
    import pandas as pd

    return pd.DataFrame(X, columns=list("abc")), pd.Series(Y[:, 0])


ARGUMENTS: dict[str, dict[str, Any]] = {
    "batch_size=None": {"batch_size": None},
    "batch_size beyond the rows": {"batch_size": 99},
    "epochs=0": {"epochs": 0},
    "verbose=2": {"verbose": 2},
    "callbacks=[]": {"callbacks": list},
    "validation_split=0.3": {"validation_split": 0.3},
    "validation_data=(x, y)": {"validation_data": (X[:5], Y[:5])},
    "validation_data=(x, y, weights)": {"validation_data": (X[:5], Y[:5], np.arange(5.0))},
    "shuffle=True, one batch": {"shuffle": True, "batch_size": ROWS},
    'shuffle="batch", one batch': {"shuffle": "batch", "batch_size": ROWS},
    "class_weight": {"class_weight": {0: 1.0, 1: 3.0}, "data": lambda: (X, YES)},
    "sample_weight": {"sample_weight": np.linspace(0, 1, ROWS)},
    "class_weight and sample_weight": {
        "class_weight": {0: 1.0, 1: 3.0},
        "sample_weight": np.linspace(0, 1, ROWS),
        "data": lambda: (X, YES),
    },
    "initial_epoch=1": {"initial_epoch": 1},
    "steps_per_epoch, all batches": {"steps_per_epoch": 3},
    "steps_per_epoch, batch_size=None": {"steps_per_epoch": 3, "batch_size": None},
    "steps_per_epoch, fewer": {"steps_per_epoch": 2},
    "validation_steps, all batches": {"validation_steps": 2, "validation_data": (X[:7], Y[:7])},
    "validation_steps, fewer": {"validation_steps": 1, "validation_data": (X[:7], Y[:7])},
    "validation_batch_size": {"validation_batch_size": 3, "validation_data": (X[:7], Y[:7])},
    "validation_freq=2": {"validation_freq": 2, "validation_data": (X[:7], Y[:7])},
    "validation_freq=[1, 3]": {"validation_freq": [1, 3], "validation_data": (X[:7], Y[:7])},
    "validation_freq={1, 3}": {"validation_freq": {1, 3}, "validation_data": (X[:7], Y[:7])},
}

for name, given in ARGUMENTS.items():
    row("Arguments", name, **given)
named = {name.split("=")[0].split(",")[0].split(" ")[0] for name in ARGUMENTS}
# x and y are the data kinds.
assert named >= set(inspect.signature(keras.Model.fit).parameters) - {"self", "x", "y"}, named

DATA: dict[str, Any] = {
    "float64": lambda: (X.astype("float64"), Y.astype("float64")),
    "integers": lambda: ((10 * X).astype("int64"), YES.astype("uint8")),
    "pandas": frames,
    "JAX arrays": jax_arrays,
    "TensorFlow tensors": tensors("tensorflow"),
    "Torch tensors": tensors("torch"),
    "labels missing": lambda: (X,),
    "no rows": lambda: (X[:0], Y[:0]),
}
WHOLE: dict[str, Any] = {
    "generator": (generator, {"steps_per_epoch": 2}),
    "PyDataset": (Dataset, {}),
    "tf.data": (tf_data, {}),
    "DataLoader": (torch_loader, {}),
}
for name, made in DATA.items():
    row("Data", name, data=made)
for name, (make, given) in WHOLE.items():
    row("Data", name, data=lambda make=make: (make(),), batch_size=None, **given)
row("Data", "tf.data for validation", validation_data=tf_data())

OPTIMIZERS = {
    name: kind
    for name, kind in sorted(vars(keras.optimizers).items())
    if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer)
    # A base, and two around others.
    if name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
}
for name, kind in OPTIMIZERS.items():
    row("Optimizers", name, network(lambda kind=kind: kind(0.05)))
Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD
schedules = keras.optimizers.schedules


def counting() -> Callable[[], float]:
    count = iter(range(1, 99))
    return lambda: 0.1 / next(count)


def several(inner: Any) -> Any:
    return keras.optimizers.MultiOptimizer(lambda variable: inner)


VARIANTS = {
    "LossScaleOptimizer": lambda: keras.optimizers.LossScaleOptimizer(Adam(0.05)),
    "MultiOptimizer": lambda: several(SGD(0.05)),
    "a schedule": lambda: SGD(schedules.ExponentialDecay(0.1, 2, 0.5)),
    "a schedule in steps": lambda: SGD(schedules.PiecewiseConstantDecay([3, 6], [0.1, 0.05, 0.01])),
    "a callable that counts": lambda: SGD(counting()),
    "clipnorm": lambda: SGD(0.1, clipnorm=0.01),
    "global_clipnorm": lambda: SGD(0.1, global_clipnorm=0.01),
    "weight_decay": lambda: SGD(0.1, weight_decay=0.1),
    "use_ema": lambda: SGD(0.1, use_ema=True, ema_overwrite_frequency=4),
    "gradient_accumulation_steps": lambda: SGD(0.1, gradient_accumulation_steps=2),
    "loss_scale_factor": lambda: SGD(0.1, loss_scale_factor=8.0),
}
for name, make in VARIANTS.items():
    row("Optimizers", name, network(make))


def masked(loss: Any, last: int = 1, activation: str | None = None) -> Build:
    def build() -> Any:
        embedded = layers.Embedding(5, 2, mask_zero=True)
        outputs = layers.Dense(last, activation=activation)
        model = keras.Sequential([keras.Input((4,), dtype="int32"), embedded, outputs])
        model.compile("sgd", loss() if callable(loss) else loss, weighted_metrics=["mae"])
        return model

    return build


def unmasked() -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(5, 2), layers.Dense(5)])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0))
    return model


TARGETS = (TOKENS[..., None] > 2).astype("float32")
WEIGHTS = np.linspace(0.5, 1.5, 4 * ROWS).reshape(ROWS, 4)
MASKED = {
    "MeanSquaredError": (losses.MeanSquaredError, None),
    "Huber": (losses.Huber, None),
    "BinaryCrossentropy": (losses.BinaryCrossentropy, "sigmoid"),
    "BinaryFocalCrossentropy": (losses.BinaryFocalCrossentropy, "sigmoid"),
}
for name, (loss, activation) in MASKED.items():
    build = masked(loss, activation=activation)
    row("Losses that mask", name, build, data=lambda: (TOKENS, TARGETS))
    row(
        "Losses that mask",
        f"{name}, sample_weight",
        build,
        data=lambda: (TOKENS, TARGETS),
        sample_weight=WEIGHTS,
        epochs=4,
    )
row(
    "Losses that mask",
    "MeanSquaredError, sample_weight, one batch, validation",
    masked(losses.MeanSquaredError),
    data=lambda: (TOKENS, TARGETS),
    sample_weight=WEIGHTS,
    batch_size=ROWS,
    validation_data=(TOKENS, TARGETS, WEIGHTS),
)
row("Losses that mask", "ignore_class", unmasked, data=lambda: (TOKENS, TOKENS))

FOLDER = tempfile.TemporaryDirectory()
SCRATCH = Path(FOLDER.name)
made = keras.callbacks


class LogsTheRate(made.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["rate"] = float(self.model.optimizer.learning_rate)


class SetsTheRate(made.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = 0.1 / (epoch + 1)


class SetsWeights(made.Callback):
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.set_weights([0.5 * value for value in self.model.get_weights()])


CALLBACKS: dict[str, Any] = {
    "BackupAndRestore": lambda: made.BackupAndRestore(SCRATCH / "backup" / "saved.weights.h5"),
    "Callback": made.Callback,
    "CSVLogger": lambda: made.CSVLogger(SCRATCH / "log.csv"),
    "EarlyStopping": lambda: made.EarlyStopping(
        "loss", patience=1, min_delta=9, start_from_epoch=1
    ),
    "History": made.History,
    "LambdaCallback": lambda: made.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    "LearningRateScheduler": lambda: made.LearningRateScheduler(lambda epoch, rate: 0.5 * rate),
    "ModelCheckpoint": lambda: made.ModelCheckpoint(
        SCRATCH / "best.weights.h5", "loss", save_best_only=True, save_weights_only=True
    ),
    "ModelCheckpoint, save_freq=2": lambda: made.ModelCheckpoint(
        SCRATCH / "often.weights.h5", save_weights_only=True, save_freq=2
    ),
    "ProgbarLogger": made.ProgbarLogger,
    "ReduceLROnPlateau": lambda: made.ReduceLROnPlateau("loss", patience=1, min_delta=9.0),
    "SwapEMAWeights": made.SwapEMAWeights,
    "TensorBoard": lambda: made.TensorBoard(str(SCRATCH / "board")),
    "TerminateOnNaN": made.TerminateOnNaN,
    "one that adds to the logs": LogsTheRate,
    "one that sets the rate at the end": SetsTheRate,
    "one that sets weights": SetsWeights,
}
for name, make in CALLBACKS.items():
    build = network(lambda: SGD(0.1, use_ema=True)) if name == "SwapEMAWeights" else network()
    row("Callbacks", name, build, callbacks=lambda make=make: [make()], epochs=5)
    if not name.startswith(("Callback", "History", "BackupAndRestore", "TensorBoard", "Progbar")):
        row(
            "Callbacks, callback_every=3",
            name,
            build,
            callbacks=lambda make=make: [make()],
            epochs=5,
            every=3,
        )
left_out = {"CallbackList", "RemoteMonitor", "OrbaxCheckpoint"}  # no callback, a server, a library
kinds = {name for name, kind in vars(made).items() if inspect.isclass(kind)}
assert kinds - left_out <= set(CALLBACKS), kinds - left_out - set(CALLBACKS)


def within(layer: Callable[[], Any], rate: float = 0.05) -> Build:
    def build() -> Any:
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layers.Dense(1)(layer()(inputs)))
        model.compile(SGD(rate), "mse")
        return model

    return build


class SetsAttribute(made.Callback):
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.layers[1].factor = 1.0 + epoch


class Counts(layers.Layer):
    calls = 0

    def call(self, x: Any) -> Any:
        self.calls += 1
        return x * (1.0 + self.calls)


class Scales(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.factor = 1.0

    def call(self, x: Any) -> Any:
        return x * self.factor


class Draws(layers.Layer):
    def __init__(self, draw: Callable[[Any], Any]) -> None:
        super().__init__(name="noise")
        self.draw = draw

    def call(self, x: Any) -> Any:
        return x + self.draw(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def stateful() -> Any:
    inputs = keras.Input(batch_shape=(5, 3, 1))
    model = keras.Model(inputs, layers.Dense(1)(layers.LSTM(2, stateful=True)(inputs)))
    model.compile("sgd", "mse")
    return model


def two_outputs() -> Any:
    inputs = keras.Input((3,))
    ends = {name: layers.Dense(1, name=name)(inputs) for name in ("a", "b")}
    model = keras.Model(inputs, ends)
    model.compile("sgd", {"a": "mse", "b": "mae"})
    return model


def draws_by_numpy(x: Any) -> float:
    return float(np.random.normal())  # noqa: NPY002


row("Models", "two outputs", two_outputs, data=lambda: (X, {"a": Y, "b": Y}))
row("Models", "BatchNormalization", within(layers.BatchNormalization))
row("Models", "Dropout, seeded", within(lambda: layers.Dropout(0.5, seed=3)))
row("Models", "stateful RNN", stateful, data=lambda: (X[:10, :, None], Y[:10]), batch_size=5)
row("Models", "run_eagerly=True", network(run_eagerly=True))
row("Models", "jit_compile=False", network(jit_compile=False))
if BACKEND != "torch":
    # Inductor needs a C++ compiler.
    row("Models", "jit_compile=True", network(jit_compile=True))
row("Models", "a counter in a layer", within(Counts))
row(
    "Models",
    "an attribute that a callback sets",
    within(Scales),
    callbacks=lambda: [SetsAttribute()],
)


class Outside(losses.Loss):
    """A loss with a weight outside of the model, which a callback sets."""

    weight: Any = 1.0

    def call(self, y: Any, prediction: Any) -> Any:
        return ops.square(y - prediction) * self.weight


class SetsTheWeight(made.Callback):
    def __init__(self, new: Callable[[float], Any]) -> None:
        super().__init__()
        self.new = new

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.new(2.0 + epoch)


def set_number(new: float) -> None:
    Outside.weight = new


VARIABLE = keras.Variable(1.0, trainable=False)


def network_with_variable() -> Any:
    Outside.weight = VARIABLE
    VARIABLE.assign(1.0)
    return network(loss=Outside)()


def network_with_number() -> Any:
    Outside.weight = 1.0
    return network(loss=Outside)()


row(
    "Models",
    "a number outside of it that a callback sets",
    network_with_number,
    callbacks=lambda: [SetsTheWeight(set_number)],
)
row(
    "Models",
    "a variable outside of it that a callback sets",
    network_with_variable,
    callbacks=lambda: [SetsTheWeight(VARIABLE.assign)],
)
for name, draw in {
    "keras.random": lambda x: keras.random.normal(ops.shape(x)),
    "numpy.random": draws_by_numpy,
}.items():
    build = within(lambda draw=draw: Draws(draw), rate=0.0)
    row("Models", f"noise of {name}, unseeded", build, noise=True, batch_size=ROWS)


if __name__ == "__main__":
    first, step = map(int, sys.argv[2:] or (0, 1))
    for (section, name), run in list(ROWS_OF_TABLE.items())[first::step]:
        try:
            outcome, reason = run()
        except Exception as failure:  # noqa: BLE001 (the table shows it, and the test fails)
            outcome, reason = "DIFFERENT", f"{type(failure).__name__}: {str(failure)[:300]}"
        sys.stdout.write(json.dumps([section, name, outcome, reason]) + "\n")
        sys.stdout.flush()
