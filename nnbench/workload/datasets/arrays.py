"""Arrays of any shape: from an `.npz` file, or from a person's own function."""

import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.machine import child, npz
from nnbench.workload import handed, tasks, user_code
from nnbench.workload.datasets import classes, nest, streams
from nnbench.workload.datasets.catalog import Arrays, shipped_folder
from nnbench.workload.datasets.classes import Labels
from nnbench.workload.datasets.dataset import LARGEST, TOO_LARGE, Dataset
from nnbench.workload.datasets.nest import Array, Nest, TrainingData
from nnbench.workload.datasets.streams import Stream

LIMIT_S = 600
CHILD = "import sys; from nnbench.workload.datasets import arrays; arrays.answer(*sys.argv[1:])"


def load_npz(
    path: Path, *, name: str, source: str, task: str | None, as_given: bool = False
) -> Dataset:
    """Read arrays `x` and `y`, rows first; UserError if they are not there or not finite.

    There may be a `sample_weight`, and several arrays in place of one: `x/image` and `x/mask`.
    """
    mend = f"write it with np.savez({path.name!r}, x=..., y=...)"
    data = nest.unpack(npz.read(path, nest.PARTS, mend=mend))
    if data.x is None or data.y is None:
        raise UserError(f"{path} needs the arrays x and y: np.savez({path.name!r}, x=..., y=...)")
    return _data_set(data, name=name, source=source, task=task, as_given=as_given)


def load_handed(made: Any, *, task: str | None, as_given: bool = False) -> Dataset:
    """Arrays in memory: (x, y) or (x, y, sample_weight). Raises UserError for anything else."""
    data = _plain_parts("data", *_parts("data", made))
    source = "arrays in memory"
    return _data_set(data, name=handed.DATA, source=source, task=task, as_given=as_given)


def load_shipped(known: Arrays) -> Dataset:
    """The arrays that are known by a name. Raises UserError where their file is damaged."""
    found = npz.read(shipped_folder() / known.file, ("x", "y"))
    return Dataset(
        name=known.name,
        task=known.task,
        features=found["x"].astype(np.float32) / np.float32(known.largest),
        labels=found["y"].astype(np.float32).reshape(-1, 1),
        feature_names=tuple(f"x{number}" for number in range(known.shape[-1])),
        label_name="y",
        source=known.source,
    )


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
            raise UserError(*problem.read_text(encoding="utf-8").split("\n"))
        if ended.returncode != 0 or not file.exists():
            last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
            reason = ": ".join([f"its process ended with status {ended.returncode}", *last])
            raise UserError(f"{reference} gave no data ({reason})")
        found = npz.read(file)
        told = found.pop("stream", None)
        stream = None if told is None else Stream(**json.loads(str(told)))
        if stream is not None:
            stream = replace(stream, code=user_code.digest(reference))
        source = f"your function {reference}"
        data = nest.unpack(found)
        return _data_set(
            data, name=reference, source=source, task=task, as_given=as_given, stream=stream
        )


def answer(reference: str, file: str, problem: str) -> None:
    """Call a person's function and write its arrays, or why there are none.

    That is one line, and below it the places in their code.
    """
    try:
        made = _made(reference)
        if kind := streams.kind_of(made):
            stream, first = streams.counted(reference, made, kind)
            told = {"stream": np.array(json.dumps(asdict(stream)))}
        else:
            told, first = {}, _parts(reference, made)
        np.savez(file, **told, **nest.pack(_plain_parts(reference, *first)))  # type: ignore[arg-type]
    except UserError as mistake:
        told_so = (" ".join(line.splitlines()) for line in user_code.told(mistake))
        Path(problem).write_text("\n".join(told_so), encoding="utf-8", errors="backslashreplace")


def make_stream(reference: str) -> TrainingData:
    """The stream that a person's function makes, anew. Raises UserError where it makes none."""
    made = _made(reference)
    if streams.kind_of(made) is None:
        raise UserError(f"{reference} made a stream before and now a {type(made).__name__}")
    return TrainingData(made, is_stream=True)


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


