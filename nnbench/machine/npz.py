"""Reading arrays from an `.npz` file, whatever it holds: the values of plain arrays, never code.

NumPy's own reader makes arrays of whatever size and kind a file says, and advises to allow
pickles, which run code, where it meets one. Here a header has to say which numbers or text there
are, and the file has to hold as many bytes of them.
"""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np
import psutil
from numpy.typing import NDArray

from nnbench.errors import UserError, first_line

Array = NDArray[np.generic]

UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What a damaged zip file raises, here and in Python's own reader."""

_START = re.compile(rb"\x93NUMPY(\x01|\x02|\x03)\x00")
_KINDS = rb"[?]|b1|[iu][1248]|f(?:2|4|8|16)|U\d{1,6}"
_HEADER = (
    re.compile(rb"""["']descr["']: *["']([<>|=]?(?:%b))["']""" % _KINDS),
    re.compile(rb"""["']fortran_order["']: *(True|False)"""),
    re.compile(rb"""["']shape["']: *\(((?:\d{1,18},? *){0,32})\)"""),
)


_DESCR = re.compile(rb"""["']descr["']: *(?:["']([<>|=]?([a-zA-Z])[^"']{0,20})|(\[))""")
CONVERSIONS = {
    "c": "numpy.abs, or .real and .imag as two numbers, makes numbers of it",
    "M": "astype('datetime64[s]').astype(float) makes numbers of it",
    "m": "astype('timedelta64[s]').astype(float) makes numbers of it",
    "S": "numpy.char.decode makes text of it",
    "O": "astype(float) or astype(str) makes plain values of it",
    "[": "numpy.lib.recfunctions.structured_to_unstructured makes numbers of it",
}
"""What to do with arrays of the kinds that are not taken, by NumPy's letter for them."""


class _KindError(Exception):
    """An array of a kind that is not taken."""


def read(
    path: Path, names: Collection[str] | None = None, *, mend: str = "write it with numpy.savez"
) -> dict[str, Array]:
    """The arrays of an `.npz` file by name; if `names` are given, those of them that are there.

    An array `x/left` is one of the name `x`. They hold numbers, booleans or text, and may be
    written into. Raises UserError, one line that begins with the path and ends with `mend`, for a
    file that is missing, damaged or no `.npz` file, and for arrays of anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise ValueError("it holds two arrays of one name")
            found = {}
            for name, member in members.items():
                if names is None or name.partition("/")[0] in names:
                    with open_member(archive, member) as stream:
                        found[name] = _array(name, stream, member.file_size)
            return found
    except OSError as failure:
        raise UserError(f"{path} cannot be read: {failure.strerror or failure}") from failure
    except _KindError as failure:
        raise UserError(f"{path} cannot be taken ({failure}): {mend}") from failure
    except UNREADABLE as failure:
        reason = first_line(str(failure) or "it is cut off")
        raise UserError(f"{path} is damaged or no npz file ({reason}): {mend}") from failure


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """What a zip file holds, to be read; one of `UNREADABLE` for what cannot be had from it."""
    name = member.filename
    if member.flag_bits & 1:
        raise ValueError(f"{name} in it is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} in it is compressed in another way than by zip's deflate")
    if member.file_size > psutil.virtual_memory().available:
        raise ValueError(f"{name} in it is larger than the memory that is free")
    return archive.open(member)


def _array(name: str, stream: IO[bytes], size: int) -> Array:
    start = _START.fullmatch(stream.read(8))
    if start is None:
        raise ValueError(f"{name} in it is no array")
    width = 2 if start[1] == b"\x01" else 4
    length = int.from_bytes(stream.read(width), "little")
    header = stream.read(min(length, 1 << 16))
    told = [pattern.search(header) for pattern in _HEADER]
    other = _DESCR.search(header) if told[0] is None else None
    if other and (mend := CONVERSIONS.get((other[2] or other[3]).decode())):
        kind = f"dtype {other[1].decode()}" if other[1] else "a structured dtype"
        raise _KindError(f"{name} in it is of {kind}: {mend}")
    if None in told:
        raise ValueError(f"{name} in it holds something else than plain numbers or text")
    descr, order, lengths = (one[1].decode() for one in told if one is not None)
    dtype, shape = np.dtype(descr), tuple(map(int, lengths.replace(",", " ").split()))
    if math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise ValueError(f"{name} in it does not have the size that it says")
    values = np.frombuffer(stream.read(), dtype).astype(dtype.newbyteorder("="))
    if dtype.kind == "U":
        # Raises ValueError for what is no text.
        values.astype(dtype.newbyteorder("<")).tobytes().decode("utf-32-le")
    return values.reshape(shape, order="F" if order == "True" else "C")
