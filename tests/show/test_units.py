from datetime import UTC, datetime, timedelta

import pytest

from nnbench.show import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5637, "1.56 s"),
        (0.0276, "27.6 ms"),
        (0.99999, "1.00 s"),
        (-12e-6, "-12.0 µs"),
        (3e-9, "3.00 ns"),
        (0, "0 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_seconds(value, text):
    assert units.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(500, "500 bytes"), (42_800, "41.8 KiB"), (3 << 30, "3.00 GiB")]
)
def test_data_size(value, text):
    assert units.data_size(value) == text


@pytest.mark.parametrize(("value", "text"), [(948, "948 FLOP"), (86.6e6, "86.6 MFLOP")])
def test_flops(value, text):
    assert units.flops(value) == text


def test_an_interval_has_one_unit():
    assert units.seconds_range(0.9, 1.2) == "0.900–1.20 s"
    assert units.beside(0.5, 0.4, 1.2) == "400–1,200"
    assert units.ratio_range(1.141, 1.399) == "1.14–1.40×"


def test_shares():
    assert units.share(0.583) == "58 %"
    assert units.share(0.031) == "3.1 %"


@pytest.mark.parametrize(
    ("passed", "text"),
    [({"seconds": 20}, "0 min ago"), ({"minutes": 95}, "95 min ago"), ({"days": 3}, "3 days ago")],
)
def test_ago(passed, text, monkeypatch):
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, zone):
            return moment

    monkeypatch.setattr(units, "datetime", Clock)
    assert units.ago(moment - timedelta(**passed)) == text


def test_a_rate_and_its_interval_share_a_unit():
    assert [units.rate(value) for value in (312, 999.9, 45_600, 1.56e6)] == [
        *("312", "1.00 k", "45.6 k"),
        "1.56 M",
    ]
    assert units.rate_beside(1.1e6, 0.9e6, 1.3e6) == "0.900–1.30"


def test_a_width_beyond_all_shares_is_told_as_a_factor():
    assert units.within(0.125) == "±12 %"
    assert units.within(42.669) == "a factor of 86"
