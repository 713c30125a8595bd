"""Our count of FLOPs as a ratio to the backend's own, for Keras' applications and the families.

    python benchmarks/counts/applications.py torch           # products, by Torch's FlopCounterMode
    python benchmarks/counts/applications.py jax             # all, by XLA's cost analysis
    python benchmarks/counts/applications.py torch ResNet50  # one of them

Torch's counter is exact for products, but takes the weights' gradient of a grouped convolution for
that of a full one, and does not see fused attention. XLA's count is that of the program after
fusion: it counts elementwise work too, in its own way, and sees the body of a loop once.
"""

import sys

from nnbench.machine import devices

APPLICATIONS = (
    "VGG16", "ResNet50", "ResNet101", "ResNet50V2", "DenseNet121", "MobileNet", "MobileNetV2",
    "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetB3", "EfficientNetV2B0",
    "ConvNeXtTiny",
)  # fmt: skip
SIDE = 32


def main() -> None:
    backend, *names = sys.argv[1:]
    devices.start(backend)
    print(f"{'network':18} {'parameters':>12} {'forward':>10} {'ours / theirs':>14}  not counted")
    for name in names or APPLICATIONS:
        print(_line(name, backend), flush=True)


def _line(name: str, backend: str) -> str:
    import keras
    import numpy as np

    from nnbench.show.units import flops
    from nnbench.workload.counts.built import count

    made = getattr(keras.applications, name)
    model = made(weights=None, input_shape=(SIDE, SIDE, 3), classes=10)
    model.compile("sgd", "mse")
    batch = np.zeros((1, SIDE, SIDE, 3), np.float32)
    found = count(model, batch)
    assert found.parameters == model.count_params(), name
    if backend == "torch":
        ours = sum(one.forward_products for one in found.layers)
        theirs = _by_torch(model, batch)
    else:
        ours, theirs = found.forward_flops, _by_xla(model, batch)
    told = f"{ours / theirs:14.3f}" if theirs > 0 else f"{'not told':>14}"
    missing = ", ".join(found.uncounted[:2]) or "-"
    return f"{name:18} {found.parameters:12,} {flops(found.forward_flops):>10} {told}  {missing}"


def _by_torch(model, batch) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.from_numpy(batch), training=True)
    return float(counter.get_total_flops())


def _by_xla(model, batch) -> float:
    import jax

    def forward(trained, others, inputs):
        return model.stateless_call(trained, others, inputs, training=True)

    variables = (
        [one.value for one in model.trainable_variables],
        [one.value for one in model.non_trainable_variables],
    )
    cost = jax.jit(forward).lower(*variables, batch).compile().cost_analysis()
    return float((cost or {}).get("flops", -1.0))


if __name__ == "__main__":
    main()
