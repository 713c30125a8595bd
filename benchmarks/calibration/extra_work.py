"""A layer that does a known amount of extra work in every step, as text for what is measured.

Matrix products on the way through the network, compiled with it, whose result is kept as state:
no compiler may drop them or move them out of the step.
"""

LAYER = '''class {name}(keras.layers.Layer):
    """Keeps a running state, at {repeats} products of {size} x {size} a step."""

    def build(self, shape):
        self.state = self.add_weight(
            shape=({size}, {size}), initializer="zeros", trainable=False
        )
        self.factor = np.full(({size}, {size}), 1e-3, dtype="float32")

    def call(self, inputs, training=False):
        # A loop, because its turns cost alike: XLA fuses products written one after another.
        value = keras.ops.fori_loop(
            0,
            {repeats},
            lambda _, value: keras.ops.matmul(value, self.factor) + 1e-3,
            self.state + 1.0,
        )
        self.state.assign(value * 1e-6)
        return inputs
'''
