from benchmarks.peers.entries import _torch_net


def prepare(task):
    return _torch_net.prepare(task, fused=True, compile_it=True)
