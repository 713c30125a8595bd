import pytest

from nnbench.errors import UserError
from nnbench.workload.quantities import parse_seconds, parse_share


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5min", 300), ("1.5 h", 5400), ("250ms", 0.25)]
)
def test_reads_times(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "five", "-3s", "3 weeks", "1e3"])
def test_names_what_is_no_time(text):
    with pytest.raises(UserError, match="not a time"):
        parse_seconds(text)


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.05", 0.05), (" 12.5 % ", 0.125)])
def test_reads_shares(text, share):
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "0%", "100%", "nan", "two"])
def test_names_what_is_no_share(text):
    with pytest.raises(UserError, match="not a share"):
        parse_share(text)


@pytest.mark.parametrize("text", ["1e-300%", "0.0000001"])
def test_no_timing_is_as_narrow_as_that(text):
    with pytest.raises(UserError, match="too small a share"):
        parse_share(text)
