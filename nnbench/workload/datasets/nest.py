"""Arrays by name or by place: what a network takes, gives or is weighted by, in plain Python.

A *nest* is an array (rows first), a dict of nests by name, or a list or tuple of nests by place,
as `Model.fit` takes them; a list is never an array of its items. Nothing here imports a framework.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Nest = Any
"""An array, or a dict, list or tuple of nests."""

PARTS = ("x", "y", "sample_weight")
"""What `Model.fit` is given, by its names for them."""

KINDS: dict[str, type] = {"list": list, "tuple": tuple}


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What `Model.fit` is given: nests of arrays, or `x` alone, a stream that makes its batches.

    `y` is None for a model that needs no targets, `sample_weight` where all rows count alike.
    """

    x: Nest
    y: Nest = None
    sample_weight: Nest = None
    is_stream: bool = False

    @property
    def rows(self) -> int:
        """Number of rows of arrays."""
        return rows(self.x)

    @property
    def arguments(self) -> tuple[Nest, ...]:
        """As Keras takes them in one: `(x, y)` or `(x, y, sample_weight)`."""
        given = self.x, self.y, self.sample_weight
        return given if self.sample_weight is not None else given[:2]

    def at(self, places: Array) -> "TrainingData":
        """The rows at these places of arrays."""
        parts = (self.x, self.y, self.sample_weight)
        return TrainingData(*(mapped(lambda one: one[places], part) for part in parts))

    def first(self, count: int) -> "TrainingData":
        """The first rows of arrays."""
        return TrainingData(
            rows_of(self.x, 0, count),
            rows_of(self.y, 0, count),
            rows_of(self.sample_weight, 0, count),
        )


def is_plain(nest: Nest) -> bool:
    """Whether it is one array."""
    return isinstance(nest, np.ndarray)


def leaves(nest: Nest, name: str = "") -> Iterator[tuple[str, Array]]:
    """Each array with its place, such as `image`, `0` or `left/1`; one array has none: ''."""
    if nest is None:
        return
    if is_plain(nest):
        yield name, nest
        return
    for key, part in nest.items() if isinstance(nest, dict) else enumerate(nest):
        yield from leaves(part, f"{name}/{key}" if name else str(key))


def rows(nest: Nest) -> int:
    """Rows of its first array, 0 where there is none."""
    return next((len(array) for _, array in leaves(nest) if array.ndim), 0)


def rows_of(nest: Nest, begin: int, end: int) -> Nest:
    """Those rows of all its arrays."""
    return mapped(lambda one: one[begin:end], nest)


def mapped(function: Callable[[Array], Any], nest: Nest) -> Nest:
    """The same nest of what `function` makes of each array."""
    if nest is None:
        return None
    if isinstance(nest, dict):
        return {name: mapped(function, part) for name, part in nest.items()}
    if isinstance(nest, (list, tuple)):
        return type(nest)([mapped(function, part) for part in nest])
    return function(nest)


def pack(data: TrainingData) -> dict[str, Array]:
    """The arrays by names for an `.npz` file, and what they are of; `unpack` reads them back."""
    if is_plain(data.x) and is_plain(data.y) and data.sample_weight is None:
        return {"x": data.x, "y": data.y}
    arrays: dict[str, Array] = {}
    parts = {name: _plan(getattr(data, name), name, arrays) for name in PARTS}
    return {"plan": np.array(json.dumps(parts)), **arrays}


def unpack(arrays: Mapping[str, Array]) -> TrainingData:
    """What `pack` has packed, or a person: `x`, or `x/image` and `x/mask`, or `x/0` and `x/1`."""
    if "plan" in arrays:
        parts = json.loads(str(arrays["plan"]))
        return TrainingData(**{name: _filled(part, arrays) for name, part in parts.items()})
    return TrainingData(**{name: _named(arrays, name) for name in PARTS})


def _plan(nest: Nest, name: str, arrays: dict[str, Array]) -> Any:
    """The nest as JSON with a name in place of each array, which is added to `arrays`."""
    if nest is None:
        return None
    if isinstance(nest, dict):
        parts = _plan(list(nest.values()), name, arrays)["list"]
        return {"dict": dict(zip(nest, parts, strict=True))}
    if isinstance(nest, (list, tuple)):
        plans = [_plan(one, f"{name}/{place}", arrays) for place, one in enumerate(nest)]
        return {"list" if isinstance(nest, list) else "tuple": plans}
    arrays[name] = nest
    return name


def _filled(planned: Any, arrays: Mapping[str, Array]) -> Nest:
    if planned is None:
        return None
    if isinstance(planned, str):
        return arrays[planned]
    ((kind, parts),) = planned.items()
    if kind == "dict":
        return {name: _filled(part, arrays) for name, part in parts.items()}
    return KINDS[kind]([_filled(part, arrays) for part in parts])


def _named(arrays: Mapping[str, Array], name: str) -> Nest:
    """The nest of the arrays whose names begin so; numbers are places in a list."""
    if name in arrays:
        return arrays[name]
    inner = [one.removeprefix(f"{name}/") for one in arrays if one.startswith(f"{name}/")]
    heads = dict.fromkeys(one.partition("/")[0] for one in inner)
    if not heads:
        return None
    if all(head.isdecimal() for head in heads):
        return [_named(arrays, f"{name}/{head}") for head in sorted(heads, key=int)]
    return {head: _named(arrays, f"{name}/{head}") for head in heads}


def described(nest: Nest, letter: str) -> str:
    """Names, shapes of a row and whole numbers: `x num 8, x cat 3 int64`."""
    told = []
    for name, array in leaves(nest):
        shape = "x".join(map(str, array.shape[1:]))
        kind = array.dtype.name if array.dtype.kind in "iu" else ""
        told.append(" ".join(word for word in (letter, name, shape, kind) if word))
    return ", ".join(told)
