"""The matrix-product rate of a device: what a step could reach at best."""

import timeit
from typing import Any

import numpy as np

SIZES = {"cpu": 1024, "gpu": 8192}


def product_flops_per_s(device: str) -> float:
    """FLOPs a second of a square float32 product, the best of a few; a multiply-add is two."""
    import keras

    size = SIZES[device[:3]]
    # Drawn here: XLA would compile its own generator for half a second.
    drawn = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    factor: Any = keras.ops.convert_to_tensor(drawn)

    def product() -> None:
        # Reading one value waits for the whole product.
        keras.ops.convert_to_numpy(keras.ops.matmul(factor, factor)[0, 0])

    product()
    return 2 * size**3 / min(timeit.repeat(product, number=1, repeat=5))
