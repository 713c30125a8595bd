"""The one exception that is meant for the person at the terminal."""


class UserError(Exception):
    """A mistake a user can mend; the command line prints it as one line and exits non-zero.

    `details` are lines below it: where in a person's own code something was raised.
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.details = details
