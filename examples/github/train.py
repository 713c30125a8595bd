"""The network whose training time is watched."""

import keras


def build(depth: int = 2, width: int = 64) -> keras.Model:
    """A classifier of 20 measurements: `depth` hidden layers of `width` units."""
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(depth)]
    model = keras.Sequential([keras.Input((20,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


if __name__ == "__main__":
    from data import load

    build().fit(*load(), epochs=10, batch_size=32)
