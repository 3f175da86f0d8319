"""Numbers that somebody outside the firmware goes by: the host, a log of years ago, a document, the circuit.

A constant that a test takes from the firmware moves with the firmware. So these are written down here a second time, on
purpose: to change one is to change what others rely on.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest

from ionto import calibration, faults, kernel, limits, protocol
from ionto import sessionlog_format as fmt
from ionto.limits import Limits

DOCS = Path(__file__).parents[3] / "docs"


def constants(module: Any, prefix: str = "") -> dict[str, int]:
    """Return the integers that `module` names in capitals, those that begin with `prefix`."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and name.startswith(prefix) and type(value) is int
    }


def test_the_commands_are_those_of_the_protocol_page() -> None:
    page = (DOCS / "protocol.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-9A-F]{2}) \| ([A-Z_]+) \|", page, re.MULTILINE)
    assert len(rows) == 20
    assert {name: int(number, 16) for number, name in rows} == {name: getattr(protocol, name) for _, name in rows}


def test_the_frame_is_that_of_the_protocol_page() -> None:
    assert (protocol.RESPONSE, protocol.ERROR, protocol.SYNC) == (0x80, 0xFF, b"\xa5\xc3")
    assert (protocol.HEADER_BYTES, protocol.CRC_BYTES, protocol.OVERHEAD_BYTES) == (8, 4, 12)
    assert (protocol.MAX_REQUEST_BYTES, protocol.MAX_PAYLOAD_BYTES, protocol.LOG_CHUNK_BYTES) == (1_024, 2_064, 2_048)


STATES = {"SELF_TEST": "SELF_TESTING", "MAINTENANCE": "IN_MAINTENANCE"}
OUTCOMES = {
    "none": "OUTCOME_NONE",
    "fault": "FAULTED",
    "battery_low": "BATTERY_ENDED",
    "time_limit": "TIME_ENDED",
    "pain": "PAIN_ENDED",
    "stinging": "STINGING_ENDED",
}


def test_a_word_of_the_status_stands_at_its_number() -> None:
    assert [getattr(protocol, STATES.get(word, word)) for word in protocol.STATES] == list(range(11))
    assert [getattr(protocol, OUTCOMES.get(word, word.upper())) for word in protocol.OUTCOMES] == list(range(11))
    flags = [getattr(protocol, "FLAG_" + word.upper()) for word in protocol.FLAGS]
    assert flags == [1 << bit for bit in range(10)]
    assert (protocol.TINGLING, protocol.STINGING, protocol.PAIN) == (1, 2, 3)


def test_a_code_keeps_its_number_for_ever() -> None:
    """Against a log of last year that names another fault today. A new code is added here when it has been released."""
    known = {
        "NONE": 0,
        **numbered(1, "BAD_FRAME UNKNOWN_COMMAND BAD_PAYLOAD WRONG_PROTOCOL"),
        **numbered(20, "OUT_OF_RANGE MISSING_FIELD UNKNOWN_FIELD WRONG_TYPE DENSITY_TOO_HIGH RAMPS_EXCEED_DOSE"),
        **numbered(26, "SESSION_TOO_LONG"),
        **numbered(
            30, "NO_DOSE WRONG_STATE OUTPUT_ON USB_PRESENT FAULT_LATCHED CAUSE_REMAINS NO_SUCH_LOG FLASH_FAILED"
        ),
        **numbered(38, "STOP_OPEN NEEDS_HAND NO_STARTS_LEFT LIMITS_EXCEEDED OTHER_LOG EVENTS_FULL"),
        **numbered(44, "CURRENT_REMAINS"),
        **numbered(100, "SENSOR_STALE SENSOR_STUCK SENSOR_CONFIG SENSOR_MISSING SENSE_DISAGREE ADC_STUCK"),
        **numbered(106, "SECOND_SENSOR LOAD_DISAGREE"),
        **numbered(120, "OVER_CURRENT OVER_CURRENT_ABSOLUTE CURRENT_WHEN_OFF UNDER_CURRENT CHARGE_EXCEEDED"),
        **numbered(125, "TIME_EXCEEDED"),
        **numbered(140, "OPEN_CIRCUIT SHORT_CIRCUIT LOAD_OUT_OF_RANGE"),
        **numbered(160, "RAIL_LOW RAIL_HIGH BATTERY_LOW USB_APPEARED"),
        **numbered(180, "LATE_LOOP"),
        **numbered(182, "UNPLANNED_RESET VARIANT_MISMATCH LIMITS_BROKEN FILES_DAMAGED"),
        **numbered(200, "LOG_WRITE_FAILED FILESYSTEM_FULL"),
        **numbered(220, "SELFTEST_SENSOR SELFTEST_OFFSET SELFTEST_RAIL SELFTEST_LATENT_SWITCH"),
        **numbered(224, "SELFTEST_LATENT_SETPOINT SELFTEST_BATTERY SELFTEST_NO_CURRENT SELFTEST_SENSE SELFTEST_LOAD"),
        **numbered(229, "SELFTEST_STOP"),
        **numbered(237, "SELFTEST_VOLTAGE SELFTEST_SECOND SELFTEST_LEAK"),
    }
    assert {name: getattr(faults, name) for name in known} == known


def numbered(first: int, names: str) -> dict[str, int]:
    """Return {name: number}, from `first` on."""
    return {name: first + at for at, name in enumerate(names.split())}


