"""Who may do what: a hand on the board, settable limits, the files and the variant of a board."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from fake_flash import Flash
from plant import Device, a_dose, device, press

from ionto import bootmode, faults, filecheck, files, limits, protocol
from ionto.hand import PRESS_US, WINDOW_US, Hand
from ionto.reading import Reading
from ionto.settings import FIELDS, PATH, Settings

A = limits.variant_a()
DEFAULTS = {"max_current_ua": 4_000, "max_dose_uc": 4_800_000, "max_density_ua_cm2": 500}


def watched(*presses: tuple[bool, int]) -> tuple[Hand, Reading]:
    """Return a hand that has seen START (pressed, for so many ms), released at boot."""
    hand, reading = Hand(), Reading()
    for pressed, ms in ((False, 10), *presses):
        reading.start_pressed = pressed
        for _ in range(ms):
            hand.step(1_000, reading.block)
    return hand, reading


@pytest.mark.hazard("HAZ-20", "HAZ-29")
@pytest.mark.parametrize(("ms", "counts"), [(49, False), (50, True), (3_000, True)])
def test_a_press_of_50_ms_is_a_hand(ms: int, counts: bool) -> None:
    hand, reading = watched((True, ms), (False, 5))
    assert hand.there(reading.block) == counts


@pytest.mark.hazard("HAZ-20")
def test_bounces_do_not_add_up_to_a_press() -> None:
    hand, reading = watched(*[(True, 30), (False, 1)] * 20)
    assert not hand.there(reading.block)


@pytest.mark.hazard("HAZ-20", "HAZ-29")
def test_a_press_is_forgotten_after_ten_seconds() -> None:
    """Counted in time, not in cycles: a host that keeps the board busy does not make the window longer."""
    for step_us in (1_000, 250_000):
        hand, reading = watched((True, PRESS_US // 1_000), (False, 1))
        passed_us = 1_000
        while hand.there(reading.block):
            hand.step(step_us, reading.block)
            passed_us += step_us
        assert passed_us <= WINDOW_US + step_us


@pytest.mark.hazard("HAZ-20")
def test_a_button_that_is_stuck_is_no_hand() -> None:
    """Not when it is pressed from boot on, and not for longer than one press when it sticks later."""
    hand, reading = Hand(), Reading()
    reading.start_pressed = True
    for _ in range(1_000):
        hand.step(1_000, reading.block)
    assert not hand.there(reading.block)
    hand, reading = watched((True, 10_100))
    assert not hand.there(reading.block)


@pytest.mark.hazard("HAZ-20", "HAZ-29")
def test_the_strap_is_a_hand_and_a_press_serves_once() -> None:
    hand, reading = watched((True, 60))
    hand.used()
    assert not hand.there(reading.block)
    reading.bench_strap = True
    assert hand.there(reading.block)


# Commands.


@pytest.mark.hazard("HAZ-20", "HAZ-29")
def test_start_by_command_needs_a_hand() -> None:
    """A computer whose VBUS is not seen cannot start by itself; what else is in the way is told first."""
    with device() as board:
        assert board.code(protocol.START) == faults.NO_DOSE
        board.push()
        assert board.code(protocol.START) == faults.NEEDS_HAND
        assert board.state == protocol.IDLE and not board.logs
        press(board)
        assert board.code(protocol.START) == 0
        assert board.state == protocol.SELF_TESTING


@pytest.mark.hazard("HAZ-20")
def test_resume_by_command_needs_a_hand() -> None:
    with device() as board:
        board.hold(dose_uc=8_000)
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        board.hal.bench_strap = False
        board.run(2)
        assert board.code(protocol.RESUME) == faults.NEEDS_HAND
        assert board.state == protocol.PAUSED
        press(board)
        assert board.code(protocol.RESUME) == 0


@pytest.mark.hazard("HAZ-29")
def test_maintenance_needs_a_hand() -> None:
    """Without one the REPL, and with it everything, stays shut to a computer."""
    with device() as board:
        assert board.code(protocol.MAINTENANCE) == faults.NEEDS_HAND
        assert board.state == protocol.IDLE
        press(board)
        assert board.code(protocol.MAINTENANCE) == 0
        assert board.state == protocol.IN_MAINTENANCE


@pytest.mark.hazard("HAZ-20")
def test_a_press_is_used_up_by_the_command_it_allowed() -> None:
    with device() as board:
        board.push()
        press(board)
        assert board.code(protocol.START) == 0
        board.code(protocol.ABORT)
        board.run(300)
        assert board.code(protocol.START) == faults.NEEDS_HAND


@pytest.mark.hazard("HAZ-20")
def test_start_stuck_at_power_on_starts_nothing() -> None:
    """A START button that is shorted when the battery goes in must not begin a session after two seconds."""
    with device(booted=False) as board:
        board.hal.start_pressed = True
        board.run(100)
        board.app.desk.take_dose(a_dose(board.build))
        board.run(4_000)
        assert board.state == protocol.IDLE
        board.hal.start_pressed = False
        board.run(10)
        press(board, 2_100)
        assert board.state == protocol.SELF_TESTING


@pytest.mark.hazard("HAZ-33")
def test_a_press_that_is_not_obeyed_is_shown() -> None:
    with device() as board:
        press(board, 2_100)
        shown = set()
        for _ in range(3_000):
            board.run(1)
            shown.add(board.hal.lights)
        assert any(bits & 4 for bits in shown), "no dose: the fault LED says that START was not obeyed"
        assert board.hal.lights == 1


# Settable limits.


def set_limits(board: Device, **wanted: Any) -> tuple[int, dict[str, Any]]:
    """Ask for the limits `wanted`; return the code (0: accepted) and the JSON of the answer."""
    kind, content = board.ask(protocol.SET_LIMITS, json.dumps(wanted).encode())
    if kind != protocol.ERROR:
        return 0, json.loads(content)
    return struct.unpack_from("<H", content)[0], json.loads(content[struct.calcsize(protocol.ERROR_FORMAT) :] or b"{}")


def told(board: Device) -> dict[str, Any]:
    """Return the settable limits that HELLO tells."""
    return json.loads(board.ask(protocol.HELLO, b"\x02")[1])["settings"]


@pytest.mark.hazard("HAZ-01")
def test_lowering_is_free_and_raising_needs_a_hand() -> None:
    with device() as board:
        assert set_limits(board, max_current_ua=1_000) == (0, told(board))
        assert told(board) == DEFAULTS | {"max_current_ua": 1_000, "changes": 1, "damaged": False}
        code, detail = set_limits(board, max_current_ua=1_001)
        assert code == faults.NEEDS_HAND
        assert (detail["field"], detail["value"], detail["high"]) == ("max_current_ua", 1_001, 1_000)
        press(board)
        assert set_limits(board, max_current_ua=1_001)[0] == 0
        assert set_limits(board, max_current_ua=1_002)[0] == faults.NEEDS_HAND


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"max_current_ua": 4_001}, faults.OUT_OF_RANGE),
        ({"max_current_ua": 99}, faults.OUT_OF_RANGE),
        ({"max_dose_uc": 4_800_001}, faults.OUT_OF_RANGE),
        ({"max_dose_uc": 5_999}, faults.OUT_OF_RANGE),
        ({"max_density_ua_cm2": 501}, faults.OUT_OF_RANGE),
        ({"max_density_ua_cm2": 0}, faults.OUT_OF_RANGE),
        ({"max_current_ua": -1}, faults.OUT_OF_RANGE),
        ({"max_current_ua": 1_000, "trip_current_ua": 9}, faults.UNKNOWN_FIELD),
        ({"max_current_ua": "1000"}, faults.WRONG_TYPE),
        ({"max_current_ua": True}, faults.WRONG_TYPE),
        ({"max_current_ua": 1.5}, faults.WRONG_TYPE),
    ],
)
def test_what_is_no_limit_is_refused_whole(wanted: dict[str, Any], code: int) -> None:
    """With a hand on the board or not: nothing outside the compiled range, and no half of a request."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        assert set_limits(board, **wanted)[0] == code
        assert told(board) == DEFAULTS | {"changes": 0, "damaged": False}
        for payload in (b"[]", b"{", b"7", b"\xff"):
            assert board.code(protocol.SET_LIMITS, payload) == faults.BAD_PAYLOAD


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize(
    ("limit", "dose", "field"),
    [
        ({"max_current_ua": 1_999}, {}, "current_ua"),
        ({"max_dose_uc": 6_000}, {"dose_uc": 6_001}, "dose_uc"),
        ({"max_density_ua_cm2": 199}, {}, "density_ua_cm2"),
    ],
)
def test_a_dose_outside_is_refused_at_push_and_at_start(
    limit: dict[str, int], dose: dict[str, int], field: str
) -> None:
    """Also one that was accepted before the limit was lowered: the limits hold at the moment of START."""
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        assert board.push(**dose) == 0
        assert set_limits(board, **limit)[0] == 0
        assert board.push(**dose) == faults.LIMITS_EXCEEDED
        kind, content = board.ask(protocol.START)
        detail = json.loads(content[struct.calcsize(protocol.ERROR_FORMAT) :])
        assert (kind, detail["code"], detail["field"]) == (protocol.ERROR, faults.LIMITS_EXCEEDED, field)
        assert [detail["high"]] == list(limit.values())
        press(board, 2_100)
        assert board.state == protocol.IDLE and not board.logs


