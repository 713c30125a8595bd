"""What git says, as it says it; no name is ever taken for an option."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nnbench.errors import UserError

ABSENT = ("not a git repository", "does not have any commits yet")


class GitError(UserError):
    """What git refused, in its own words; `absent` where there is no repository, or no commit."""

    def __init__(self, said: str, *, absent: bool) -> None:
        """Of the first line that git wrote."""
        super().__init__(said)
        self.absent = absent


def ask(folder: Path, command: str, *options: str, names: Sequence[str] = ()) -> bytes:
    """What a command prints that is run in `folder`. Raises GitError where it fails.

    `names` are what a person or a file gives: revisions and paths, never options.
    """
    # What begins with a dash names nothing in git; `--` alone would end its options once more.
    if dashed := [name for name in names if name.startswith("-")]:
        raise GitError(f"'{dashed[0]}' is no name", absent=False)
    apart = ["--end-of-options", *names] if names else []
    # A revision is no path, and a log is read without a key ring.
    tail = ["--"] if command == "log" else []
    try:
        answer = subprocess.run(
            ["git", command, *options, *apart, *tail],
            cwd=folder,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, ValueError) as failure:
        raise GitError(f"git cannot be asked there: {failure}", absent=True) from failure
    if answer.returncode != 0:
        said = text(answer.stderr) or f"git {command} failed"
        absent = any(one in said for one in ABSENT)
        raise GitError(said.splitlines()[0].removeprefix("fatal: "), absent=absent)
    return answer.stdout


def resolve(folder: Path, name: str) -> str | None:
    """The full hash of a commit; None where there is none of that name."""
    try:
        found = ask(folder, "rev-parse", "--verify", "--quiet", names=[f"{name}^{{commit}}"])
    except GitError:
        return None
    return text(found)


def if_shallow(folder: Path) -> str:
    """What else to say of a commit that is not there, in a clone that was cut off; else nothing."""
    try:
        cut = text(ask(folder, "rev-parse", "--is-shallow-repository")) == "true"
    except GitError:
        return ""
    return "; the clone is shallow: fetch-depth: 0 (here, git fetch --unshallow)" if cut else ""


def text(answer: bytes) -> str:
    """What git wrote as text: messages and paths may be of any encoding."""
    return answer.decode(errors="replace").strip()
