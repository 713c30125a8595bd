"""Damage to an archive of arrays."""

import io
import struct
import warnings
import zipfile

import numpy as np
from fuzz.damage.values import FOREIGN, Damage, text
from hypothesis import strategies as st

ARRAYS = {
    "NaN": lambda array: np.full_like(array, np.nan, dtype=np.float64),
    "infinite": lambda array: np.full_like(array, -np.inf, dtype=np.float64),
    "beyond float32": lambda array: np.full_like(array, 1e300, dtype=np.float64),
    "empty": lambda array: array[..., :0] if array.ndim else np.array([]),
    "no rows": lambda array: array[:0] if array.ndim else np.array([]),
    "one row": lambda array: array[:1] if array.ndim else array,
    "one number": lambda array: np.array(1.0),
    "text": lambda array: np.array(["a", "[/]"]),
    "bytes": lambda array: np.array([b"a", b"\xff"]),
    "complex": lambda array: np.ones(array.shape, complex),
    "dates": lambda array: np.zeros(array.shape, "datetime64[s]"),
    "booleans": lambda array: np.zeros(array.shape, bool),
    "half": lambda array: np.ones(array.shape, np.float16),
    "bytes of a record": lambda array: np.zeros(2, [("a", "i4"), ("b", "f8")]),
    "another shape": lambda array: np.ones((3, 2, 5)),
    "a hundred axes": lambda array: np.ones((1,) * 30),
    "large integers": lambda array: np.full(array.shape, 2**62),
    "all zero": lambda array: np.zeros(array.shape, np.float32),
}


def _npy(shape, descr="<f4", body=b"", version=(1, 0)):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
    packed = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(packed)) + packed + body


MEMBERS = {
    "no array": b"this is no array",
    "nothing": b"",
    "a giant shape": _npy((1 << 40, 1 << 10)),
    "an overflowing shape": _npy((1 << 62, 1 << 62)),
    "a negative shape": _npy((-1, 4), body=b"\0" * 64),
    "objects": _npy((2,), "|O", b"\x80\x04cos\nsystem\n"),
    "an unknown dtype": _npy((2,), "<q9", b"\0" * 64),
    "a header of code": _npy("__import__('os')", body=b"\0" * 64),
    "a deep header": b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b"(" * 60_000,
    "an unknown version": _npy((2,), body=b"\0" * 8, version=(9, 9)),
    "half an array": _npy((1000,), body=b"\0" * 8),
}
ARCHIVE = ("encrypted", "unknown compression", "member twice", "member lost", "a wrong sum")


def applied(content, damage):
    """The file after damage to one of its members."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = damage.place
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, body in members.items():
            called = one
            if one == name:
                if damage.value in ARRAYS:
                    array = np.load(io.BytesIO(body))
                    buffer = io.BytesIO()
                    with np.errstate(all="ignore"):
                        np.save(buffer, ARRAYS[damage.value](array))
                    body = buffer.getvalue()
                elif damage.value in MEMBERS:
                    body = MEMBERS[damage.value]
                elif damage.value == "member lost":
                    continue
                elif damage.value in FOREIGN:
                    called = text(damage.value).encode("utf-8", "replace").decode() + ".npy"
            with warnings.catch_warnings(action="ignore"):
                archive.writestr(called, body)
                if one == name and damage.value == "member twice":
                    archive.writestr(one, body)
    content = bytearray(packed.getvalue())
    if damage.value in ("encrypted", "unknown compression", "a wrong sum"):
        # In the list at the end, and before the member itself.
        for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            start = content.find(mark)
            while start >= 0:
                if damage.value == "encrypted":
                    content[start + at] |= 1
                elif damage.value == "unknown compression":
                    content[start + at + 2] = 99
                else:
                    content[start + at + 8] ^= 255
                start = content.find(mark, start + 1)
    return bytes(content)


def damages(content):
    """Damage to a member of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = st.sampled_from(archive.namelist())
    values = st.sampled_from([*ARRAYS, *MEMBERS, *ARCHIVE, "a path", "a lone surrogate"])
    return st.builds(Damage, st.just("member"), names, values)
