"""pytest benchmarks/pytest_suite --benchmark-autosave --benchmark-compare

Every phase of the notebook's networks on both paths. The timings that pytest-benchmark shows and
compares are those of a step; all phases are in `extra_info`, with what they depend on. All
networks that were selected are measured in one study, in turn. `NNBENCH_BACKENDS=jax,torch` names
backends, `NNBENCH_DEVICES=cpu,gpu` devices.
"""

import os

import pytest

from nnbench.machine import devices
from nnbench.workload.study import Study

ARCHITECTURES = ["6x2", "100x2", "6x5"]
BACKENDS = os.environ.get("NNBENCH_BACKENDS", devices.chosen_backend().name).split(",")
DEVICES = os.environ.get("NNBENCH_DEVICES", "cpu").split(",")

studies = {}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", ["fit", "compiled"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training(request, training_benchmark, architecture, backend, path, device):
    if not studies:
        studies.update(measured(request.session.items, training_benchmark))
    result = training_benchmark.of(studies[architecture, backend, path, device])
    assert result.seconds("step") < result.seconds("cold")


def measured(items, training_benchmark):
    """All selected cases, measured in turn."""
    chosen = [item.callspec.params for item in items if item.function is test_training]

    def values(name):
        return tuple(dict.fromkeys(params[name] for params in chosen))

    study = Study.of(
        values("architecture"),
        backend=",".join(values("backend")),
        path=",".join(values("path")),
        device=",".join(values("device")),
        launches=3,
    )
    return {reading.context: reading for reading in training_benchmark.measure(study)}
