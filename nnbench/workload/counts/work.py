"""What one call of a layer takes, and the table of rules that say so by kind of layer.

A multiply-add is two operations; an exponential, a root or a division is one. A product is what a
matrix unit does; everything else is elementwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from nnbench.workload.counts.calls import Call, is_of_keras, keras_kind
from nnbench.workload.counts.records import Shape

ACTIVATIONS = {
    "linear": 0, "relu": 1, "relu6": 2, "leaky_relu": 2, "hard_sigmoid": 4, "hard_silu": 5,
    "hard_swish": 5, "elu": 3, "selu": 4, "celu": 4, "softplus": 3, "softsign": 3, "silu": 5,
    "swish": 5, "sigmoid": 4, "tanh": 5, "gelu": 9, "mish": 9, "exponential": 1, "softmax": 5,
    "log_softmax": 6, "log_sigmoid": 5, "hard_tanh": 2, "hard_shrink": 2, "soft_shrink": 3,
    "tanh_shrink": 6, "threshold": 2, "squareplus": 4, "sparse_plus": 4, "sparse_sigmoid": 3,
}  # fmt: skip
"""Operations an element costs."""


@dataclass(frozen=True)
class Work:
    """Operations of one call: forward, and what the backward pass makes of them.

    `product` multiplies inputs with weights; `through` multiplies with weights what comes of other
    weights of the same layer; `inner` multiplies two results with each other. Of these `grouped`
    are of a grouped convolution, `ungrouped` is what those would be without groups. `forward` and
    `backward` are elementwise. `held` counts the values that are kept for the backward pass besides
    the outputs, `missing` names what no rule counts.
    """

    product: int = 0
    through: int = 0
    inner: int = 0
    grouped: int = 0
    ungrouped: int = 0
    forward: int = 0
    backward: int = 0
    held: int = 0
    missing: tuple[str, ...] = ()

    def __add__(self, other: "Work") -> "Work":
        return Work(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def products(self) -> int:
        """Operations of the products in the forward pass."""
        return self.product + self.through + self.inner

    def backward_products(self, *, trained: bool, on_trained: bool) -> int:
        """Operations of the products in the backward pass.

        For each product one as large gives the weights' gradient, if they are `trained`, and one
        the inputs', if anything trained lies before them.
        """
        reached = trained or on_trained
        weights = self.product * (trained + on_trained) + self.through * (trained + reached)
        return weights + 2 * reached * self.inner


Rule = Callable[[Call], Work | None]
"""None: this layer, as it is set, is not counted."""

RULES: dict[str, Rule] = {}
"""By the name of Keras' class; a class derived from it that has its own `call` has no rule."""


Made = TypeVar("Made", bound=Rule)


def rule(*kinds: str) -> Callable[[Made], Made]:
    """Enter what is decorated as the rule of these kinds."""

    def enter(made: Made) -> Made:
        RULES.update(dict.fromkeys(kinds, made))
        return made

    return enter


def size_of(shape: Shape) -> int:
    """Elements of a tensor."""
    return math.prod(shape)


def activation(function: Any, size: int) -> Work:
    """The work of an activation on so many elements; its derivative is one operation.

    A layer may be one; a function that is not Keras' own is missing.
    """
    kind = keras_kind(function)
    if kind in RULES:
        found = RULES[kind](Call(function, [(size,)], [(size,)]))
        if found is not None:
            return found
    name = getattr(function, "__name__", type(function).__name__)
    each = ACTIVATIONS.get(name) if is_of_keras(function) else None
    if each is None:
        return Work(missing=(f"its activation {name}",))
    return Work(forward=each * size, backward=size)
