"""What an answer must be for some damage, so that it is not wrong without a word."""

import json
import re

from fuzz.calls import Fault
from fuzz.damage import in_json, in_tables
from fuzz.damage.of_commits import COMMITS
from fuzz.damage.values import IMPOSSIBLE_DURATIONS, text

SAID = re.compile(
    r"damag|skip|cannot be read|no record|twice|left out|not used|ignor|repeat|duplicate|no number"
    r"|not finite|broken|unread",
    re.IGNORECASE,
)
DURATIONS = re.compile(r"/samples_s/\w+(/\d+)?$|/results/[^/]+/0/0$|/stats/median$|/ended_s/\d+$")
"""Places of durations: of ours, of asv, of pytest-benchmark."""

LINES_SAID = {
    *("line twice", "all twice", "half a line", "line {}", "line null", "line of a deep list"),
    *("line of 5,000 digits", "line of NULs", "line of a mapping's length", "two in a line"),
}
PLAIN = ("a closing tag", "a colour", "a type")
"""Text that a terminal shows as it is, and a reader of markup does not."""

SHOWN = re.compile(
    r"^/params/(machine|cpu)$|^/machine_info/node$|^/benchmarks/0/params/network$"
    r"|^/annotations/0/text$|^/results/[^/]+/1/0/\d$|^/fingerprint/(host|cpu)$"
)
"""Places of names that tables and sentences show, where they show them at all."""


def demanded(name, content, done, words):
    """What is asked of the usual answer and the one after the damage; None for nothing."""
    as_json = "--json" in words
    if name.endswith(".npz") and done.value in ("NaN", "infinite", "beyond float32"):
        return _refused if name == "xy.npz" else None
    if name.endswith(".csv"):
        if done.what == "cell" and done.value in in_tables.NOT_A_NUMBER and as_json:
            return _same_or_said
        if done.what in ("separate by", "as a whole"):
            same = done.what == "separate by" or done.value in in_tables.MEANS_THE_SAME
            return _same_or_refused if same and as_json else None
    if done.what == "call" and done.value in PLAIN and SHOWN.search(done.place) and not as_json:
        was = in_json.node_at(json.loads(content), done.place)
        return _shown(was, text(done.value))
    if done.what == "message" and done.value in PLAIN and not as_json:
        return _shown("Change number 5", COMMITS[done.value].decode())
    if as_json and _is_no_measurement(name, done):
        return _same_or_said
    return None


def _is_no_measurement(name, done):
    """Whether a record is there twice or in part, or a duration is none."""
    if name in ("trials.jsonl", "numerics.jsonl") and done.what in LINES_SAID:
        return True
    if done.what == "repeat" and re.fullmatch(r"/benchmarks/\d+", done.place):
        return True
    place = "/" + done.place.partition(":")[2] if ":" in done.place else done.place
    impossible = done.what == "replace" and done.value in IMPOSSIBLE_DURATIONS
    return impossible and bool(DURATIONS.search(place))


def _refused(_usual, answer):
    if answer.status != 2:
        yield Fault("data that cannot be are taken", "", answer.stdout[:300])


def _same_or_refused(usual, answer):
    if answer.status != 2 and usual.status == 0:
        yield from _another(usual, answer)


def _same_or_said(usual, answer):
    if answer.status == 2 or answer.started is not None:
        return
    if not _says_more(answer, usual):
        yield from _another(usual, answer)


def _says_more(answer, usual):
    said, before = (SAID.findall(one.stdout + one.stderr) for one in (answer, usual))
    return len(said) > len(before)


def _another(usual, answer):
    first, second = (json.dumps(_lasting(one.record), sort_keys=True) for one in (usual, answer))
    if first != second:
        at = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        shown = f"{first[max(0, at - 60) : at + 60]} / {second[max(0, at - 60) : at + 60]}"
        yield Fault("silently another answer", answer.command[0], shown)


def _lasting(record):
    """A record without what another call, or another file, tells otherwise."""
    if isinstance(record, dict):
        return {
            key: _lasting(one)
            for key, one in record.items()
            if "age" not in key and key != "source"
        }
    if isinstance(record, list):
        return [_lasting(one) for one in record]
    return record


def _shown(was, now):
    """The text that stands for another is seen where that was seen."""

    def demand(usual, answer):
        if answer.status == 2 or answer.started is not None or _says_more(answer, usual):
            return
        told, before = ("".join(one.stdout.split()) for one in (answer, usual))
        if "".join(was.split()) in before and "".join(now.split()) not in told:
            yield Fault("text is lost", answer.command[0], f"{now} in {answer.stdout[:300]}")

    return demand
