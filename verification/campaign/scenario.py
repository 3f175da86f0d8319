"""One row of the campaign: a state, a fault in it, what follows, and what the instruments say."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.device.answers import Status
from ionto_host.errors import NoAnswerError
from ionto_host.logs.sessionfile import Session
from ionto_host.patience import patient
from ionto_sim.client import MarkReading, MeterReading
from verification.campaign import usb
from verification.campaign.catalogue import AT_REST, WRAP_US, Command, Fault
from verification.campaign.rig import BEGIN_MARK, FAULT_MARK, PRESS_MS, TRIGGERS, Rig

ASK_MARK = "ask"
AFTER_MARK = "after"
_NO_ANSWER = "NoAnswerError"
_PRESS_AHEAD_US = 3_000_000
_WATCH_US = 300_000
_CALM_US = 500_000
_QUIET_US = 2_500_000
_SESSION_US = 15_000_000  # longer than a session with START's press, self-test and a reversal
_SETTLE_S = 40.0
_CLEAR_TRIES = 8
_STATE_TOLERANCE_MS = 60  # marks, and the flash work of START, which the session's clock counts
_UNWRITTEN = ("LOG_WRITE_FAILED", "FILESYSTEM_FULL")  # what RAM holds of the log stays there


@dataclass
class Findings:
    """What the instruments and the device say about one row; None where there was nothing to measure."""

    before: MarkReading | None = None  # from the fault to the request for current, in a state without
    reading: MarkReading | None = None  # from the fault, or from that request
    after: MarkReading | None = None  # from the end on, with the fault gone again
    meter: MeterReading | None = None
    end: Status | None = None
    last: Status | None = None
    refusal: str = ""
    start_refusal: str = ""
    clear_refusal: str = ""
    boots: int = 1
    crashes: int = 0
    state_seen: str = ""
    wrap_ms: float | None = None
    logs: list[Session] = field(default_factory=list)


_LEADS_US: dict[str, int] = {}
_LEADS = threading.Lock()


def _lead_us(image: Path, state: str) -> int:
    """Return how long after START is pressed `state` is reached; measured once."""
    with _LEADS:
        if state not in _LEADS_US:
            with Rig(image) as rig:
                at_us = rig.pico.status()["t_us"] + _PRESS_AHEAD_US
                rig.bring_to(state, (), at_us)
                reading = rig.since(FAULT_MARK)
                assert reading is not None
                _LEADS_US[state] = reading.t_us - at_us
        return _LEADS_US[state]


class Scenario:
    """Runs one row on `rig`; `findings` fill as it goes."""

    def __init__(self, rig: Rig, fault: Fault, state: str) -> None:
        self.rig = rig
        self.fault = fault
        self.state = state
        self.findings = Findings()
        expected = (*fault.expected(state), *(fault.at_rest if state in (*AT_REST, "FAULT") else ()))
        self._resets = any(expect.result == "lost" for expect in expected)

    def run(self) -> Findings:
        """Bring the device into the state, break it, see what follows."""
        rig, found = self.rig, self.findings
        inject: tuple[Command, ...] = self.fault.inject
        if self.fault.host:
            inject = ({"cmd": "speed", "speed": usb.SPEED},)
        rig.bring_to(self.state, inject, self._press_at_us())
        if self.fault.by_button:
            rig.let_go()
        if self.fault.host:
            usb.misbehave(rig, self.fault.host, self.state)
        self._meet_wrap()
        self._follow()
        self._conclude()
        return found

    # The clock.

    def _press_at_us(self) -> int | None:
        """Return when START has to be pressed for the clock to wrap in the state; None when it need not."""
        if not self.fault.clock or self.state not in TRIGGERS:
            return None
        return WRAP_US - _lead_us(self.rig.image, self.state)

    def _meet_wrap(self) -> None:
        """Wait for the clock to wrap, and note how long after it the state was reached."""
        reading = self.rig.since(FAULT_MARK)
        if self.fault.clock and reading is not None:
            self.findings.wrap_ms = (reading.t_us - WRAP_US) / 1_000
            self.rig.pass_us(0, max(WRAP_US + 50_000, reading.t_us))

    # What follows.

    def _follow(self) -> None:
        """Let what follows from the fault follow."""
        if self.state not in TRIGGERS:
            self._ask_for_current()
        else:
            self._settle()
            self._watch(FAULT_MARK)

    def _watch(self, mark: str) -> None:
        self.rig.pass_us(_WATCH_US)
        self.findings.reading = self.rig.since(mark)

    def _ask_for_current(self) -> None:
        """Watch the device at rest, then ask it for current with the fault still there."""
        rig, found = self.rig, self.findings
        self._power_on_again()
        if self._powered():
            rig.pass_us(_QUIET_US if self._resets or self.fault.name == "start_stuck" else _WATCH_US)
        self._power_on_again()
        found.before = found.reading = rig.since(FAULT_MARK)
        found.boots = rig.pico.status().get("boots", 1)
        if self.state == "FAULT" or found.boots > 1:
            if self.fault.by_button:
                self._do(self.fault.remove)
            found.end = rig.status()
            return
        rig.pico.mark(ASK_MARK)
        if self.fault.by_button:
            rig.pico.press_start(ms=PRESS_MS)
        else:
            found.refusal = rig.request("RESUME" if self.state == "PAUSED" else "START")
        if found.refusal in ("", _NO_ANSWER):
            self._settle()
        else:
            found.end = rig.status()
        self._watch(ASK_MARK)

    def _powered(self) -> bool:
        return bool(self.rig.pico.status()["powered"])

    def _power_on_again(self) -> None:
        if not self._powered():
            self.rig.pico.power_on()
            self.rig.pico.wait(boots=2, timeout_s=_SETTLE_S)

    def _settle(self) -> None:
        """Wait for the end of the session, through a reset or a power cut."""
        rig = self.rig
        if self.fault.by_button:
            rig.pass_us(_SESSION_US)
            self._do(self.fault.remove)
        end = time.monotonic() + patient(_SETTLE_S)
        while time.monotonic() < end:
            self._power_on_again()
            if self._resets and rig.pico.status().get("boots", 1) < 2 and self._hangs():
                time.sleep(0.01)
                continue
            if self._has_ended():
                return
            time.sleep(0.005)
        raise TimeoutError(f"the session did not end: {rig.status()}")

    def _has_ended(self) -> bool:
        try:
            status = self.rig.status()
        except NoAnswerError:
            return False
        ended = status.state_name in ("DONE", "FAULT", "IDLE") and not self._log_is_being_written(status)
        if ended:
            self.findings.end = status
        return ended

    def _hangs(self) -> bool:
        return self.fault.name != "power_cut_in_flash"

    def _log_is_being_written(self, status: Status) -> bool:
        return "log_open" in status.flag_names and status.fault_name not in _UNWRITTEN

    def _do(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            fields = {key: value for key, value in command.items() if key != "cmd"}
            self.rig.pico.request(command["cmd"], **fields)

    def _conclude(self) -> None:
        """Take the fault away: nothing may begin by itself. Then clear what latched, and pull the logs."""
        rig, found = self.rig, self.findings
        rig.pico.mark(AFTER_MARK)
        self._do(self.fault.remove)
        rig.pass_us(_CALM_US)
        found.after = rig.since(AFTER_MARK)
        found.meter = rig.pico.meter()
        found.last = rig.status()
        if found.last.state_name == "PAUSED":
            rig.request("ABORT")
        if found.last.state_name == "FAULT":
            found.start_refusal = rig.request("START")
            found.clear_refusal = self._clear()
        status = rig.pico.status()
        found.boots, found.crashes = status["boots"], status["crashes"]
        rig.wait_state("IDLE", "DONE", "FAULT", "PAUSED")
        self._wait_for_log()
        found.logs = rig.logs()
        found.state_seen = self._state_seen()

    def _wait_for_log(self) -> None:
        """Wait for the log that flash can take again; one of a session that is not over stays open."""
        end = time.monotonic() + patient(_SETTLE_S)
        while time.monotonic() < end:
            status = self.rig.status()
            if status.state_name == "PAUSED" or not self._log_is_being_written(status):
                return
            time.sleep(0.005)
        raise TimeoutError(f"the log is not closed: {self.rig.status()}")

    def _clear(self) -> str:
        """Clear the fault; what made it may need a second to be found gone."""
        refusal = ""
        for _ in range(_CLEAR_TRIES):
            refusal = self.rig.request("CLEAR_FAULT")
            if not refusal:
                break
            self.rig.pass_us(_CALM_US)
        return refusal

    def _state_seen(self) -> str:
        """Return the state in which the fault came, by the device's own log; "" when that cannot tell."""
        if self.state not in TRIGGERS or not self.findings.logs:
            return ""
        begin, moment = self.rig.since(BEGIN_MARK), self.rig.since(FAULT_MARK)
        if begin is None or moment is None:
            return ""
        return _state_at((moment.t_us - begin.t_us) / 1_000, self.findings.logs[0], self.state)


def _state_at(at_ms: float, log: Session, wanted: str) -> str:
    """Return the state at `at_ms` by `log`; `wanted` if it was that within the marks' precision."""
    seen = ""
    for event in log.events:
        if event.event != layout.STATE_CHANGED or event.t_ms > at_ms + _STATE_TOLERANCE_MS:
            continue
        name = protocol.STATES[event.code]
        if event.t_ms < at_ms - _STATE_TOLERANCE_MS or seen != wanted:
            seen = name
    return seen
