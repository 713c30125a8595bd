"""Importing Keras without what training does not need: a third of the time it takes with JAX.

Keras itself imports TensorFlow on every backend, where it is installed, to seed it and to save a
model: two seconds that `without_tensorflow` and `set_random_seed` spare. After each of these
everything can be imported as ever.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from nnbench.machine import garbage

OPTIONAL = ("IPython", "matplotlib", "pandas", "sklearn")
"""In a notebook IPython is there already, and stays."""

OPTIONAL_FOR_TENSORFLOW = ("jax", "scipy")
"""It imports all of both, for TFLite's conversion of JAX' functions and for the Keras of before."""

_TF = "tensorflow._api.v2"
_TPU_ATTENTION = "jax.experimental.pallas.ops.tpu.splash_attention"
PUT_OFF = (
    "jax.experimental.sparse.linalg",
    _TPU_ATTENTION,
    f"{_TPU_ATTENTION}.splash_attention_kernel",
    f"{_TPU_ATTENTION}.splash_attention_mask",
    *("h5py", "requests", "rich", "rich.console", "rich.markup", "rich.table"),
    *("keras._tf_keras", "keras.applications", "keras.datasets", "keras.distillation"),
    *("keras.export", "keras.visualization", "keras.wrappers"),
    *("keras.src.applications", "keras.src.datasets", "keras.src.visualization"),
    *(f"{_TF}.compat.v1", f"{_TF}.compat.v2", f"{_TF}.feature_column"),
    *(f"{_TF}.__internal__.feature_column", f"{_TF}.__internal__.distribute.combinations"),
    *(f"{_TF}.__internal__.distribute.multi_process_runner", f"{_TF}.debugging.experimental"),
    *(f"{_TF}.profiler", f"{_TF}.raw_ops", f"{_TF}.tpu"),
)
"""Eigenvalues of sparse matrices, with all of `scipy.sparse`, and attention on TPUs; what saves,
downloads and prints; of Keras networks and data that are downloaded, and what no training asks for;
of TensorFlow its first version, what its own tests need, and what is for TPUs and finding mistakes.
"""

ELSEWHERE = {(f"{_TF}.compat.v1", "placeholder"): "tensorflow.python.ops.array_ops"}
"""Where a module that is put off has from what alone of it every training asks for."""


class Later(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        # What the import system asks of every module must not load this one.
        if name.startswith("__"):
            raise AttributeError(name)
        part = sys.modules.get(f"{self.__name__}.{name}")
        if isinstance(part, Later):
            return part
        if where := ELSEWHERE.get((self.__name__, name)):
            return getattr(importlib.import_module(where), name)
        real = _loaded(self)
        if not hasattr(real, name):
            importlib.import_module(f"{self.__name__}.{name}")
        return getattr(real, name)

    def __dir__(self) -> list[str]:
        return dir(_loaded(self))


def _loaded(stand_in: Later) -> ModuleType:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
    return importlib.import_module(stand_in.__name__)


@contextlib.contextmanager
def only_what_trains(backend: str) -> Iterator[None]:
    """Within, optional modules seem absent and those of `PUT_OFF` are not loaded yet.

    Nor is garbage collected, which takes a quarter of such an import and finds next to nothing.
    """
    more = OPTIONAL_FOR_TENSORFLOW if backend == "tensorflow" else ()
    stand_ins = {name: Later(name) for name in PUT_OFF}
    with garbage.not_collected(), _in_place_of({**dict.fromkeys(OPTIONAL + more), **stand_ins}):
        yield


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Within, TensorFlow seems absent, unless it is here already or Keras is not."""
    with _in_place_of({"tensorflow": None} if "keras" in sys.modules else {}):
        yield


@contextlib.contextmanager
def _in_place_of(stand_ins: dict[str, ModuleType | None]) -> Iterator[None]:
    """Within, these stand for modules that are not imported yet; None makes one seem absent."""
    put = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(put)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in put.items():
            if name in sys.modules and sys.modules[name] is module:
                del sys.modules[name]


def set_random_seed(seed: int) -> None:
    """`keras.utils.set_random_seed`; Keras has been started by `devices.start`."""
    import keras

    with without_tensorflow():
        keras.utils.set_random_seed(seed)
