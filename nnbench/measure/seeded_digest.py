"""What a training computes: a digest of one seeded training of each of some cases.

`python -m nnbench.measure.seeded_digest '<configuration>'` trains them in the environment and
folder it is run in, from a fixed seed, rows in their order, and prints one JSON line. The same
code, versions and device give the same digest; another one means other numbers, not worse ones.
"""

import hashlib
import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.machine import devices, keras_import
from nnbench.measure.channel import open_answers
from nnbench.workload.case import Case

Array = NDArray[np.float32]

EPOCHS = 3
REPETITIONS = 2
SEED = 7


def main() -> None:
    """Train, and print digests and losses."""
    configuration = json.loads(sys.argv[1])
    answer = open_answers()
    cases = [Case.from_json(plain) for plain in configuration["cases"]]
    devices.start(*cases[0].worker)
    with np.load(configuration["data"]) as arrays:
        features, labels = arrays["features"], arrays["labels"]
    found = [_trained(case, features, labels) for case in cases]
    answer(found)


def _trained(case: Case, features: Array, labels: Array) -> dict[str, Any]:
    """Digests of some repetitions: one where they agree, else `various`."""
    found = [_train(case, features, labels) for _ in range(REPETITIONS)]
    agree = all(one["digest"] == found[0]["digest"] for one in found)
    return found[0] if agree else {**found[0], "digest": "various"}


def _train(case: Case, features: Array, labels: Array) -> dict[str, Any]:
    # Imports Keras: not before the backend is fixed.
    import keras

    from nnbench.training.fit import fit
    from nnbench.workload import keras_model

    keras_import.set_random_seed(SEED)
    model = keras_model.for_case(case)
    keras_import.set_random_seed(SEED)
    losses = fit(
        model,
        features,
        labels,
        epochs=EPOCHS,
        batch_size=case.training.batch_size,
        shuffle=False,
    )
    digest = hashlib.sha256(repr([float(loss) for loss in losses]).encode())
    for weight in model.trainable_weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return {"digest": digest.hexdigest(), "losses": [float(loss) for loss in losses]}


if __name__ == "__main__":
    main()
