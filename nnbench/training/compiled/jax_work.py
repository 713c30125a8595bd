"""What a step on JAX computes, as far as its program is made otherwise for it."""

import math
from dataclasses import dataclass
from typing import Any

from nnbench.training.compiled.causes import LONGEST_SHORT_ROW, SHORT_SUMS


@dataclass(frozen=True)
class Work:
    """FLOPs of products, infinite where a step convolves, and how many numbers are summed.

    `short`: along rows of at most `LONGEST_SHORT_ROW` numbers that lie beside each other.
    """

    product_flops: float = 0.0
    summed_short: float = 0.0
    summed_otherwise: float = 0.0

    @property
    def sums_short_rows(self) -> bool:
        """Whether most of what it sums lies in short rows, as in attention and normalisation."""
        return self.summed_short > SHORT_SUMS * self.summed_otherwise


def of_jaxpr(jaxpr: Any) -> Work:
    """Of one run of it; what is called within it counts as often as it is called."""
    # It imports all of Pallas, and a chain of Dense layers does without.
    import jax.extend.core

    flops = short = otherwise = 0.0
    for equation in jaxpr.eqns:
        name, options = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            flops = math.inf
        elif name == "dot_general":
            (summed, _), _ = options["dimension_numbers"]
            left, made = equation.invars[0].aval, equation.outvars[0].aval
            flops += 2.0 * made.size * math.prod(left.shape[axis] for axis in summed)
        elif name == "reduce_sum":
            given, axes = equation.invars[0].aval, options["axes"]
            length = math.prod(given.shape[axis] for axis in axes)
            if given.ndim - 1 in axes and length <= LONGEST_SHORT_ROW:
                short += given.size
            else:
                otherwise += given.size
        times = options["length"] if name == "scan" else 1
        for inner in map(of_jaxpr, jax.extend.core.jaxprs_in_params(options)):
            flops += times * inner.product_flops
            short += times * inner.summed_short
            otherwise += times * inner.summed_otherwise
    return Work(flops, short, otherwise)
