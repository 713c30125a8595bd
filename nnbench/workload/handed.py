"""Networks and data of the process that asks: what a notebook made, under names such as references.

`__main__:mine` is known from `held` on, in that process alone. Its workers are told on their
standard input (`packed`, `receive`), and nothing of it is kept on the disk.
"""

import base64
import io
import pickle
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from types import CodeType
from typing import Any

from nnbench.errors import UserError, first_line

MAIN = "__main__"
"""The module of what a notebook or script defines: no other process can import it."""

INSTEAD = "write the function into a file and name it, as in train.py:build"


@dataclass
class _Held:
    """Functions that make networks, what `fit` is given, and names as a person gave them."""

    models: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    received: dict[str, bytes] = field(default_factory=dict)


_HELD = _Held()


@contextmanager
def held(
    models: Mapping[str, Callable[[], Any]],
    data: Any = None,
    names: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Within, these references are known here and to the workers that are started.

    `models` are functions by reference, `data` is that of `DATA` if not None, `names` what networks
    are called by label. Raises UserError for a function that cannot be handed to another process.
    """
    made = {reference: _packed(reference, code) for reference, code in models.items()}
    before = vars(_HELD).copy()
    _HELD.models, _HELD.names = made, dict(names or {})
    _HELD.data = {} if data is None else {DATA: data}
    try:
        yield
    finally:
        vars(_HELD).update(before)


DATA = f"{MAIN}:data"
"""The reference to arrays that are in memory."""


def reference(name: str, taken: Mapping[str, Any]) -> str:
    """A reference for what is called `name`, other than those that are taken."""
    stem = re.sub(r"\W", "_", name) or "model"
    stem = f"_{stem}" if stem[0].isdigit() else stem
    found, number = f"{MAIN}:{stem}", 2
    while found in taken or found == DATA:
        found, number = f"{MAIN}:{stem}_{number}", number + 1
    return found


def is_handed(text: str | None) -> bool:
    """Whether a reference or label is of the process that asked, then or now."""
    return text is not None and text.startswith(f"{MAIN}:")


def names() -> dict[str, str]:
    """What networks are called by the person who gave them, by label."""
    return dict(_HELD.names)


def digest(reference: str) -> str | None:
    """SHA-256 of what a function does, wherever it is defined; None for one that is not held."""
    found = _HELD.models.get(reference)
    return None if found is None else found[1]


def data(reference: str) -> Any:
    """What `fit` is given. Raises UserError where another process held it."""
    if reference not in _HELD.data:
        raise UserError(_gone(reference))
    return _HELD.data[reference]


def function(reference: str) -> Callable[[], Any]:
    """The function of this reference. Raises UserError where it cannot be had here."""
    found = _HELD.received.get(reference) or _HELD.models.get(reference, (None,))[0]
    if found is None:
        raise UserError(_gone(reference))
    try:
        return pickle.loads(found)  # type: ignore[no-any-return]
    except Exception as failure:
        raise UserError(
            f"{reference} cannot be had in another process ({type(failure).__name__}: "
            f"{first_line(failure)}): {INSTEAD}"
        ) from failure


def _gone(reference: str) -> str:
    return f"{reference} was of a notebook or script that is not running now: ask there again"


def packed() -> str | None:
    """What a worker of this process is told on a line, None if there is nothing."""
    if not _HELD.models:
        return None
    told = {"models": {name: code for name, (code, _) in _HELD.models.items()}, "path": sys.path}
    return base64.b64encode(pickle.dumps(told)).decode()


def receive(line: str) -> None:
    """Take what `packed` made in the process that started this one."""
    told = pickle.loads(base64.b64decode(line))
    _HELD.received = told["models"]
    # What its modules are found by.
    sys.path += [one for one in told["path"] if one not in sys.path]


def _packed(reference: str, code: Callable[[], Any]) -> tuple[bytes, str]:
    import cloudpickle

    try:
        return cloudpickle.dumps(code), _digest(code)
    except Exception as failure:
        raise UserError(
            f"{reference} cannot be handed to worker processes ({type(failure).__name__}: "
            f"{first_line(failure)}): {INSTEAD}"
        ) from failure


def _digest(code: Callable[[], Any]) -> str:
    """The same for the same code on other lines of another cell."""
    from cloudpickle import CloudPickler

    reduced = CloudPickler.dispatch_table[CodeType]

    class Digest(CloudPickler):  # type: ignore[misc]
        dispatch_table = CloudPickler.dispatch_table.new_child(
            {
                CodeType: lambda code: reduced(
                    code.replace(co_filename="", co_firstlineno=1, co_linetable=b"")
                )
            }
        )

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, type) and value.__module__ == MAIN:
                # Cloudpickle marks a class by a number of its own, another in each process.
                known = {
                    name: one
                    for name, one in vars(value).items()
                    if name not in ("__dict__", "__weakref__", "__firstlineno__")
                }
                return _Class, (value.__qualname__,), (value.__bases__, known)
            return super().reducer_override(value)

    written = io.BytesIO()
    Digest(written, protocol=5).dump(code)
    return sha256(written.getvalue()).hexdigest()


class _Class:
    """In place of a class whose digest is taken; it is never read again."""

    def __init__(self, name: str) -> None:
        self.name = name
