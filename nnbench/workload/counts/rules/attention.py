"""Attention: every query with every key."""

import math
from dataclasses import replace

from nnbench.workload.counts.calls import Call, keras_kind
from nnbench.workload.counts.records import Shape
from nnbench.workload.counts.rules.products import einsum_dense
from nnbench.workload.counts.work import ACTIVATIONS, Work, rule


@rule("MultiHeadAttention")
def _heads(call: Call) -> Work | None:
    config = call.layer.get_config()
    query, value = _query_and_value(call)
    axes = config["attention_axes"] or range(1, len(query) - 1)
    keys = math.prod(value[axis] for axis in axes)
    sizes = config["key_dim"], config["value_dim"] or config["key_dim"]
    return _of_heads(call, config["num_heads"] * math.prod(query[:-1]) * keys, *sizes)


@rule("GroupedQueryAttention")
def _grouped_heads(call: Call) -> Work | None:
    config = call.layer.get_config()
    query, value = _query_and_value(call)
    scores = config["num_query_heads"] * math.prod(query[:-1]) * value[1]
    return _of_heads(call, scores, config["head_dim"], config["head_dim"])


def _query_and_value(call: Call) -> list[Shape]:
    return (call.inputs * 2)[:2]


def _of_heads(call: Call, scores: int, key: int, value: int) -> Work | None:
    """The projections, which are calls of their own, and the scores of queries with keys."""
    projections = [
        einsum_dense(made) for made in call.calls if keras_kind(made.layer) == "EinsumDense"
    ]
    if not projections:
        return None
    *before, last = projections
    return sum(
        [*before, replace(last, product=0, through=last.product)],
        Work(
            inner=2 * scores * (key + value),
            forward=(ACTIVATIONS["softmax"] + 1) * scores,
            backward=(ACTIVATIONS["softmax"] + 1) * scores,
            held=scores,
        ),
    )


@rule("Attention")
def _dot_attention(call: Call) -> Work:
    query, value = call.inputs[:2]
    scores = math.prod(query[:-1]) * math.prod(value[1:-1])
    return Work(
        inner=2 * scores * (query[-1] + value[-1]),
        forward=ACTIVATIONS["softmax"] * scores,
        backward=ACTIVATIONS["softmax"] * scores,
        held=scores,
    )


@rule("AdditiveAttention")
def _additive_attention(call: Call) -> Work:
    query, value = call.inputs[:2]
    scores = math.prod(query[:-1]) * math.prod(value[1:-1])
    each = (ACTIVATIONS["tanh"] + 3) * query[-1] + ACTIVATIONS["softmax"]
    return Work(inner=2 * scores * value[-1], forward=each * scores, backward=each * scores)


@rule("DotProductAttention")
def _attention_operation(call: Call) -> Work | None:
    """The operation: rows, steps, heads, size."""
    query, key = call.inputs[:2]
    scores = math.prod(query[:-1]) * key[1]
    return Work(
        inner=4 * scores * query[-1],
        forward=(ACTIVATIONS["softmax"] + 1) * scores,
        backward=(ACTIVATIONS["softmax"] + 1) * scores,
        held=scores,
    )
