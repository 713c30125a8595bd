from benchmarks.peers.entries import _jax_net, _steps


def prepare(task):
    return _steps.prepare_pure(task, *_jax_net.start(task))
