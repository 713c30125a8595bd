"""The model that all Keras entries train."""

import os

from nnbench.machine import devices
from nnbench.workload import keras_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Training


def start(backend):
    return devices.start(backend, "cpu", int(os.environ["NNBENCH_PEER_THREADS"]))


def model(widths):
    return keras_model.build(Architecture(tuple(widths)), Training(), (4,))
