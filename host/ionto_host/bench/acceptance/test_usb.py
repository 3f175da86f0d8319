"""The USB cable is pulled and plugged in again, in every state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ionto_host.bench import measuring
from ionto_host.bench.acceptance import limits
from ionto_host.bench.fixtures import Measured, Power
from ionto_host.bench.loads import Load
from ionto_host.bench.rig import Rig
from ionto_host.board.meters import Meter
from ionto_host.device.client import Device

OUT_S = 0.3
BACK_S = 10.0  # enumeration, opening, HELLO
SPEED = 4.0


def _until_state(rig: Rig, name: str) -> None:
    rig.until(lambda status: status.state_name == name, name, fault_expected=name == "FAULT")


def _session(name: str, **changes: object) -> Callable[[Rig, int], None]:
    """Return what starts a session and waits until it is in the state `name`."""

    def reach(rig: Rig, current_ua: int) -> None:
        measuring.start(rig, current_ua, **changes)
        _until_state(rig, name)

    return reach


def _paused(rig: Rig, current_ua: int) -> None:
    _session("HOLD")(rig, current_ua)
    rig.device.pause()
    _until_state(rig, "PAUSED")


def _done(rig: Rig, current_ua: int) -> None:
    measuring.start(rig, current_ua, dose_uc=rig.device.identity.limits["min_dose_uc"])
    _until_state(rig, "DONE")


def _fault(rig: Rig, current_ua: int) -> None:
    _session("HOLD")(rig, current_ua)
    rig.switch("lift", True)
    _until_state(rig, "FAULT")


def _short(rig: Rig, current_ua: int) -> int:
    """Return the charge of a dose that is soon in its ramp down."""
    limits_of = rig.device.identity.limits
    return max(limits_of["min_dose_uc"], 2 * current_ua * limits_of["min_ramp_ms"] // 1_000_000)


def _ramp_down(rig: Rig, current_ua: int) -> None:
    ramp_ms = 2 * rig.device.identity.limits["min_ramp_ms"]
    _session("RAMP_DOWN", dose_uc=2 * _short(rig, current_ua), ramp_down_ms=ramp_ms)(rig, current_ua)


def _reversing(rig: Rig, current_ua: int) -> None:
    _session("REVERSING", dose_uc=4 * _short(rig, current_ua), reversal="half")(rig, current_ua)


STATES: dict[str, Callable[[Rig, int], None]] = {
    "IDLE": lambda rig, current_ua: None,
    "SELF_TEST": _session("SELF_TEST"),
    "RAMP_UP": _session("RAMP_UP", ramp_up_ms=10_000),
    "HOLD": _session("HOLD"),
    "PAUSED": _paused,
    "REVERSING": _reversing,
    "RAMP_DOWN": _ramp_down,
    "DONE": _done,
    "FAULT": _fault,
}
GOES_ON = {
    "IDLE": ("IDLE", "DONE"),
    "SELF_TEST": ("SELF_TEST", "ARMED", "RAMP_UP", "HOLD"),
    "RAMP_UP": ("RAMP_UP", "HOLD"),
    "HOLD": ("HOLD",),
    "PAUSED": ("PAUSED",),
    "REVERSING": ("REVERSING", "RAMP_UP", "HOLD", "RAMP_DOWN", "DONE"),
    "RAMP_DOWN": ("RAMP_DOWN", "DONE"),
    "DONE": ("DONE",),
    "FAULT": ("FAULT",),
}


@pytest.mark.hazard("HAZ-28")
@pytest.mark.capability("switch usb", "battery", "bench strap")
@pytest.mark.parametrize("state", list(STATES))
def test_unplug_and_replug(
    ionto_rig: Rig, device: Device, meter: Meter, load: Load, power: Power, measured: Measured, state: str
) -> None:
    """The cable is pulled and plugged in again: the session goes on, the link comes back."""
    if state == "FAULT" and "switch lift" not in ionto_rig.capabilities:
        pytest.skip("bench lacks: switch lift")
    current_ua = device.identity.limits["max_current_ua"] // 2
    load.set_ohm(load.nearest(2_000))
    try:
        with ionto_rig.clock.real_time(SPEED):
            STATES[state](ionto_rig, current_ua)
            power.unplug()
            ionto_rig.clock.pause(OUT_S)
            begin_s = ionto_rig.clock.now_s()
            status = power.plug().status()
            back_s = ionto_rig.clock.now_s() - begin_s
    finally:
        measuring.end(ionto_rig)
    assert status.state_name in GOES_ON[state], f"{state} became {status.state_name}"
    measured.check("link is back after", back_s, "s", None, BACK_S, {"then": status.state_name}, state=state)
    if status.session_id and state not in ("IDLE", "SELF_TEST", "FAULT"):
        most = current_ua * limits.OVERSHOOT_PPM / 1e6 + limits.ACCURACY_UA[ionto_rig.bench.variant]
        ionto_rig.judge_log = lambda session: [
            measured.add(
                "highest 1 ms reading less set-point",
                (session.current_max_ua or 0) - current_ua,
                "uA",
                None,
                most,
                state=state,
            )
        ]
