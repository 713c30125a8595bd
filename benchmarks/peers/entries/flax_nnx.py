"""`nnx.jit`, as in Flax's tutorials."""

from flax import nnx

from benchmarks.peers.entries import _flax_net, _steps


def prepare(task):
    net, optimizer = _flax_net.start(task)
    jitted = nnx.jit(_flax_net.trained)
    parameters = _flax_net.parameters(net)
    return _steps.prepare(task, lambda x, y: jitted(net, optimizer, x, y), parameters)
