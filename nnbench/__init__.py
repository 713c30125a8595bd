"""How a network's architecture changes the time it takes to train, and why.

Importing this package loads no deep learning framework: Keras and its backend load only when
a network is built.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnbench.training.compiled.fast_fit import fast_fit

__all__ = ["__version__", "fast_fit"]

__version__ = "0.1.0"

PROTOCOL = 2
"""How this package's workers are started and asked, see `nnbench.measure.protocol`."""


def __getattr__(name: str) -> Any:
    if name == "fast_fit":
        from nnbench.training.compiled.fast_fit import fast_fit

        return fast_fit
    raise AttributeError(f"module 'nnbench' has no attribute '{name}'")