# Name, variant A, variant B.
LIMITS: list[tuple[str, int, int]] = [
    ("min_current_ua", 100, 500),
    ("max_current_ua", 4_000, 18_000),
    ("trip_current_ua", 4_400, 20_000),
    ("full_scale_ua", 4_975, 24_950),
    ("hardware_ceiling_ua", 5_710, 30_360),
    ("min_dose_uc", 6_000, 30_000),
    ("max_dose_uc", 4_800_000, 21_600_000),
    ("min_area_mm2", 100, 1_000),
    ("max_area_mm2", 20_000, 200_000),
    ("max_density_ua_cm2", 500, 500),
    ("min_ramp_ms", 1_000, 5_000),
    ("max_ramp_ms", 120_000, 120_000),
    ("max_session_ms", 5_400_000, 2_400_000),
    ("dither_ua", 2, 8),
    ("dither_min_ua", 500, 1_000),
    ("shunt_mohm", 10_000, 10_000),
    ("probe_ua", 40, 200),
    ("pole_ua", 50, 250),
    ("series_ohm", 552, 114),
    ("sense_mohm", 201_000, 40_080),
    ("second_mohm", 10_000, 2_492),
    ("pga_range_mv", 80, 320),
    ("min_rail_mv", 20_000, 20_000),
    ("max_rail_mv", 27_500, 27_500),
    ("min_vsys_mv", 3_300, 3_300),
]


@pytest.mark.hazard("HAZ-01", "HAZ-11")
@pytest.mark.parametrize("name", [row[0] for row in LIMITS])
def test_a_limit_is_what_hazards_and_circuit_are_reckoned_with(name: str) -> None:
    """Against a limit that is moved without anybody saying so: every figure of the pages rests on it."""
    builds: list[Limits] = [limits.variant_a(), limits.variant_b()]
    assert [getattr(build, name) for build in builds] == list({row[0]: row[1:] for row in LIMITS}[name])


def test_every_limit_of_a_build_is_in_that_table() -> None:
    for build in (limits.variant_a(), limits.variant_b()):
        assert set(vars(build)) - {"variant"} == {row[0] for row in LIMITS}


@pytest.mark.hazard("HAZ-01", "HAZ-18")
def test_what_every_build_has_in_common() -> None:
    assert (limits.MIN_PULSE_LEVEL_MS, limits.MIN_EDGE_MS, limits.MAX_EDGE_MS, limits.MAX_PERIOD_MS) == (
        60,
        20,
        1_000,
        10_000,
    )
    assert (limits.MAX_TURNS, limits.MIN_STRETCH_MS, limits.MAX_EXTENSION_PCT, limits.MAX_STARTS) == (
        12,
        1_000,
        100,
        20,
    )
    assert (limits.DEAD_MAN_MS, limits.RELAY_MS, limits.RAMP_SETTLE_MS, limits.TURN_MS) == (120, 400, 20, 540)
    assert limits.UC_PER_MA_MIN == 60_000


# Cells that are the first of a count, or of a charge alone: its others have no name of their own.
_COUNTS = {"G_COUNT": 4, "G_SENSE": 2, "G_SECOND": 2, "S_COUNT": 4}
_ALIASES = {"M_BIAS", "S_CHARGE_UC", "S_CHARGE_PC", "S_ON_MS", "S_ON_US"}


@pytest.mark.parametrize("prefix", ["R_", "M_", "G_", "S_", "T_", "W_", "L_"])
def test_no_two_numbers_share_a_cell_of_a_block(prefix: str) -> None:
    """Against a number that is written over another: every cell from 0 to the size has one name."""
    names = {name: at for name, at in constants(kernel, prefix).items() if name not in _ALIASES}
    size = names.pop(prefix + "SIZE")
    cells = [cell for name, at in names.items() for cell in range(at, at + _COUNTS.get(name, 1))]
    assert sorted(cells) == list(range(size))


def test_a_count_has_its_four_cells_in_order() -> None:
    assert [kernel.C_CHARGE_UC, kernel.C_CHARGE_PC, kernel.C_MS, kernel.C_US] == [0, 1, 2, 3]
    session = [kernel.S_CHARGE_UC, kernel.S_CHARGE_PC, kernel.S_ON_MS, kernel.S_ON_US]
    assert session == [kernel.S_COUNT + at for at in range(4)]


def test_a_block_that_is_sent_has_the_order_of_its_fields() -> None:
    assert [getattr(kernel, "T_" + name.upper()) for name, _ in protocol.STATUS_FIELDS] == list(range(27))
    names = [name.upper().replace("CURRENT_", "").replace("LOAD_MEAN", "LOAD") for name, _ in fmt.SAMPLE_FIELDS]
    assert [getattr(kernel, "L_" + name) for name in names] == list(range(12))


def test_records_of_the_log_have_the_size_of_their_fields() -> None:
    assert struct.calcsize(fmt.SAMPLE_FORMAT) == fmt.SAMPLE_BYTES == 26
    assert struct.calcsize(fmt.EVENT_FORMAT) == fmt.EVENT_BYTES


@pytest.mark.hazard("HAZ-03")
def test_a_calibration_may_be_so_far_off_and_no_further() -> None:
    """Against a trim that hides a broken sensor: 2 % and 10 uA, checked to 0.5 %."""
    assert calibration.FIELDS == (
        ("gain_ppm", -20_000, 20_000),
        ("residual_before_ppm", 0, 1_000_000),
        ("residual_ppm", 0, 5_000),
        ("time_unix_s", 1_700_000_000, 4_102_444_800),
        ("zero_ua", -10, 10),
    )
    assert (calibration.MAX_METER_CHARS, calibration.UNITY_Q15) == (40, 1 << 15)
