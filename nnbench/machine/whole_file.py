"""Writing a file whole or not at all."""

import os
from pathlib import Path

from nnbench.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    """Write a file and missing folders, return its path; UserError leaves what was there."""
    # Half a surrogate pair, as in a file's name that is not UTF-8, is written as its escape.
    plain = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # /dev/stdout and a link are written through, not replaced by a file.
            path.write_bytes(plain)
            return path
        partial = path.with_name(f"{path.name}.partial")
        try:
            with partial.open("wb") as file:
                file.write(plain)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
    except OSError as failure:
        raise UserError(f"{path} cannot be written: {failure.strerror}") from failure
    return path


def check_folder(folder: Path) -> None:
    """Raise UserError if no file can be written into a folder, before work is done for it.

    No folder that is made for this is left.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        write(folder / ".writable", "").unlink()
        for one in made:
            one.rmdir()
    except UserError as failure:
        raise UserError(str(failure).replace("/.writable", "", 1)) from failure
