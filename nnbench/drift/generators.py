"""Every random generator as it was when the process had just started.

Many trainings share a process. A training must not inherit the seed of the one before it, or
*nothing* would look reproducible: so the generators are put back to what a fresh process has.
Python and NumPy seed themselves from the system's entropy, TensorFlow draws its seeds from
Python's generator of its own until one is set, Keras has none yet, and Torch starts from a fixed
number.
"""

import random
import sys
from collections.abc import Callable

import numpy as np

KERAS_STATE = ("global_random_seed", "global_seed_generator")
"""What Keras keeps of seeds between trainings; versions differ in where they name it."""


def remember() -> Callable[[], None]:
    """What puts every generator back; call it when Keras was started, before anything is drawn."""
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch is not None else None

    def restore() -> None:
        from keras.src.backend.common import global_state

        random.seed()
        np.random.seed()  # noqa: NPY002 - it is the old generator that people seed
        for name in KERAS_STATE:
            global_state.set_global_attribute(name, None)
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is not None and hasattr(tensorflow, "random"):
            tensorflow.random.set_seed(None)
        if torch is not None:
            torch.set_rng_state(torch_state)

    return restore
