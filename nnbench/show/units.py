"""How numbers are written for a person: seconds, bytes, FLOPs, ratios, each with its unit."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_FLOPS = ((1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"))
_COUNTS = ((1e9, " G"), (1e6, " M"), (1e3, " k"))
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_BYTES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits and no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    # 0.9999 is written 1.00: what it rounds to decides where its digits begin.
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:,.{decimals}f}"


def _second_unit(value_s: float) -> tuple[float, str]:
    for scale, unit in _SECONDS:
        # 0.9995 would be written 1,000 of the smaller unit.
        if abs(value_s) >= 0.9995 * scale:
            return scale, unit
    return _SECONDS[-1]


def seconds(value_s: float) -> str:
    """A duration with three digits: `1.56 s`, `27.6 ms`, `-12.0 µs`."""
    if value_s == 0:
        return "0 s"
    scale, unit = _second_unit(value_s)
    return f"{significant(value_s / scale)} {unit}"


def about(value_s: float) -> str:
    """A duration as one speaks of it beforehand: `5 s`, `40 s`, `3 min`, `1.5 h`."""
    if value_s < 95:
        return f"{max(1, round(value_s)) if value_s < 10 else 10 * round(value_s / 10)} s"
    if value_s < 5700:
        return f"{value_s / 60:.0f} min"
    return f"{value_s / 3600:.1f} h"


def clock(value_s: float) -> str:
    """A duration that goes on, as a clock has it: `0:07`, `12:30`, `1:02:03`."""
    minutes, whole_s = divmod(int(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole_s:02d}" if hours else f"{minutes}:{whole_s:02d}"


def ago(moment: datetime) -> str:
    """How long ago that was: `3 min ago`, `5 h ago`, `12 days ago`."""
    passed_s = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for length_s, unit in ((86400.0, "days"), (3600.0, "h")):
        if passed_s >= 2 * length_s:
            return f"{passed_s / length_s:.0f} {unit} ago"
    return f"{passed_s / 60:.0f} min ago"


def seconds_range(low_s: float, high_s: float) -> str:
    """An interval in the unit of its upper end: `1.50-1.63 s`."""
    scale, unit = _second_unit(high_s)
    return f"{significant(low_s / scale)}–{significant(high_s / scale)} {unit}"


def beside(value_s: float, low_s: float, high_s: float) -> str:
    """An interval without its unit, to stand by `seconds(value_s)` and in its unit."""
    scale, _ = _second_unit(value_s)
    return f"{significant(low_s / scale)}–{significant(high_s / scale)}"


def ratio(value: float) -> str:
    """How many times: `1.26x`."""
    return f"{significant(value)}×"


def ratio_range(low: float, high: float) -> str:
    """An interval of a ratio: `1.14-1.40x`."""
    return f"{significant(low)}–{significant(high)}×"


def rate(value: float) -> str:
    """How many a second, in a column that says of what: `1.56 M`, `312`."""
    scale, unit = _count_unit(value)
    return f"{significant(value / scale)}{unit}"


def rate_beside(value: float, low: float, high: float) -> str:
    """An interval to stand by `rate(value)` and in its unit."""
    scale, _ = _count_unit(value)
    return f"{significant(low / scale)}–{significant(high / scale)}"


def _count_unit(value: float) -> tuple[float, str]:
    return next((one for one in _COUNTS if value >= 0.9995 * one[0]), (1.0, ""))


def flops(value: float) -> str:
    """Floating-point operations: `1.23 MFLOP`."""
    return _scaled(value, _FLOPS, "FLOP")


def data_size(value_bytes: float) -> str:
    """Bytes in binary units: `41.8 KiB`."""
    return _scaled(value_bytes, _BYTES, "bytes")


def _scaled(value: float, scales: Sequence[tuple[float, str]], smallest: str) -> str:
    for scale, unit in scales:
        if value >= scale:
            return f"{significant(value / scale)} {unit}"
    return f"{value:.0f} {smallest}"


def share(value: float) -> str:
    """A fraction as a percentage: `58 %`, `3.1 %`."""
    percent = 100 * value
    return f"{percent:.0f} %" if abs(percent) >= 10 else f"{percent:.1f} %"


def share_range(low: float, high: float) -> str:
    """An interval of a fraction: `58–65 %`, with the decimals of its upper end."""
    decimals = 0 if abs(100 * high) >= 10 else 1
    return f"{100 * low:.{decimals}f}–{100 * high:.{decimals}f} %".replace("–-", " to -")


def within(half_width: float) -> str:
    """How wide an interval is: a share to either side, or a factor where that says nothing."""
    if half_width > 1:
        return f"a factor of {significant(1 + 2 * half_width, 2)}"
    return f"±{share(half_width)}"


def exponent(value: float) -> str:
    """A power: `0.98`; never `-0.00`."""
    return f"{round(value, 2) + 0.0:.2f}"


def power(base: int, exponent_: int) -> str:
    """A power of a number in plain text: `10⁻³`."""
    return f"{base}{str(exponent_).translate(_RAISED)}"


def change(ratio_: float) -> str:
    """A ratio as a change from 1: `+8.1 %`, `-40.0 %`, `+212 %`."""
    percent = 100 * (ratio_ - 1)
    return f"{percent:+.0f} %" if abs(percent) >= 100 else f"{percent:+.1f} %"
