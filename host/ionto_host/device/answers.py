"""What the device answers, as typed records: who it is, what it does, its self-test, its health, its logs."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from ionto import faults, protocol
from ionto_host.device import messages
from ionto_host.errors import DeviceFaultError, ProtocolError
from ionto_host.patience import patient
from ionto_host.transport.link import decode_json
from ionto_host.units import ma

RUNNING_STATES = frozenset(
    (
        protocol.SELF_TESTING,
        protocol.ARMED,
        protocol.RAMP_UP,
        protocol.HOLD,
        protocol.RAMP_DOWN,
        protocol.PAUSED,
        protocol.REVERSING,
    )
)
OFF_UA = 60  # more than this with the output off is no noise, as the firmware's guard has it
_SENSOR_FAULTS = (faults.SENSOR_STALE, faults.SENSOR_STUCK, faults.SENSOR_CONFIG, faults.SENSOR_MISSING)
STILL_FLOWS = "CURRENT STILL FLOWS"
OFF_SETTLE_S = 0.15  # the dead-man at its worst tolerance, and some more


@dataclass(frozen=True)
class Hello:
    """Who the device is, from its HELLO answer."""

    protocol: int
    firmware: str
    log_format: int
    board_id: str
    variant: str
    micropython: str
    mpy: int
    reset_cause: str
    limits: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    clock_set: bool = False
    bench_strap: bool = False
    unplanned_resets: int = 0
    store: str = ""
    logs: str = "kept"
    kept_dose: str = "nothing"
    starts_left: int = 0
    cut_short: list[list[int]] = field(default_factory=list)

    @property
    def unpulled(self) -> list[tuple[int, int | None]]:
        """Id and charge (uC, None unknown) of sessions cut short by a reset or a power loss and not pulled yet."""
        rows = [row for row in self.cut_short if len(row) == 2 and all(type(item) is int for item in row)]
        return sorted((log_id, charge_uc if charge_uc >= 0 else None) for log_id, charge_uc in rows)

    @classmethod
    def decode(cls, payload: bytes) -> Hello:
        """Return the HELLO answer `payload`; unknown keys of a newer firmware are left out."""
        body = json_object(payload, "the HELLO answer")
        known = {item.name: body[item.name] for item in fields(cls) if item.name in body}
        try:
            return cls(**known)
        except TypeError as error:
            raise ProtocolError(f"the HELLO answer lacks fields: {error}") from error


@dataclass(frozen=True)
class Status:
    """What the device does now. Fields and units are those of `ionto.protocol.STATUS_FIELDS`."""

    state: int
    outcome: int
    fault: int
    flags: int
    setpoint_ua: int
    current_ua: int
    sense_ua: int
    load_mv: int
    rail_mv: int
    vsys_mv: int
    duty: int
    load_ohm: int
    charge_uc: int
    dose_uc: int
    elapsed_ms: int
    remaining_ms: int
    session_id: int
    late_max_us: int
    starts_left: int
    second_fault: int
    log_left: int
    target_ua: int
    comfort: int
    comfort_count: int
    least_ua: int
    second_ua: int
    second_charge_uc: int

    @classmethod
    def decode(cls, payload: bytes) -> Status:
        """Return the status record `payload`; `ProtocolError` when its size is wrong."""
        size = struct.calcsize(protocol.STATUS_FORMAT)
        if len(payload) != size:
            raise ProtocolError(f"the status record has {len(payload)} bytes, expected {size}")
        names = [name for name, _ in protocol.STATUS_FIELDS]
        return cls(**dict(zip(names, struct.unpack(protocol.STATUS_FORMAT, payload), strict=True)))

    @property
    def state_name(self) -> str:
        """The state in words, as in `protocol.STATES`."""
        return _lookup(protocol.STATES, self.state)

    @property
    def outcome_name(self) -> str:
        """The outcome of the last session in words, as in `protocol.OUTCOMES`."""
        return _lookup(protocol.OUTCOMES, self.outcome)

    @property
    def fault_name(self) -> str:
        """The latched fault as its name in `ionto.faults`; "NONE" without one."""
        return messages.name_of(self.fault)

    @property
    def second_fault_name(self) -> str:
        """The fault found after the latched one, by name; "NONE" without one."""
        return messages.name_of(self.second_fault)

    @property
    def running(self) -> bool:
        """True from the self-test to the end of the ramp down, pauses included."""
        return self.state in RUNNING_STATES

    @property
    def in_session(self) -> bool:
        """True while a session is under way; a self-test alone is none."""
        return self.running and self.state != protocol.SELF_TESTING

    @property
    def flag_names(self) -> list[str]:
        """The names of the flags that are set, as in `protocol.FLAGS`."""
        return [name for bit, name in enumerate(protocol.FLAGS) if self.flags >> bit & 1]

    @property
    def current_when_off(self) -> bool:
        """True when current is measured although the output is off, at rest or in a pause.

        A sensor that is latched as faulty shows its last reading: then V(SNS) alone counts.
        """
        at_rest = not self.running or self.state in (protocol.PAUSED, protocol.REVERSING)
        measured_ua = self.sense_ua if self.fault in _SENSOR_FAULTS else self.current_ua
        return at_rest and not self.flag(protocol.FLAG_OUTPUT_ON) and measured_ua > OFF_UA

    @property
    def current_warning(self) -> str:
        """A loud sentence when `current_when_off`, "" otherwise."""
        if not self.current_when_off:
            return ""
        measured = f"{ma(max(self.current_ua, self.sense_ua)):.3f} mA measured"
        return f"{STILL_FLOWS} although the output is switched off: {measured}. DISCONNECT THE ELECTRODES."

    def flag(self, mask: int) -> bool:
        """Return True when the flag `mask` (a `protocol.FLAG_*`) is set."""
        return bool(self.flags & mask)


@dataclass(frozen=True)
class Check:
    """One line of the self-test: a measured value, its range, and whether it is inside."""

    name: str
    ok: bool
    value: float | str | None
    unit: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Health:
    """How the device is at rest: clock (s since 1970 UTC), flash and heap (bytes), sensor, number of logs."""

    time_unix_s: int
    flash_bytes: int
    flash_free_bytes: int
    heap_free_bytes: int
    sensor_ok: bool
    logs: int


@dataclass(frozen=True)
class LogEntry:
    """A session log on the device; `pulled`: the device knows that a host has a verified copy."""

    id: int
    size_bytes: int
    pulled: bool = False


def settled(ask: Callable[[], Status]) -> Status:
    """Return the status that `ask` gives; current that flows with the output off is given a moment to end first."""
    status = ask()
    if status.current_when_off:
        time.sleep(patient(OFF_SETTLE_S))
        status = ask()
    return status


def ended_in_fault(status: Status) -> bool:
    """Return True when `status` is that of a device in fault."""
    return status.state == protocol.FAULT or status.fault != 0


def fault_error(status: Status) -> DeviceFaultError:
    """Return the fault in `status` as an error with words and next action."""
    message = messages.message_for(status.fault)
    return DeviceFaultError(
        f"{status.fault_name}: {message.text}", message.action, code=status.fault, name=status.fault_name
    )


def json_object(payload: bytes, what: str) -> dict[str, Any]:
    """Return `payload` read as a JSON object; `ProtocolError` naming `what` when it is none."""
    body = decode_json(payload, what)
    if not isinstance(body, dict):
        raise ProtocolError(f"{what} is not a JSON object: {payload[:60]!r}")
    return body


def _lookup(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else f"unknown ({index})"
