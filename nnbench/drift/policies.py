"""The seed policies: lines of code, run as they are shown; `seed` is a number in them."""

import contextlib
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from nnbench.errors import UserError
from nnbench.machine import devices, keras_import

PYTHON = "import random\nrandom.seed(seed)\n"
NUMPY = "import numpy as np\nnp.random.seed(seed)\n"
TENSORFLOW = "import tensorflow as tf\ntf.random.set_seed(seed)\n"
KERAS = "import keras\nkeras.utils.set_random_seed(seed)\n"

DETERMINISTIC_OPS = {
    "tensorflow": "import tensorflow as tf\ntf.config.experimental.enable_op_determinism()\n",
    "torch": "import torch\ntorch.use_deterministic_algorithms(True)\n",
}

DETERMINISTIC_SETTINGS = {
    "torch": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
    "jax": {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"},
}
"""Environment variables that have to be set before the backend starts, and count on a GPU only."""


@dataclass(frozen=True)
class Policy:
    """One way to set seeds. Deterministic ops cannot be withdrawn in the life of a process."""

    name: str
    code: str
    title: str
    deterministic: bool = False

    def code_for(self, backend: str) -> str:
        """The lines to run before the network is built."""
        return self.code + (DETERMINISTIC_OPS.get(backend, "") if self.deterministic else "")

    def settings_for(self, backend: str) -> dict[str, str]:
        """The environment variables that its process needs."""
        return dict(DETERMINISTIC_SETTINGS.get(backend, {})) if self.deterministic else {}

    @property
    def runs_here(self) -> bool:
        """Whether TensorFlow is installed, if its code imports it whatever the backend."""
        return "import tensorflow" not in self.code or devices.is_installed("tensorflow")


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("nothing", "", "no seed at all"),
        Policy("numpy", NUMPY, "numpy.random.seed"),
        Policy("numpy+tf", NUMPY + TENSORFLOW, "NumPy and tf.random.set_seed"),
        Policy("python+numpy+tf", PYTHON + NUMPY + TENSORFLOW, "Python, NumPy and TensorFlow"),
        Policy("keras", KERAS, "keras.utils.set_random_seed"),
        Policy("keras+det", KERAS, "keras.utils.set_random_seed, deterministic ops", True),
    )
}


def named(name: str) -> Policy:
    """The policy of that name. Raises UserError if there is none."""
    if name not in POLICIES:
        raise UserError(f"unknown policy '{name}': choose from {', '.join(POLICIES)}")
    return POLICIES[name]


def apply(code: str, seed: int) -> None:
    """Run a policy's lines, with `seed` set; TensorFlow is imported only if they do so."""
    wanted = "tensorflow" in code
    with contextlib.nullcontext() if wanted else keras_import.without_tensorflow():
        exec(compile(code, "<seed policy>", "exec"), {"seed": seed})


def remember_generators() -> Callable[[], None]:
    """What puts every random generator back to how it is in a new process: no seed is inherited.

    Call it when Keras was started, before anything is drawn. In a new process Python and NumPy seed
    themselves from the system's entropy, TensorFlow draws its seeds from Python's generator of its
    own until one is set, Keras has none yet, and Torch starts from a fixed number.
    """
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch is not None else None

    def restore() -> None:
        import numpy as np
        from keras.src.backend.common import global_state

        random.seed()
        np.random.seed()  # noqa: NPY002 - it is the old generator that people seed
        # Versions of Keras differ in where they name what they keep of seeds.
        for name in ("global_random_seed", "global_seed_generator"):
            global_state.set_global_attribute(name, None)
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is not None and hasattr(tensorflow, "random"):
            tensorflow.random.set_seed(None)
        if torch is not None:
            torch.set_rng_state(torch_state)

    return restore
