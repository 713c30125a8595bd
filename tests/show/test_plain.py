"""Records become JSON in one way."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from nnbench.show.intervals import RATIO, SECONDS, cell, sentence, span
from nnbench.show.plain import plain
from nnbench.show.table import Cell
from nnbench.stats.interval import Interval


@dataclass(frozen=True)
class Record:
    name: str
    values: tuple[float, ...]
    where: Path
    inner: Interval


def test_a_record_becomes_a_dictionary_that_json_can_hold():
    record = Record("a", (1.0, float("nan")), Path("b/c"), Interval(1.0, float("nan"), 2.0))
    assert plain(record) == {
        "name": "a",
        "values": [1.0, None],
        "where": "b/c",
        "inner": {"value": 1.0, "low": None, "high": 2.0},
    }


def test_arrays_scalars_and_moments():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    found = plain({"a": np.array([1.0, np.inf]), "b": np.float32(0.5), "c": np.int64(3), 4: moment})
    assert found == {"a": [1.0, None], "b": 0.5, "c": 3, "4": "2026-01-02T00:00:00+00:00"}


def test_what_is_no_data_is_refused():
    with pytest.raises(TypeError, match="function"):
        plain({"a": len.__call__ and (lambda: None)})


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    )
)
def test_whatever_is_plain_can_be_written(value):
    json.dumps(plain(value), allow_nan=False)


def test_a_value_with_its_interval_is_written_in_one_way():
    found = Interval(1.5, 1.4, 1.63)
    assert cell(found, SECONDS) == Cell("1.50 s", "1.40–1.63")
    assert sentence(found, RATIO) == "1.50× [1.40–1.63×]"
    unknown = Interval(1.5, float("nan"), float("nan"))
    assert cell(unknown, SECONDS) == Cell("1.50 s")
    assert sentence(unknown, SECONDS) == "1.50 s [no interval]"
    assert span(unknown, RATIO) == ""
    assert cell(None, RATIO) == Cell("–")
