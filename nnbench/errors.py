"""The exceptions that are meant for the person at the terminal."""

LONGEST = 400


class UserError(Exception):
    """A mistake a user can mend; the command line prints it as one line and exits non-zero.

    `details` are lines below it: where in a person's own code something was raised. `reason` is
    what another message may say of it.
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.details = details
        self.reason = first_line(message)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the line and its details, not where in nnbench it arose."""
        return [f"{type(self).__name__}: {self}", *getattr(self, "__notes__", self.details)]


class DamageError(UserError):
    """A file, or part of one, that cannot be used; `reason` does not name it."""

    def __init__(self, file: object, reason: str) -> None:
        """Of what is called `file`, such as `trials.jsonl, line 3`."""
        super().__init__(f"{file} cannot be used ({reason}): restore it or leave it out")
        self.file, self.reason = str(file), reason


def first_line(text: object) -> str:
    """The first line of a message, shortened to what a person reads."""
    told = str(text).strip() or ("" if text == "" else repr(text))
    return next(iter(told.splitlines()), "")[:LONGEST]
