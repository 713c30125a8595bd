"""Programs that XLA has compiled for JAX, kept on disk for the next process.

It is JAX's own persistent compilation cache, whose key holds the program, its options, the device
and the versions of JAX and XLA. Code for a CPU runs only where its instructions are known: each
kind of CPU has a folder of its own. Whoever has set up JAX's cache, or switched it off, keeps it
so. What is timed as `trace` or `compile` never comes from here: worker processes start with it off.
"""

import contextlib
import hashlib
import platform
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnbench.machine import cache

MOST_BYTES = 256 * 2**20
"""All programs on disk together; where there are more, the oldest go until half of it is left."""

EVERY_PROGRAM = {
    "jax_enable_compilation_cache": True,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}

OURS = "persistent compilation cache"
"""What JAX's warnings of its cache are about."""


@contextlib.contextmanager
def on_disk(*, also_if_off: bool = False) -> Iterator[None]:
    """Within, JAX looks for programs on disk before it compiles, and keeps those that it compiles.

    It does nothing on other backends, with NNBENCH_CACHE=off and, but for `also_if_off`, where
    JAX's cache is switched off.
    """
    jax: Any = sys.modules.get("jax")
    if (
        jax is None
        or not cache.keeps_programs()
        or jax.config.jax_compilation_cache_dir
        or not (jax.config.jax_enable_compilation_cache or also_if_off)
    ):
        yield
        return
    folder = _folder()
    settings = {"jax_compilation_cache_dir": str(folder), **EVERY_PROGRAM}
    before = {name: jax.config.values[name] for name in settings}
    with warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("always", f"Error .* {OURS}")
        try:
            _set(jax.config, settings)
            yield
        finally:
            _set(jax.config, before)
    if any(str(one.message).startswith(f"Error reading {OURS}") for one in told):
        # JAX would leave what is damaged where it is.
        shutil.rmtree(folder, ignore_errors=True)
    for one in told:
        if OURS not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    _shrink(folder.parent)


def _set(config: Any, settings: dict[str, Any]) -> None:
    from jax.experimental.compilation_cache import compilation_cache

    for name, value in settings.items():
        config.update(name, value)
    # JAX looks at its settings once, and never again without this.
    compilation_cache.reset_cache()


def _folder() -> Path:
    kind = hashlib.sha256(_instructions().encode()).hexdigest()[:16]
    return cache.folder() / "programs" / kind


def _instructions() -> str:
    """What the CPU can do, as far as the system tells."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:.*$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return f"{platform.machine()} {found[0] if found else platform.processor()}"


def _shrink(folder: Path) -> None:
    """Remove the oldest programs where there are too many bytes; others may do so as well."""
    with contextlib.suppress(OSError):
        files = sorted(
            (found.st_mtime, found.st_size, path)
            for path in folder.rglob("*-cache")
            for found in [path.stat()]
        )
        too_much = sum(size for _, size, _ in files) - MOST_BYTES
        if too_much <= 0:
            return
        too_much += MOST_BYTES // 2
        for _, size, path in files:
            if too_much <= 0:
                break
            path.unlink(missing_ok=True)
            too_much -= size