@pytest.mark.hazard("HAZ-01")
def test_limits_outlast_the_power_and_the_log_tells_of_every_change() -> None:
    with device() as board:
        set_limits(board, max_current_ua=3_000, max_dose_uc=60_000)
        set_limits(board, max_current_ua=2_500)
        board.hold()
        board.finish()
        records = board.log()
        assert records[0][1]["settings"]["changes"] == 2
        assert records[0][1]["settings"]["max_current_ua"] == 2_500
        assert len(records[0][1]["files"]) == 64, "the manifest's SHA-256: which firmware, to the byte"
        events = [row for name, rows in records if name == "events" for row in rows if row["event"] == 7]
        changes = [(FIELDS[row["code"]][0], row["value_a"], row["value_b"]) for row in events]
        assert changes == [
            ("max_current_ua", 4_000, 3_000),
            ("max_dose_uc", 4_800_000, 60_000),
            ("max_current_ua", 3_000, 2_500),
        ]
        flash = board.flash
    with device(flash=flash) as board:
        assert told(board)["max_current_ua"] == 2_500


def test_the_log_of_the_session_after_next_tells_no_change_again() -> None:
    with device() as board:
        set_limits(board, max_current_ua=3_000)
        told_in = []
        for log_id in (1, 2):
            board.hold(dose_uc=8_000)
            board.finish()
            records = board.log(log_id)
            told_in.append([row for name, rows in records if name == "events" for row in rows if row["event"] == 7])
        assert [len(rows) for rows in told_in] == [1, 0]


