"""How a network's architecture changes the time it takes to train, and why.

    run = nnbench.run(["6,6", "100,100", "6x5"], epochs=30, backend="jax")

`dir(nnbench)` lists what there is, `help(nnbench.run)` tells its options. Importing this package
loads no deep learning framework, nor what computes and draws: that comes with the first call.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnbench.api import compare, explain, fast_fit, layers, load, predict, run, train, tune

__all__ = [
    "__version__",
    "compare",
    "explain",
    "fast_fit",
    "layers",
    "load",
    "predict",
    "run",
    "train",
    "tune",
]

__version__ = "0.1.0"

PROTOCOL = 2
"""How this package's workers are started and asked, see `nnbench.measure.protocol`."""


class _Package(ModuleType):
    """This package, in which some functions are called as folders of it are."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing nnbench.explain.words would put the folder in the place of the function.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "fast_fit":
        # By itself it needs nothing of what measures.
        from nnbench.training.compiled.fast_fit import fast_fit

        return fast_fit
    if name in __all__:
        from nnbench import api

        return getattr(api, name)
    raise AttributeError(f"module 'nnbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
