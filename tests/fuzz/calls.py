"""Calling `nnbench` in this process, held to what every call must keep, whatever it is given.

Nothing is measured: where a process of Python or a framework would start, `Started` is raised.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from nnbench.cli import main
from nnbench.machine import devices
from nnbench.machine.child import Child
from nnbench.show import figures

MOST_S = 20.0
"""Seconds of this process' own time that a call may take: others' do not count."""
MOST_BYTES = 3 << 30
HARMLESS = ("git", "nvidia-smi", "lscpu", "uname", "fc-list")
FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")
LONGEST_LINE = 4_000
LONGEST_MISTAKE = 1_500
OTHER_NOTES = re.compile(r"backend \w+ \(.*\); --backend|starting \w+|going on with|part \d")


class Started(BaseException):
    """What would be measured now, or run: the arguments of the process."""


class TookTooLong(BaseException):
    """A call went on for longer than `MOST_S`."""


@dataclass(frozen=True)
class Answer:
    """What a call came to; `started` is what it would have run, `escaped` what it raised."""

    command: list[str]
    status: int
    stdout: str
    stderr: str
    started: list[str] | None = None
    escaped: BaseException | None = None
    warned: tuple[str, ...] = ()

    @property
    def record(self):
        """What it printed as JSON; None where it printed none."""
        if "--json" not in self.command or not self.stdout.strip():
            return None
        return json.loads(self.stdout, parse_constant=_no_constant)


def _no_constant(name):
    raise ValueError(f"{name} is no JSON")


class _FrameworksRefused(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Frameworks can be found, and starting one is `Started`."""

    def find_spec(self, name, path=None, target=None):
        if name not in FRAMEWORKS:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise Started(["import", spec.name])

    def exec_module(self, module):
        raise NotImplementedError


class _NoProcesses(subprocess.Popen):
    """git and what tells the hardware may run; everything else is `Started`."""

    def __init__(self, command, *arguments, **options):
        if Path(command[0]).name not in HARMLESS:
            raise Started([str(one) for one in command])
        super().__init__(command, *arguments, **options)


def _no_child(_, command, **_options):
    raise Started([str(one) for one in command])


def _no_network(*_arguments, **_options):
    raise OSError("no network in this test")


@contextlib.contextmanager
def _bounded():
    """Within, this process may take so much time and memory."""

    def end(number, frame):
        raise TookTooLong(f"more than {MOST_S:.0f} s")

    pages = Path("/proc/self/statm").read_text().split()[0]
    used = int(pages) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    ended_by = signal.signal(signal.SIGPROF, end)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, before[1]))
        signal.setitimer(signal.ITIMER_PROF, MOST_S)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, ended_by)
        resource.setrlimit(resource.RLIMIT_AS, before)


