"""The command line: options in, answers out. A command's file is loaded when it is called.

Exit status: 0; 1 where a network could not be measured now (of what is saved it says nothing), and
for an alarm or a drift that a check finds; 2 for a mistake, told in one line, where nothing could
be measured, and for what cannot be written; 128 and the signal's number after one, as 130 after
Ctrl-C; 141 if whoever read the output has left, as `| head` does.
"""

import codecs
import io
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import cyclopts

from nnbench import __version__
from nnbench.errors import UserError
from nnbench.show import text as texts
from nnbench.show.terminal import note, open_console, terminal_size

COMMANDS = {
    "run": "Time architectures against each other and write a report.",
    "compare": "Say of two sides whether they differ, are equivalent, or need more data.",
    "scale": "Time how the cost grows with rows, width, depth, batch or any number, and draw it.",
    "calibrate": "Fit what a network costs here, from trainings that it chooses and times.",
    "predict": "How long a network would train, by the cost model that calibrate made here.",
    "explain": "Say why one network takes longer than another: which phases, how much each.",
    "layers": "Say which layer a training step spends its time on: forward, backward, update.",
    "tune": "What to change to train a network faster, without changing the network.",
    "report": "Write the report of a run again, and print its table.",
    "advise": "Which network to take, from the cost model of this machine, without training any.",
    "race": "Train over seeds: which gets to a loss or metric first, which is worth its time.",
    "show": "Layers, parameters, FLOPs and bytes of networks, training none.",
    "train": "Train one network, watch its loss, and be told whether it has converged.",
    "worker": "Let this host measure for nnbench run --cluster, of which it is one of many.",
    "devices": "What each backend can train on here.",
    "doctor": "What makes timings noisy here, what precision can be had, and what to change.",
    "data": "Data sets: what is there, what is in them, fetching the original.",
    "drift": "What does a seed guarantee? Train pairs under each seed policy; guard a training.",
    "history": "Training time over commits: asv, pytest-benchmark and runs; alarms; bisecting.",
}
"""Every command and its help, so that `nnbench --help` need not load them."""

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as a mistake does: what was measured is kept."""

GROUPS = ("data", "drift", "history")
"""Commands with commands of their own: their files hold an `app`."""


NEEDED = {
    "layers": "no network was named: try nnbench layers 64x2",
    "tune": "no network was named: try nnbench tune 64x2",
    "scale": "no axis was named: try nnbench scale depth",
    "report": "no run was named: try nnbench report results/NAME",
}
"""What is said of a command that was given nothing."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while something was measured that the same command goes on with."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it."""
        return ["interrupted: what was measured is kept, and the same call goes on with it"]


def check_not_empty(_: Any, value: Any) -> None:
    """Refuse what a shell makes of a variable that is not set: it must not count as not given."""
    if value == "":
        raise ValueError("nothing is given")


def new_app(name: str, text: str) -> cyclopts.App:
    """A command that has commands."""
    return cyclopts.App(
        name=name,
        help=text,
        version=__version__,
        # The list of commands is told without Markdown, whose reader takes long to import.
        help_format="plaintext" if name == "nnbench" else "markdown",
        help_flags=["-h", "--help"],
        version_flags=["--version"] if name == "nnbench" else [],
        # Of an option that is given twice the last counts.
        default_parameter=cyclopts.Parameter(
            negative=(), allow_repeating=True, validator=check_not_empty
        ),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )


def build(called: str = "") -> cyclopts.App:
    """The command line with all its commands; only the one that is called tells its whole help."""
    question = "How does the architecture of a network change the time it takes to train, and why?"
    app = new_app("nnbench", question)
    for name, text in COMMANDS.items():
        known = {} if name == called else {"help": text}
        if name in GROUPS:
            app.command(f"nnbench.cli.{name}:app", name=name, **known)
        else:
            app.command(f"nnbench.cli.{name}:{name}", name=name, help_format="markdown", **known)
    app.console = open_console(piped_width=terminal_size(80)[0])
    app.register_install_completion_command()
    return app


def _told(mistake: Exception) -> str:
    """A mistake in a line. Of an unknown command Cyclopts would load all of them to tell it."""
    if isinstance(mistake, UserError):
        return str(mistake)
    if isinstance(mistake, cyclopts.UnusedCliTokensError) and mistake.unused_tokens:
        command = next(iter(sys.argv[1:]), "")
        return (
            f"'{mistake.unused_tokens[0]}' has no place in this command: nnbench {command} -h "
            "lists its options"
        )
    if isinstance(mistake, cyclopts.MissingArgumentError) and not mistake.keyword:
        # With a keyword it is an option without its value.
        command = " ".join(mistake.command_chain or ())
        what = str(mistake.argument and mistake.argument.name).strip("-").upper()
        return NEEDED.get(command, f"{what} is missing: nnbench {command} -h tells what it is")
    if not isinstance(mistake, cyclopts.UnknownCommandError):
        return " ".join(str(mistake).split())
    name, *below = mistake.unused_tokens or [""]
    if name in GROUPS and below:
        return f"there is no command '{below[0]}' below {name}: nnbench {name} -h lists them"
    close = get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {close[0]}?" if close else "nnbench -h lists them"
    return f"there is no command '{name}': {hint}"


def _details(mistake: Exception) -> Sequence[str]:
    """Lines below a mistake: where in a person's own code something was raised."""
    if not isinstance(mistake, UserError):
        return ()
    from nnbench.workload import user_code

    return mistake.details or user_code.told(mistake)[1:]


def _unwind(number: int, _: object) -> None:
    """Remove scratch folders on the way out; a second signal does not interrupt that."""
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> None:
    """Run the command line, and end with its exit status (see above)."""
    _prepare_surroundings()
    for number in ENDING:
        # One that is ignored already, as below nohup, stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _unwind)
    status = 0
    try:
        _check_folder()
        status = build(next(iter(sys.argv[1:]), ""))(exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (cyclopts.CycloptsError, UserError) as mistake:
        _end(2, _told(mistake), *_details(mistake))
    except Interrupted:
        again = shlex.join(word for word in sys.argv[1:] if word != "--fresh")
        _end(130, f"interrupted; what was measured is kept, and this goes on: nnbench {again}")
    except KeyboardInterrupt:
        _end(130, "interrupted")
    except OSError as failure:
        _end(*_lost(failure))
    if status:
        sys.exit(status)


def _prepare_surroundings() -> None:
    """Make the standard streams take whatever is written, and drawing need no screen."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        # Of a closed one Python has none, and the next file that is opened takes its number.
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, "w" if number else "r", closefd=False))
    codecs.register_error("nnbench", texts.plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="nnbench")
    # Matplotlib refuses to be imported where this names a backend that it does not know.
    os.environ["MPLBACKEND"] = "agg"


def _check_folder() -> None:
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        raise UserError("the working directory was removed: go to another one") from None


def _lost(failure: OSError) -> tuple[int, str]:
    """The status and words for what the operating system refused and nobody else has told."""
    try:
        sys.stdout.flush()
    except OSError as unwritten:
        failure = unwritten
        # Nothing more can be said there; Python would try once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(failure, BrokenPipeError):
        return 141, ""
    # Only opening names a file: what else can fail is writing the answer.
    what = failure.filename or "the answer cannot be written"
    return 2, f"{what}: {failure.strerror or failure}"


def _end(status: int, told: str, *details: str) -> None:
    note(f"nnbench: {told}", *details, quiet=not told)
    sys.exit(status)
