"""The matrix-product rate of a device: what a step could reach at best."""

import timeit
from typing import Any

SIZES = {"cpu": 1024, "gpu": 8192}


def product_flops_per_s(device: str) -> float:
    """Floating-point operations a second of a square float32 product, the best of a few.

    Measured through the backend that Keras runs on, on the device and with the threads that
    this process was started with. A multiply-add is two operations.
    """
    import keras

    size = SIZES[device.partition(":")[0]]
    factor: Any = keras.random.normal((size, size), seed=0)

    def product() -> None:
        # Reading one value waits for the whole product.
        keras.ops.convert_to_numpy(keras.ops.matmul(factor, factor)[0, 0])

    product()
    return 2 * size**3 / min(timeit.repeat(product, number=1, repeat=5))
