import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnbench.errors import DamageError, UserError
from nnbench.machine import fields


def field(plain):
    return fields.parse(json.dumps(plain).encode(), "a.json")


DAMAGE = [None, True, -1, 0, "text", [1], {"a": 1}, float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("value", DAMAGE, ids=lambda value: repr(value)[:12])
def test_each_reader_takes_what_it_asks_for_or_names_file_and_place(value):
    inside = field({"stats": {"median": value}})["stats"]["median"]
    readers = {
        "number": lambda: inside.number(above=0),
        "whole": lambda: inside.whole(least=1),
        "text": inside.text,
        "flag": inside.flag,
        "moment": inside.moment,
        "entries": inside.entries,
        "members": inside.members,
    }
    taken, failures = set(), []
    for name, read in readers.items():
        try:
            read()
            taken.add(name)
        except DamageError as failure:
            failures.append(failure)
    for failure in failures:
        assert failure.file == "a.json"
        assert failure.reason.startswith("stats.median ")
        assert str(failure).isprintable()
        assert len(str(failure)) < 200
    kinds = {bool: "flag", list: "entries", dict: "members"}
    usual = {kinds.get(type(value))} - {None}
    assert taken == ({"text"} if value == "text" else usual)


def test_what_is_missing_or_null_takes_the_default():
    plain = field({"there": {"null": None}})
    for one in (plain["there"]["null"], plain["not"]["there"]):
        assert one.number(2.5) == 2.5
        assert (one.text(""), one.whole(3), one.flag(False)) == ("", 3, False)
        assert (one.entries(()), one.members({})) == ([], {})
        with pytest.raises(DamageError, match="is missing"):
            one.entries()


@given(st.floats() | st.integers())
def test_numbers_are_finite_and_within_their_bounds(value):
    try:
        found = field([value]).entries()[0].number(least=-5, most=1e300)
        assert -5 <= found <= 1e300
    except DamageError:
        assert not -5 <= value <= 1e300


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "nested too deep"),
        (b"[" * 300 + b"]" * 300, "nested too deep"),
        (b'{"a": [1', "no JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        (b"1" * 5000, "no JSON"),
        (b'{"a": "\xff"}', "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path, content, reason):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as failed:
        fields.read(path)
    assert "\n" not in str(failed.value)
    assert str(path) in str(failed.value)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("pipe.json", "missing.json", "."):
        with pytest.raises(DamageError):
            fields.read(tmp_path / name)


def test_a_name_that_stands_twice_is_told_as_that():
    with pytest.raises(DamageError) as failed:
        fields.parse(b'{"a": 1, "b": 2, "a": 3}', "a.json")
    assert failed.value.reason == "'a' stands twice in one mapping"


@dataclass(frozen=True)
class Kind:
    name: str
    made: Path
    share: float = 0.5
    rows: int | None = None


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        ([1], "inside is no mapping: [1]"),
        ({"share": 1.0}, "inside.name is missing"),
        ({"name": None}, "inside.name is missing"),
        ({"name": "a", "other": 1}, "inside.other is not known"),
        ({"name": 1}, "inside.name is not of the type str: 1"),
        ({"name": "a", "share": True}, "inside.share is not of the type float: True"),
        ({"name": "a", "rows": 1.5}, "inside.rows is not of the type int | None: 1.5"),
        ({"name": "a", "share": float("inf")}, "inside.share is not of the type float: inf"),
    ],
)
def test_a_record_takes_what_its_fields_are_of_and_names_the_rest(plain, reason):
    with pytest.raises(DamageError) as failed:
        field({"inside": plain})["inside"].record(Kind, made=Path())
    assert failed.value.reason == reason
    good = {"name": "a", "share": 2, "rows": None, "made": "not taken"}
    assert field(good).record(Kind, made=Path()) == Kind("a", Path(), 2)


@settings(max_examples=30, deadline=None)
@given(st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_half_a_surrogate_pair_is_shown_and_a_byte_of_a_name_stays(plain):
    assert field(plain).value == plain
    name = os.fsdecode(b"b\xff.csv")
    found = field({name: plain, "the other": [plain, "\ud800 \\ud800 \\"]}).value
    assert found == {name: plain, "the other": [plain, "\\ud800 \\ud800 \\"]}
    with pytest.raises(DamageError, match="no JSON"):
        fields.parse(b'["\xed\xa0\x80"]', "a.json")


def test_names_that_are_one_when_shown_are_two_of_one_name():
    with pytest.raises(DamageError, match="stands twice"):
        field({"\ud800": 1, "\\ud800": 2})
