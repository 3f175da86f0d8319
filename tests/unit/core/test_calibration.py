"""The calibration on the board: what it trims, what it refuses, what a damaged file and a failing flash leave."""

from __future__ import annotations

import json
import struct
from contextlib import contextmanager
from typing import Any

import pytest
from fake_flash import Flash
from hypothesis import given
from hypothesis import strategies as st
from plant import Device, device, press, take_raw

from ionto import faults, files, protocol
from ionto.calibration import FIELDS, MAX_GAIN_PPM, PATH, UNITY_Q15, Calibration
from ionto.reading import Reading

GOOD = {
    "gain_ppm": -10_000,
    "residual_before_ppm": 10_100,
    "residual_ppm": 120,
    "time_unix_s": 1_780_000_000,
    "zero_ua": 3,
    "meter": "Keithley 2110",
}
NOTHING = {"state": "none"}


def calibrate(board: Device, wanted: Any) -> tuple[int, dict[str, Any]]:
    """Write the calibration `wanted`; return the code (0: accepted) and the JSON of the answer."""
    kind, content = board.ask(protocol.CALIBRATION, json.dumps(wanted).encode())
    if kind != protocol.ERROR:
        return 0, json.loads(content)
    return struct.unpack_from("<H", content)[0], json.loads(content[struct.calcsize(protocol.ERROR_FORMAT) :] or b"{}")


def told(board: Device) -> dict[str, Any]:
    """Return the calibration that HELLO tells, which is the one that the command reads."""
    hello = json.loads(board.ask(protocol.HELLO)[1])["calibration"]
    assert hello == json.loads(board.ask(protocol.CALIBRATION)[1])
    return hello


@contextmanager
def with_hand(flash: Flash | None = None, **plant: Any) -> Any:
    """Yield a device on the bench strap."""
    with device(flash=flash, load_ohm=1_000.0) as board:
        for name, value in plant.items():
            setattr(board.plant, name, value)
        board.hal.bench_strap = True
        board.run(2)
        yield board


@pytest.mark.hazard("HAZ-03", "HAZ-29")
def test_it_needs_a_hand_and_outlasts_the_power() -> None:
    with device() as board:
        assert told(board) == NOTHING
        assert calibrate(board, GOOD)[0] == faults.NEEDS_HAND
        assert told(board) == NOTHING and PATH not in board.flash.system
        press(board)
        assert calibrate(board, GOOD) == (0, GOOD | {"state": "kept"})
        assert calibrate(board, {})[0] == faults.NEEDS_HAND
        flash = board.flash
    with device(flash=flash) as board:
        assert told(board) == GOOD | {"state": "kept"}
        assert board.hal.scale.zero_ua == 3 and board.hal.scale.gain_q15 == 32_440
        press(board)
        assert calibrate(board, {}) == (0, NOTHING)
        assert board.hal.scale.zero_ua == 0 and board.hal.scale.gain_q15 == UNITY_Q15
        flash = board.flash
    with device(flash=flash) as board:
        assert told(board) == NOTHING


@pytest.mark.hazard("HAZ-03")
def test_a_sensor_that_reads_one_percent_too_much_delivers_the_dose_by_the_meter() -> None:
    """Without it the load gets 1 % less than the set-point; with it, the set-point. The log says which held."""
    with with_hand(shunt_factor=1.01) as board:
        board.hold(current_ua=2_000, dose_uc=60_000)
        board.run(1_000)
        assert board.plant.current_ua == pytest.approx(2_000 / 1.01, abs=4)
        board.code(protocol.ABORT)
        board.finish()
        assert board.log()[0][1]["calibration"] == NOTHING
        assert calibrate(board, GOOD | {"gain_ppm": -9_900, "zero_ua": 0})[0] == 0
        board.hold(current_ua=2_000, dose_uc=60_000)
        board.run(1_000)
        assert board.plant.current_ua == pytest.approx(2_000, abs=4)
        board.code(protocol.ABORT)
        board.finish()
        assert board.log(2)[0][1]["calibration"]["gain_ppm"] == -9_900


@pytest.mark.hazard("HAZ-03")
def test_the_zero_comes_on_top_of_that_of_the_self_test() -> None:
    with with_hand(sensor_offset_ua=7) as board:
        assert calibrate(board, GOOD | {"gain_ppm": 0, "zero_ua": -4})[0] == 0
        board.hold(current_ua=1_000, dose_uc=60_000)
        assert abs(board.hal.scale.zero_ua - 3) <= 1


