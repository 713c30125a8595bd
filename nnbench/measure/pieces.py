"""Pieces of a training step, each a network of its own that is trained as the whole one is.

`cut:3` is the network up to the third layer that it calls, in the order of `counts.sequence`: what
comes after is not computed, and each output takes itself for its gradient, which costs nothing.
`forward:3` is the same without a backward pass; of what was made, the sum is taken. `update:3` is
the optimizer's update of the third layer's weights, by gradients that are at hand. `alone:3` is a
step of the third layer by itself, on what it is given in the network. `cut:0` is a step without
layers. What a step takes more than another, which lacks a layer, is what it takes.

Every piece is a Keras model that goes through the very code that times whole networks. Learning
rates are 0: numbers that shrink or grow for ever may be computed at another speed.

Keras is imported within functions, since the parent reads what there is to be timed.
"""

import functools
import math
from typing import TYPE_CHECKING, Any

from nnbench.workload import keras_model
from nnbench.workload.case import Case
from nnbench.workload.counts import built, sequence
from nnbench.workload.counts.sequence import Called

if TYPE_CHECKING:
    import keras

CUT, FORWARD, UPDATE, ALONE = "cut", "forward", "update", "alone"


def model(case: Case, batch: Any) -> "keras.Model":
    """The compiled network of a case's piece; `batch` is one as `fit` hands it to a step."""
    import keras

    from nnbench.measure import piece_models

    assert case.piece is not None
    kind, _, count = case.piece.partition(":")
    x = keras.utils.unpack_x_y_sample_weight(batch)[0]
    whole = keras_model.for_case(case)
    keras_model.make_weights(whole, x)
    every = sequence.of_model(whole, x)
    called = every[: int(count)]
    made: Any
    if kind == UPDATE:
        made = piece_models.Update(called)
    elif kind == ALONE:
        made = piece_models.Alone(whole, called[-1], x)
    else:
        run = _chain(whole, batch, case) or whole
        made = piece_models.Cut(run, called, forward_only=kind == FORWARD)
    made.compile(piece_models.without_learning(whole), jit_compile=bool(whole.jit_compile))
    made.product_flops = _product_flops(every)
    return made


def _product_flops(called: list[Called]) -> float:
    """Of a step's products, infinite where it convolves: how the compiled path decides its form."""
    layers = [line for one in called for line in built.of_call(one.call, set())]
    if any("Conv" in one.kind for one in layers):
        return math.inf
    return float(sum(one.forward_products + one.backward_products for one in layers))


def _chain(whole: Any, batch: Any, case: Case) -> Any:
    """A chain of Dense layers that is trained features x rows; None for all else."""
    if case.backend != "jax" or case.path != "compiled":
        return None
    from nnbench.training.compiled import jax_dense_chain

    lowered = jax_dense_chain.lower(whole, batch, case.batch_rows)
    if not isinstance(lowered, jax_dense_chain.DenseChain):
        return None
    return functools.partial(jax_dense_chain.prefix, whole.layers)
