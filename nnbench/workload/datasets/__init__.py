"""Data to train on: shipped, made up, from Keras, or a person's own tables, arrays, functions."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from nnbench.errors import UserError
from nnbench.workload import handed, tasks, user_code
from nnbench.workload.datasets import from_keras, synthetic
from nnbench.workload.datasets.arrays import load_function, load_handed, load_npz, load_shipped
from nnbench.workload.datasets.catalog import (
    ARRAYS,
    BUILT_IN,
    BuiltIn,
    DatasetInfo,
    available,
    locate,
)
from nnbench.workload.datasets.dataset import Dataset, Description, describe
from nnbench.workload.datasets.from_csv import Choice, load_csv
from nnbench.workload.datasets.original import fetch, forget

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Description",
    "available",
    "describe",
    "fetch",
    "forget",
    "load",
]


def load(
    spec: str,
    *,
    features: Sequence[str] | None = None,
    label: str | None = None,
    task: str | None = None,
    standardise: bool = False,
    as_given: bool = False,
) -> Dataset:
    """Load and check the data that `spec` names.

    `spec` is `banknotes`, `instagram`, `digits`, `waves`, `synthetic:rows=1000,features=4,seed=0`
    (any part of it; `task=regression`, `classes=3`, `labels=5`, `outputs=2`;
    `images=28x28x1,classes=10` and the like, see `shaped`), `keras:mnist` and its like (see
    `from_keras`), the path of a CSV file or workbook with a header line, an `.npz` file with arrays
    `x` and `y`, or `data.py:load`, a function that returns such a pair. `label`, one column or
    several with commas, must be given for a table; `features` defaults to every other column of
    numbers and `task` to what the labels look like (see `classes`). `standardise` scales each
    feature to mean 0 and standard deviation 1. `as_given` is for a person's own model: classes of
    arrays, such as -1 and 1, keep their numbers, which its loss may need. Raises UserError for data
    that is not there or cannot be trained on.
    """
    choice = Choice(label, features, task, standardise)
    if spec.partition(":")[0] == synthetic.PREFIX:
        if choice.of_columns:
            raise UserError(
                "synthetic data has no columns to choose and is scaled already: "
                f"set its size in its name, such as {synthetic.Recipe().name}"
            )
        return synthetic.make(synthetic.parse(spec, task=task))
    if spec.partition(":")[0] == from_keras.PREFIX:
        recipe = from_keras.parse(spec)
        if choice.of_columns:
            raise UserError(f"{spec} has no columns to choose: it is trained on as it is")
        if not tasks.agrees(task, recipe.known.task):
            raise UserError(f"{spec} is data for {recipe.known.task}, not for {task}")
        return from_keras.load(recipe)
    if spec in BUILT_IN:
        return _built_in(BUILT_IN[spec], choice)
    if spec in ARRAYS:
        if choice.of_columns:
            raise UserError(f"{spec} has no columns to choose: it is trained on as it is")
        if not tasks.agrees(task, ARRAYS[spec].task):
            raise UserError(f"{spec} is data for {ARRAYS[spec].task}, not for {task}")
        return load_shipped(ARRAYS[spec])
    if "://" in spec:
        raise UserError(f"{spec} is not on this machine: download it, and name the file")
    try:
        path = Path(spec).expanduser()
    except RuntimeError as failure:
        raise UserError(f"'{spec}' cannot be found: {failure}".rstrip(".")) from None
    if path.suffix == ".npz" or user_code.is_reference(spec):
        if choice.of_columns:
            raise UserError(f"{spec} has no columns to choose: give x and y as they are trained on")
        if path.suffix == ".npz":
            source = f"your file {path}"
            return load_npz(path, name=spec, source=source, task=task, as_given=as_given)
        if spec == handed.DATA:
            return load_handed(handed.data(spec), task=task, as_given=as_given)
        return load_function(spec, task=task, as_given=as_given)
    # os.path's answer for a name that is too long is no; Path's is an error.
    there = os.path.exists(path)  # noqa: PTH110
    if not spec or (path.name == spec and not path.suffix and not there):
        known = [*BUILT_IN, *ARRAYS, synthetic.PREFIX]
        near = difflib.get_close_matches(spec, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UserError(
            f"unknown data '{spec}': name one of {', '.join(known)}, "
            f"or the path of a CSV or npz file{hint}"
        )
    return load_csv(path, choice, name=spec, source=f"your file {path}")


def _built_in(known: BuiltIn, choice: Choice) -> Dataset:
    hint = f" (the file is set by {known.setting})" if os.environ.get(known.setting) else ""
    try:
        copy = locate(known)
        if copy.origin == "fetched":
            hint = " (fetch the original again, or forget it)"
        chosen = Choice(
            choice.label or known.label,
            choice.features,
            choice.task or known.task,
            choice.standardise or copy.header is not None,
        )
        return load_csv(copy.path, chosen, name=known.name, source=copy.source, header=copy.header)
    except UserError as error:
        raise UserError(f"{error}{hint}") from None