def _parts(reference: str, made: Any) -> tuple[Any, ...]:
    """What `fit` is given, of what a function returned: x, y, and perhaps the samples' weights."""
    if isinstance(made, (tuple, list)) and len(made) in (2, 3):
        streaming = [one for one in made if streams.kind_of(one)]
        if not streaming:
            return tuple(made)
        raise UserError(
            f"{reference} returned {len(made)} things, one of them a "
            f"{streams.kind_of(streaming[0])}: return that alone, the one to train on"
        )
    many = f" of {len(made)}" if isinstance(made, (tuple, list)) else ""
    raise UserError(
        f"{reference} did not return a pair (x, y) but a {type(made).__name__}{many}: "
        "return two arrays with as many rows, (x, y, sample_weight), or (x, None)"
    )


def _plain_parts(reference: str, x: Any, y: Any, sample_weight: Any = None) -> TrainingData:
    """Nests of arrays of numbers or text, else UserError."""
    x = _nest(reference, "x", x)
    y = None if y is None else _nest(reference, "y", y)
    weights = None if sample_weight is None else _nest(reference, "sample_weight", sample_weight)
    if y is not None and nest.rows(x) != nest.rows(y):
        # A list of arrays is several inputs, as Keras takes it, unless its items are the rows.
        rows_x, rows_y = _stacked(x), _stacked(y)
        if len(rows_x) == len(rows_y):
            x, y = rows_x, rows_y
    return TrainingData(x, y, weights)


def _stacked(part: Nest) -> Nest:
    alike = isinstance(part, list) and all(map(nest.is_plain, part))
    return np.stack(part) if alike and len({one.shape for one in part}) == 1 else part


def _nest(reference: str, name: str, made: Any) -> Nest:
    if isinstance(made, Mapping):
        return {str(key): _nest(reference, f"{name} {key}", part) for key, part in made.items()}
    if _by_place(made):
        parts = [_nest(reference, f"{name} {place}", part) for place, part in enumerate(made)]
        return tuple(parts) if isinstance(made, tuple) else parts
    return _plain(reference, name, made)


def _by_place(made: Any) -> bool:
    """Whether it is a list of arrays, or of nests of them, not of an array's rows as numbers."""
    return (
        isinstance(made, (list, tuple))
        and bool(made)
        and all(
            isinstance(one, Mapping) or len(getattr(one, "shape", ())) > 0 or _by_place(one)
            for one in made
        )
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
    data: TrainingData,
    *,
    name: str,
    source: str,
    task: str | None,
    as_given: bool = False,
    stream: Stream | None = None,
) -> Dataset:
    if task is not None:
        tasks.check_asked(task)
    found = {
        f"{part} {place}".strip(): array
        for part in nest.PARTS
        for place, array in nest.leaves(getattr(data, part))
    }
    for letter, array in found.items():
        _check(letter, array, name)
    counts = [len(array) for array in found.values()]
    if len(set(counts)) > 1 or (min(counts) < 2 and stream is None):
        told = [f"{len(array)} of {letter}" for letter, array in found.items()]
        told[0] = told[0].replace(" of ", " rows of ", 1)
        raise UserError(f"{name} has {' and '.join(told)}: two rows at least, as many of each")
    for letter, array in found.items():
        if not array.size:
            raise UserError(f"{name} has rows of no numbers: {letter} has shape {array.shape}")
    weights = data.sample_weight
    plain = nest.is_plain(weights) and nest.is_plain(data.y)
    if plain and weights.shape not in ((counts[0], 1), data.y.shape[: weights.ndim]):
        raise UserError(
            f"sample_weight of {name} has shape {weights.shape}: give one number for each row"
        )
    if nest.is_plain(data.y) and stream is None:
        labels = _labels(data.y, task, f"y of {name}", as_given=as_given)
    else:
        labels = Labels(nest.mapped(_numbers, data.y), task or tasks.OWN)
    features = nest.mapped(
        lambda one: one.astype(np.float32) if one.dtype.kind in "fb" else one, data.x
    )
    return Dataset(
        name=name,
        task=labels.task,
        features=features,
        labels=labels.values,
        weights=nest.mapped(lambda one: one.astype(np.float32), data.sample_weight),
        stream=stream,
        feature_names=tuple(_columns(features)),
        label_name="y",
        source="; ".join([source, labels.note] if labels.note else [source]),
        notes=(labels.note,) if labels.note else (),
    )


