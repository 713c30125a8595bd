"""Arrays of any shape: from an `.npz` file, or from a person's own function."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import child
from nnbench.workload import user_code
from nnbench.workload.case import TASKS, one_of
from nnbench.workload.datasets.dataset import Dataset

LIMIT_S = 600

WRITE = """
import sys
import numpy as np
from nnbench.workload import user_code
from nnbench.errors import UserError
try:
    x, y = user_code.load(sys.argv[1])()
except UserError as mistake:
    sys.exit(str(mistake))
except Exception as failure:
    sys.exit(f"{sys.argv[1]} did not return a pair (x, y): {user_code.reason(failure)}")
np.savez(sys.argv[2], x=np.asarray(x), y=np.asarray(y))
"""


def load_npz(path: Path, *, name: str, source: str, task: str | None) -> Dataset:
    """Read arrays `x` and `y`, rows first; UserError if they are not there or not finite."""
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["x"], file["y"]
    except KeyError:
        raise UserError(
            f"{path} needs the arrays x and y: np.savez({path.name!r}, x=..., y=...)"
        ) from None
    except (OSError, ValueError) as failure:
        raise UserError(f"{path} cannot be read: {failure}") from failure
    if task is not None:
        one_of("task", task, TASKS)
    for letter, array in (("x", x), ("y", y)):
        if array.ndim < 1 or array.dtype.kind not in "fiub":
            raise UserError(
                f"{letter} of {name} holds no numbers by rows: its dtype is {array.dtype}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UserError(f"{letter} of {name} holds NaN or infinity: mend or drop those rows")
    if len(x) != len(y) or len(x) < 2:
        raise UserError(
            f"{name} has {len(x)} rows of x and {len(y)} of y: two rows at least, as many of each"
        )
    if x.dtype.kind == "f":
        x = x.astype(np.float32)
    labels = y.reshape(len(y), -1).astype(np.float32) if y.ndim == 1 and y.dtype.kind == "f" else y
    if task is None:
        task = "classification" if np.isin(y, (0, 1)).all() else "regression"
    return Dataset(
        name=name,
        task=task,
        features=x,
        labels=labels,
        feature_names=tuple(f"x{i}" for i in range(x.shape[-1] if x.ndim > 1 else 1)),
        label_name="y",
        source=source,
    )


def load_function(reference: str, *, task: str | None) -> Dataset:
    """Call a function for (x, y) in its own process: it may import a framework. Else UserError."""
    user_code.check(reference)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "data.npz"
        command = [sys.executable, "-c", WRITE, reference, str(file)]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            answer = child.run(command, env=quiet, limit_s=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise UserError(f"{reference} gave no data within {LIMIT_S} s") from None
        if answer.returncode != 0:
            last = answer.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise UserError("".join(last) or f"{reference} gave no data")
        return load_npz(file, name=reference, source=f"your function {reference}", task=task)
