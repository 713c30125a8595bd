"""`fast_fit`'s stages, full batch."""

from benchmarks.peers.entries import _keras


def prepare(x, y, widths, backend):
    _keras.start(backend)
    from nnbench.training import compiled

    prepared = compiled.prepare(_keras.model(widths), x, y, batch_size=len(x), jit_compile="auto")
    return prepared.run
