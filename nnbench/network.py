"""A Keras model from an architecture. Keras must have been started by `devices.start`."""

from typing import TYPE_CHECKING, Any

from nnbench.architecture import Architecture
from nnbench.case import OUTPUT_ACTIVATION, Training

if TYPE_CHECKING:
    import keras

DTYPE_POLICY = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
JIT_COMPILE: dict[str, str | bool] = {"auto": "auto", "on": True, "off": False}


def build(architecture: Architecture, training: Training, features: int) -> "keras.Sequential":
    """A compiled `Sequential`: input of `features` columns, the hidden Dense layers, one output.

    The output cell is a sigmoid for classification and linear for regression. Its output is
    float32 in every precision, as Keras recommends for mixed precision.
    """
    import keras

    policy = DTYPE_POLICY[training.precision]
    model = keras.Sequential(
        [
            keras.Input((features,)),
            *(
                keras.layers.Dense(width, activation=training.activation, dtype=policy)
                for width in architecture.widths
            ),
            keras.layers.Dense(1, activation=OUTPUT_ACTIVATION[training.task], dtype="float32"),
        ]
    )
    model.compile(
        optimizer=_optimizer(training.optimizer),
        loss=training.loss,
        jit_compile=JIT_COMPILE[training.jit],
    )
    return model


def _optimizer(name: str) -> Any:
    import keras

    if name == "momentum":
        return keras.optimizers.SGD(momentum=0.9)
    return keras.optimizers.get(name)
