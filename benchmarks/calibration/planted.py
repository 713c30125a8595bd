"""Copies of nnbench whose trainings do a known amount of extra work in every step.

The extra work is that of `extra_work`. A copy is a folder with the package in it; a worker started
there imports the copy.
"""

import shutil
import textwrap
from pathlib import Path

from extra_work import LAYER

import nnbench

PATCH = '''

_build_without_extra_work = build
EXTRA_PRODUCTS = {repeats}


def build(architecture, training, shape, vocabulary=None, metrics=()) -> "keras.Sequential":
    """The chain of Dense layers, with so many extra products of {size} x {size} in every step."""
    import keras
    import numpy as np

{layer}
    plain = _build_without_extra_work(architecture, training, shape, vocabulary, metrics)
    if not EXTRA_PRODUCTS:
        return plain
    model = keras.Sequential(
        [keras.Input(shape), *plain.layers[:-1], ExtraWork(), plain.layers[-1]]
    )
    model.compile(
        optimizer=plain.optimizer,
        loss=training.loss,
        jit_compile=JIT_COMPILE[training.jit],
    )
    return model
'''.replace(
    "{layer}",
    # By name: the probe asks for other numbers of products than the copy was made with.
    textwrap.indent(
        LAYER.replace("{name}", "ExtraWork").replace("{repeats}", "EXTRA_PRODUCTS"), "    "
    ),
)


def copy_package(folder: Path, *, size: int = 0, repeats: int = 0) -> Path:
    """Copy the package into `folder`, with `repeats` extra products of size x size in each step.

    Without repeats the copy is the very same code. Returns the folder.
    """
    source = Path(nnbench.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(source, folder / "nnbench", ignore=ignored)
    if repeats:
        network = folder / "nnbench" / "workload" / "keras_model.py"
        patch = PATCH.replace("{size}", str(size)).replace("{repeats}", str(repeats))
        network.write_text(network.read_text() + patch)
    return folder