@pytest.mark.hazard("HAZ-01", "HAZ-25")
def test_limits_are_left_alone_while_a_session_is_under_way() -> None:
    with device() as board:
        board.hold(dose_uc=8_000)
        assert set_limits(board, max_current_ua=1_000)[0] == faults.OUTPUT_ON
        board.code(protocol.PAUSE)
        board.until(protocol.PAUSED)
        assert set_limits(board, max_current_ua=1_000)[0] == faults.WRONG_STATE
    with device() as board:
        board.send(protocol.SELF_TEST)
        board.until(protocol.SELF_TESTING)
        board.run(10)
        board.send(protocol.SET_LIMITS, b'{"max_current_ua":1000}')
        board.until(protocol.IDLE)
        assert board.app.settings.values == DEFAULTS


@pytest.mark.hazard("HAZ-01")
def test_a_limit_that_flash_does_not_take_does_not_hold() -> None:
    with device() as board:

        def fail(name: str) -> None:
            raise OSError(28)

        board.flash.fail = fail
        assert set_limits(board, max_current_ua=1_000)[0] == faults.FILESYSTEM_FULL
        board.flash.fail = lambda name: None
        assert told(board) == DEFAULTS | {"changes": 0, "damaged": False}


def kept(content: bytes | None) -> Flash:
    """Return a flash whose settings file is `content`."""
    flash = Flash()
    if content is not None:
        flash.system[PATH] = content
    return flash


