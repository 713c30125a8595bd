from benchmarks.peers.entries import _nnbench


def prepare(task):
    return _nnbench.prepare(task, "tensorflow")
