from benchmarks.peers.entries import _fit


def prepare(task):
    return _fit.prepare(task, "torch")
