"""The matrix-product rate of a device: what a step could reach at best."""

from time import perf_counter_ns
from typing import Any

SIZES = {"cpu": 1024, "gpu": 8192}
REPEATS = 5


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
    best_ns = min(_timed_ns(product) for _ in range(REPEATS))
    return 2 * size**3 / (best_ns / 1e9)


def _timed_ns(work: Any) -> int:
    begin_ns = perf_counter_ns()
    work()
    return perf_counter_ns() - begin_ns
