"""A person's own code by reference: `train.py:build` or `package.module:build`.

Only `load` imports it, and with it whatever framework it imports itself.
"""

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.workload import handed

REASON_LENGTH, MOST_LINES = 300, 8
"""Characters of a reason, and lines of a traceback and of an error, that are shown."""

NOT_OWN = (Path(__file__).parents[1], Path(sysconfig.get_path("stdlib")))
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


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
    if source.endswith(".py") and Path(source).is_dir():
        raise UserError(f"{source} is a folder: '{reference}' should name a function in a file")
    if source.endswith(".py") and not Path(source).is_file():
        raise UserError(f"{source} is not there: '{reference}' should name a function in a file")


def digest(reference: str) -> str | None:
    """SHA-256 of the file that `reference` names; None where it names a module.

    Of what a notebook defines it is that of the code.
    """
    if handed.is_handed(reference):
        return handed.digest(reference)
    source = Path(reference.rpartition(":")[0])
    return hashlib.sha256(source.read_bytes()).hexdigest() if source.suffix == ".py" else None


def load(reference: str) -> Callable[[], Any]:
    """Import the function; UserError if it is not to be found from the working directory."""
    check(reference)
    if handed.is_handed(reference):
        return handed.function(reference)
    source, _, name = reference.rpartition(":")
    is_file = source.endswith(".py")
    if not is_file:
        # As found where the command runs; whatever is installed comes first.
        sys.path += [str(one) for one in (Path.cwd(), Path("src").resolve()) if one.is_dir()]
    try:
        module = _from_file(Path(source)) if is_file else importlib.import_module(source)
    except (Exception, SystemExit) as failure:
        raise UserError(f"{source} cannot be imported: {reason(failure)}") from failure
    function = getattr(module, name, None)
    if not callable(function):
        known = f"{name} in {source} is no function" if hasattr(module, name) else ""
        raise UserError(known or f"{source} has no function '{name}'")
    return function  # type: ignore[no-any-return]


def reason(failure: BaseException) -> str:
    """What was raised, in a line, with the place in a person's own code if there is one."""
    if isinstance(failure, UserError):
        return str(failure)
    # Keras begins with where it was, TensorFlow ends with why.
    text = " ".join(" ".join(lines(failure)).split())
    if len(text) > REASON_LENGTH:
        text = f"{text[: REASON_LENGTH // 2]} ... {text[-REASON_LENGTH // 2 :]}"
    own = _own_frames(failure)
    place = f" ({_shown(own[-1].filename)}:{own[-1].lineno})" if own else ""
    return f"{type(failure).__name__}{': ' if text else ''}{text}{place}"


def told(failure: BaseException) -> list[str]:
    """`reason`; where there is more to say: frames of a person's own code, the error's last lines.

    Frames of nnbench, of installed packages and of Python are left out.
    """
    raised = failure.__cause__ if isinstance(failure, UserError) else failure
    if raised is None:
        return [reason(failure)]
    own, said = _own_frames(raised)[-MOST_LINES:], lines(raised)
    frames = [
        f"  {_shown(one.filename)}, line {one.lineno}, in {one.name}: {one.line}" for one in own
    ]
    rest = [f"  {line}" for line in said[-MOST_LINES:]] if len(said) > 1 else []
    return [reason(failure), *(frames if len(own) > 1 or rest else []), *(rest if own else [])]


def lines(failure: BaseException) -> list[str]:
    """An error's lines that say something, without colours and what Keras' layer was given."""
    text = COLOURS.sub("", str(failure)).partition("Arguments received by")[0]
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _own_frames(failure: BaseException) -> list[traceback.FrameSummary]:
    """Those of the failure, or else of what it came from."""
    known: BaseException | None = failure
    while known is not None and not isinstance(known, SyntaxError):
        frames = traceback.extract_tb(known.__traceback__)
        if own := [frame for frame in frames if _is_own(frame.filename)]:
            return own
        known = known.__cause__ or known.__context__
    return []


def _is_own(file: str) -> bool:
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    made = file.startswith("<") or path.name.startswith("__autograph_generated_file")
    return not (installed or made or any(path.is_relative_to(one) for one in NOT_OWN))


def _shown(file: str) -> str:
    return os.path.relpath(file) if Path(file).is_relative_to(Path.cwd()) else file


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
