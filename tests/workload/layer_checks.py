"""Every layer of Keras is counted or named; `test_counting.py` runs this file in a backend."""

import functools
import inspect

import keras
from keras import layers

from nnbench.workload.counts.built import count
from nnbench.workload.counts.calls import GRAPHS
from nnbench.workload.counts.rules import NOT_COUNTED, RULES

BASES = {"InputSpec", "Layer", "Wrapper"}
CLASSES = {one.__name__: one for one in vars(layers).values() if inspect.isclass(one)}
known = CLASSES.keys() - BASES
told = RULES.keys() | NOT_COUNTED.keys() | GRAPHS | {"TimeDistributed"}
assert known <= told, known - told
assert not NOT_COUNTED.keys() & RULES.keys()
assert NOT_COUNTED.keys() <= known

STEPS, IMAGE, FILM = (6, 4), (8, 8, 4), (4, 6, 8, 4)


def pools(kind, *dims):
    return {
        f"{kind}{d}D": ((2,), [shape])
        for d, shape in ((1, STEPS), (2, IMAGE), (3, FILM))
        if d in dims
    }


def plain(shape, *kinds, args=()):
    return {kind: (args, [shape]) for kind in kinds}


# Arguments, and shapes of a row of the inputs.
SAMPLES = {
    **plain((5,), "Dense", args=(3,)),
    "EinsumDense": (("abc,cd->abd", (6, 3)), [STEPS]),
    **{
        f"{kind}{d}D": ((3, 2), [shape])
        for d, shape in ((1, STEPS), (2, IMAGE), (3, FILM))
        for kind in ("Conv", "SeparableConv")
        if (kind, d) != ("SeparableConv", 3)
    },
    **{f"Conv{d}DTranspose": ((3, 2), [shape]) for d, shape in ((1, STEPS), (2, IMAGE), (3, FILM))},
    **{f"DepthwiseConv{d}D": ((2,), [shape]) for d, shape in ((1, STEPS), (2, IMAGE))},
    **{
        f"ConvLSTM{d}D": ((3, 2), [(5, *shape)]) for d, shape in ((1, STEPS), (2, IMAGE), (3, FILM))
    },
    **plain(STEPS, "LSTM", "GRU", "SimpleRNN", args=(3,)),
    "RNN": ((layers.GRUCell(3),), [STEPS]),
    "MultiHeadAttention": ((2, 3), [STEPS, (7, 4)]),
    "GroupedQueryAttention": ((3, 4, 2), [STEPS, (7, 4)]),
    "Attention": ((), [[STEPS, STEPS]]),
    "AdditiveAttention": ((), [[STEPS, STEPS]]),
    "Embedding": ((9, 3), [(6,)]),
    "ReversibleEmbedding": ((9, 3), [(6,)]),
    **pools("MaxPooling", 1, 2, 3),
    **pools("AveragePooling", 1, 2, 3),
    **{
        f"Global{kind}Pooling{d}D": ((), [shape])
        for d, shape in ((1, STEPS), (2, IMAGE), (3, FILM))
        for kind in ("Max", "Average")
    },
    **{
        f"Adaptive{kind}Pooling{d}D": ((2,), [shape])
        for d, shape in ((1, STEPS), (2, IMAGE), (3, FILM))
        for kind in ("Max", "Average")
    },
    **plain(IMAGE, "Activation", args=("relu",)),
    **{
        kind: ((), [[STEPS, STEPS]])
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    },
    "Dot": ((1,), [[(5,), (5,)]]),
    **pools("UpSampling", 1, 2, 3),
    **pools("Cropping", 1, 2, 3),
    **pools("ZeroPadding", 1, 2, 3),
    "Cropping1D": ((1,), [STEPS]),
    "Cropping2D": ((1,), [IMAGE]),
    "Cropping3D": ((1,), [FILM]),
    **plain(IMAGE, "Resizing", "CenterCrop", args=(4, 4)),
    **plain(IMAGE, "RandomFlip"),
    **plain(
        IMAGE,
        "BatchNormalization",
        "LayerNormalization",
        "RMSNormalization",
        "UnitNormalization",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Identity",
        "Flatten",
        "Normalization",
    ),
    **plain(IMAGE, "GroupNormalization", args=(2,)),
    **plain(IMAGE, "Rescaling", args=(0.5,)),
    **plain(
        STEPS,
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "AlphaDropout",
        "SpatialDropout1D",
        args=(0.1,),
    ),
    **plain(IMAGE, "SpatialDropout2D", args=(0.1,)),
    **plain(FILM, "SpatialDropout3D", args=(0.1,)),
    **plain(STEPS, "Masking", "ActivityRegularization"),
    "Reshape": (((3, 8),), [STEPS]),
    "Permute": (((2, 1),), [STEPS]),
    "RepeatVector": ((3,), [(5,)]),
}
# Cells are counted in `RNN`; random places cannot be traced on JAX, by Keras' own words.
ELSEWHERE = {"LSTMCell", "GRUCell", "SimpleRNNCell", "InputLayer", "RandomCrop"}
MOVES = {
    "Embedding", "ReversibleEmbedding", "Concatenate", "UpSampling1D", "UpSampling2D",
    "UpSampling3D", "Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D",
    "ZeroPadding3D", "CenterCrop", "RandomFlip", "Reshape", "Permute", "Flatten",
    "Identity", "ActivityRegularization", "RepeatVector",
}  # fmt: skip

TOKENS = functools.partial(keras.Input, dtype="int32")
ruled = known & RULES.keys() - ELSEWHERE
assert ruled == SAMPLES.keys(), ruled ^ SAMPLES.keys()
for kind, (args, shapes) in SAMPLES.items():
    layer = CLASSES[kind](*args)
    of = keras.Input if "Embedding" not in kind else TOKENS
    inputs = keras.tree.map_shape_structure(of, shapes)
    flat = keras.tree.flatten(inputs)
    model = keras.Model(flat, layer(*inputs))
    model.compile("sgd", "mse")
    found = count(model, [keras.KerasTensor((3, *one.shape[1:]), one.dtype) for one in flat])
    line = found.layers[-1]
    assert not found.uncounted, (kind, found.uncounted)
    assert line.counted, kind
    assert found.parameters == model.count_params(), kind
    assert (line.forward_flops > 0) == (kind not in MOVES), (kind, line.forward_flops)
