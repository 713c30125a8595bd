"""Reading a file whole, writing one whole or not at all, and what may be the name of one."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnbench.errors import DamageError, UserError


def read(path: Path) -> bytes:
    """What is in a file. Raises DamageError, whose cause is what the system said, if any."""
    with _readable(path):
        return path.read_bytes()


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, one at a time, each with its end. Raises DamageError as `read` does."""
    with _readable(path), path.open("rb", buffering=1 << 20) as file:
        yield from file


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        # A pipe or a device would be waited for.
        if path.exists() and not path.is_file():
            raise DamageError(path, "it is no file")
        yield
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise DamageError(path, reason) from failure


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
        # Another process may write the same file at this moment, such as an index of all runs.
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
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


def check_folder(folder: Path, mend: str = "") -> None:
    """Raise UserError, which ends with `mend`, if no file can be written into a folder.

    Nothing that is made for this is left.
    """
    try:
        _try_out(folder, "")
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}{mend}") from failure


def check_file(path: Path) -> None:
    """Raise UserError if a file cannot be written under this name; none is made for this."""
    if os.path.isdir(path):  # noqa: PTH112 - a name may be too long
        raise UserError(f"{path} is a folder: name a file in it")
    if os.path.exists(path):  # noqa: PTH110
        return
    try:
        _try_out(path.parent, path.name)
    except OSError as failure:
        raise UserError(f"{path} cannot be written: {failure.strerror}") from failure


def _try_out(folder: Path, name: str) -> None:
    """Make a folder, and a file of this name in it, in a folder of our own beside it.

    So another command that is started at this moment neither finds nor loses anything. Raises
    OSError where it cannot be made.
    """
    there = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
    with tempfile.TemporaryDirectory(dir=there, prefix=".nnbench-") as made:
        inside = Path(made) / folder.relative_to(there)
        inside.mkdir(parents=True, exist_ok=True)
        (inside / name).touch()


def check_name(name: str | None) -> None:
    """Raise UserError for a name that leads out of the folder it is in, or cannot be read."""
    if name is None:
        return
    if not re.fullmatch(r"[^/\\]{1,100}", name) or set(name) <= {"."} or not name.isprintable():
        raise UserError(
            f"{name!r} is no name: at most 100 characters, and no / or \\ among them, "
            "only what can be printed"
        )
