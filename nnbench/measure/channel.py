"""How a worker answers: JSON lines on what was standard output.

Anything that libraries print ends up on standard error, which the parent keeps as the log.
"""

import json
import os
from collections.abc import Callable
from typing import Any


def open_answers() -> Callable[[Any], None]:
    """Take standard output for answers; return what writes one of them, as a line, at once."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(record: Any) -> None:
        answers.write(json.dumps(record) + "\n")
        answers.flush()

    return answer
