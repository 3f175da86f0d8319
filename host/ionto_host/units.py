"""Device units to human units: integers with a unit suffix in the name become a number and its unit."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

from ionto.limits import UC_PER_MA_MIN

# suffix of a device field: (divisor, unit for a person), longest suffix first
SUFFIXES: tuple[tuple[str, int, str], ...] = (
    ("_ua_cm2", 1_000, "mA/cm2"),
    ("_bytes", 1, "bytes"),
    ("_mm2", 100, "cm2"),
    ("_ohm", 1_000, "kohm"),
    ("_ua", 1_000, "mA"),
    ("_uc", UC_PER_MA_MIN, "mA*min"),
    ("_ms", 1_000, "s"),
    ("_mv", 1_000, "V"),
)


def ma(value_ua: float) -> float:
    """Return `value_ua` (uA) in mA."""
    return value_ua / 1_000


def ma_min(value_uc: float) -> float:
    """Return `value_uc` (uC) in mA*min."""
    return value_uc / UC_PER_MA_MIN


def percent(ppm: float) -> str:
    """Return `ppm` in per cent, e.g. "0.120 %"."""
    return f"{ppm / 1e4:.3f} %"


def signed_percent(ppm: float) -> str:
    """Return `ppm` in per cent with its sign, e.g. "+0.120 %"."""
    return f"{ppm / 1e4:+.3f} %"


def human(field: str, value: object) -> str:
    """Return `value` of the device field `field` with its human unit: "4.5 mA" for current_ua, 4500."""
    if isinstance(value, int) and not isinstance(value, bool):
        for suffix, divisor, unit in SUFFIXES:
            if field.endswith(suffix):
                return f"{plain(Decimal(value) / divisor)} {unit}"
    return str(value)


def printable(text: str) -> str:
    """Return `text` with every character that would steer a terminal or break the line as an escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def plain(value: Decimal) -> str:
    """Return `value` with at most six decimals, no exponent and no trailing zeros."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text or "0"


def clock(duration_s: float) -> str:
    """Return `duration_s` as minutes and seconds, e.g. "10:30"."""
    seconds = max(0, round(duration_s))
    return f"{seconds // 60}:{seconds % 60:02d}"


def utc(unix_s: int) -> str:
    """Return the time `unix_s` (s since 1970) as "2026-11-25 14:03", UTC."""
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%d %H:%M")
