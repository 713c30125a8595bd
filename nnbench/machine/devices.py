"""What hardware there is, how a process is tied to some of it, and waiting for it to finish.

Keras fixes its backend when it is first imported, and TensorFlow, JAX and Torch read their
environment then: so `start` is called once, before anything else imports Keras.
"""

import atexit
import contextlib
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from nnbench.errors import UserError, first_line
from nnbench.machine import keras_import

BACKENDS = ("tensorflow", "jax", "torch")
"""In the order in which one is chosen where nobody says which."""

REPLICATING = ("tensorflow", "jax")
"""Backends on which Keras trains one network on several devices."""

VIRTUAL = (
    "These devices are virtual and share this CPU's cores: the figures show that it works and what "
    "it costs, not how it scales on devices of their own."
)
"""What is said of figures of several devices on one CPU."""

_ALWAYS = contextlib.ExitStack()
"""What is entered for the life of the process."""

REPLICAS = "[2-9]|[1-9][0-9]"
"""How many devices may train one network, as a regular expression."""

DISTRIBUTIONS = (
    *("nnbench-arch", "keras", "tensorflow", "jax", "jaxlib", "torch", "numpy", "ml-dtypes"),
)
"""What takes part in a training. Histories name an environment by their versions in this order."""

THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True)
class Device:
    """What a backend can train on: `cpu` or `gpu:N`."""

    name: str
    description: str


@dataclass(frozen=True)
class BackendSurvey:
    """What one backend sees on this machine; `problem` says why it sees nothing."""

    backend: str
    version: str | None
    devices: tuple[Device, ...]
    problem: str | None = None


def check_name(device: str) -> None:
    """Raise UserError unless `device` is `cpu`, `gpu`, `gpu:N`, or several, such as `gpu*2`."""
    if not re.fullmatch(rf"cpu|gpu(:\d{{1,4}})?|(cpu|gpu)\*({REPLICAS})", device, re.ASCII):
        raise UserError(f"unknown device '{device}': write cpu, gpu, gpu:1, or gpu*2 for two")


def replicas(device: str) -> int:
    """How many devices train one network together: 2 of `cpu*2`, else 1."""
    return int(device.partition("*")[2] or 1)


def are_virtual(device: str) -> bool:
    """Whether a device is several that share the cores of one CPU."""
    return device.startswith("cpu*")


def is_installed(backend: str) -> bool:
    """Whether a backend and Keras can be imported here, without importing them."""
    return all(importlib.util.find_spec(name) is not None for name in (backend, "keras"))


def check_installed(backend: str) -> None:
    """Raise UserError unless the backend is known and installed."""
    if backend not in BACKENDS:
        raise UserError(f"unknown backend '{backend}': choose from {', '.join(BACKENDS)}")
    if not is_installed(backend):
        raise UserError(f"backend '{backend}' is not installed here: pip install keras {backend}")


@dataclass(frozen=True)
class ChosenBackend:
    """A backend, and what chose it."""

    name: str
    reason: str


def chosen_backend(asked: str | None = None) -> ChosenBackend:
    """The backend to use; UserError if the one asked for cannot be, or none is installed.

    The first of `asked`, the one that Keras runs on already, `KERAS_BACKEND`, Keras' configuration
    file (Keras itself writes TensorFlow there: it counts where that is installed) and the first of
    `BACKENDS` that is installed.
    """
    in_environment = os.environ.get("KERAS_BACKEND")
    running = sys.modules["keras"].backend.backend() if "keras" in sys.modules else None
    for named, reason in (
        (asked, "asked for"),
        (running if running != in_environment else None, "Keras runs on it in this process"),
        (in_environment, "KERAS_BACKEND"),
    ):
        if named:
            check_installed(named)
            return ChosenBackend(named, reason)
    configured = _configured_backend()
    if configured in BACKENDS and is_installed(configured):
        return ChosenBackend(configured, "Keras' configuration file")
    for backend in BACKENDS:
        if is_installed(backend):
            return ChosenBackend(backend, "the first installed of TensorFlow, JAX and Torch")
    raise UserError("no backend is installed here: pip install keras tensorflow")


def _configured_backend() -> str:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text()).get("backend"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int | None) -> None:
    """Raise UserError for fewer threads than one, or more than CPUs can be used."""
    cpus = usable_cpus()
    if threads is not None and not 1 <= threads <= cpus:
        raise UserError(f"{threads} threads cannot be had: this process may use {cpus} CPUs")


