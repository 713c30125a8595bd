"""Arrays of any shape: from an `.npz` file, or from a person's own function."""

import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.machine import child, npz
from nnbench.workload import tasks, user_code
from nnbench.workload.datasets import classes
from nnbench.workload.datasets.classes import Labels
from nnbench.workload.datasets.dataset import LARGEST, TOO_LARGE, Dataset

LIMIT_S = 600
CHILD = "import sys; from nnbench.workload.datasets import arrays; arrays.answer(*sys.argv[1:])"

Array = npt.NDArray[Any]


def load_npz(
    path: Path, *, name: str, source: str, task: str | None, as_given: bool = False
) -> Dataset:
    """Read arrays `x` and `y`, rows first; UserError if they are not there or not finite."""
    found = npz.read(path, ("x", "y"), mend=f"write it with np.savez({path.name!r}, x=..., y=...)")
    if len(found) < 2:
        raise UserError(f"{path} needs the arrays x and y: np.savez({path.name!r}, x=..., y=...)")
    return _data_set(found["x"], found["y"], name=name, source=source, task=task, as_given=as_given)


def load_function(reference: str, *, task: str | None, as_given: bool = False) -> Dataset:
    """Call a function for (x, y) in its own process: it may import a framework. Else UserError."""
    user_code.check(reference)
    with tempfile.TemporaryDirectory() as scratch:
        file, problem = Path(scratch) / "data.npz", Path(scratch) / "problem"
        command = [sys.executable, "-c", CHILD, reference, str(file), str(problem)]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            ended = child.run(command, env=quiet, limit_s=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise UserError(f"{reference} gave no data within {LIMIT_S} s") from None
        if problem.exists():
            raise UserError(problem.read_text(encoding="utf-8"))
        if ended.returncode != 0 or not file.exists():
            last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
            reason = ": ".join([f"its process ended with status {ended.returncode}", *last])
            raise UserError(f"{reference} gave no data ({reason})")
        found = npz.read(file)
        source = f"your function {reference}"
        return _data_set(
            found["x"], found["y"], name=reference, source=source, task=task, as_given=as_given
        )


def answer(reference: str, file: str, problem: str) -> None:
    """Call a person's function and write its arrays, or in one line why there are none."""
    try:
        x, y = _pair(reference, _made(reference))
        np.savez(file, x=_plain(reference, "x", x), y=_plain(reference, "y", y))
    except UserError as mistake:
        told = " ".join(str(mistake).split())
        Path(problem).write_text(told, encoding="utf-8", errors="backslashreplace")


def _made(reference: str) -> Any:
    """What a person's function returns. Raises UserError, which says where it failed."""
    function = user_code.load(reference)
    try:
        inspect.signature(function).bind()
    except TypeError as failure:
        raise UserError(
            f"{reference} is called without arguments ({failure}): give them defaults"
        ) from None
    except ValueError:
        pass  # It tells nobody its arguments.
    try:
        return function()
    except (Exception, SystemExit) as failure:
        raise UserError(f"{reference} failed: {user_code.reason(failure)}") from failure


def _pair(reference: str, made: Any) -> tuple[Any, Any]:
    if isinstance(made, (tuple, list)) and len(made) == 2:
        return made[0], made[1]
    many = f" of {len(made)}" if isinstance(made, (tuple, list)) else ""
    raise UserError(
        f"{reference} did not return a pair (x, y) but a {type(made).__name__}{many}: "
        "return two arrays with as many rows"
    )


def _plain(reference: str, letter: str, made: Any) -> Array:
    """An array of numbers or text from whatever people keep arrays in, else UserError."""
    what = f"{letter} of {reference}, a {type(made).__name__},"
    if isinstance(made, np.ma.MaskedArray) and np.ma.is_masked(made):
        raise UserError(f"{what} has masked values: fill them in or drop those rows")
    if inspect.isgenerator(made):
        raise UserError(f"{what} is no array: return np.array(list(...))")
    # Tensors of Torch that need a gradient or lie on a device, and SciPy's sparse matrices.
    for step in ("detach", "cpu", "toarray"):
        made = getattr(made, step)() if callable(getattr(made, step, None)) else made
    try:
        array = np.asarray(made)
        if array.dtype.kind in "OT":
            array = np.asarray(array.tolist())
        if array.dtype.kind == "S":
            array = np.char.decode(array)
    except (TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as failure:
        raise UserError(f"{what} is no array of numbers by rows: {failure}") from None
    if array.dtype.kind not in "fiubU":
        raise UserError(
            f"{what} holds no numbers by rows: dtype {array.dtype} of shape {array.shape}"
        )
    return array


def _data_set(
    x: Array, y: Array, *, name: str, source: str, task: str | None, as_given: bool
) -> Dataset:
    if task is not None:
        tasks.classes(task)
    for letter, array, kinds in (("x", x, "fiub"), ("y", y, "fiubU")):
        if array.ndim < 1 or array.dtype.kind not in kinds:
            held = "text" if array.dtype.kind == "U" else f"dtype {array.dtype}"
            raise UserError(
                f"{letter} of {name} holds no numbers by rows: {held} of shape {array.shape}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UserError(f"{letter} of {name} holds NaN or infinity: mend or drop those rows")
        if array.dtype.kind == "f" and array.size and float(np.abs(array).max()) > LARGEST:
            raise UserError(f"{letter} of {name} holds {np.abs(array).max():.3g}, {TOO_LARGE}")
    if len(x) != len(y) or len(x) < 2:
        raise UserError(
            f"{name} has {len(x)} rows of x and {len(y)} of y: two rows at least, as many of each"
        )
    if not x.size or not y.size:
        raise UserError(f"{name} has rows of no numbers: x has shape {x.shape} and y {y.shape}")
    labels = _labels(y, task, f"y of {name}", as_given=as_given)
    if x.dtype.kind in "fb":
        x = x.astype(np.float32)
    return Dataset(
        name=name,
        task=labels.task,
        features=x,
        labels=labels.values,
        feature_names=tuple(f"x{i}" for i in range(x.shape[-1] if x.ndim > 1 else 1)),
        label_name="y",
        source="; ".join([source, labels.note] if labels.note else [source]),
        notes=(labels.note,) if labels.note else (),
    )


def _labels(y: Array, task: str | None, where: str, *, as_given: bool) -> Labels:
    """Labels by the rules of `classes`; `as_given` leaves numbers to a person's own loss."""
    if y.dtype.kind == "U":
        if y.ndim != 1 and y.shape[1:] != (1,):
            raise UserError(f"{where} is text of shape {y.shape}: one text a row can be a class")
        found = classes.of_texts(y.ravel().tolist(), task, where)
        return Labels(found.values.astype(np.float32).reshape(-1, 1), found.task, found.note)
    given = y.reshape(len(y), -1).astype(np.float32) if y.ndim == 1 and y.dtype.kind == "f" else y
    given = given.astype(np.float32) if y.dtype.kind == "b" else given
    if task in (None, tasks.CLASSIFICATION) and np.isin(y, (0, 1)).all():
        return Labels(given, tasks.CLASSIFICATION)
    if y.ndim != 1 and y.shape[1:] != (1,):
        return Labels(given, task or tasks.REGRESSION)
    numbers = y.ravel().astype(np.float64)
    found = classes.of_numbers(numbers, task, where)
    if found.task == tasks.REGRESSION or np.array_equal(found.values, numbers):
        return Labels(given, found.task, found.note)
    if task is None and as_given:
        # A run trains all its networks on the same labels, and own models are among them.
        told = (
            "y as given, for your own loss may need it so; a regression to an architecture "
            "(--as classification: classes, numbered from 0)"
        )
        return Labels(given, tasks.REGRESSION, told)
    return Labels(found.values.astype(np.float32).reshape(-1, 1), found.task, found.note)