def _check(letter: str, array: Array, name: str) -> None:
    """Raise UserError for what no network takes as the part `letter` of the data `name`."""
    kinds = "fiubU" if letter.split()[0] == "y" else "fiub"
    if array.ndim < 1 or array.dtype.kind not in kinds:
        held = "text" if array.dtype.kind == "U" else f"dtype {array.dtype}"
        raise UserError(
            f"{letter} of {name} holds no numbers by rows: {held} of shape {array.shape}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UserError(f"{letter} of {name} holds NaN or infinity: mend or drop those rows")
    if array.dtype.kind == "f" and array.size and float(np.abs(array).max()) > LARGEST:
        raise UserError(f"{letter} of {name} holds {np.abs(array).max():.3g}, {TOO_LARGE}")


def _columns(features: Nest) -> Iterator[str]:
    """A name for each column of a row, or of what is last in it."""
    for place, array in nest.leaves(features):
        prefix = f"{place} " if place else "x"
        count = array.shape[-1] if array.ndim > 1 else 1
        yield from (f"{prefix}{number}" for number in range(count))


def _numbers(labels: Array) -> Array:
    """Labels of one of several outputs: as they are, texts as numbers of classes."""
    if labels.dtype.kind == "U":
        return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    return labels.astype(np.float32) if labels.dtype.kind in "fb" else labels


def _labels(y: Array, task: str | None, where: str, *, as_given: bool) -> Labels:
    """Labels by the rules of `classes`; `as_given` leaves numbers to a person's own loss."""
    if y.dtype.kind == "U":
        if y.ndim != 1 and y.shape[1:] != (1,):
            raise UserError(f"{where} is text of shape {y.shape}: one text a row can be a class")
        found = classes.of_texts(y.ravel().tolist(), task, where)
        return Labels(found.values.astype(np.float32).reshape(-1, 1), found.task, found.note)
    given = y.reshape(len(y), -1).astype(np.float32) if y.ndim == 1 and y.dtype.kind == "f" else y
    given = given.astype(np.float32) if y.dtype.kind == "b" else given
    if task == tasks.OWN:
        return Labels(given, task)
    if y.ndim == 2 and y.shape[1] > 1:
        return _several(given, task, where)
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


def _several(y: Array, task: str | None, where: str) -> Labels:
    """Several labels a row: a 1 among zeros is a class, zeros and ones are labels, else numbers."""
    count, binary = y.shape[1], bool(np.isin(y, (0, 1)).all())
    one_hot = binary and bool((y.sum(axis=1) == 1).all())
    asked = None if task is None else tasks.kind(task)
    if asked == tasks.CLASSIFICATION and one_hot:
        asked = None
    looks = tasks.ONE_HOT if one_hot else tasks.MULTILABEL if binary else tasks.REGRESSION
    kind = asked or looks
    if kind == tasks.CLASSIFICATION:
        # An architecture will refuse it; your own loss may know what it means.
        return Labels(y, task or kind)
    found = tasks.of_kind(kind, count)
    possible = {tasks.REGRESSION: True, tasks.MULTILABEL: binary, tasks.ONE_HOT: one_hot}[kind]
    if not (possible and (task is None or tasks.agrees(task, found))):
        raise UserError(f"{where} is {tasks.of_kind(looks, count)} by its values, not {task}")
    told = {
        tasks.ONE_HOT: f"a 1 among {count} is a class (--as multilabel: each label by itself)",
        tasks.MULTILABEL: f"{count} labels a row, each 0 or 1 (--as regression: as numbers)",
    }
    return Labels(y, found, told.get(kind, "") if task is None else "")
