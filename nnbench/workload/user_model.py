"""Your own network: `train.py:build(depth=4, width=64)`, or a file that Keras saved.

The function's parameters are read from its file without running it: which there are, of what type
and with which default. A function of an installed module is asked when it is called.
"""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.workload import user_code
from nnbench.workload.families import FAMILIES

Value = int | float | bool | str
SAVED = (".keras", ".h5")
TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
EXAMPLE = "train.py:build(depth=4, width=64)"


@dataclass(frozen=True)
class UserModel:
    """A function that returns a Keras model, with its arguments by name; or a saved model."""

    reference: str
    arguments: tuple[tuple[str, Value], ...] = ()

    @property
    def label(self) -> str:
        """As it is typed: `train.py:build(depth=4, width=64)`."""
        written = ", ".join(f"{name}={value}" for name, value in self.arguments)
        return f"{self.reference}({written})" if written else self.reference

    @property
    def name(self) -> str:
        """The same: it has one notation."""
        return self.label

    def __str__(self) -> str:
        return self.label

    def digest(self) -> str | None:
        """SHA-256 of the file that it names; None where it names a module."""
        if self.is_saved:
            return hashlib.sha256(Path(self.reference).read_bytes()).hexdigest()
        return user_code.digest(self.reference)

    @property
    def is_saved(self) -> bool:
        """Whether it is a file that Keras saved."""
        return self.reference.endswith(SAVED)


def digests(labels: Iterable[str | None]) -> dict[str, str | None]:
    """`UserModel.digest` of each reference that is among these networks."""
    found = [parse(label) for label in dict.fromkeys(labels) if label is not None]
    return {one.reference: one.digest() for one in found}


def is_model(text: str) -> bool:
    """Whether `text` has the form of a network of one's own, and not of a family's."""
    reference = text.partition("(")[0].strip()
    if reference.partition(":")[0] in FAMILIES:
        return False
    return reference.endswith(SAVED) or user_code.is_reference(reference)


def confirm(where: object, recorded: str | None, named: str | None, option: str) -> None:
    """Raise UserError unless a function that a file names is named by a person, too.

    Files come from anywhere: what is run is said on the command line. `recorded` may be anything
    else than a function, which need not be named again.
    """
    if named is None:
        if recorded is not None and is_model(recorded):
            raise UserError(f"{where} names code to run: add {option} {recorded} if that is yours")
    elif recorded is None or _spelled(recorded) != _spelled(named):
        raise UserError(f"{where} is of {recorded}, not of {named}: name that, or record it anew")


def _spelled(text: str) -> Path:
    """A reference however it was typed: with or without white space between arguments."""
    return Path("".join(text.split()))


def parse(text: str) -> UserModel:
    """Read a reference with or without arguments; UserError for one that cannot be called so."""
    reference, bracket, inner = (part.strip() for part in text.partition("("))
    if bracket and not inner.endswith(")"):
        raise UserError(f"'{text}' has no closing bracket: write {EXAMPLE}")
    given = dict(_argument(text, part) for part in inner[:-1].split(",") if part.strip())
    return with_arguments(reference, given)


def _argument(text: str, part: str) -> tuple[str, str]:
    name, equals, value = (one.strip() for one in part.partition("="))
    if not (equals and name.isidentifier() and value):
        raise UserError(f"'{text}' is not understood at '{part.strip()}': write {EXAMPLE}")
    return name, value


def with_arguments(reference: str, given: Mapping[str, str]) -> UserModel:
    """The model of these arguments, each read as its parameter's type.

    Raises UserError for a file that is not there, an unknown or missing parameter, or a value of
    another type.
    """
    if reference.endswith(SAVED):
        if not Path(reference).is_file():
            raise UserError(f"{reference} is not there: it should be a model that Keras saved")
        if given:
            raise UserError(f"{reference} is a saved model: it takes no {next(iter(given))}=")
        return UserModel(reference)
    user_code.check(reference)
    known = parameters_of(reference)
    if known is None:
        return UserModel(reference, tuple((name, _guess(text)) for name, text in given.items()))
    for name in given:
        if name not in known:
            there = ", ".join(known) or "no parameters"
            raise UserError(f"{reference} has no parameter '{name}': it has {there}")
    missing = [name for name, one in known.items() if one.required and name not in given]
    if missing:
        raise UserError(f"{reference} needs {missing[0]}: write {reference}({missing[0]}=...)")
    return UserModel(
        reference, tuple((name, known[name].read(reference, text)) for name, text in given.items())
    )


@dataclass(frozen=True)
class Parameter:
    """A parameter of a person's function; `kind` None is any type."""

    name: str
    kind: type | None
    required: bool

    def read(self, reference: str, text: str) -> Value:
        """`text` as this parameter's type. Raises UserError for another."""
        if self.kind is None:
            return _guess(text)
        try:
            if self.kind is bool:
                return {"true": True, "on": True, "false": False, "off": False}[text.lower()]
            return self.kind(text.strip("'\"") if self.kind is str else text)  # type: ignore[no-any-return]
        except (ValueError, KeyError):
            wanted = self.kind.__name__
            raise UserError(f"{self.name}={text} of {reference} is no {wanted}") from None


def _guess(text: str) -> Value:
    """A value of a parameter without a type: a number or truth value if it reads as one."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, (int, float, bool, str)) else text


def parameters_of(reference: str) -> dict[str, Parameter] | None:
    """The parameters of a function in a file, by name; None where they are not to be read there.

    Raises UserError for a file that is no Python.
    """
    source, _, name = reference.rpartition(":")
    if not source.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(source).read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as failure:
        line = f", line {failure.lineno}" if isinstance(failure, SyntaxError) else ""
        raise UserError(f"{source} is no Python{line}: {failure}") from failure
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    if not found or found[-1].args.kwarg or found[-1].args.posonlyargs or found[-1].decorator_list:
        return None
    taken = found[-1].args
    without = len(taken.args) - len(taken.defaults)
    defaults: list[ast.expr | None] = [None] * without + list(taken.defaults) + taken.kw_defaults
    return {
        one.arg: Parameter(one.arg, _kind(one.annotation, default), default is None)
        for one, default in zip([*taken.args, *taken.kwonlyargs], defaults, strict=True)
    }


def _kind(annotation: ast.expr | None, default: ast.expr | None) -> type | None:
    if isinstance(annotation, ast.Name):
        return TYPES.get(annotation.id)
    value: Any = default.value if isinstance(default, ast.Constant) else None
    return type(value) if type(value) in TYPES.values() else None
