"""The trials of a run as columns: of hundreds of thousands none is kept as a Python object.

A trial is a row. Texts are kept as codes, numbers as they are, and the samples of all trials in one
array. What few trials have (curves, counts, messages, what the noise watch saw) stays as recorded.
"""

import bisect
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Plain = dict[str, Any]
Rows = NDArray[np.int64]

TEXTS = ("case", "side", "trial_kind", "outcome")
WHOLE = ("trial", "launch", "round", "block", "sweep")
COUNTED = {
    *("parameters", "step_flops", "peak_host_bytes", "peak_device_bytes", "host_bytes_before")
}
"""What a trial counts, where it can; float64 holds all whole numbers that are read."""
STEPS = "steps_per_sample"
MEASURED = ("wall_s", "loss", "first_epoch_s")
BEGAN = "began_s"
"""When a trial began, in seconds since 1970."""
KEPT = {"kind", "began", *TEXTS, *WHOLE, *MEASURED, STEPS, *COUNTED}
"""Names of a record that columns hold."""


class Series(NamedTuple):
    """The samples of one phase of a trial each: its row, the phase's code, and its part of all."""

    rows: Rows
    phases: Rows
    starts: Rows
    counts: Rows


def _seconds(began: str) -> float:
    moment = datetime.fromisoformat(began)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Trials:
    """Records of trials, taken one after the other, as columns.

    Iterating makes the records anew, one at a time: for few of them, see `records`.
    """

    def __init__(self, records: Iterable[Plain] = ()) -> None:
        """Take records that are as `store.runs` checks them."""
        self._codes: dict[str, dict[str, int]] = {name: {} for name in TEXTS}
        self._texts = {name: array("i") for name in TEXTS}
        self._whole = {name: array("q") for name in WHOLE}
        known = (*MEASURED, STEPS, *sorted(COUNTED))
        self._numbers = {name: array("d") for name in (BEGAN, *known)}
        self._known = [(name, self._numbers[name]) for name in known]
        self._phases: dict[str, int] = {}
        self._series = tuple(array("q") for _ in Series._fields)
        self._seconds = array("d")
        self._rest: dict[int, Plain] = {}
        self.extend(list(records))

    def append(self, record: Plain) -> None:
        """Take a record; it is not kept itself."""
        self.extend([record])

    def extend(self, records: Sequence[Plain]) -> None:
        """Take records, a column after the other; they are not kept themselves."""
        before = len(self)
        for name, texts in self._texts.items():
            codes = self._codes[name]
            texts.extend([codes.setdefault(one[name], len(codes)) for one in records])
        for name, whole in self._whole.items():
            whole.extend([one[name] for one in records])
        self._numbers[BEGAN].extend([_seconds(one["began"]) for one in records])
        for name, numbers in self._known:
            found = [one.get(name) for one in records]
            numbers.extend([math.nan if value is None else value for value in found])
        for row, one in enumerate(records, start=before):
            rest = {name: value for name, value in one.items() if value is None or name not in KEPT}
            samples_s: Plain = rest.pop("samples_s") if rest.get("samples_s") else {}
            for phase, values in samples_s.items():
                rows, phases, starts, counts = self._series
                rows.append(row)
                phases.append(self._phases.setdefault(phase, len(self._phases)))
                starts.append(len(self._seconds))
                counts.append(len(values))
                self._seconds.extend(values)
            if rest:
                self._rest[row] = rest

    def __len__(self) -> int:
        """How many there are."""
        return len(self._whole["trial"])

    def __getitem__(self, row: int) -> Plain:
        """The record of a row, made anew; `began` is in UTC."""
        row = range(len(self))[row]
        record: Plain = {"kind": "trial"}
        for text, codes in self._texts.items():
            record[text] = self.names(text)[codes[row]]
        for whole, places in self._whole.items():
            record[whole] = places[row]
        record["began"] = datetime.fromtimestamp(self._numbers[BEGAN][row], UTC).isoformat()
        for name, numbers in self._known:
            if not math.isnan(value := numbers[row]):
                record[name] = value if name in MEASURED else int(value)
        rows, phases, starts, counts = self._series
        samples_s, named = {}, list(self._phases)
        for one in range(bisect.bisect_left(rows, row), bisect.bisect_right(rows, row)):
            values = self._seconds[starts[one] : starts[one] + counts[one]]
            samples_s[named[phases[one]]] = values.tolist()
        return record | ({"samples_s": samples_s} if samples_s else {}) | self._rest.get(row, {})

    def __iter__(self) -> Iterator[Plain]:
        """All records, made anew."""
        return map(self.__getitem__, range(len(self)))

    def records(self, rows: Iterable[int]) -> Iterator[Plain]:
        """The records of some rows, made anew."""
        return (self[int(row)] for row in rows)

    def column(self, name: str) -> NDArray[Any]:
        """A value a trial: NaN where one has none; of a text its code, whose text is in `names`."""
        if name in self._texts:
            return np.array(self._texts[name], dtype=np.int64)
        kept = self._whole if name in self._whole else self._numbers
        return np.array(kept[name])

    def names(self, name: str) -> list[str]:
        """The texts that a column has codes for."""
        return list(self._codes[name])

    def are(self, **texts: str) -> NDArray[np.bool_]:
        """Which trials have these texts: `are(outcome="ok")`."""
        found = np.ones(len(self), dtype=bool)
        for name, text in texts.items():
            found &= np.array(self._texts[name], dtype=np.int32) == self._codes[name].get(text, -1)
        return found

    def values(self, names: Sequence[str], rows: Rows | None = None) -> Iterator[tuple[Any, ...]]:
        """What some columns hold, a tuple a row: all rows, unless some are given."""
        found: list[list[Any]] = []
        for name in names:
            column = self.column(name)
            plain = (column if rows is None else column[rows]).tolist()
            texts = self.names(name) if name in self._texts else None
            found.append(plain if texts is None else [texts[code] for code in plain])
        return zip(*found, strict=True)

    def groups(self, names: Sequence[str], rows: Rows | None = None) -> tuple[Rows, Rows]:
        """Groups of trials that are alike in some columns, in the order in which each begins.

        The row with which each begins, and for each of `rows` (else of all) the number of its
        group.
        """
        chosen = np.arange(len(self)) if rows is None else rows
        number = np.zeros(len(chosen), dtype=np.int64)
        for name in names:
            kinds, codes = np.unique(self.column(name)[chosen], return_inverse=True)
            # Numbered anew after each column: products of more than two might be too large.
            _, number = np.unique(number * len(kinds) + codes, return_inverse=True)
        _, firsts = np.unique(number, return_index=True)
        order = np.argsort(firsts)
        return chosen[firsts[order]], np.argsort(order)[number] if len(order) else number

    def rows_by(self, name: str, rows: Rows | None = None) -> dict[str, Rows]:
        """Rows by the text that they have in a column, each text's in order."""
        chosen = np.arange(len(self)) if rows is None else rows
        codes, texts = self.column(name)[chosen], self.names(name)
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(texts) + 1))
        parts = zip(texts, pairwise(ends.tolist()), strict=True)
        return {text: chosen[order[one:other]] for text, (one, other) in parts if other > one}

    def rare(self, name: str) -> Iterator[tuple[int, Any]]:
        """Rows and values of what only some trials have and no column holds, in order."""
        return ((row, rest[name]) for row, rest in self._rest.items() if name in rest)

    @property
    def spent_s(self) -> float:
        """The seconds that they took, one after the other."""
        walls_s = self.column("wall_s")
        return float(np.cumsum(walls_s)[-1]) if len(walls_s) else 0.0

    @property
    def phases(self) -> list[str]:
        """The phases that series have codes for."""
        return list(self._phases)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """The samples of all trials, in order."""
        return np.array(self._seconds)

    def series(self) -> Series:
        """What in `seconds` is whose, in order."""
        return Series(*(np.array(part) for part in self._series))

    def where(self, which: NDArray[np.bool_]) -> Self:
        """Those trials only, as others."""
        found = type(self)()
        for name, codes in self._codes.items():
            found._codes[name].update(codes)
        found._phases.update(self._phases)
        for mine, theirs in (
            (self._texts, found._texts),
            (self._whole, found._whole),
            (self._numbers, found._numbers),
        ):
            for name, column in mine.items():
                theirs[name].frombytes(np.array(column)[which].tobytes())
        number = np.cumsum(which) - 1
        series = self.series()
        kept = which[series.rows]
        counts = series.counts[kept]
        parts = (number[series.rows[kept]], series.phases[kept], np.cumsum(counts) - counts, counts)
        for part, values in zip(found._series, parts, strict=True):
            part.frombytes(values.astype(np.int64).tobytes())
        of_samples = np.repeat(kept, series.counts)
        found._seconds.frombytes(self.seconds[of_samples].tobytes())
        found._rest = {int(number[row]): rest for row, rest in self._rest.items() if which[row]}
        return found
