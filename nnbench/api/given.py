"""What Python gives in place of a text: functions, models, lists of widths, arrays."""

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.workload import built_model, handed, networks, user_code
from nnbench.workload.datasets import streams

PAIR = "give arrays in memory as (x, y) or (x, y, sample_weight)"


@dataclass
class Given:
    """Networks as texts, in order, and data as one; what these refer to where they are in memory.

    `names` are what networks are called, by label.
    """

    texts: list[str] = field(default_factory=list)
    data: str | None = None
    models: dict[str, Callable[[], Any]] = field(default_factory=dict)
    arrays: Any = None
    names: dict[str, str] = field(default_factory=dict)


@contextmanager
def given(some: Any, data: Any = None, *, may_be_none: bool = False) -> Iterator[Given]:
    """Within, what was given is known to this process and its workers, by the texts.

    Raises UserError for what is no network, where there is none unless there `may_be_none`, and for
    what cannot be handed to another process.
    """
    found = Given()
    for name, one in _listed(some):
        _take(found, name, one)
    if not (found.texts or may_be_none):
        raise UserError("no network was named: give one, such as '6,6', or a list of them")
    _tell_apart(found)
    _take_data(found, data)
    with handed.held(found.models, found.arrays, found.names):
        yield found


def _listed(some: Any) -> Iterable[tuple[str | None, Any]]:
    if isinstance(some, Mapping):
        return [(str(name), one) for name, one in some.items()]
    if isinstance(some, (list, tuple)) and not _widths(some):
        return [(None, one) for one in some]
    return [(None, some)]


def _widths(one: Any) -> bool:
    whole = all(isinstance(width, int) and not isinstance(width, bool) for width in one)
    return bool(one) and whole


def _take(found: Given, name: str | None, one: Any) -> None:
    if isinstance(one, (list, tuple)) and _widths(one):
        one = ",".join(map(str, one))
    if isinstance(one, (str, Path)):
        text = str(one)
        if name is not None:
            _call(found, networks.parse_one(text).label, name, as_asked=True)
    elif is_model(one):
        called = name or str(one.name)
        text = handed.reference(called, found.models)
        found.models[text] = built_model.recipe(one, called)
        _call(found, text, called, as_asked=name is not None)
    elif callable(one):
        called = name or str(getattr(one, "__name__", type(one).__name__))
        text = _referred(one) or handed.reference(called, found.models)
        if handed.is_handed(text):
            found.models[text] = one
        _call(found, text, called, as_asked=name is not None)
    else:
        raise UserError(
            f"{_short(one)} is no network: give a text such as '6,6' or 'train.py:build', a "
            "function that returns a Keras model, or a model"
        )
    found.texts.append(text)


def _call(found: Given, label: str, name: str, *, as_asked: bool) -> None:
    before = found.names.get(label, name)
    if as_asked and before != name:
        raise UserError(f"{before} and {name} are the same network, {label}: leave one of them out")
    found.names[label] = name


def _tell_apart(found: Given) -> None:
    """Give networks that are called the same names of their own: comparisons go by names."""
    every = networks.parse(found.texts) if found.texts else []
    called = {one.label: found.names.get(one.label, one.name) for one in every}
    counts = Counter(called.values())
    taken = {
        name for label, name in called.items() if counts[name] == 1 or label not in found.names
    }
    for label, name in found.names.items():
        if counts[name] == 1:
            continue
        if not handed.is_handed(label):
            # Functions of modules: `one.build` and `other.build`.
            source, _, function = label.rpartition(":")
            name = f"{Path(source).stem if source.endswith('.py') else source}.{function}"
        more = (f"{name}_{number}" for number in itertools.count(2))
        found.names[label] = next(one for one in itertools.chain([name], more) if one not in taken)
        taken.add(found.names[label])


def is_model(one: Any) -> bool:
    """Whether it is a Keras model that was built here."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(one, keras.Model)


def _referred(code: Any) -> str | None:
    """The reference of a function of a module; None for one that no other process can import."""
    if getattr(code, "__module__", handed.MAIN) == handed.MAIN or isinstance(code, type):
        return None
    try:
        return user_code.reference_to(code)
    except UserError:
        return None


def _take_data(found: Given, data: Any) -> None:
    if data is None or isinstance(data, (str, Path)):
        found.data = None if data is None else str(data)
        return
    if callable(data) and not streams.kind_of(data):
        found.data = _referred(data)
        if found.data is not None:
            return
        try:
            data = data()
        except Exception as failure:
            raise UserError(f"data failed: {user_code.reason(failure)}") from failure
    if kind := streams.kind_of(data):
        raise UserError(
            f"data is a {kind}, which no other process can read: write the function that makes it "
            "into a file and name it, as in data='data.py:load'"
        )
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise UserError(
            f"data is of type {type(data).__name__}: {PAIR}, or a name such as 'digits'"
        )
    found.data, found.arrays = handed.DATA, tuple(data)


def _short(one: Any) -> str:
    text = repr(one)
    return text if len(text) <= 60 else f"a {type(one).__name__}"