@pytest.mark.hazard("HAZ-03")
@given(st.integers(-32_000, 32_000), st.integers(-MAX_GAIN_PPM, MAX_GAIN_PPM), st.integers(-30, 30))
def test_the_current_is_the_corrected_one_to_half_a_microampere(raw: int, gain_ppm: int, zero_ua: int) -> None:
    """Against exact arithmetic; the gain itself is kept to 1/65536."""
    made = Calibration.__new__(Calibration)
    made._take(GOOD | {"gain_ppm": gain_ppm}, "kept")
    taken = Reading()
    take_raw(taken, raw, zero_ua=zero_ua, gain_q15=made.gain_q15)
    exact = (raw - zero_ua) * (1 + gain_ppm / 1e6)
    assert abs(taken.current_ua - max(exact, 0)) <= 0.54 + abs(raw - zero_ua) / 65_536


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        *[({name: low - 1}, faults.OUT_OF_RANGE) for name, low, _ in FIELDS],
        *[({name: high + 1}, faults.OUT_OF_RANGE) for name, _, high in FIELDS],
        *[({name: None}, faults.MISSING_FIELD) for name, *_ in FIELDS],
        ({"zero_ua": 1.5}, faults.WRONG_TYPE),
        ({"zero_ua": True}, faults.WRONG_TYPE),
        ({"meter": None}, faults.WRONG_TYPE),
        ({"meter": "m" * 41}, faults.WRONG_TYPE),
        ({"state": "kept"}, faults.UNKNOWN_FIELD),
    ],
)
def test_what_is_implausible_is_refused_with_its_field(change: dict[str, Any], code: int) -> None:
    with with_hand() as board:
        refused, detail = calibrate(board, GOOD | change)
        assert refused == code and detail["field"] == next(iter(change))
        if code == faults.OUT_OF_RANGE:
            assert not detail["low"] <= detail["value"] <= detail["high"]
        assert told(board) == NOTHING
        for payload in (b"[1]", b"{", b"3"):
            assert board.code(protocol.CALIBRATION, payload) == faults.BAD_PAYLOAD


@pytest.mark.hazard("HAZ-03", "HAZ-30")
@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * 90, b'{"a":1}\n00000000', "bit", "cut", "range"])
def test_a_damaged_file_trims_nothing_and_is_said(damage: bytes | str) -> None:
    with with_hand() as board:
        calibrate(board, GOOD)
        sound = board.flash.system[PATH]
    content = damage if isinstance(damage, bytes) else sound
    if damage == "bit":
        content = sound.replace(b"-10000", b"-10001")
    elif damage == "cut":
        content = sound[:-2]
    elif damage == "range":
        body = json.dumps(GOOD | {"gain_ppm": MAX_GAIN_PPM + 1}).encode()
        content = body + b"\n" + files._checksum(body)
    flash = Flash()
    flash.system[PATH] = content
    with with_hand(flash=flash) as board:
        assert told(board) == {"state": "damaged"}
        assert board.hal.scale.zero_ua == 0 and board.hal.scale.gain_q15 == UNITY_Q15
        board.hold(dose_uc=8_000)
        board.code(protocol.ABORT)
        board.finish()
        assert board.log()[0][1]["calibration"] == {"state": "damaged"}
        assert calibrate(board, GOOD)[0] == 0


@pytest.mark.hazard("HAZ-03", "HAZ-25")
def test_it_is_left_alone_while_a_session_is_under_way_and_when_flash_fails() -> None:
    with with_hand() as board:
        board.hold(dose_uc=60_000)
        assert calibrate(board, GOOD)[0] == faults.OUTPUT_ON
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        assert calibrate(board, GOOD)[0] == faults.WRONG_STATE
        board.code(protocol.ABORT)
        board.finish()

        def fail(name: str) -> None:
            raise OSError(28)

        board.flash.fail = fail
        assert calibrate(board, GOOD)[0] == faults.FILESYSTEM_FULL
        board.flash.fail = lambda name: None
        assert told(board) == NOTHING and board.hal.scale.gain_q15 == UNITY_Q15


def test_health_tells_what_a_doctor_asks() -> None:
    with device() as board:
        told = json.loads(board.ask(protocol.HEALTH)[1])
        assert told["flash_free_bytes"] == 200 * 4096 and told["flash_bytes"] == 212 * 4096
        assert told["sensor_ok"] is True and told["logs"] == 0 and told["heap_free_bytes"] > 0
        board.app.desk.set_clock(1_780_000_000)
        assert json.loads(board.ask(protocol.HEALTH)[1])["time_unix_s"] - 1_780_000_000 in (0, 1)
        assert board.app.desk.self_test() == 0
        assert board.code(protocol.HEALTH) == faults.WRONG_STATE, "a collection would disturb it"
        board.until(protocol.IDLE)
        board.run(3)
        board.plant.sensor = "stale"
        board.run(3)
        assert json.loads(board.ask(protocol.HEALTH)[1])["sensor_ok"] is False


def test_hello_fits_into_a_frame() -> None:
    """With the longest calibration; what does not fit would not be answered at all."""
    longest = {name: low for name, low, _ in FIELDS} | {"meter": "m" * 40, "residual_before_ppm": 1_000_000}
    longest |= {"time_unix_s": 4_102_444_800}
    with with_hand() as board:
        assert calibrate(board, longest)[0] == 0
        assert len(board.ask(protocol.HELLO)[1]) <= protocol.MAX_PAYLOAD_BYTES - 40
