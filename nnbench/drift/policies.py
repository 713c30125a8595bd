"""The seed policies: a few lines of code each, as a person would write them.

The text is what is run and what is shown, so neither can say anything else than the other. In it
`seed` is a number. A new policy is one more entry in `POLICIES`.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import keras_import

PYTHON = "import random\nrandom.seed(seed)\n"
NUMPY = "import numpy as np\nnp.random.seed(seed)\n"
TENSORFLOW = "import tensorflow as tf\ntf.random.set_seed(seed)\n"
KERAS = "import keras\nkeras.utils.set_random_seed(seed)\n"

DETERMINISTIC_OPS = {
    "tensorflow": "import tensorflow as tf\ntf.config.experimental.enable_op_determinism()\n",
    "torch": "import torch\ntorch.use_deterministic_algorithms(True)\n",
    "jax": "",
}
"""What asks each backend for deterministic operations. JAX is asked before it starts."""

DETERMINISTIC_SETTINGS = {
    "tensorflow": {},
    "torch": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
    "jax": {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"},
}
"""Environment variables that have to be set before the backend starts, and count on a GPU only."""


@dataclass(frozen=True)
class Policy:
    """One way to set seeds: `code` for every backend, and whether it asks for deterministic ops.

    Such a request cannot be withdrawn in the life of a process.
    """

    name: str
    code: str
    title: str
    deterministic: bool = False

    def code_for(self, backend: str) -> str:
        """The lines to run before the network is built."""
        return self.code + (DETERMINISTIC_OPS[backend] if self.deterministic else "")

    def settings_for(self, backend: str) -> dict[str, str]:
        """The environment variables it needs before the process starts."""
        return dict(DETERMINISTIC_SETTINGS[backend]) if self.deterministic else {}

    @property
    def uses_tensorflow(self) -> bool:
        """Whether its code imports TensorFlow, whatever the backend."""
        return "import tensorflow" in self.code


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("nothing", "", "no seed at all"),
        Policy("numpy", NUMPY, "numpy.random.seed"),
        Policy("numpy+tf", NUMPY + TENSORFLOW, "NumPy and tf.random.set_seed"),
        Policy("python+numpy+tf", PYTHON + NUMPY + TENSORFLOW, "Python, NumPy and TensorFlow"),
        Policy("keras", KERAS, "keras.utils.set_random_seed"),
        Policy(
            "keras+det", KERAS, "keras.utils.set_random_seed, deterministic ops", deterministic=True
        ),
    )
}


def named(name: str) -> Policy:
    """The policy of that name. Raises UserError if there is none."""
    if name not in POLICIES:
        raise UserError(f"unknown policy '{name}': choose from {', '.join(POLICIES)}")
    return POLICIES[name]


def apply(code: str, seed: int) -> None:
    """Run a policy's lines, with `seed` set.

    TensorFlow is imported if the lines do so, not only to be seeded beside another backend.
    """
    names: dict[str, Any] = {"seed": seed}
    wanted = "tensorflow" in code
    with contextlib.nullcontext() if wanted else keras_import.without_tensorflow():
        exec(compile(code, "<seed policy>", "exec"), names)
