"""The networks as Flax NNX users write them."""

import itertools

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.peers import task as peers
from benchmarks.peers.entries import _jax_net

GLOROT = nnx.initializers.glorot_uniform()


def start(task):
    """The network and its optimizer."""
    net = globals()[f"_{task.family}"](task, nnx.Rngs(0))
    adam = optax.adam(peers.RATE, eps=peers.ADAM_EPSILON)
    return net, nnx.Optimizer(net, adam, wrt=nnx.Param)


def functional(task):
    """A step on what was split from them, as Flax's guide to performance has it, for `jax.jit`."""
    net, optimizer = start(task)
    graph, state = nnx.split((net, optimizer))

    def step(state, batch):
        net, optimizer = nnx.merge(graph, state)
        loss = trained(net, optimizer, *batch)
        return nnx.state((net, optimizer)), loss

    return state, step, parameters(net)


def trained(net, optimizer, x, y):
    """One step; its loss."""
    loss_of = _jax_net.binary_loss if net.classes == 1 else class_loss
    loss, gradients = nnx.value_and_grad(lambda net: loss_of(net(x), y))(net)
    optimizer.update(net, gradients)
    return loss


def class_loss(outputs, y):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()


def parameters(net):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(net, nnx.Param)))


class _Net(nnx.Module):
    """Layers one after the other, and the output layer."""

    def __init__(self, task, rngs, layers, cells):
        self.classes = task.classes
        self.layers = nnx.Sequential(*layers)
        self.out = nnx.Linear(cells, task.classes, kernel_init=GLOROT, rngs=rngs)

    def __call__(self, x):
        return self.out(self.layers(x))


def _dense(task, rngs):
    sides = itertools.pairwise((task.x.shape[1], *task.widths))
    layers = [
        part
        for n, m in sides
        for part in (nnx.Linear(n, m, kernel_init=GLOROT, rngs=rngs), nnx.relu)
    ]
    return _Net(task, rngs, layers, task.widths[-1])


def _convolution(n, m, rngs, bias=True):
    return nnx.Conv(n, m, (3, 3), use_bias=bias, kernel_init=GLOROT, rngs=rngs)


def _convnet(task, rngs):
    _, rows, columns, channels = task.x.shape
    sides = itertools.pairwise((channels, peers.FILTERS, 2 * peers.FILTERS))
    layers = [part for n, m in sides for part in (_convolution(n, m, rngs), nnx.relu, _halved)]
    cells = rows // 4 * (columns // 4) * 2 * peers.FILTERS
    return _Net(task, rngs, [*layers, lambda x: x.reshape(len(x), -1)], cells)


def _halved(x):
    return nnx.max_pool(x, (2, 2), (2, 2))


class _Normed(nnx.Module):
    def __init__(self, channels, rngs):
        self.convolution = _convolution(channels, peers.FILTERS, rngs, bias=False)
        self.norm = nnx.BatchNorm(
            peers.FILTERS, momentum=peers.NORM_MOMENTUM, epsilon=peers.NORM_EPSILON, rngs=rngs
        )

    def __call__(self, x):
        return self.norm(self.convolution(x))


class _Residual(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = (_Normed(peers.FILTERS, rngs) for _ in range(2))

    def __call__(self, x):
        return nnx.relu(x + self.second(nnx.relu(self.first(x))))


def _resnet(task, rngs):
    blocks = [_Residual(rngs) for _ in range(peers.RESIDUAL_BLOCKS)]
    layers = [_Normed(task.x.shape[-1], rngs), nnx.relu, *blocks, _mean_of_places]
    return _Net(task, rngs, layers, peers.FILTERS)


def _mean_of_places(x):
    return jnp.mean(x, tuple(range(1, x.ndim - 1)))


def _last(x):
    return x[:, -1]


def _lstm(task, rngs):
    def forgets(key, shape, dtype, out_sharding=None):
        return jnp.zeros(shape, dtype).at[peers.UNITS : 2 * peers.UNITS].set(1)

    cell = nnx.OptimizedLSTMCell(
        task.x.shape[-1], peers.UNITS, kernel_init=GLOROT, bias_init=forgets, rngs=rngs
    )
    return _Net(task, rngs, [nnx.RNN(cell, rngs=rngs), _last], peers.UNITS)


def _gru(task, rngs):
    cell = nnx.GRUCell(task.x.shape[-1], peers.UNITS, kernel_init=GLOROT, rngs=rngs)
    # Keras and PyTorch have a bias here too.
    recurrent = nnx.initializers.orthogonal()
    cell.dense_h = nnx.Linear(peers.UNITS, 3 * peers.UNITS, kernel_init=recurrent, rngs=rngs)
    return _Net(task, rngs, [nnx.RNN(cell, rngs=rngs), _last], peers.UNITS)


class _Block(nnx.Module):
    def __init__(self, rngs):
        width, inner = peers.WIDTH, peers.INNER
        self.attention = nnx.MultiHeadAttention(
            peers.HEADS, width, kernel_init=GLOROT, decode=False, rngs=rngs
        )
        self.wide = nnx.Linear(width, inner, kernel_init=GLOROT, rngs=rngs)
        self.narrow = nnx.Linear(inner, width, kernel_init=GLOROT, rngs=rngs)
        self.first, self.second = (_layer_norm(rngs) for _ in range(2))

    def __call__(self, x):
        x = x + self.attention(self.first(x))
        return x + self.narrow(nnx.relu(self.wide(self.second(x))))


def _layer_norm(rngs):
    return nnx.LayerNorm(peers.WIDTH, epsilon=peers.NORM_EPSILON, rngs=rngs)


def _transformer(task, rngs):
    places = peers.sines(task.x.shape[1])
    layers = [
        nnx.Linear(task.x.shape[-1], peers.WIDTH, kernel_init=GLOROT, rngs=rngs),
        lambda x: x + places,
        *(_Block(rngs) for _ in range(peers.ENCODER_BLOCKS)),
        _layer_norm(rngs),
        _mean_of_places,
    ]
    return _Net(task, rngs, layers, peers.WIDTH)
