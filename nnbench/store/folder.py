"""A folder of records: a description written once, and a file that grows by a line a record.

    <folder>/<description>     JSON: schema version, moment, specification, fingerprint
    <folder>/trials.jsonl      appended: one JSON object a line
    <folder>/logs/             what each worker wrote on its standard error

A record is flushed to the disk before the next one is made. A line that was cut off by a kill is
dropped when the file is next read or appended to; nothing else is ever rewritten.
"""

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from nnbench.errors import UserError
from nnbench.machine import fields, fingerprint, whole_file
from nnbench.machine.fields import Field

RECORDS_FILE = "trials.jsonl"
MOST_DAMAGE = 20
BLOCK_BYTES = 1 << 20
ASKED = "asked"
"""Of a specification: how it was written, such as the names that were typed; decides nothing."""
UNKNOWN = "unknown"

Contents = TypeVar("Contents")
Plain = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """One kind of folder: its description's file and schema, and what it is called.

    In sentences it is `what`, and a folder that holds none is `missing`; `taken` is what to do
    about a name that is in use. Folders without a name are called `prefix` and the moment.
    """

    file: str
    schema: int
    what: str
    missing: str
    taken: str = "choose another --name"
    prefix: str = ""
    folders: tuple[str, ...] = ("logs",)

    def create(
        self, parent: Path, name: str | None, specification: Plain, fingerprint: Plain
    ) -> Path:
        """Make a new folder. Raises UserError if it exists already or cannot be written."""
        whole_file.check_name(name)
        folder = parent / (name or datetime.now(UTC).strftime(f"{self.prefix}%Y%m%d-%H%M%S"))
        description = {
            "schema": self.schema,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "specification": specification,
            "fingerprint": fingerprint,
        }
        with _disk_errors(folder, ": name another folder with --results"):
            try:
                for inside in self.folders:
                    (folder / inside).mkdir(parents=True)
            except FileExistsError:
                raise UserError(f"{folder} exists already: {self.taken}") from None
            whole_file.write(folder / self.file, json.dumps(description, indent=1) + "\n")
            (folder / RECORDS_FILE).touch()
        return folder

    def read(
        self,
        folder: Path,
        make: Callable[[Path, str, Plain, Plain], Contents],
        check: Callable[[Field], object],
    ) -> Contents:
        """What `make` makes of the folder and its moment, specification and fingerprint.

        `check` is given the specification. Raises UserError if it is missing, of an unknown schema,
        or damaged, as `check` would show by a UserError, too.
        """

        def contents(plain: Field) -> Contents:
            check(plain["specification"])
            created, specification = plain["created"].moment(), plain["specification"].value
            return make(
                folder, created.isoformat(), specification, read_fingerprint(plain["fingerprint"])
            )

        missing, path = f"{folder} is {self.missing}", folder / self.file
        return read_description(path, self.schema, contents, missing, "measure again")

    def folder_for(
        self,
        parent: Path,
        name: str | None,
        specification: Plain,
        here: Plain,
        read: Callable[[Path], Any],
        is_complete: Callable[[Any], bool],
        *,
        resume: bool = False,
        fresh: bool = False,
    ) -> tuple[Path, bool]:
        """The folder of this specification on this host, and whether an unfinished one is in it.

        Without a name: the newest if unfinished, else, or with `fresh`, a new one. Raises UserError
        if the name is taken by another, or `resume` finds nothing to go on with.
        """
        whole_file.check_name(name)
        if name and (parent / name).exists() and not fresh:
            held = read(parent / name)
            unlike = fingerprint.differences(held.fingerprint, here)
            if not same(held.specification, specification):
                raise UserError(f"{parent / name} holds another {self.what}: choose another --name")
            if unlike:
                raise UserError(
                    f"{parent / name} was measured elsewhere ({'; '.join(unlike)}): "
                    "choose another --name"
                )
            return parent / name, False
        for folder in [] if fresh or name else reversed(self.find(parent)):
            try:
                held = read(folder)
            except UserError:
                continue
            alike = same(held.specification, specification)
            if alike and not fingerprint.differences(held.fingerprint, here):
                if is_complete(held):
                    break
                return folder, True
        if resume:
            what = f"unfinished {self.what} of this command on this host"
            raise UserError(f"{parent} holds no {what}")
        return self.create(parent, name, specification, here), False

    def find(self, parent: Path) -> list[Path]:
        """Folders of this kind directly below `parent`, oldest first."""
        return sorted(path.parent for path in parent.glob(f"*/{self.file}"))


def deciding(specification: Plain) -> Plain:
    """A specification without how it was written."""
    return {name: one for name, one in specification.items() if name != ASKED}


def same(one: Plain, other: Plain) -> bool:
    """Whether two specifications ask for the same, however it was written."""
    names = deciding(one).keys() | deciding(other).keys()
    return all(one.get(name, ()) == other.get(name, ()) for name in names)


