"""Starting Keras in a process of ours."""

import pytest


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_keras_starts_without_what_training_has_no_use_for_and_it_can_be_had_later(
    in_backend, backend
):
    code = """
import sys, time
assert not {"matplotlib", "sklearn"} & set(sys.modules)
import keras, numpy as np
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0)
import matplotlib.pyplot, pandas
print(pandas.DataFrame({"a": [1]}).a[0], matplotlib.pyplot.__name__)
"""
    assert in_backend(backend, code).split() == ["1", "matplotlib.pyplot"]
