"""A person's own code by reference: `train.py:build` or `package.module:build`.

Only `load` imports it, and with it whatever framework it imports itself.
"""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnbench.errors import UserError

OURS = str(Path(__file__).parents[1])
SHOWN_PLACES, SHOWN_LETTERS = 3, 400


def is_reference(text: str) -> bool:
    """Whether `text` has the form of a reference to a function."""
    source, colon, function = text.rpartition(":")
    return bool(colon and source and function.isidentifier())


def reference_to(code: str | Callable[[], Any]) -> str:
    """A function's reference (text stays as it is); UserError if no process finds it by name."""
    if isinstance(code, str):
        return code
    name = getattr(code, "__name__", repr(code))
    module = sys.modules.get(getattr(code, "__module__", ""))
    if module is None or getattr(module, name, None) is not code:
        raise UserError(
            f"{name} cannot be found by a worker process: define it with def, at the top of a "
            "module and without arguments"
        )
    file = inspect.getsourcefile(code)
    if file is None or (Path(file).parent / "__init__.py").exists():
        return f"{module.__name__}:{name}"
    return f"{file}:{name}"


def check(reference: str) -> None:
    """Raise UserError unless `reference` has the right form and its file, if any, exists."""
    if not is_reference(reference):
        raise UserError(
            f"'{reference}' names no function: write train.py:build or package.module:build"
        )
    source = reference.rpartition(":")[0]
    if source.endswith(".py") and not Path(source).is_file():
        raise UserError(f"{source} is not there: '{reference}' should name a function in a file")


def digest(reference: str) -> str | None:
    """SHA-256 of the file that `reference` names; None where it names a module."""
    source = Path(reference.rpartition(":")[0])
    return hashlib.sha256(source.read_bytes()).hexdigest() if source.suffix == ".py" else None


def load(reference: str) -> Callable[[], Any]:
    """Import the function; UserError if it is not to be found from the working directory."""
    check(reference)
    source, _, name = reference.rpartition(":")
    try:
        is_file = source.endswith(".py")
        module = _from_file(Path(source)) if is_file else importlib.import_module(source)
    except Exception as failure:
        raise UserError(f"{source} cannot be imported: {failure!r}") from failure
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{source} has no function '{name}'")
    return function  # type: ignore[no-any-return]


def reason(failure: BaseException) -> str:
    """What was raised, in a line, with the places in a person's own code that led to it."""
    said = " ".join(str(failure).split()) or repr(failure)
    installed = tuple(sysconfig.get_paths().values())
    frames = traceback.extract_tb(failure.__traceback__)
    theirs = [
        f"{Path(one.filename).name}, line {one.lineno}, in {one.name}"
        for one in frames
        if Path(one.filename).is_file() and not one.filename.startswith((OURS, *installed))
    ]
    places = "; ".join(theirs[-SHOWN_PLACES:])
    return f"{type(failure).__name__}: {said[:SHOWN_LETTERS]}" + (f" ({places})" if places else "")


def _from_file(path: Path) -> Any:
    # Its neighbours must be importable as they are when the file is run as a script.
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
