"""What counting makes: a line for each layer, and the whole network's figures."""

from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from typing import Any, Self

from nnbench.machine.fields import Field

Shape = tuple[int, ...]
MOST_LINES = 100_000


@dataclass(frozen=True)
class LayerCount:
    """One call of one layer, on all rows of a batch.

    `name` is the layer's path in the network, `output` its (first) output's shape. A layer that is
    called again has its parameters in its first line. `counted` is False where no rule says what
    the layer computes, its FLOPs are then 0; `missing` is what of it is not counted, in words.
    """

    name: str
    kind: str
    output: Shape
    parameters: int
    trainable: int
    weight_bytes: int
    activation: str = ""
    forward_products: int = 0
    forward_elementwise: int = 0
    backward_products: int = 0
    backward_elementwise: int = 0
    activation_bytes: int = 0
    counted: bool = True
    missing: str = ""
    variables: int = 0
    """Trainable weight tensors, each of which is updated."""
    grouped_products: int = 0
    """Of the forward products, those of a grouped convolution, such as a depthwise one."""
    ungrouped_products: int = 0
    """What these would be without groups."""
    steps: int = 1
    """Time steps that run one after the other, of a recurrent layer."""
    is_masked: bool = False
    """Whether a mask tells it which time steps to leave out."""

    @property
    def forward_flops(self) -> int:
        """Operations of its forward pass."""
        return self.forward_products + self.forward_elementwise

    @property
    def backward_flops(self) -> int:
        """Operations of its backward pass."""
        return self.backward_products + self.backward_elementwise


@dataclass(frozen=True)
class NetworkCount:
    """A network's layers, and what one step on a batch takes; bytes are held meanwhile.

    `update_flops` is None for an optimizer without a rule, and 0 without an optimizer;
    `batch_bytes` are those of the inputs.
    """

    rows: int
    layers: tuple[LayerCount, ...]
    batch_bytes: int
    optimizer: str
    update_flops: int | None
    optimizer_bytes: int
    precision: str = "float32"
    """The type that it computes in."""
    metrics: int = 0
    """What is measured in each step besides the loss, as so many plain metrics."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, without names; lines that are alike stand once, `times` says how often."""
        lines: dict[LayerCount, int] = {}
        for one in self.layers:
            alike = replace(one, name="")
            lines[alike] = lines.get(alike, 0) + 1
        usual = {one.name: one.default for one in fields_of(LayerCount)}
        told = [
            {
                "times": times,
                "line": {
                    name: value
                    for name, value in vars(one).items()
                    if name != "name" and value != usual[name]
                },
            }
            for one, times in lines.items()
        ]
        return {**vars(self), "layers": told}

    @classmethod
    def of(cls, plain: Field) -> Self:
        """Read back what `to_json` wrote; lines that are alike stand together."""
        found: list[LayerCount] = []
        for each in plain["layers"].entries():
            found += [_line_of(each["line"])] * each["times"].whole(least=1, most=MOST_LINES)
        return plain.record(cls, layers=tuple(found))

    @property
    def uncounted(self) -> list[str]:
        """What no rule counts, by kind and name of the layer."""
        # What was read back has no names.
        lines = [one for one in self.layers if one.missing]
        found = [f"{one.kind} {one.name}".strip() + f": {one.missing}" for one in lines]
        return [*found, *([f"optimizer {self.optimizer}"] if self.update_flops is None else [])]

    @property
    def parameters(self) -> int:
        """All parameters, trainable or not."""
        return sum(one.parameters for one in self.layers)

    @property
    def trainable(self) -> int:
        """Trainable parameters."""
        return sum(one.trainable for one in self.layers)

    @property
    def forward_flops(self) -> int:
        """Operations of the forward pass; the loss itself, a few a row, is left out."""
        return sum(one.forward_flops for one in self.layers)

    @property
    def backward_flops(self) -> int:
        """Operations of the backward pass."""
        return sum(one.backward_flops for one in self.layers)

    @property
    def flops(self) -> int:
        """Operations of the whole step, as far as they are counted."""
        return self.forward_flops + self.backward_flops + (self.update_flops or 0)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(one.weight_bytes for one in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Bytes held for the backward pass: the batch, and what the layers make of it."""
        return self.batch_bytes + sum(one.activation_bytes for one in self.layers)


def _line_of(plain: Field) -> LayerCount:
    for one in plain.members().values():
        if isinstance(one.value, int) and not isinstance(one.value, bool):
            one.whole()
    output = tuple(size.whole() for size in plain["output"].entries())
    return plain.record(LayerCount, name="", output=output)
