"""The training as it is written in JAX without another library: functions of dicts of arrays."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.peers import task as peers

DECAYS = 0.9, 0.999


def start(task):
    """The state of a training, a step `(state, (x, y)) -> (state, loss)`, and its parameters."""
    numbers = np.random.default_rng(0)
    make, apply = globals()[f"_{task.family}"](task)
    weights, statistics = make(numbers)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    loss_of = binary_loss if task.classes == 1 else class_loss

    def loss_in(weights, statistics, x, y):
        outputs, statistics = apply(weights, statistics, x)
        return loss_of(outputs, y), statistics

    def step(state, batch):
        weights, statistics, means, squares, count = state
        graded = jax.value_and_grad(loss_in, has_aux=True)
        (loss, statistics), gradients = graded(weights, statistics, *batch)
        count = count + 1
        weights, means, squares = adam(weights, gradients, means, squares, count)
        return (weights, statistics, means, squares, count), loss

    parameters = sum(leaf.size for leaf in jax.tree.leaves(weights))
    # Each has buffers of its own, or they could not be donated.
    means, squares = zeros, jax.tree.map(jnp.copy, zeros)
    return (weights, statistics, means, squares, jnp.float32(0)), step, parameters


def binary_loss(outputs, y):
    p = jnp.clip(jax.nn.sigmoid(outputs), 1e-7, 1 - 1e-7)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))


def class_loss(outputs, y):
    logs = jax.nn.log_softmax(outputs)
    return -jnp.mean(jnp.take_along_axis(logs, y[:, None], axis=1))


def adam(weights, gradients, means, squares, count):
    first, second = DECAYS
    means = jax.tree.map(lambda m, g: first * m + (1 - first) * g, means, gradients)
    squares = jax.tree.map(lambda v, g: second * v + (1 - second) * g * g, squares, gradients)
    rate = peers.RATE * jnp.sqrt(1 - second**count) / (1 - first**count)
    weights = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v) + peers.ADAM_EPSILON), weights, means, squares
    )
    return weights, means, squares


def glorot(numbers, *shape):
    places = int(np.prod(shape[:-2]))
    limit = np.sqrt(6 / places / (shape[-2] + shape[-1]))
    return jnp.array(numbers.uniform(-limit, limit, shape), "float32")


def orthogonal(numbers, n, m):
    q, r = np.linalg.qr(numbers.normal(size=(m, n)))
    return jnp.array((q * np.sign(np.diag(r))).T, "float32")


def linear(numbers, n, m):
    return {"w": glorot(numbers, n, m), "b": jnp.zeros(m)}


def affine(layer, x):
    return x @ layer["w"] + layer["b"]


def convolve(w, x):
    return lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _dense(task):
    def make(numbers):
        sides = itertools.pairwise((task.x.shape[1], *task.widths, 1))
        return [linear(numbers, n, m) for n, m in sides], ()

    def apply(weights, statistics, z):
        for layer in weights[:-1]:
            z = jax.nn.relu(affine(layer, z))
        return affine(weights[-1], z), statistics

    return make, apply


def _convnet(task):
    _, rows, columns, channels = task.x.shape
    widths = peers.FILTERS, 2 * peers.FILTERS

    def make(numbers):
        sides = itertools.pairwise((channels, *widths))
        layers = [{"w": glorot(numbers, 3, 3, n, m), "b": jnp.zeros(m)} for n, m in sides]
        cells = rows // 4 * (columns // 4) * widths[-1]
        return {"convolutions": layers, "out": linear(numbers, cells, task.classes)}, ()

    def apply(weights, statistics, z):
        for layer in weights["convolutions"]:
            z = jax.nn.relu(convolve(layer["w"], z) + layer["b"])
            window = (1, 2, 2, 1)
            z = lax.reduce_window(z, -jnp.inf, lax.max, window, window, "VALID")
        return affine(weights["out"], z.reshape(len(z), -1)), statistics

    return make, apply


def _resnet(task):
    channels, filters, count = task.x.shape[-1], peers.FILTERS, 1 + 2 * peers.RESIDUAL_BLOCKS

    def make(numbers):
        layers = [
            {
                "w": glorot(numbers, 3, 3, channels if number == 0 else filters, filters),
                "scale": jnp.ones(filters),
                "b": jnp.zeros(filters),
            }
            for number in range(count)
        ]
        weights = {"convolutions": layers, "out": linear(numbers, filters, task.classes)}
        return weights, [(jnp.zeros(filters), jnp.ones(filters)) for _ in range(count)]

    def normed(layer, statistics, z):
        z = convolve(layer["w"], z)
        mean, variance = jnp.mean(z, (0, 1, 2)), jnp.var(z, (0, 1, 2))
        scale = layer["scale"] * lax.rsqrt(variance + peers.NORM_EPSILON)
        share = peers.NORM_MOMENTUM
        moved = jax.tree.map(
            lambda old, new: share * old + (1 - share) * new, statistics, (mean, variance)
        )
        return (z - mean) * scale + layer["b"], moved

    def apply(weights, statistics, z):
        layers = list(zip(weights["convolutions"], statistics, strict=True))
        z, moved = normed(*layers[0], z)
        z, all_moved = jax.nn.relu(z), [moved]
        for first, second in zip(layers[1::2], layers[2::2], strict=True):
            inner, moved = normed(*first, z)
            inner, moved_too = normed(*second, jax.nn.relu(inner))
            z = jax.nn.relu(z + inner)
            all_moved += [moved, moved_too]
        return affine(weights["out"], jnp.mean(z, (1, 2))), all_moved

    return make, apply


def _recurrent(task, gates, bias, cell, carry, **more):
    """A layer whose inputs are multiplied for all steps at once, before the loop over them."""
    units = peers.UNITS

    def make(numbers):
        wide = gates * units
        weights = {
            "in": {"w": glorot(numbers, task.x.shape[-1], wide), "b": bias},
            "w": orthogonal(numbers, units, wide),
            "out": linear(numbers, units, task.classes),
        }
        return weights | more, ()

    def apply(weights, statistics, x):
        z = affine(weights["in"], x).swapaxes(0, 1)
        zeros = jnp.zeros((len(x), units))
        last, _ = lax.scan(functools.partial(cell, weights), carry(zeros), z)
        return affine(weights["out"], jax.tree.leaves(last)[0]), statistics

    return make, apply


def _lstm(task):
    units = peers.UNITS

    def cell(weights, carry, z):
        h, c = carry
        i, f, g, o = jnp.split(z + h @ weights["w"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    forgets = jnp.zeros(4 * units).at[units : 2 * units].set(1)
    return _recurrent(task, 4, forgets, cell, lambda zeros: (zeros, zeros))


def _gru(task):
    units = peers.UNITS

    def cell(weights, h, z):
        z_r, z_u, z_n = jnp.split(z, 3, axis=-1)
        h_r, h_u, h_n = jnp.split(h @ weights["w"] + weights["b"], 3, axis=-1)
        new = jnp.tanh(z_n + jax.nn.sigmoid(z_r + h_r) * h_n)
        kept = jax.nn.sigmoid(z_u + h_u)
        return kept * h + (1 - kept) * new, None

    bias = jnp.zeros(3 * units)
    return _recurrent(task, 3, bias, cell, lambda zeros: zeros, b=jnp.copy(bias))


def _transformer(task):
    width, heads = peers.WIDTH, peers.HEADS
    places = jnp.array(peers.sines(task.x.shape[1]))

    def norm():
        return {"scale": jnp.ones(width), "b": jnp.zeros(width)}

    def block(numbers):
        return {
            **{name: linear(numbers, width, width) for name in ("query", "key", "value", "mix")},
            "wide": linear(numbers, width, peers.INNER),
            "narrow": linear(numbers, peers.INNER, width),
            "norms": (norm(), norm()),
        }

    def make(numbers):
        return {
            "in": linear(numbers, task.x.shape[-1], width),
            "blocks": [block(numbers) for _ in range(peers.ENCODER_BLOCKS)],
            "norm": norm(),
            "out": linear(numbers, width, task.classes),
        }, ()

    def normed(layer, z):
        mean, variance = jnp.mean(z, -1, keepdims=True), jnp.var(z, -1, keepdims=True)
        return (z - mean) * lax.rsqrt(variance + peers.NORM_EPSILON) * layer["scale"] + layer["b"]

    def attention(block, z):
        def split(name):
            return affine(block[name], z).reshape(*z.shape[:2], heads, -1)

        seen = jax.nn.dot_product_attention(split("query"), split("key"), split("value"))
        return affine(block["mix"], seen.reshape(z.shape))

    def apply(weights, statistics, x):
        z = affine(weights["in"], x) + places
        for block in weights["blocks"]:
            z = z + attention(block, normed(block["norms"][0], z))
            inner = jax.nn.relu(affine(block["wide"], normed(block["norms"][1], z)))
            z = z + affine(block["narrow"], inner)
        return affine(weights["out"], jnp.mean(normed(weights["norm"], z), 1)), statistics

    return make, apply
