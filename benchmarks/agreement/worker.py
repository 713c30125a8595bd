"""Trains each kind on one backend with `fit` and on the compiled path; `__main__` starts it.

    python -m benchmarks.agreement.worker BACKEND FOLDER [NAME or FILE.py ...]

writes histories and weights into FOLDER, and prints a line of JSON for each kind that is done: its
name, its file, and what each way of training said.
"""

import functools
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreement import kinds
from nnbench.errors import UserError
from nnbench.machine import devices, keras_import

EPOCHS = 30


def main() -> None:
    backend, folder, *names = sys.argv[1:]
    devices.start(backend, "cpu", 1)
    for position, name in enumerate(names or kinds.KINDS):
        build = _of_file(Path(name)) if name.endswith(".py") else kinds.KINDS[name]
        arrays, told = trained(build, backend)
        file = f"{backend}-{position}.npz"
        np.savez(Path(folder) / file, **arrays)
        print(json.dumps([Path(name).stem if "/" in name else name, file, told]), flush=True)


def trained(build: Callable[[], Any], backend: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Histories and weights by way of training and name; what each way said, if anything."""
    from nnbench import fast_fit

    ways: dict[str, Callable[..., Any]] = {"fit": lambda model, **given: model.fit(**given)}
    ways["compiled"] = fast_fit
    if backend == "tensorflow":
        ways["xla"] = functools.partial(fast_fit, jit_compile=True)
    arrays: dict[str, Any] = {}
    told: dict[str, str] = {}
    for way, run in ways.items():
        found, told[way] = _trained(build, run)
        arrays |= {f"{way}/{name}": values for name, values in found.items()}
    return arrays, told


def _trained(build: Callable[[], Any], run: Callable[..., Any]) -> tuple[dict[str, Any], str]:
    keras_import.set_random_seed(11)
    model, given = build()
    _set_weights(model)
    keras_import.set_random_seed(5)
    options = {"epochs": EPOCHS, "batch_size": 32, "shuffle": False, "verbose": 0, **given}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            history = run(model, **options).history
        except UserError as refusal:
            return {}, f"refused: {refusal}"
        except Exception as failure:  # noqa: BLE001 (the table shows it)
            return {}, f"failed: {type(failure).__name__}: {failure}"[:300]
    found = {f"history/{name}": np.array(values) for name, values in history.items()}
    for position, weight in enumerate(model.variables):
        found[f"weights/{position:03} {weight.path}"] = np.array(weight.numpy())
    notes = [str(one.message) for one in said if "it is taken as fit takes it" in str(one.message)]
    return found, "; ".join(notes)


def _set_weights(model: Any) -> None:
    """The same weights on each backend: as wide as Glorot's, and as Keras has them where equal.

    Those of a model that is not built yet are left to the seed.
    """
    numbers = np.random.default_rng(0)
    for weight in model.weights:
        shape = weight.shape
        if len(shape) > 1 and np.std(weight.numpy()):
            places = int(np.prod(shape[:-2]))
            wide = np.sqrt(2 / (places * (shape[-2] + shape[-1])))
            weight.assign((wide * numbers.normal(size=shape)).astype("float32"))


def _of_file(path: Path) -> Callable[[], Any]:
    """A person's model: a file with `build()` and `load()`."""
    sys.path.insert(0, str(path.parent))

    def build() -> Any:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.build(), dict(zip(("x", "y", "sample_weight"), module.load(), strict=False))

    return build


if __name__ == "__main__":
    main()
