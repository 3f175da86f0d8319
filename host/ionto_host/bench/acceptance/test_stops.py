"""Everything that ends the current: STOP, the computer, the dead-man, the watchdog, a loss of power."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from ionto import protocol
from ionto.limits import DEAD_MAN_MS
from ionto_host.bench import measuring
from ionto_host.bench.acceptance import limits
from ionto_host.bench.fixtures import Measured, Power
from ionto_host.bench.loads import Load
from ionto_host.bench.rig import OFF_WITHIN_S, Rig
from ionto_host.board import flashing, mpremote_link
from ionto_host.board.meters import Meter
from ionto_host.device.answers import OFF_UA, Status
from ionto_host.device.client import Device
from ionto_host.errors import LackingError

BEFORE_S = 0.005  # so long before the cut a reading still has to show the current


def _current_ua(device: Device) -> int:
    return device.identity.limits["max_current_ua"] // 2


def _by_person(rig: Rig, switch: str) -> bool:
    return rig.bench.switches[switch].kind == "person"


def _cut_by_person(rig: Rig, current_ua: int, act: Callable[[], None]) -> None:
    """Let current flow until a person has acted. Nobody knows when that was, so no time is measured."""
    with measuring.session(rig, current_ua):
        act()
        rig.until(_off, "the output off", fault_expected=True)
        rig.clock.pause(OFF_WITHIN_S)
        rig.check_off()


def _off(status: Status) -> bool:
    return not status.flag(protocol.FLAG_OUTPUT_ON)


def _cut(rig: Rig, measured: Measured, current_ua: int, act: Callable[[], None], within_ms: float) -> Status:
    """Let current flow, `act`, and check how long it goes on; return the status afterwards.

    The time is that from before `act` to the last reading with current, so it includes the acting.
    """
    with measuring.session(rig, current_ua), rig.clock.real_time(0.5 if rig.pico else 1):
        with measuring.Course(rig) as course:
            rig.clock.pause(0.1)
            begin_s = rig.clock.now_s()
            act()
            acted_s = rig.clock.now_s()
            rig.clock.pause(0.4)
        status = rig.until(_off, "the output off", fault_expected=True)
    before = [sample for sample in course.samples if sample.t_s < begin_s - BEFORE_S]
    assert before and before[-1].current_ua > 0.9 * current_ua, "no current before it was cut"
    flowing = [sample.t_s for sample in course.samples if abs(sample.current_ua) > OFF_UA]
    late = [sample.t_s for sample in course.samples if sample.t_s > flowing[-1]]
    assert late, "current to the end"
    period_ms = (late[0] - flowing[-1]) * 1_000
    took_ms = max(0.0, flowing[-1] - begin_s) * 1_000
    about = {
        "acting_ms": round((acted_s - begin_s) * 1_000, 1),
        "meter_period_ms": round(period_ms, 1),
    }
    measured.check("current goes on for", took_ms, "ms", None, within_ms, about, set_ua=current_ua)
    return status


@pytest.mark.hazard("HAZ-17")
@pytest.mark.capability("switch stop", "automatic meter")
@pytest.mark.emulated_subset
def test_stop(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """STOP cuts the current and ends the session."""
    load.set_ohm(load.nearest(2_000))
    press = partial(ionto_rig.switch, "stop", True)
    if _by_person(ionto_rig, "stop"):
        _cut_by_person(ionto_rig, _current_ua(device), press)
    else:
        _cut(ionto_rig, measured, _current_ua(device), press, limits.CUT_MS)
    ionto_rig.switch("stop", False)
    status = ionto_rig.until(measuring.at_rest, "the end", fault_expected=True)
    assert status.outcome_name == "stopped", status.outcome_name


@pytest.mark.hazard("HAZ-17")
@pytest.mark.capability("automatic meter")
def test_abort(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """The computer ends the session."""
    status = _cut(ionto_rig, measured, _current_ua(device), device.abort, limits.CUT_MS)
    assert status.outcome_name == "aborted"


@pytest.mark.hazard("HAZ-14", "HAZ-13")
@pytest.mark.capability("switch heartbeat", "automatic meter")
@pytest.mark.emulated_subset
def test_heartbeat(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """Without a heartbeat the dead-man cuts, with no firmware involved."""
    if _by_person(ionto_rig, "heartbeat"):
        raise LackingError("switch heartbeat that works without a person, whose time would be measured")
    interrupt = partial(ionto_rig.switch, "heartbeat", True)
    cut = _cut(ionto_rig, measured, _current_ua(device), interrupt, DEAD_MAN_MS)
    assert cut.state == protocol.FAULT, f"the board did not notice: {cut.state_name}"


@pytest.mark.hazard("HAZ-14")
@pytest.mark.capability("fault injection", "automatic meter")
@pytest.mark.emulated_subset
def test_hang(ionto_rig: Rig, device: Device, meter: Meter, load: Load, measured: Measured) -> None:
    """A firmware that hangs: the dead-man cuts, the watchdog resets, and the log of the session is closed."""
    current_ua = _current_ua(device)
    with measuring.session(ionto_rig, current_ua), ionto_rig.clock.real_time(0.5):
        with measuring.Course(ionto_rig) as course:
            begin_s = ionto_rig.clock.now_s()
            ionto_rig.inject("loop_hung")
            ionto_rig.clock.pause(0.4)
        ionto_rig.let_go()
    flowing = [sample.t_s for sample in course.samples if abs(sample.current_ua) > OFF_UA]
    measured.check("current goes on for", (flowing[-1] - begin_s) * 1_000, "ms", None, DEAD_MAN_MS, set_ua=current_ua)
    hello = ionto_rig.wait_for_board().hello()
    assert hello.reset_cause == "watchdog", hello.reset_cause
    ionto_rig.judge_log = lambda session: [
        measured.add("session closed as interrupted", float(session.outcome == "interrupted"), "", 1, 1)
    ]


@pytest.mark.hazard("HAZ-14")
def test_watchdog(ionto_rig: Rig, device: Device, measured: Measured) -> None:
    """The watchdog resets a board that no longer feeds it, and the board says so."""
    flashing.leave_application(_closed(ionto_rig), ionto_rig.tell)
    prompt = mpremote_link.wait_for_prompt(lambda: ionto_rig.port, 15)
    prompt.starve_watchdog()
    hello = ionto_rig.wait_for_board(20).hello()
    measured.check(
        "reset by the watchdog", float(hello.reset_cause == "watchdog"), "", 1, 1, {"cause": hello.reset_cause}
    )


def _closed(rig: Rig) -> str:
    rig.let_go()
    return rig.port


@pytest.mark.hazard("HAZ-26", "HAZ-31")
@pytest.mark.capability("switch power", "battery")
def test_loss_of_power(
    ionto_rig: Rig, device: Device, meter: Meter, load: Load, power: Power, measured: Measured
) -> None:
    """The battery is taken out in a session: no current afterwards, and the log is closed at the next boot."""
    with measuring.session(ionto_rig, _current_ua(device)):
        power.cut()
        ionto_rig.clock.pause(0.3)
        board = power.restore()
    status = board.status()
    assert not status.running, status.state_name
    ionto_rig.judge_log = lambda session: [
        measured.add("session closed as interrupted", float(session.outcome == "interrupted"), "", 1, 1)
    ]
