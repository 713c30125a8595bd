"""A person's own function as text that a worker process can load it by."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnbench.errors import UserError


def reference_to(code: str | Callable[[], Any]) -> str:
    """`package.module:function`, or `file.py:function` outside packages; text stays as it is.

    Raises UserError for a function that a process of its own could not find by its name.
    """
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
