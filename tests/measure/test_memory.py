"""What a training holds at its highest is its own, not what earlier ones have freed."""

import ctypes
import sys

import pytest

from nnbench.measure import memory

CHUNK, CHUNKS = 64 << 10, 2_000


def _holds_freed():
    """Take and free 128 MB in small pieces, and keep the last: the allocator holds on to them."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    pieces = [libc.malloc(CHUNK) for _ in range(CHUNKS)]
    for piece in pieces:
        ctypes.memset(piece, 1, CHUNK)
    for piece in pieces[:-1]:
        libc.free(piece)
    return lambda: libc.free(pieces[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="a high-water mark begins anew on Linux alone")
def test_what_was_freed_before_a_training_is_not_held_when_it_begins():
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("this C library cannot hand freed memory back")
    memory.begin("torch", "cpu")
    before = memory.peaks("torch", "cpu")["peak_host_bytes"]
    done = _holds_freed()
    memory.begin("torch", "cpu")
    begun = memory.peaks("torch", "cpu")["peak_host_bytes"]
    done()
    assert begun < before + CHUNK * CHUNKS / 2
