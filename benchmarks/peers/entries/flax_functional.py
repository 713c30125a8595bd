"""`jax.jit` around the step that Flax's guide to performance advises for small networks."""

from benchmarks.peers.entries import _flax_net, _steps


def prepare(task):
    return _steps.prepare_pure(task, *_flax_net.functional(task))