def environment(backend: str, device: str, threads: int | None) -> dict[str, str]:
    """Environment variables under which a process uses this backend, device and threads."""
    check_name(device)
    kind, _, index = device.partition("*")[0].partition(":")
    on_gpu = kind == "gpu"
    settings = {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cuda" if on_gpu else "cpu",
        "KERAS_TORCH_DEVICE": "cuda" if on_gpu else "cpu",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    if are_virtual(device):
        settings["JAX_NUM_CPU_DEVICES"] = str(replicas(device))
    if not on_gpu:
        settings["CUDA_VISIBLE_DEVICES"] = "-1"
    elif index:
        settings["CUDA_VISIBLE_DEVICES"] = index
    if threads is not None:
        settings |= dict.fromkeys(THREAD_COUNTS, str(threads))
    return settings


def start(backend: str, device: str = "cpu", threads: int | None = None) -> ModuleType:
    """Tie this process to a backend, device and thread count, and import Keras.

    `threads` also binds it to as many CPUs where possible: XLA and Torch size their pools by them.
    Raises UserError if Keras already runs on another backend, or if this one is not installed,
    cannot be imported, or does not see the device.
    """
    check_installed(backend)
    check_replicas(backend, device)
    check_threads(threads)
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != backend:
        raise UserError(
            f"Keras already runs on {sys.modules['keras'].backend.backend()} in this process: "
            f"start another process for {backend}"
        )
    os.environ.update(environment(backend, device, threads))
    if threads is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        with keras_import.only_what_trains(backend):
            keras = importlib.import_module("keras")
        _limit_threads(backend, threads)
        if are_virtual(device):
            _split_cpu(backend, replicas(device))
        names = [found.name for found in _visible(backend)]
        # Python would search a million objects for garbage as it ends: a second with TensorFlow.
        atexit.register(gc.freeze)
    except Exception as error:
        if device.startswith("gpu"):
            raise _missing_device(backend, device, str(error)) from error
        raise UserError(f"backend '{backend}' cannot be imported: {first_line(error)}") from error
    gpus = sum(name.startswith("gpu") for name in names)
    if device.startswith("gpu") and gpus < replicas(device):
        raise _missing_device(backend, device, f"it sees only {', '.join(names)}")
    if replicas(device) > 1:
        _share_out(backend, device)
    return keras


def check_replicas(backend: str, device: str) -> None:
    """Raise UserError where Keras trains on one device alone."""
    if replicas(device) > 1 and backend not in REPLICATING:
        raise UserError(
            f"Keras trains on one device with {backend}: several train with "
            f"{' or '.join(REPLICATING)}"
        )


def _missing_device(backend: str, device: str, reason: str) -> UserError:
    why = f" ({first_line(reason)})" if reason.strip() else ""
    return UserError(
        f"device '{device}' is not there for {backend}{why}: `nnbench devices` lists what is"
    )


def _limit_threads(backend: str, threads: int | None) -> None:
    if threads is None:
        return
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)


def _split_cpu(backend: str, count: int) -> None:
    """Make a CPU look like several devices; JAX has read its environment."""
    if backend == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        one = tf.config.LogicalDeviceConfiguration
        tf.config.set_logical_device_configuration(cpu, [one() for _ in range(count)])


def _share_out(backend: str, device: str) -> None:
    """From now on each device trains on its share of every batch, and all sum their gradients.

    Models that are made from now on hold a copy of their weights on each, for the whole process.
    """
    kind, count = device.partition("*")[0], replicas(device)
    if backend == "tensorflow":
        import tensorflow as tf

        names = [f"{kind.upper()}:{number}" for number in range(count)]
        _ALWAYS.enter_context(tf.distribute.MirroredStrategy(names).scope())
        return
    import keras

    names = keras.distribution.list_devices(kind)[:count]
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))


def _visible(backend: str) -> list[Device]:
    gpus: list[str] = []
    if backend == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details
        found = tf.config.list_physical_devices("GPU")
        gpus = [str(details(gpu).get("device_name", gpu.name)) for gpu in found]
    elif backend == "jax":
        import jax

        gpus = [found.device_kind for found in jax.devices() if found.platform == "gpu"]
    elif backend == "torch":
        import torch

        gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    cpu = Device("cpu", f"{usable_cpus()} usable CPUs")
    return [cpu, *(Device(f"gpu:{number}", name) for number, name in enumerate(gpus))]


def description(backend: str, device: str) -> str:
    """The name of the device this started process trains on."""
    name = _visible(backend)[-1 if device.startswith("gpu") else 0].description
    if are_virtual(device):
        return f"{replicas(device)} virtual devices on {name}"
    return name if replicas(device) == 1 else f"{replicas(device)} x {name}"


def versions(*backends: str) -> dict[str, str]:
    """Versions of what takes part in a training with these backends, as installed."""
    found = {}
    for name in DISTRIBUTIONS:
        if name in BACKENDS and name not in backends:
            continue
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def mute_native_code() -> None:
    """Drop native code's output on descriptor 2, not Python's stderr; call it before `start`.

    TensorFlow logs its start-up before it reads settings, and Keras imports it late everywhere.
    """
    sys.stderr.flush()
    if sys.stderr is sys.__stderr__:
        # A notebook's goes elsewhere, as does what was put in its place before.
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


SURVEY_S = 120.0
"""How long a backend may take to say what it sees."""


def survey() -> list[BackendSurvey]:
    """What every backend sees, each asked in a process of its own, which takes seconds."""
    return [_survey_one(backend) for backend in BACKENDS]


def _survey_one(backend: str) -> BackendSurvey:
    if not is_installed(backend):
        return BackendSurvey(backend, None, (), f"not installed: pip install keras {backend}")
    version = importlib.metadata.version(backend)
    # The GPU's settings must not hide it here, and JAX must not fail where there is none.
    settings = {**os.environ, **environment(backend, "gpu", None)}
    del settings["JAX_PLATFORMS"], settings["KERAS_TORCH_DEVICE"]
    command = [sys.executable, "-m", "nnbench.machine.devices", backend]
    try:
        answer = subprocess.run(
            command, env=settings, capture_output=True, text=True, timeout=SURVEY_S, check=True
        )
    except subprocess.TimeoutExpired:
        late = f"gave no answer within {SURVEY_S:.0f} s: this machine is too busy, or it hangs"
        return BackendSurvey(backend, version, (), late)
    except subprocess.SubprocessError as error:
        detail = getattr(error, "stderr", None) or error
        last = str(detail).strip().splitlines()[-1:]
        return BackendSurvey(backend, version, (), f"cannot be imported: {''.join(last)}")
    devices = tuple(Device(**plain) for plain in json.loads(answer.stdout.splitlines()[-1]))
    return BackendSurvey(backend, version, devices)


if __name__ == "__main__":
    sys.stdout.write(json.dumps([asdict(device) for device in _visible(sys.argv[1])]) + "\n")
