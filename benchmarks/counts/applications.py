"""Our count of FLOPs against the backends' own, for Keras' applications and every family.

    python benchmarks/counts/applications.py                           # all, on Torch and JAX
    python benchmarks/counts/applications.py ResNet50 conv:8x3         # these
    python benchmarks/counts/applications.py --page docs/counts.md     # and put the table there

Exit status 1 where a comparison that can be trusted is off by more than 5 %.

Torch's `FlopCounterMode` counts products as they are run. XLA's `cost_analysis`, asked before the
program is optimised, counts all operations that are no exponentials or roots. For each there is a
reason, below, where it cannot be trusted; what it can is said with the table.
"""

import argparse
import json
import math
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from nnbench.machine import devices

APPLICATIONS = (
    "VGG16", "ResNet50", "ResNet101", "ResNet50V2", "DenseNet121", "MobileNet", "MobileNetV2",
    "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetB3", "EfficientNetV2B0",
    "ConvNeXtTiny",
)  # fmt: skip
IMAGE, STEPS = (28, 28, 1), (16, 8)
FAMILIES = {
    "64x4": (16,), "residual:64x4": (16,), "conv:16x4": IMAGE, "conv:16x4(norm=on)": IMAGE,
    "conv1d:16x4": (64, 8), "separable:16x4": IMAGE, "lstm:32x2": STEPS, "gru:32x2": STEPS,
    "lstm:32x1(bidirectional=on)": STEPS, "transformer:64x4": STEPS,
}  # fmt: skip
SIDE, ROWS, WITHIN = 32, 2, 0.05

GROUPED = "Torch takes the weights' gradient of a grouped convolution for that of a full one"
LOOP = "XLA counts the body of a loop over steps once"
FUSED = "Torch does not count fused attention on a CPU"
SERIES = "XLA counts the error function in GELU as a polynomial, 66 operations where we count 9"
BEGIN, END = "<!-- from here: applications.py -->", "<!-- to here -->"


@dataclass(frozen=True)
class Comparison:
    """A network's operations by our count and by a backend's, and why the latter is not trusted."""

    network: str
    parameters: int
    backend: str
    what: str
    ours: int
    theirs: float
    distrust: str = ""

    @property
    def ratio(self) -> float:
        """Ours as a share of theirs."""
        return self.ours / self.theirs if self.theirs > 0 else math.nan

    @property
    def agrees(self) -> bool:
        """Whether both are within 5 %."""
        return abs(self.ratio - 1) <= WITHIN


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("networks", nargs="*", default=[*FAMILIES, *APPLICATIONS])
    asked.add_argument("--backend", choices=("torch", "jax"), help="in this process, as JSON")
    asked.add_argument("--page", type=Path)
    asked.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    given = asked.parse_args()
    if given.backend:
        devices.start(given.backend, "cpu")
        for name in given.networks:
            for one in _compared(name, given.backend):
                print(json.dumps(asdict(one)), flush=True)
        return 0
    found = [one for backend in ("torch", "jax") for one in _asked(backend, given.networks)]
    table = _table(found)
    print(table)
    if given.page:
        before, _, rest = given.page.read_text().partition(BEGIN)
        given.page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}")
    if given.ledger:
        keep(table)
    return int(any(not one.agrees and not one.distrust for one in found))


