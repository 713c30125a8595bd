"""Writing a file whole or not at all."""

import os
from pathlib import Path

from nnbench.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    """Write a file and missing folders, return its path; UserError leaves what was there."""
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


def check_folder(folder: Path) -> None:
    """Raise UserError if no file can be written into a folder, before work is done for it."""
    write(folder / ".writable", "").unlink()
