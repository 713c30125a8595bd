"""Python's search for garbage, which goes through every object of a backend: a million of them."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def not_collected() -> Iterator[None]:
    """Within, cycles of objects that nothing refers to stay; for work that leaves next to none."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
