"""The codes: unique, in their bands, and each refusal says what was wrong."""

from __future__ import annotations

import json

import pytest
from fault_hazards import HAZARDS

from ionto import faults
from ionto_host.tables import fault_names

CODES = {
    name: value
    for name, value in vars(faults).items()
    if name.isupper() and isinstance(value, int) and not isinstance(value, bool) and name != "FAULT_BAND"
}
CODES.pop("TYPE_CHECKING", None)
BANDS = {
    "protocol": range(1, 20),
    "refusal": range(20, 60),
    "sensor": range(100, 120),
    "current": range(120, 140),
    "contact": range(140, 160),
    "power": range(160, 180),
    "firmware": range(180, 200),
    "storage": range(200, 220),
    "self-test": range(220, 240),
}


def test_every_code_is_unique() -> None:
    """A number means one thing: `names` keeps as many as there are constants."""
    assert len(set(CODES.values())) == len(CODES)
    assert {value: name for name, value in CODES.items()} == fault_names()


@pytest.mark.parametrize("name", [name for name in CODES if name != "NONE"])
def test_every_code_is_in_one_band(name: str) -> None:
    assert sum(CODES[name] in band for band in BANDS.values()) == 1


@pytest.mark.hazard("HAZ-21")
@pytest.mark.parametrize("name", list(CODES))
def test_a_code_latches_exactly_in_the_fault_bands(name: str) -> None:
    assert faults.is_fault(CODES[name]) == (CODES[name] >= 100)


def test_every_fault_belongs_to_a_hazard() -> None:
    assert set(HAZARDS) == {code for code in CODES.values() if faults.is_fault(code)}


@pytest.mark.parametrize(
    ("prefix", "band"), [("SENSOR_", "sensor"), ("SELFTEST_", "self-test"), ("RAIL_", "power"), ("OVER_", "current")]
)
def test_names_and_bands_agree(prefix: str, band: str) -> None:
    members = [value for name, value in CODES.items() if name.startswith(prefix)]
    assert members
    assert all(value in BANDS[band] for value in members)


def test_a_refusal_travels_as_json() -> None:
    refusal = faults.Refusal(faults.OUT_OF_RANGE, "current_ua", 4_001, 100, 4_000)
    assert json.loads(json.dumps(refusal.as_dict())) == {
        "code": 20,
        "field": "current_ua",
        "value": 4_001,
        "low": 100,
        "high": 4_000,
    }


@pytest.mark.parametrize(
    ("number", "code"), [(5, faults.FLASH_FAILED), (27, faults.FLASH_FAILED), (29, faults.FLASH_FAILED)]
)
def test_only_errno_28_means_that_the_flash_is_full(number: int, code: int) -> None:
    assert faults.of_flash(OSError(number)) == code
    assert faults.of_flash(OSError(28)) == faults.FILESYSTEM_FULL
