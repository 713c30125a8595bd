"""The lines of Python that turn the present setting into another."""

from nnbench.training.sources import PY_DATASET, TF_DATA
from nnbench.workload.case import Case
from nnbench.workload.keras_model import DTYPE_POLICY

PY_DATASET_CLASS = """class Rows(keras.utils.PyDataset):
    def __init__(self, x, y, rows, batch_size):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size
        self.order = np.arange(rows)

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, number):
        rows = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        return keras.tree.map_structure(lambda array: array[rows], (self.x, self.y))

    def on_epoch_begin(self):
        np.random.shuffle(self.order)
"""

THREADS = {
    "tensorflow": (
        "import tensorflow as tf",
        "tf.config.threading.set_intra_op_parallelism_threads({count})",
        "tf.config.threading.set_inter_op_parallelism_threads({count})",
    ),
    "torch": ("import torch", "torch.set_num_threads({count})"),
    "jax": (),
}
"""Besides the CPUs that the process may use."""


def to_write(present: Case, wanted: Case) -> str:
    """What to write, from the top of a script to the training; only what is not so now."""
    return "\n".join([*_before(present, wanted), *_training(present, wanted)])


def _before(present: Case, wanted: Case) -> list[str]:
    """What stands above the model."""
    lines: list[str] = []
    if wanted.threads != present.threads or wanted.backend != present.backend:
        lines += ["import os", ""]
    if wanted.threads != present.threads and wanted.threads is not None:
        cpus = f"sorted(os.sched_getaffinity(0))[:{wanted.threads}]"
        lines += [
            "# before Keras and NumPy are imported",
            f"os.sched_setaffinity(0, {cpus})",
            f'os.environ["OMP_NUM_THREADS"] = "{wanted.threads}"',
        ]
    if wanted.backend != present.backend:
        lines += ["# before Keras is imported", f'os.environ["KERAS_BACKEND"] = "{wanted.backend}"']
    if wanted.threads != present.threads:
        lines += [line.format(count=wanted.threads) for line in THREADS[wanted.backend]]
    if wanted.training.precision != present.training.precision:
        policy = DTYPE_POLICY[wanted.training.precision]
        lines += ["# before the model is made", "import keras"]
        lines += [f'keras.config.set_dtype_policy("{policy}")']
    return [*lines, ""] if lines else []


def _training(present: Case, wanted: Case) -> list[str]:
    now, training = present.training, wanted.training
    options = []
    if training.jit != now.jit and training.jit != "auto":
        options.append(f"jit_compile={training.jit == 'on'}")
    if wanted.path == "compiled":
        return _compiled(wanted, options)
    if training.steps_per_execution != now.steps_per_execution:
        options.append(f"steps_per_execution={training.steps_per_execution or 1}")
    lines = [f"model.compile(..., {', '.join(options)})"] if options else []
    rows, size = wanted.trained_rows, wanted.batch_rows
    if training.source == TF_DATA:
        made = f"tf.data.Dataset.from_tensor_slices((x, y)).shuffle({rows})"
        batches = f"data = {made}.batch({size}).prefetch(tf.data.AUTOTUNE)"
        lines = ["import tensorflow as tf", "", *lines, batches, "model.fit(data, ...)"]
    elif training.source == PY_DATASET:
        imports = ["import keras", "import numpy as np", ""]
        lines = [
            *imports,
            PY_DATASET_CLASS,
            *lines,
            f"model.fit(Rows(x, y, {rows}, batch_size={size}), ...)",
        ]
    else:
        lines.append(f"model.fit(x, y, batch_size={size}, ...)")
    return lines


def _compiled(wanted: Case, options: list[str]) -> list[str]:
    given = ", ".join([f"batch_size={wanted.batch_rows}", *options])
    return ["import nnbench", "", f"nnbench.fast_fit(model, x, y, {given}, ...)"]
