"""A function that is called now and then while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 1.0


@contextmanager
def beating(beat: Callable[[], None], *, only_if: bool = True) -> Iterator[None]:
    """Within, call `beat` about every second from another thread: it says whether it is time."""
    if not only_if:
        yield
        return
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(EVERY_S):
            beat()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
