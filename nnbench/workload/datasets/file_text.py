"""The text of a table's file: unpacked where it is packed, decoded from what it was saved as."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from nnbench.errors import DamageError, UserError
from nnbench.machine import npz, whole_file

MOST_BYTES = 4 * 2**30
PACKED: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"PK\x03\x04": ("zip", lambda file: _member(file)),
    b"PK\x05\x06": ("zip", lambda file: _member(file)),
}
DAMAGE = (*npz.UNREADABLE, OSError, lzma.LZMAError)
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")


def read(path: Path) -> tuple[str, list[str]]:
    """A file's text without a byte order mark, and notes of how it was taken, else UserError."""
    return decoded(path, unpacked(path, contents(path)))


def contents(path: Path) -> bytes:
    """A file's bytes. Raises UserError, which says why it cannot be read."""
    try:
        return whole_file.read(path)
    except DamageError as damage:
        if isinstance(damage.__cause__, FileNotFoundError):
            raise UserError(f"there is no file {path}: check its path") from None
        if damage.__cause__ is None and path.is_dir():
            raise UserError(f"{path} is a folder: name a CSV file in it") from None
        mend = "check its path and permissions"
        raise UserError(f"{path} cannot be read ({damage.reason.lower()}): {mend}") from None


def is_workbook(raw: bytes) -> bool:
    """Whether bytes are a workbook of Excel: a zip file of a known member."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except DAMAGE:
        return False


def unpacked(path: Path, raw: bytes) -> bytes:
    """Bytes without their packing, known by how they begin. Raises UserError for damaged ones."""
    for start, (name, opened) in PACKED.items():
        if raw.startswith(start):
            try:
                found = bytearray()
                with opened(io.BytesIO(raw)) as file:
                    # In parts: memory for as much as is asked for is taken at once.
                    while len(found) <= MOST_BYTES and (part := file.read(1 << 20)):
                        found += part
            except DAMAGE as failure:
                reason = str(failure) or type(failure).__name__
                raise UserError(f"{path} cannot be unpacked as {name}: {reason}") from None
            if len(found) > MOST_BYTES:
                raise UserError(f"{path} holds more than {MOST_BYTES >> 30} GiB: take fewer rows")
            return bytes(found)
    return raw


def _member(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    files = [one for one in archive.infolist() if not one.is_dir()]
    files = [one for one in files if not one.filename.startswith("__MACOSX/")]
    if not files:
        raise ValueError("it holds no file")
    if len(files) > 1:
        raise ValueError(f"it holds {len(files)} files: unpack it and name one of them")
    return npz.open_member(archive, files[0])


def decoded(path: Path, raw: bytes) -> tuple[str, list[str]]:
    """Bytes as text, and what had to be assumed. Raises UserError where they are no text."""
    notes = []
    marked = [name for mark, name in MARKS if raw.startswith(mark)]
    for encoding in marked or ("utf-8", "cp1252"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError as error:
            byte = error.start + 1
    else:
        raise UserError(f"{path} is not text (byte {byte} cannot be read): save it as CSV in UTF-8")
    if not encoding.startswith("utf-8"):
        notes.append(f"read as {encoding.upper()}")
    filled = text.rstrip("\0\x1a \t\r\n")
    if not {"\0", "\x1a"}.isdisjoint(text[len(filled) :]):
        text = filled
        notes.append("padding at its end left out")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise UserError(
            f"{path} is not text (line {line} holds control characters): save it as CSV in UTF-8"
        )
    return text, notes
