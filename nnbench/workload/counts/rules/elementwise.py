"""What works on each element: pooling, normalisations, activations, merges, reshapes."""

import math

from nnbench.workload.counts.calls import VIEWS, Call
from nnbench.workload.counts.work import ACTIVATIONS, RULES, Rule, Work, activation, rule, size_of


def _same(operations: int, backward: int | None = None) -> Rule:
    """So many operations an element of the output."""

    def rule(call: Call) -> Work:
        size = size_of(call.outputs[0])
        back = operations if backward is None else backward
        return Work(forward=operations * size, backward=back * size)

    return rule


@rule("Embedding", "ReversibleEmbedding")
def _embedding(call: Call) -> Work:
    inputs, outputs = call.inputs[0], call.outputs[0]
    if len(inputs) == len(outputs):
        # Reversed: vectors times the embeddings of all tokens.
        return Work(product=2 * size_of(outputs) * inputs[-1])
    # Rows are copied; each output's gradient is added to its row.
    return Work(backward=size_of(outputs))


@rule("MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
       "AveragePooling1D", "AveragePooling2D", "AveragePooling3D")  # fmt: skip
def _pooling(call: Call) -> Work:
    window = call.layer.pool_size
    each = window if isinstance(window, int) else math.prod(window)
    size = each * size_of(call.outputs[0])
    return Work(forward=size, backward=size)


@rule("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
       "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
       "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D",
       "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D")  # fmt: skip
def _global_pooling(call: Call) -> Work:
    size = size_of(call.inputs[0])
    return Work(forward=size, backward=size)


@rule("Activation")
def _activation_layer(call: Call) -> Work:
    return activation(call.layer.activation, size_of(call.outputs[0]))


@rule("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
def _merge(call: Call) -> Work:
    """Also the operations of these names; what has one tensor alone works on a number."""
    between = max(1, len(call.inputs) - 1)
    size = between * size_of(call.outputs[0])
    return Work(forward=size, backward=size)


@rule("UpSampling2D", "Resizing")
def _resampling(call: Call) -> Work:
    each = 0 if call.layer.interpolation == "nearest" else 8
    size = size_of(call.outputs[0])
    return Work(forward=each * size, backward=max(1, each) * size)


def _each_input(forward: int, backward: int) -> Rule:
    """So many operations an element of the input."""

    def rule(call: Call) -> Work:
        size = size_of(call.inputs[0])
        return Work(forward=forward * size, backward=backward * size)

    return rule


for _kinds, _counted in {
    # Mean, variance, difference, root and scale with offset; and the gradients of all of them.
    ("BatchNormalization", "LayerNormalization", "GroupNormalization"): _each_input(7, 11),
    ("BatchNorm", "LayerNorm"): _each_input(7, 11),
    ("RMSNormalization", "UnitNormalization", "RMSNorm", "Normalize"): _each_input(4, 7),
    ("Normalization", "Rescaling"): _same(2, 0),
    ("LayerScale",): _same(1, 2),
    ("ReLU", "Relu"): _same(1),
    ("LeakyReLU", "LeakyRelu", "PReLU"): _same(2),
    ("ELU", "Elu"): _same(3, 2),
    ("Softmax",): _same(ACTIVATIONS["softmax"], 4),
    **{
        (name,): _same(ACTIVATIONS[snake], 1)
        for name, snake in {
            "Sigmoid": "sigmoid", "Tanh": "tanh", "Gelu": "gelu", "Silu": "silu", "Relu6": "relu6",
            "Selu": "selu", "Celu": "celu", "Softplus": "softplus", "Softsign": "softsign",
            "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "HardTanh": "hard_tanh",
            "LogSoftmax": "log_softmax", "LogSigmoid": "log_sigmoid",
        }.items()
    },
    ("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout"): _same(2, 1),
    ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"): _same(1),
    ("Divide", "TrueDivide", "Negative", "Absolute", "Abs", "Square", "Sqrt", "Exp", "Log"): _same(
        1
    ),
    ("Power", "Sin", "Cos", "Tan", "Clip", "Reciprocal", "Rsqrt", "Where", "Exp2", "Expm1"): _same(
        1
    ),
    ("Log1p", "Log2", "Log10", "Erf", "Sinh", "Cosh", "Arctan", "Arcsin", "Arccos"): _same(1),
    ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "Sign"): _same(1, 0),
    ("LogicalAnd", "LogicalOr", "LogicalNot", "Floor", "Ceil", "Round", "Mod"): _same(1, 0),
    ("RepeatVector", "UpSampling1D", "UpSampling3D"): _same(0, 1),
    ("Masking",): _same(2, 1),
    ("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Prod", "Cumsum"): _each_input(1, 1),
    ("Argmax", "Argmin", "All", "Any", "CountNonzero"): _each_input(1, 0),
    ("Var", "Std"): _each_input(4, 3),
    ("Norm", "Logsumexp"): _each_input(2, 2),
}.items():  # fmt: skip
    RULES.update(dict.fromkeys(_kinds, _counted))

_MOVES = {
    "Concatenate", "Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D",
    "ZeroPadding3D", "Stack", "Split", "Pad", "Tile", "Repeat", "BroadcastTo", "Take", "Slice",
    "ZerosLike", "OnesLike", "FullLike", "Arange", "CenterCrop", "RandomCrop", "RandomFlip", "Flip",
    "Roll", "Hstack", "Vstack", "Dstack", "Unstack", "Copy", "OneHot", "Diagonal", "Tril", "Triu",
    "TakeAlongAxis", "SliceUpdate", "Full",
}  # fmt: skip
RULES.update(dict.fromkeys(VIEWS | _MOVES, lambda call: Work()))
