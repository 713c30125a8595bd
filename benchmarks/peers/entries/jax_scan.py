import jax

from benchmarks.peers.entries import _jax_net


def prepare(x, y, widths):
    state, step = _jax_net.start(x, y, widths)
    stretches = {}

    def train(epochs):
        nonlocal state
        if epochs not in stretches:
            scan = jax.jit(lambda state: jax.lax.scan(step, state, length=epochs), donate_argnums=0)
            stretches[epochs] = scan.lower(state).compile()
        state, losses = stretches[epochs](state)
        jax.block_until_ready(losses)

    return train
