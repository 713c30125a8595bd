"""What people know of commits: a small JSON file beside the code, `nnbench-history.json`.

    {"annotations": [{"commit": "<full hash>", "text": "one more layer, wanted", "match": ""}]}

An annotation acknowledges the alarms whose credible commits hold it; `match`, a regular
expression on benchmark and case, limits it to some.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from nnbench.errors import DamageError, UserError
from nnbench.history import REMARKS, pattern
from nnbench.history.alarms import Alarm
from nnbench.machine import fields, whole_file
from nnbench.machine.fields import Field

NAMES = {"commit", "text", "match"}


@dataclass(frozen=True)
class Annotation:
    """One remark on a commit (full hash); `match` empty means on all benchmarks."""

    commit: str
    text: str
    match: str = ""

    def explains(self, alarm: Alarm) -> bool:
        """Whether it is about this alarm."""
        return self.commit in alarm.commits and bool(re.search(self.match, alarm.series.label))


def read(path: Path = REMARKS) -> list[Annotation]:
    """The annotations in a file; none where it is not there. Raises UserError if it is damaged."""
    if not os.path.lexists(path):
        return []
    try:
        return [_annotation(one) for one in fields.read(path)["annotations"].entries()]
    except DamageError as failure:
        said = f"{path} is no file of annotations ({failure.reason}): mend or remove it"
        raise UserError(said) from failure


def _annotation(plain: Field) -> Annotation:
    if set(plain.members()) - NAMES:
        plain.refuse(f"has more than {', '.join(sorted(NAMES))}")
    found = Annotation(plain["commit"].text(), plain["text"].text(), plain["match"].text(""))
    try:
        pattern(found.match)
    except UserError as failure:
        plain["match"].refuse(str(failure))
    return found


def add(path: Path, annotation: Annotation) -> None:
    """Write one more, in place of one of its commit and match. Raises UserError if it cannot be."""
    pattern(annotation.match)
    subject = (annotation.commit, annotation.match)
    kept = [one for one in read(path) if (one.commit, one.match) != subject]
    remarks = {"annotations": [asdict(one) for one in [*kept, annotation]]}
    whole_file.write(path, json.dumps(remarks, indent=1, ensure_ascii=False) + "\n")