def call(folder, *command, draw=True):
    """Call `nnbench` in a folder, as its script does; without `draw` figures stay empty."""
    out, errors = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors=kind, write_through=True)
        for kind in ("strict", "backslashreplace")
    )
    status, started, escaped = 0, None, None
    ended_by = signal.getsignal(signal.SIGTERM)
    surroundings = {
        "NNBENCH_CACHE": str(folder / "cache"),
        "KERAS_HOME": str(folder / "keras"),
        "HOME": str(folder / "home"),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    argv = ["nnbench", *command]
    with contextlib.ExitStack() as here, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for unseen in (
            DeprecationWarning,
            PendingDeprecationWarning,
            ImportWarning,
            ResourceWarning,
        ):
            warnings.filterwarnings("ignore", category=unseen)
        warnings.filterwarnings("ignore", message="Cyclopts application invoked")
        here.enter_context(mock.patch.dict(os.environ, surroundings))
        os.environ.pop("KERAS_BACKEND", None)
        here.enter_context(mock.patch.object(sys, "argv", argv))
        here.enter_context(
            mock.patch.object(sys, "meta_path", [_FrameworksRefused(), *sys.meta_path])
        )
        here.enter_context(mock.patch.object(subprocess, "Popen", _NoProcesses))
        here.enter_context(mock.patch.object(Child, "__init__", _no_child))
        here.enter_context(mock.patch.object(socket, "getaddrinfo", _no_network))
        # What `train` does to its own process before it starts a framework.
        here.enter_context(mock.patch.object(devices, "mute_native_code"))
        here.enter_context(mock.patch.object(os, "sched_setaffinity"))
        here.enter_context(mock.patch.object(tempfile, "tempdir", str(folder.parent)))
        if not draw:
            here.enter_context(mock.patch.object(figures, "png", return_value=b""))
        here.enter_context(contextlib.chdir(folder))
        here.enter_context(contextlib.redirect_stdout(out))
        here.enter_context(contextlib.redirect_stderr(errors))
        here.callback(signal.signal, signal.SIGTERM, ended_by)
        try:
            with _bounded():
                main()
        except SystemExit as end:
            status = end.code or 0
            if not isinstance(status, int):
                escaped = end
        except Started as one:
            started = one.args[0]
        except BaseException as one:
            if isinstance(one, KeyboardInterrupt):
                raise
            escaped = one
    told = [one.buffer.getvalue().decode("utf-8", "surrogatepass") for one in (out, errors)]
    warned = tuple(f"{one.category.__name__}: {one.message}" for one in caught)
    return Answer(list(command), status, *told, started, escaped, warned)


@dataclass(frozen=True)
class Fault:
    """What a call did that no call may: in a word, and where in nnbench."""

    kind: str
    where: str
    detail: str


def faults(answer, *, names=(), planted="planted"):
    """What is wrong with an answer.

    A mistake that is told has to hold one of `names`; nothing called `planted` may be started.
    """
    if answer.escaped is not None:
        yield Fault(type(answer.escaped).__name__, innermost(answer.escaped), str(answer.escaped))
        return
    if "Traceback" in answer.stderr or "Traceback" in answer.stdout:
        yield Fault("a traceback is printed", "", answer.stderr[-300:])
    for warned in answer.warned:
        yield Fault("a warning of a library", "", warned)
    if answer.started is not None:
        if planted and any(planted in one for one in answer.started):
            yield Fault("runs what a file names", "", " ".join(answer.started)[-300:])
        return
    if answer.status not in (0, 1, 2):
        yield Fault(f"exit status {answer.status}", "", answer.stderr[-300:])
    if answer.status == 1 and not {"check", "compare"} & set(answer.command):
        yield Fault("exit status 1 of no check", "", answer.stderr[-300:])
    if answer.status == 2:
        lines = [one for one in answer.stderr.splitlines() if not OTHER_NOTES.match(one)]
        told = "\n".join(lines)
        if len(lines) != 1 or not lines[0].startswith("nnbench: "):
            yield Fault("a mistake is not one line", "", told[:600])
        elif len(told) > LONGEST_MISTAKE:
            yield Fault("a mistake's line is too long", "", f"{len(told):,}: {told[:300]}")
        elif names and not any(name in told for name in names):
            yield Fault("a mistake does not name its file", "", told)
        if "allow_pickle" in told:
            yield Fault("numpy's advice is passed on", "", told)
    for stream, told in (("stdout", answer.stdout), ("stderr", answer.stderr)):
        if strange := strange_letters(told):
            yield Fault(f"not printable on {stream}", "", f"{strange} in {told[:300]!r}")
        if stream == "stderr" or "--json" not in answer.command:
            longest = max(map(len, told.split("\n")))
            if longest > LONGEST_LINE:
                yield Fault(f"a long line on {stream}", "", f"{longest:,} letters")
    if "--json" in answer.command and answer.status in (0, 1) and "--help" not in answer.command:
        try:
            if answer.record is None:
                yield Fault("no JSON", "", answer.stdout[:300])
        except ValueError as failure:
            yield Fault("no JSON", "", f"{failure}: {answer.stdout[:200]}")


def strange_letters(text):
    """Letters that change what a terminal shows, by name."""
    return sorted(
        {
            f"U+{ord(letter):04X}"
            for letter in set(text) - {"\n"}
            if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(letter) in BIDIRECTIONAL
        }
    )


BIDIRECTIONAL = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")


def innermost(failure):
    """The innermost frame of nnbench that an exception passed."""
    place = ""
    for frame in traceback.extract_tb(failure.__traceback__):
        found = re.search(r"(nnbench/[\w/]+\.py)$", frame.filename)
        if found and "/tests/" not in frame.filename:
            place = f"{found[1]}:{frame.lineno} {frame.name}"
    return place