def keep(table: str) -> None:
    """Write the result file of the documentation's ledger."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from benchmarks import ledger

    lines = table.splitlines()
    header, _, *rows = [
        [cell.strip() for cell in one.strip("|").split("|")] for one in lines if one[:1] == "|"
    ]
    *notes, told = [one for one in lines if one and one[0] != "|"]
    answer = f"{told} Each figure is our count as a share of the backend's own."
    question = "Are parameters and FLOPs counted right?"
    ledger.keep("counts", question, answer, [{"title": "", "columns": header, "rows": rows}], notes)


def _asked(backend: str, networks: list[str]) -> list[Comparison]:
    """A process never mixes two backends."""
    command = [sys.executable, __file__, "--backend", backend, *networks]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [Comparison(**json.loads(one)) for one in lines.splitlines() if one.startswith("{")]


def _table(found: list[Comparison]) -> str:
    columns = list(dict.fromkeys((one.backend, one.what) for one in found))
    header = [f"{backend}, {what}" for backend, what in columns]
    lines = [
        f"| network | parameters | {' | '.join(header)} |",
        f"| --- | ---: |{' ---: |' * len(columns)}",
    ]
    reasons = list(dict.fromkeys(one.distrust for one in found if one.distrust))
    for network in dict.fromkeys(one.network for one in found):
        mine = {(one.backend, one.what): one for one in found if one.network == network}
        cells = [_cell(mine[column], reasons) for column in columns]
        parameters = next(iter(mine.values())).parameters
        lines.append(f"| `{network}` | {parameters:,} | {' | '.join(cells)} |")
    outside = sum(not one.agrees and not one.distrust for one in found)
    trusted = sum(not one.distrust for one in found)
    said = [f"[{number}] {reason}." for number, reason in enumerate(reasons, 1)]
    told = f"Of {trusted} comparisons that can be trusted, {trusted - outside} are within 5 %."
    return "\n".join([*lines, "", *said, "", told])


def _cell(one: Comparison, reasons: list[str]) -> str:
    ratio = "-" if math.isnan(one.ratio) else f"{one.ratio:.3f}"
    if one.distrust:
        return f"{ratio} [{reasons.index(one.distrust) + 1}]"
    return ratio if one.agrees else f"**{ratio}**, outside"


def _compared(name: str, backend: str) -> list[Comparison]:
    import keras
    import numpy as np

    from nnbench.workload.counts import built, calls

    model = _model(name)
    model.compile("sgd", "mse")
    batch = np.zeros((ROWS, *model.input_shape[1:]), np.float32)
    found = built.count(model, batch)
    assert found.parameters == model.count_params(), name
    kinds = {one.kind for one in found.layers}
    forward = sum(one.forward_products for one in found.layers)
    backward = sum(one.backward_products for one in found.layers)
    if backend == "torch":
        ours, theirs = (forward, forward + backward), _by_torch(model, batch)
        grouped = {"DepthwiseConv2D", "SeparableConv2D"} & kinds or any(
            getattr(one, "groups", 1) > 1 for one in model._flatten_layers()
        )
        fused = FUSED if "MultiHeadAttention" in kinds else ""
        distrust = (fused, fused or (GROUPED if grouped else ""))
        what = ("products forward", "products in training")
    else:
        padding = _padding(calls.of_model(model, batch))
        ours = (
            found.forward_flops - padding[0],
            found.forward_flops + found.backward_flops - padding[0] - padding[1],
        )
        theirs = _by_xla(model, batch)
        in_loop = LOOP if kinds & {"LSTM", "GRU", "SimpleRNN"} else ""
        in_series = SERIES if any(one.activation == "gelu" for one in found.layers) else ""
        distrust = (in_loop or in_series,) * 2
        what = ("all forward", "all in training")
    keras.utils.clear_session()
    return [
        Comparison(name, found.parameters, backend, *one)
        for one in zip(what, ours, theirs, distrust, strict=True)
    ]


def _model(name: str):
    import keras

    from nnbench.workload import architecture as arch

    if name in APPLICATIONS:
        made = getattr(keras.applications, name)
        return made(weights=None, input_shape=(SIDE, SIDE, 3), classes=10)
    one, inputs = arch.parse(name), keras.Input(FAMILIES[name])
    hidden = one.kind.hidden(inputs, one.widths, "relu", one.knobs)
    return keras.Model(inputs, keras.layers.Dense(10)(hidden))


def _by_torch(model, batch) -> tuple[float, float]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as forward:
        answer = model(torch.from_numpy(batch), training=True)
    with FlopCounterMode(display=False) as backward:
        answer.sum().backward()
    first = float(forward.get_total_flops())
    return first, first + backward.get_total_flops()


def _by_xla(model, batch) -> tuple[float, float]:
    import jax

    def forward(trained, others):
        return model.stateless_call(trained, others, batch, training=True)[0]

    def training(trained, others):
        return jax.value_and_grad(lambda one: forward(one, others).sum())(trained)

    variables = (
        [one.value for one in model.trainable_variables],
        [one.value for one in model.non_trainable_variables],
    )
    asked = [jax.jit(one).lower(*variables).cost_analysis() for one in (forward, training)]
    return tuple(float((cost or {}).get("flops", -1.0)) for cost in asked)


def _padding(call) -> tuple[int, int]:
    """Our operations, forward and backward, on the zeros around images, which XLA leaves out."""
    from nnbench.workload.counts.rules import RULES

    inside = [_padding(made) for made in call.calls]
    forward, backward = (sum(one) for one in zip((0, 0), *inside, strict=True))
    kind = type(call.layer).__name__
    if "Conv" in kind and "Transpose" not in kind and call.layer.padding != "valid":
        product = RULES[kind](call).product
        zeros = product - round(product * _share_inside(call.layer, call.inputs[0]))
        forward += zeros
        backward += zeros * (1 + call.on_trained)
    return forward, backward


def _share_inside(layer, shape: tuple[int, ...]) -> float:
    """The share of a convolution's multiplications that are on the image itself."""
    share = 1.0
    places = zip(layer.kernel_size, layer.strides, layer.dilation_rate, shape[1:-1], strict=True)
    for window, stride, apart, size in places:
        outputs = -(-size // stride)
        around = max((outputs - 1) * stride + (window - 1) * apart + 1 - size, 0)
        before = around if layer.padding == "causal" else around // 2
        hits = sum(
            0 <= place * stride - before + tap * apart < size
            for place in range(outputs)
            for tap in range(window)
        )
        share *= hits / (outputs * window)
    return share


if __name__ == "__main__":
    sys.exit(main())
