"""`python fork_server.py SOCKET BACKEND` imports Keras, then forks a process for each connection.

What is asked for is a module to run, with its arguments, folder and environment, and the three
files that it reads from and writes to. The answer is its exit status. A process whose connection
is closed is killed, with all that it started. The server ends with its standard input.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

from nnbench.machine import devices, keras_import

WORKER = "nnbench.measure.worker"
COMMANDS = ("cli", "show.figures", "show.progress", "training.charts", "training.session")
WORKERS = ("measure.serve", "measure.timed_trials", "measure.pieces", "training.compiled.fast_fit")


def imported(backend):
    """Import what processes that train will need, and start no threads."""
    os.environ.update(devices.environment(backend, "cpu", None))
    with keras_import.only_what_trains(backend):
        importlib.import_module("keras")
    for name in (*COMMANDS, *WORKERS):
        importlib.import_module(f"nnbench.{name}")
    warnings.filterwarnings("ignore", message="os.fork")
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise SystemExit("what has threads cannot be forked")


def serve(path):
    """Fork a process for each connection until the input ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        # Nobody waits for those that were forked.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                keep(connection)
            connection.close()


def keep(connection):
    """Fork what is asked for, and answer with how it ended; kill it where nobody listens."""
    text, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 16)
    asked = json.loads(text)
    child = os.fork()
    if child == 0:
        connection.close()
        become(asked, files)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(child)
    select.select([connection, ended], [], [])
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(str(status).encode())
    os._exit(0)


def _keep_programs():
    """What tests train is mostly the same: XLA compiles it once."""
    from jax import config

    config.update("jax_compilation_cache_dir", f"{sys.argv[1]}-programs")
    config.update("jax_persistent_cache_min_compile_time_secs", 0)
    config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def become(asked, files):
    """Run a module as if it had been started, and end."""
    status = 1
    try:
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.path[:0] = [asked["folder"], *filter(None, asked["paths"])]
        if asked["module"] == WORKER and "jax" in sys.modules:
            _keep_programs()
        sys.argv = [asked["module"], *asked["arguments"]]
        # As with a process of its own nobody knows what it draws.
        np.random.seed()  # noqa: NPY002 (libraries and people draw from it)
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 (told, as an interpreter would)
        traceback.print_exc()
    finally:
        for file in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                file.flush()
        os._exit(status)


if __name__ == "__main__":
    # This file's folder is not on the path of what is started.
    del sys.path[0]
    imported(sys.argv[2])
    serve(sys.argv[1])
