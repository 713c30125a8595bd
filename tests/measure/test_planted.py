"""Copies of nnbench that do extra work: as much of it as was asked for."""

import subprocess
import sys

import pytest
from projects import ROOT

COPY = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "benchmarks" / "calibration")!r})
from planted import copy_package
copy_package(Path("copy"), size=8, repeats=3)
"""

ASKED = """
import keras, numpy as np
from nnbench.workload import keras_model
from nnbench.workload.architecture import parse
from nnbench.workload.case import Training

asked, loop = set(), keras.ops.fori_loop
keras.ops.fori_loop = lambda first, end, *rest: asked.add(end) or loop(first, end, *rest)
for products in (None, 0, 1, 5):
    if products is not None:
        keras_model.EXTRA_PRODUCTS = products
    keras_model.build(parse("4"), Training(), (3,))(np.zeros((2, 3)))
print(sorted(asked))
"""


@pytest.mark.long
def test_a_copy_takes_as_many_products_as_it_was_made_with_or_is_told_later(tmp_path):
    subprocess.run([sys.executable, "-c", COPY], cwd=tmp_path, check=True)
    started = f"from nnbench.machine import devices\ndevices.start('jax')\n{ASKED}"
    answer = subprocess.run(
        [sys.executable, "-c", started],
        cwd=tmp_path / "copy",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "[1, 3, 5]\n"
