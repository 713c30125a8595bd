"""Runs a command, and ends all that it started when whoever holds the other end of a pipe is gone.

    python -I -S guard.py PIPE COMMAND...

The process of the command is this one. A child of it waits at the pipe: its end is an end of file
however the other process ends, by kill -9 too, and whatever the command does then, it is killed
with its process group. A death signal of Linux (PR_SET_PDEATHSIG) would reach the command alone,
and comes when the *thread* that started it ends. `machine.child` starts this file, without what
an interpreter usually loads.
"""

import os
import signal
import sys


def _wait_and_end(pipe: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    # An open copy of the command's output would keep its reader waiting when the command has ended.
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Fork what waits, and become the command."""
    pipe, command = int(sys.argv[1]), sys.argv[2:]
    if os.fork() == 0:
        _wait_and_end(pipe)
    os.close(pipe)
    try:
        os.execvp(command[0], command)
    except OSError as failure:
        sys.exit(f"{command[0]} cannot be run: {failure.strerror}")


if __name__ == "__main__":
    main()