def name_of(specification: Plain, label: str) -> str:
    """What a network was called by who asked: `100,100` for `100x2`; else its label."""
    typed: dict[str, str] = specification.get(ASKED, {}).get("typed", {})
    return typed.get(label, label)


def check_names(specification: Field) -> None:
    """Raise UserError where what networks were called is no text."""
    for one in specification[ASKED]["typed"].members({}).values():
        one.text()


def read_description(
    path: Path, schema: int, make: Callable[[Field], Contents], missing: str, again: str
) -> Contents:
    """What `make` makes of a JSON file of a schema.

    Raises UserError if it is not there, which says that it is `missing`, of another schema, or
    damaged, as `make` shows by a UserError. `again` is what to do then.
    """
    try:
        plain = fields.read(path)
        found = plain["schema"].whole()
        if found == schema:
            return make(plain)
    except UserError as error:
        if isinstance(error.__cause__, OSError):
            raise UserError(f"{missing}: {error.__cause__.strerror} ({path.name})") from error
        raise UserError(f"{path} is damaged ({error.reason}): restore it or {again}") from error
    raise UserError(
        f"{path} has schema {found}, this nnbench reads {schema}: use the nnbench that wrote it, "
        f"or {again}"
    )


def records(folder: Path, damage: list[str], use: Callable[[Field], None]) -> None:
    """Hand each record to `use`; `damage` gets a sentence, with the file, a line that is left out.

    Left out is what `use` refuses by a UserError, what is no JSON, and what repeats another line.
    """
    path = folder / RECORDS_FILE
    seen: dict[int, int] = {}
    for number, line in enumerate(whole_file.lines(path), start=1):
        # Every record ends in a newline: what follows the last one was cut off in flight.
        if not line.endswith(b"\n"):
            break
        if (first := seen.setdefault(hash(line), number)) != number:
            damage.append(f"{path}: line {number} repeats line {first}")
            continue
        try:
            use(fields.parse(line.rstrip(b"\n"), f"line {number}"))
        except UserError as refused:
            damage.append(f"{path}: line {number} cannot be read ({refused.reason})")
    if (more := len(damage) - MOST_DAMAGE) > 0:
        damage[MOST_DAMAGE:] = [f"{path}: {more} more lines"]


def set_whole_numbers(record: Field, names: Iterable[str], **bounds: int) -> None:
    """Make whole numbers of a record's members, 3.0 too. Raises DamageError for anything else."""
    for name in names:
        # What is a plain small number already needs no place to be named by.
        if bounds or type(one := record.value.get(name)) is not int or not 0 <= one < 1 << 31:
            record.value[name] = record[name].whole(**bounds)


def read_fingerprint(plain: Field) -> Plain:
    """A fingerprint with all its parts, of their types; what it does not tell is unknown."""
    found = {name: one.value for name, one in plain.members().items()}
    plain["commit"].text("")
    for name in ("host", "system", "cpu", "python"):
        found[name] = plain[name].text(UNKNOWN)
    for name in ("cpus", "memory_bytes"):
        found[name] = plain[name].whole(0)
    for name in ("versions", "settings"):
        parts = plain[name].members({name: UNKNOWN})
        found[name] = {part: one.text(UNKNOWN) for part, one in parts.items()}
    gpus = plain["gpus"].entries([UNKNOWN])
    return found | {"gpus": [one.text() for one in gpus]}


class Writer:
    """Appends records to a run; only one process at a time may."""

    def __init__(self, folder: Path) -> None:
        """Raise UserError if another process holds the run or its folder cannot be written."""
        self._path = folder / RECORDS_FILE
        with _disk_errors(folder):
            # Unbuffered: after a failed write nothing may be left that is written later.
            self._file = self._path.open("ab", buffering=0)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{folder} is being written by another process: wait for it to end"
                ) from None
            os.truncate(self._path, _end_of_lines(self._path))

    def append(self, record: dict[str, Any], *, sync: bool = True) -> None:
        """Write one record, which survives this process; with `sync` wait until it is on disk."""
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        size = os.fstat(self._file.fileno()).st_size
        with _disk_errors(self._path):
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(self._file.fileno())
            except OSError:
                os.truncate(self._path, size)
                raise

    def close(self) -> None:
        """Let other processes write."""
        self._file.close()


def _end_of_lines(path: Path) -> int:
    """Bytes of a file up to the end of its last whole line, read from the end on."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        while place > 0:
            start = max(0, place - BLOCK_BYTES)
            file.seek(start)
            if (found := file.read(place - start).rfind(b"\n")) >= 0:
                return start + found + 1
            place = start
    return 0


@contextmanager
def _disk_errors(path: Path, rest: str = "; what was measured so far is kept") -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise UserError(f"{path} cannot be written: {failure.strerror}{rest}") from failure
