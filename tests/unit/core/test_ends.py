"""How current begins and how it ends: the time a relay needs, what still flows after the cut, what outlives a boot."""

from __future__ import annotations

from typing import Any

import pytest
from plant import OPEN_OHM, Board, Device, device

from ionto import bootmode, faults, limits, protocol

LONG = {"current_ua": 2_000, "dose_uc": 60_000}


def moments(board: Device) -> dict[str, int]:
    """Note in the returned dict when (us) the relay was last told its pole, and when the ramp's first edge came."""
    seen: dict[str, int] = {}
    set_reversed, check = board.hal.set_reversed, board.hal.on_beat

    def told(is_reversed: bool) -> bool:
        seen["relay"] = board.plant.now_us
        return set_reversed(is_reversed)

    def beaten(alive: bool) -> None:
        check(alive)
        if alive and board.state == protocol.RAMP_UP:
            seen.setdefault("edge", board.plant.now_us)

    board.hal.set_reversed = told
    board.hal.on_beat = beaten
    return seen


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("polarity", [1, -1])
def test_no_current_begins_before_the_relay_has_settled(polarity: int) -> None:
    """Against a contact that bounces under current. The relay's driver and its contacts have all of their time."""
    with device() as board:
        seen = moments(board)
        board.hold(polarity=polarity, **LONG)
        settled_us = seen["edge"] - seen["relay"]
        assert limits.RELAY_MS * 1_000 <= settled_us <= (limits.RELAY_MS + 20) * 1_000


def leave(board: Device) -> Any:
    """Let `board` go to maintenance by command, to the end of its run; return the boot that follows."""
    board.hal.bench_strap = True
    waits = iter(range(5_000))

    def wait() -> None:
        next(waits)  # StopIteration when the device does not leave
        if not board.port.moved_in:
            board.send(protocol.MAINTENANCE)

    board.hal.on_wait = wait
    board.live()
    return bootmode.Boot(board.board.read_scratch(bootmode.SCRATCH_MARK), False)


@pytest.mark.hazard("HAZ-21")
@pytest.mark.parametrize("code", [faults.NONE, faults.OVER_CURRENT, faults.SENSOR_STUCK])
def test_a_latched_fault_is_carried_through_maintenance(code: int) -> None:
    """Against a fault that is forgotten. Into the maintenance boot, through it, and latched again after it."""
    scratch = Board()
    with device(board=scratch, booted=False) as board:
        if code:
            board.app.session.fail(code, board.app.reading)
        boot = leave(board)
    assert (boot.maintenance, boot.fault) == (True, code)
    scratch.write_scratch(bootmode.SCRATCH_MARK, boot.word())
    with device(board=scratch) as board:
        assert (board.state == protocol.FAULT, board.app.session.fault) == (code != faults.NONE, code)


@pytest.mark.hazard("HAZ-22")
@pytest.mark.parametrize("stuck", ["INA219", "V(SNS)"])
def test_a_measurement_that_is_stuck_adds_no_charge_after_the_cut(stuck: str) -> None:
    """Against a log that says more than has flowed. Of the two measurements the tail counts the smaller one."""
    with device() as board:
        board.hold(**LONG)
        if stuck == "INA219":
            board.plant.sensor = "stuck"
        else:
            board.plant.adc_stuck = True
        board.code(protocol.ABORT)
        board.run(350)
        assert board.plant.current_ua == 0
        assert board.log()[-1][1]["charge_uc"] == pytest.approx(board.plant.charge_uc, abs=20)


@pytest.mark.hazard("HAZ-08", "HAZ-19")
@pytest.mark.parametrize(
    ("vbus", "strap", "code"),
    [
        (False, False, faults.OPEN_CIRCUIT),
        (False, True, faults.OPEN_CIRCUIT),
        (True, True, faults.OPEN_CIRCUIT),
        (True, False, faults.USB_APPEARED),
    ],
)
def test_a_current_that_ends_is_put_down_to_the_computer_only_where_the_interlock_acts(
    vbus: bool, strap: bool, code: int
) -> None:
    """Against a wrong cause: the interlock cuts when there is a computer and no strap, and then alone."""
    with device() as board:
        board.hold(**LONG)
        board.plant.load_ohm = OPEN_OHM
        board.run(1)
        board.hal.vbus, board.hal.bench_strap = vbus, strap
        board.until(protocol.FAULT, most=10)
        assert board.app.session.fault == code


@pytest.mark.hazard("HAZ-20", "HAZ-29")
def test_a_button_that_is_closed_at_boot_is_no_hand() -> None:
    """Against a stuck button: it counts as pressed until it was read open, and a board reads it every 8 ms only."""
    with device(booted=False) as board:
        read = board.hal.read

        def read_late(reading: Any) -> None:
            pressed = reading.start_pressed
            read(reading)
            if board.plant.now_us < 8_000:
                reading.start_pressed = pressed

        board.hal.read, board.hal.start_pressed = read_late, True
        board.run(3_000)
        assert board.code(protocol.MAINTENANCE) == faults.NEEDS_HAND
        board.hal.start_pressed = False
        board.run(50)
        board.hal.start_pressed = True
        board.run(60)
        assert board.code(protocol.MAINTENANCE) == faults.NONE
