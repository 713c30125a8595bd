from benchmarks.peers.entries import _flax_net, _scan


def prepare(task):
    return _scan.prepare(task, *_flax_net.functional(task))
