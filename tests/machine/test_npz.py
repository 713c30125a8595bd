"""Arrays from files of any content: the values, or one line that says what is wrong with which."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnbench.errors import UserError
from nnbench.machine import npz

ARRAYS = {
    "x": np.arange(12, dtype=np.float32).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "one": np.array(True),
    "names": np.array(["a", "bé"]),
    "nothing": np.zeros((0, 3)),
    "swapped": np.arange(3, dtype=">i4"),
}


def saved(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def member(content, *, flags=0, method=0, times=1):
    """A zip file of x.npy alone, with flags and a method of compression in its two headers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for _ in range(times):
            archive.writestr("x.npy", content)
    found = bytearray(buffer.getvalue())
    for start, mark in ((found.find(b"PK\x03\x04"), 6), (found.rfind(b"PK\x01\x02"), 8)):
        found[start + mark] |= flags
        found[start + mark + 2] = method or found[start + mark + 2]
    return bytes(found)


def array(header, content=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def header(descr="'<f4'", shape="(2,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, save):
    path = tmp_path / "a.npz"
    path.write_bytes(saved(save, **ARRAYS))
    found = npz.read(path)
    assert found.keys() == ARRAYS.keys()
    for name, before in ARRAYS.items():
        assert found[name].shape == before.shape
        assert found[name].dtype == before.dtype.newbyteorder("=")
        assert (found[name] == before).all()
        assert found[name].flags.writeable
    assert npz.read(path, ("x", "y")).keys() == {"x"}


DAMAGED = {
    "empty": b"",
    "text": b"x,y\n1,2\n",
    "an npy file": array(header(), bytes(8)),
    "no array": member(b"hello"),
    "nothing in it": member(b""),
    "cut off": member(array(header(), bytes(7))),
    "too long": member(array(header(), bytes(9))),
    "giant": member(array(header(shape="(1000000000000, 1000)"), bytes(8))),
    "negative": member(array(header(shape="(-1,)"))),
    "deep": member(array(header(shape="(" * 5000 + ")" * 5000))),
    "400 digits": member(array(header(shape=f"({'9' * 400},)"))),
    "objects": saved(x=np.array([{}], dtype=object)),
    "records": saved(x=np.zeros(2, [("a", "f4")])),
    "moments": saved(x=np.array(["2020"], "M8[D]")),
    "complex": saved(x=np.zeros(2, complex)),
    "no text": member(array(header("'<U1'", "(1,)"), b"\xff\xff\xff\xff")),
    "half a surrogate pair": member(array(header("'<U1'", "(1,)"), b"\x00\xd8\x00\x00")),
    "encrypted": member(array(header(), bytes(8)), flags=1),
    "unknown compression": member(array(header(), bytes(8)), method=97),
    "bzip2": member(array(header(), bytes(8)), method=12),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_anything_else_is_one_line_without_advice_to_run_code(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        npz.read(path, mend="write it again")
    told = ("is damaged or no npz file (", "cannot be taken (x in it is of ")
    assert str(caught.value).startswith(tuple(f"{path} {one}" for one in told))
    assert str(caught.value).endswith("): write it again")
    assert "pickle" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(member(array(header(), bytes(8)), times=2))
    with pytest.raises(UserError, match="two arrays of one name"):
        npz.read(tmp_path / "a.npz")


def test_an_array_that_is_not_asked_for_may_be_anything(tmp_path):
    (tmp_path / "a.npz").write_bytes(saved(x=np.ones(2), notes=np.array([{}], dtype=object)))
    assert npz.read(tmp_path / "a.npz", ["x"])["x"].sum() == 2


@pytest.mark.parametrize("name", ["nowhere.npz", "folder", "a\0b.npz"])
def test_what_is_no_file_is_one_line(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"cannot be read|no npz file"):
        npz.read(tmp_path / name)


WHOLE = saved(np.savez_compressed, **ARRAYS)
CHANGES = st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=4)), max_size=5)


@given(CHANGES, st.integers(0, 2 * len(WHOLE)))
def test_whatever_bytes_are_in_it_it_is_read_or_refused(tmp_path_factory, changes, end):
    content = bytearray(WHOLE)
    for place, others in changes:
        content[place : place + 4] = others
    path = tmp_path_factory.getbasetemp() / "any.npz"
    path.write_bytes(content[:end])
    try:
        assert npz.read(path).keys() <= ARRAYS.keys() | {"?"} or changes
    except UserError as mistake:
        told = str(mistake)
    else:
        told = f"{path} is read"
    assert told.startswith(str(path))
