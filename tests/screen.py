"""A real pseudo-terminal of some size, and what a person would see on its screen."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

CONTROL = re.compile(
    r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|([\r\n\x08])|([^\x1b\r\n\x08]+)"
)


class Screen:
    """What stands on a terminal so many columns wide; all of it, also what has scrolled off.

    It knows what Rich writes: moves of the cursor, erasing, colours. A line longer than the
    terminal goes on in the next one, as it does there.
    """

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [""], 0, 0

    def write(self, text):
        for found in CONTROL.finditer(text):
            numbers, letter, moved, shown = found.groups()
            if shown:
                self._put(shown)
            elif moved:
                self._move(moved)
            elif letter:
                self._obey(letter, numbers)

    def _put(self, text):
        for character in text:
            if self.column == self.columns:
                self._move("\n")
                self.column = 0
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def _move(self, how):
        if how == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        self.column = 0 if how == "\r" else self.column - (how == "\x08")

    def _obey(self, letter, numbers):
        count = int(numbers or 1) if numbers.isdigit() or not numbers else 0
        if letter == "A":
            self.row = max(0, self.row - count)
        elif letter == "B":
            self.row = min(len(self.lines) - 1, self.row + count)
        elif letter == "K":
            self.lines[self.row] = "" if numbers == "2" else self.lines[self.row][: self.column]

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).strip("\n")


class Terminal:
    """A command in a pseudo-terminal; `seen()` is its screen now, `end()` when it has ended."""

    def __init__(self, columns, *arguments, folder, lines=40, **environment):
        self.screen = Screen(columns)
        self._reader, writer = pty.openpty()
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(writer, termios.TIOCSWINSZ, size)
        known = {name: one for name, one in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nnbench", *arguments],
            cwd=folder,
            env={**known, "TERM": "xterm-256color", **environment},
            stdin=writer,
            stdout=writer,
            stderr=writer,
            start_new_session=True,
        )
        os.close(writer)
        self._open = True

    def seen(self, wait_s=0.2):
        """The screen, after what is written within the next seconds."""
        until_s = time.monotonic() + wait_s
        while self._open and (left_s := until_s - time.monotonic()) > 0:
            if select.select([self._reader], [], [], left_s)[0]:
                try:
                    read = os.read(self._reader, 1 << 16)
                except OSError:  # Linux' way to say that nobody writes there any more.
                    read = b""
                if not read:
                    self._open = False
                    os.close(self._reader)
                self.screen.write(read.decode(errors="replace"))
        return self.screen.text

    def until(self, what, limit_s=120):
        """The screen once it has `what`, a regular expression."""
        until_s = time.monotonic() + limit_s
        while not re.search(what, self.seen(0.1)):
            assert self._open, self.screen.text
            assert time.monotonic() < until_s, self.screen.text
        return self.screen.text

    def end(self, limit_s=120):
        """The screen at the end, and the exit status."""
        until_s = time.monotonic() + limit_s
        while self._open and time.monotonic() < until_s:
            self.seen(0.1)
        return self.screen.text, self.process.wait(timeout=10)
