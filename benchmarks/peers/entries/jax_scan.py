from benchmarks.peers.entries import _jax_net, _scan


def prepare(task):
    return _scan.prepare(task, *_jax_net.start(task))
