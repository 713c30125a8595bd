"""Writing a file whole or not at all."""

import os
from pathlib import Path

from nnbench.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    """Put a whole file in place of what was there, or leave that as it was; return its path.

    Missing folders are made. Raises UserError if it cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as failure:
        raise UserError(f"{path} cannot be written: {failure.strerror}") from failure
    return path
