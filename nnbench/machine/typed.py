"""Records made of plain data, as files hold it: each value of the type that its field has."""

import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from nnbench.errors import UserError

LARGEST = 1e18
"""Numbers beyond it are damage: nothing that is counted or timed comes near."""

Record = TypeVar("Record")


def record(kind: type[Record], plain: object, **made: Any) -> Record:
    """A dataclass of plain data; `made` are values of fields that are not taken from there.

    Raises UserError, which names the field, where one is missing, unknown or of another type.
    Numbers are finite; true and false are none.
    """
    if not isinstance(plain, Mapping):
        raise UserError(f"{kind.__name__} is no mapping")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    for name in plain:
        if name not in known:
            raise UserError(f"{kind.__name__} has no {reprlib.repr(name)}")
    hints, found = get_type_hints(kind), dict(made)
    for name, one in known.items():
        if name in plain and name not in made:
            if not fits(plain[name], hints[name]):
                wanted = getattr(hints[name], "__name__", hints[name])
                raise UserError(f"{name} of {kind.__name__} is not of the type {wanted}")
            found[name] = plain[name]
        elif name not in made and one.default is MISSING and one.default_factory is MISSING:
            raise UserError(f"{kind.__name__} lacks '{name}'")
    return kind(**found)


def members(plain: object, *names: str) -> list[Any]:
    """Members of a mapping, None for what it lacks. Raises UserError for no mapping."""
    if not isinstance(plain, Mapping):
        raise UserError("what should be a mapping is none")
    return [plain.get(name) for name in names]


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type: text, a number, true or false, None, or a union of them."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        return any(fits(value, one) for one in get_args(hint))
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint in (int, float) and isinstance(value, int | float):
        return (hint is float or isinstance(value, int)) and abs(value) <= LARGEST
    return isinstance(value, hint)