@pytest.mark.hazard("HAZ-01", "HAZ-30")
@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * 200, "bit", "range", "cut"])
def test_damaged_limits_are_the_lowest_ones_until_a_hand_sets_them(damage: bytes | str) -> None:
    """A bit that flips must not raise a limit: no dose passes, the self-test names it, and lowering is no way out."""
    with device() as board:
        set_limits(board, max_current_ua=1_000)
        sound = board.flash.system[PATH]
    content = damage if isinstance(damage, bytes) else sound
    if damage == "bit":
        content = sound.replace(b"1000", b"3000")
    elif damage == "range":
        made = Settings(A)
        body = json.dumps({"variant": "A", "changes": 1, "limits": DEFAULTS | {"max_current_ua": 9_000}}).encode()
        content = body + b"\n" + files._checksum(body)
        assert made.values == DEFAULTS
    elif damage == "cut":
        content = sound[:-3]
    with device(flash=kept(content)) as board:
        assert told(board) == {
            "max_current_ua": 100,
            "max_dose_uc": 6_000,
            "max_density_ua_cm2": 1,
            "changes": told(board)["changes"],
            "damaged": True,
        }
        assert board.push() == faults.LIMITS_EXCEEDED
        rows = json.loads(board.ask(protocol.SELF_TEST)[1])["results"]
        assert [row[0] for row in rows if not row[1]] == ["limits sound"]
        board.run(200)
        assert board.code(protocol.CLEAR_FAULT) == 0
        assert set_limits(board, **DEFAULTS)[0] == faults.NEEDS_HAND
        press(board)
        assert set_limits(board, **DEFAULTS)[0] == 0
        assert not told(board)["damaged"]
        assert board.push() == 0


@pytest.mark.hazard("HAZ-11")
def test_the_first_boot_keeps_the_variant_of_the_strap() -> None:
    with device("B") as board:
        assert json.loads(board.flash.system[PATH].split(b"\n")[0])["variant"] == "B"
        assert not board.app.settings.damaged


# Files.


@pytest.mark.hazard("HAZ-30")
@pytest.mark.parametrize("path", ["/main.py", "/lib/ionto/modules.pack", filecheck.MANIFEST_PATH])
@pytest.mark.parametrize("how", ["changed", "cut", "missing"])
def test_a_damaged_file_refuses_the_session_and_is_named(path: str, how: str) -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        system = board.flash.system
        system[path] = system[path][:-1] + (b"" if how == "cut" else b"~")
        if how == "missing":
            del system[path]
        board.start()
        board.finish()
        assert (board.state, board.app.session.fault) == (protocol.FAULT, faults.FILES_DAMAGED)
        assert board.plant.peak_ua == 0
        end = board.log()[-1][1]
        assert end["fault"] == faults.FILES_DAMAGED
        assert [row[:3] for row in end["selftest"] if not row[1]] == [["firmware files intact", False, path]]


# Second fault.


@pytest.mark.hazard("HAZ-21", "HAZ-12")
def test_a_second_fault_is_told_beside_the_first_and_logged() -> None:
    """The cut after the first fault did not cut: both are in the status and in the log, and clearing is refused."""
    with device() as board:
        board.hold(current_ua=2_000, dose_uc=60_000)
        board.plant.forced_ua, board.plant.switch_shorted = 3_000.0, True
        board.until(protocol.FAULT)
        board.run(400)
        status = board.status()
        assert status["fault"] in (faults.OVER_CURRENT, faults.SENSE_DISAGREE)
        assert status["second_fault"] == faults.CURRENT_WHEN_OFF
        assert board.code(protocol.CLEAR_FAULT) == faults.CAUSE_REMAINS
        assert board.log()[-1][1]["second_fault"] == faults.CURRENT_WHEN_OFF
        events = [row for name, rows in board.log() if name == "events" for row in rows if row["event"] == 8]
        assert [(row["code"], row["value_b"]) for row in events] == [(faults.CURRENT_WHEN_OFF, status["fault"])]
        board.plant.forced_ua, board.plant.switch_shorted = None, False
        board.run(200)
        assert board.code(protocol.CLEAR_FAULT) == 0
        assert (board.status()["fault"], board.status()["second_fault"]) == (0, 0)


@pytest.mark.hazard("HAZ-21")
def test_a_reset_and_the_fault_latched_before_it_are_both_told() -> None:
    with device() as board:
        scratch = board.board
    scratch.scratch[0] = bootmode.mark(bootmode.RUNNING, 0, faults.OPEN_CIRCUIT)
    with device(board=scratch) as board:
        status = board.status()
        assert (status["fault"], status["second_fault"]) == (faults.UNPLANNED_RESET, faults.OPEN_CIRCUIT)
