"""pytest benchmarks/pytest_suite --benchmark-autosave --benchmark-compare

Every phase of the notebook's networks on both paths, and of a convolution, an LSTM and a
transformer, each wide and deep at equal parameters, with `fit`. The timings that pytest-benchmark
shows and compares are those of a step; all phases are in `extra_info`, with what they depend on.
All networks of a test that were selected are measured in one study, in turn.
`NNBENCH_BACKENDS=jax,torch` names backends, `NNBENCH_DEVICES=cpu,gpu` devices.
"""

import os

import pytest

from nnbench.machine import devices
from nnbench.workload.study import Study

ARCHITECTURES = ["6x2", "100x2", "6x5"]
FAMILIES = ["conv:20x2", "conv:10x5", "lstm:24x1", "lstm:12x3"]
FAMILIES += ["transformer:32x1", "transformer:16x4"]
IMAGES = "synthetic:images=8x8x1,classes=4,rows=128"
BACKENDS = os.environ.get("NNBENCH_BACKENDS", devices.chosen_backend().name).split(",")
DEVICES = os.environ.get("NNBENCH_DEVICES", "cpu").split(",")

studies = {}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", ["fit", "compiled"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training(request, training_benchmark, architecture, backend, path, device):
    check(request, training_benchmark, (architecture, backend, path, device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", ["fit"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("architecture", FAMILIES)
def test_depth_or_width(request, training_benchmark, architecture, backend, path, device):
    case = (architecture, backend, path, device)
    check(request, training_benchmark, case, data=IMAGES, epochs=4, blocks=1)


def check(request, training_benchmark, case, **options):
    if case not in studies:
        studies.update(measured(request, training_benchmark, options))
    result = training_benchmark.of(studies[case])
    assert result.seconds("step") < result.seconds("cold")


def measured(request, training_benchmark, options):
    """All selected cases of the test that asks, measured in turn."""
    alike = [one for one in request.session.items if one.originalname == request.node.originalname]
    chosen = [one.callspec.params for one in alike if one.path == request.node.path]

    def values(name):
        return tuple(dict.fromkeys(params[name] for params in chosen))

    study = Study.of(
        values("architecture"),
        backend=",".join(values("backend")),
        path=",".join(values("path")),
        device=",".join(values("device")),
        launches=3,
        **options,
    )
    return {reading.context: reading for reading in training_benchmark.measure(study)}
