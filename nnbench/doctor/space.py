"""Room to work in: memory, swap, pages, and the disk that results go to."""

import re
import shutil
from pathlib import Path

import psutil

from nnbench.doctor.finding import NOTE, OK, PROBLEM, Finding, text_of
from nnbench.show import units

LEAST_FREE_BYTES = 1 << 30
"""A worker holds half of this with its backend imported; a run's files need far less."""
SWAPPED_SHARE = 0.05
"""Of the memory. Linux moves a little out that nobody has used since boot."""


def _memory_table(root: Path) -> dict[str, int]:
    """Bytes by the names that Linux gives them; from psutil where it is another system."""
    text = text_of(root / "proc/meminfo")
    if text:
        found = re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)
        return {name: int(kilobytes) * 1024 for name, kilobytes in found}
    memory, swapped = psutil.virtual_memory(), psutil.swap_memory()
    free = {"MemAvailable": memory.available, "SwapFree": swapped.free}
    return {"MemTotal": memory.total, "SwapTotal": swapped.total, **free}


def swap(root: Path) -> Finding:
    """Whether memory has been moved out to the disk."""
    table = _memory_table(root)
    total = table.get("SwapTotal", 0)
    used = total - table.get("SwapFree", total)
    if used > SWAPPED_SHARE * table.get("MemTotal", 0):
        effect = f"{units.data_size(used)} in use: memory is short, or was"
        mend = "close programs, then sudo swapoff -a && sudo swapon -a"
        return Finding("swap", PROBLEM, effect, mend)
    return Finding("swap", OK, f"{units.data_size(used)} in use" if total else "none")


def memory(root: Path) -> Finding | None:
    """How much memory new processes can have."""
    free = _memory_table(root).get("MemAvailable")
    if free is None:
        return None
    mend = "close other programs: ps aux --sort=-rss | head names them"
    return _enough("memory", free, "available", mend)


def huge_pages(root: Path) -> Finding | None:
    """Whether the system makes huge pages of all memory, at moments of its choice."""
    setting = "sys/kernel/mm/transparent_hugepage/enabled"
    if "[always]" not in text_of(root / setting):
        return None
    effect = "always: the system gathers memory into large pages while programs run"
    return Finding("huge pages", NOTE, effect, f"echo madvise | sudo tee /{setting}")


def disk(folder: Path) -> Finding:
    """Free space where results are written; the folder need not be there yet."""
    whole = folder.absolute()
    existing = next(path for path in (whole, *whole.parents) if path.exists())
    mend = f"make room; du -sh {folder}/* says what old runs take"
    return _enough("disk", shutil.disk_usage(existing).free, "free for results", mend)


def _enough(subject: str, free: int, what_for: str, mend: str) -> Finding:
    told = f"{units.data_size(free)} {what_for}"
    if free < LEAST_FREE_BYTES:
        return Finding(subject, PROBLEM, told, mend)
    return Finding(subject, OK, told)
