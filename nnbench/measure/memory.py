"""How much memory a training holds at its highest, on the host and on its device."""

import contextlib
import ctypes
import re
import resource
import sys
from pathlib import Path
from typing import Any

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def begin(backend: str, device: str) -> None:
    """Start a new high-water mark where possible: on Linux by a 5 in `clear_refs` (proc(5)).

    What earlier trainings have freed is handed back to the system first (malloc_trim(3)): a process
    that holds it still would seem to need next to nothing more.
    """
    if sys.platform == "linux":
        # Of glibc alone.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        CLEAR_REFS.write_text("5")
    if device.startswith("gpu") and backend == "torch":
        import torch

        torch.cuda.reset_peak_memory_stats()
    elif device.startswith("gpu") and backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats(f"GPU:{_index(device)}")


def peaks(backend: str, device: str) -> dict[str, Any]:
    """Peak bytes since `begin`; since the start outside Linux, and of JAX on a GPU."""
    host = {"peak_host_bytes": _peak_host_bytes()}
    if not device.startswith("gpu"):
        return host
    return {**host, "peak_device_bytes": _peak_device_bytes(backend, _index(device))}


def _index(device: str) -> int:
    return int(device.partition(":")[2] or 0)


def _peak_host_bytes() -> int:
    with contextlib.suppress(OSError):
        if found := re.search(r"^VmHWM:\s*(\d+)", STATUS.read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


def _peak_device_bytes(backend: str, index: int) -> int | None:
    if backend == "torch":
        import torch

        return int(torch.cuda.max_memory_allocated())
    if backend == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info(f"GPU:{index}")["peak"])
    import jax

    peak = (jax.devices("gpu")[index].memory_stats() or {}).get("peak_bytes_in_use")
    return None if peak is None else int(peak)
