"""The one exception that is meant for the person at the terminal."""


class UserError(Exception):
    """A mistake a user can mend; the command line prints it as one line and exits non-zero."""
