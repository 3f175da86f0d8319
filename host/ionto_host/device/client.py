"""The device as a Python object: one typed method for each command of the protocol."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any

from ionto import faults, protocol, version
from ionto_host.device import messages
from ionto_host.errors import IntegrityError, NoAnswerError, ProtocolError, RefusedError, VersionMismatchError
from ionto_host.patience import patient
from ionto_host.transport.link import TRIES, Link, decode_json, no_firmware
from ionto_host.transport.ports import open_port, resolve
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
SELF_TEST_TIMEOUT_S = 15.0
LOG_WINDOW_BYTES = 64 * 1024
LOG_STALLS = 5
OFF_UA = 60  # more than this with the output off is no noise, as the firmware's guard has it
_SENSOR_FAULTS = (faults.SENSOR_STALE, faults.SENSOR_STUCK, faults.SENSOR_CONFIG, faults.SENSOR_MISSING)
STILL_FLOWS = "CURRENT STILL FLOWS"
OFF_SETTLE_S = 0.15  # the dead-man at its worst tolerance, and some more

Progress = Callable[[int, int], None]


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
        body = _json_object(payload, "the HELLO answer")
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


class Device:
    """A device on an open link. Every method raises the errors of `ionto_host.errors` and no others."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._hello: Hello | None = None

    @classmethod
    def open(cls, name: str | None = None) -> Device:
        """Open the device `name` (port, serial number, URL; None for the only one) and shake hands.

        While current flows the device answers no HELLO; it is opened without knowing its identity then.
        """
        port = resolve(name)
        device = cls(Link(open_port(port), port))
        try:
            device.hello()
        except RefusedError as error:
            if error.details.get("code") != faults.OUTPUT_ON:
                device.close()
                raise
        except NoAnswerError:
            at_prompt = device.link.at_prompt()
            device.close()
            if at_prompt:
                raise no_firmware(port) from None
            raise
        except BaseException:
            device.close()
            raise
        return device

    def close(self) -> None:
        """Close the port. A session goes on."""
        self.link.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hello(self, *, timeout_s: float = 1.0, tries: int = TRIES) -> Hello:
        """Return who the device is; `VersionMismatchError` when it speaks another protocol version."""
        try:
            payload = self.link.request(
                protocol.HELLO, bytes([version.PROTOCOL_VERSION]), timeout_s=timeout_s, tries=tries
            )
        except RefusedError as error:
            if error.details.get("code") == faults.WRONG_PROTOCOL:
                raise _wrong_version("another version") from error
            raise
        hello = Hello.decode(payload)
        if hello.protocol != version.PROTOCOL_VERSION:
            raise _wrong_version(f"version {hello.protocol} (firmware {hello.firmware})")
        self._hello = hello
        return hello

    @property
    def identity(self) -> Hello:
        """The last HELLO answer, asked for once."""
        return self._hello or self.hello()

    @property
    def known(self) -> Hello | None:
        """The last HELLO answer; None when the device gave none, as an old one does not while current flows."""
        return self._hello

    def status(self) -> Status:
        """Return what the device does now."""
        return Status.decode(self.link.request(protocol.STATUS))

    def settled_status(self) -> Status:
        """Return the status; current that flows with the output off is given a moment to end first."""
        return settled(self.status)

    def log_written(self, within_s: float = 10.0) -> Status:
        """Return the status once the last session's log is on flash or has failed to be, or after `within_s`."""
        end = time.monotonic() + patient(within_s)
        while (status := self.settled_status()).flag(protocol.FLAG_LOG_OPEN):
            if status.state == protocol.FAULT or time.monotonic() > end:
                break
            time.sleep(patient(0.05))
        return status

    def push_dose(self, raw: bytes) -> str:
        """Give the device the canonical dose `raw`, read it back, and return its digest (64 hex digits).

        Raises `RefusedError` when the device refuses it and `IntegrityError` when it holds something else.
        """
        expected = hashlib.sha256(raw).hexdigest()
        answer = _json_object(self.link.request(protocol.DOSE_PUSH, raw), "the answer to DOSE_PUSH")
        if answer.get("digest") != expected or self.read_dose() != raw:
            raise IntegrityError("the device holds another dose than the one sent", "Push the dose again.")
        return expected

    def read_dose(self) -> bytes:
        """Return the canonical bytes of the dose the device holds; `RefusedError` when it holds none."""
        return self.link.request(protocol.DOSE_READ)

    def start(self) -> None:
        """Arm and start the session of the dose held: self-test, then ramp up."""
        self._once(protocol.START, lambda status: status.running)

    def pause(self) -> None:
        """Pause the session; the charge count is kept."""
        self._once(protocol.PAUSE, lambda status: status.state == protocol.PAUSED)

    def resume(self) -> None:
        """Resume a paused session with a ramp up."""
        self._once(protocol.RESUME, lambda status: status.running and status.state != protocol.PAUSED)

    def abort(self) -> None:
        """End the session at once; accepted in every state."""
        self.link.request(protocol.ABORT)

    def comfort(self, kind: int, to_ua: int = 0) -> None:
        """Report what a person feels: `protocol.TINGLING`, `STINGING` or `PAIN`, which ends the session.

        With stinging, `to_ua` (uA) is a lower current for the rest of the session; `RefusedError` unless it is lower
        than what the session goes to now and not below the device's least. Nothing here raises a current.
        """
        request = struct.pack(protocol.COMFORT_FORMAT, kind, to_ua)
        before = self.status().comfort_count
        for attempt in range(TRIES):
            try:
                self.link.request(protocol.COMFORT, request, tries=1)
                return
            except RefusedError as error:
                if error.details.get("code") == faults.OUT_OF_RANGE:
                    raise _not_lower(to_ua, self.status()) from error
                raise
            except NoAnswerError:
                if self.status().comfort_count != before:
                    return
                if attempt == TRIES - 1:
                    raise

    def clear_fault(self) -> None:
        """Clear the latched fault; `RefusedError` while its cause remains."""
        self._once(protocol.CLEAR_FAULT, lambda status: status.state != protocol.FAULT)

    def set_clock(self, unix_s: int | None = None) -> int:
        """Set the clock of the device to `unix_s` (s since 1970 UTC, now when None) and return it."""
        value = int(time.time()) if unix_s is None else unix_s
        self.link.request(protocol.SET_CLOCK, struct.pack(protocol.CLOCK_FORMAT, value))
        return value

    def self_test(self, last: bool = False) -> list[Check]:
        """Run the self-test (about 1 s) and return its lines, failed ones included; `last`: those of the last one."""
        request = protocol.SELF_TEST_LAST if last else b""
        payload = self.link.request(protocol.SELF_TEST, request, timeout_s=SELF_TEST_TIMEOUT_S, tries=1)
        body = _json_object(payload, "the answer to SELF_TEST")
        try:
            return [Check(*line) for line in body["results"]]
        except (KeyError, TypeError) as error:
            raise ProtocolError(f"the answer to SELF_TEST is malformed: {error}") from error

    def set_limits(self, wanted: dict[str, int]) -> dict[str, Any]:
        """Set the settable limits in `wanted` {field: device units}; return all that hold then.

        `RefusedError` outside the compiled limits, and for raising one without a hand on the board.
        """
        request = json.dumps(wanted, separators=(",", ":")).encode()
        return _json_object(self.link.request(protocol.SET_LIMITS, request), "the answer to SET_LIMITS")

    def health(self) -> Health:
        """Return clock, flash, heap and sensor as they are now; `RefusedError` while current flows."""
        body = _json_object(self.link.request(protocol.HEALTH), "the answer to HEALTH")
        try:
            return Health(**{item.name: body[item.name] for item in fields(Health)})
        except KeyError as error:
            raise ProtocolError(f"the answer to HEALTH lacks {error}") from error

    def read_calibration(self) -> dict[str, Any]:
        """Return the calibration: `state` ("none", "kept", "damaged") and the fields of `ionto.calibration.FIELDS`."""
        return _json_object(self.link.request(protocol.CALIBRATION), "the answer to CALIBRATION")

    def write_calibration(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Let the device keep the calibration `wanted` ({} for none); return what holds then.

        `RefusedError` for implausible values, while a session is under way, and without a hand on the board.
        """
        request = json.dumps(wanted, separators=(",", ":")).encode()
        return _json_object(self.link.request(protocol.CALIBRATION, request), "the answer to CALIBRATION")

    def enter_maintenance(self) -> None:
        """Send the application to the MicroPython prompt; refused while current flows, and without a hand on the board.

        The link ends here.
        """
        self.link.request(protocol.MAINTENANCE)

    def list_logs(self) -> list[LogEntry]:
        """Return the logs on the device, oldest first."""
        entries: list[LogEntry] = []
        more = True
        while more:
            first = entries[-1].id + 1 if entries else 0
            payload = self.link.request(protocol.LOG_LIST, struct.pack(protocol.LOG_LIST_FORMAT, first))
            body = _json_object(payload, "the answer to LOG_LIST")
            page = [LogEntry(int(row[0]), int(row[1]), bool(row[2])) for row in body.get("logs", [])]
            entries += [entry for entry in page if entry.id >= first]
            more = bool(body.get("more")) and bool(page)
        return entries

    def read_log(
        self,
        entry: LogEntry,
        offset: int = 0,
        sink: Callable[[bytes], None] | None = None,
        progress: Progress | None = None,
    ) -> bytes:
        """Return the bytes of the log `entry` from `offset` on; each piece also goes to `sink`, in order.

        `progress(done_bytes, size_bytes)` is called as it goes. What is lost on the wire is asked for again;
        `NoAnswerError` when nothing more comes.
        """
        data = bytearray()
        stalls = 0
        while offset + len(data) < entry.size_bytes:
            before = len(data)
            for chunk in self._log_window(entry, offset + len(data)):
                data += chunk
                if sink:
                    sink(chunk)
                if progress:
                    progress(offset + len(data), entry.size_bytes)
            stalls = stalls + 1 if len(data) == before else 0
            if stalls >= LOG_STALLS:
                raise NoAnswerError(f"log {entry.id} stops coming at byte {offset + len(data)}")
        return bytes(data)

    def _log_window(self, entry: LogEntry, start: int) -> Iterator[bytes]:
        """Yield the chunks from `start` on, in order, up to the first gap, the end mark or silence."""
        length = min(LOG_WINDOW_BYTES, entry.size_bytes - start)
        request = struct.pack(protocol.LOG_READ_FORMAT, entry.id, start, length)
        head = struct.calcsize(protocol.LOG_DATA_FORMAT)
        expected, in_order = start, True
        for payload in self.link.stream(protocol.LOG_READ, request):
            if len(payload) <= head:
                return
            (offset,) = struct.unpack_from(protocol.LOG_DATA_FORMAT, payload)
            in_order = in_order and offset == expected
            if in_order:
                expected += len(payload) - head
                yield payload[head:]

    def log_verified(self, log_id: int, chain: bytes) -> None:
        """Tell the device that a verified copy of `log_id`, whose last record has `chain`, is kept here.

        From then on the device may drop its own for a new session. `RefusedError` when it holds another log.
        """
        self.link.request(protocol.LOG_VERIFIED, struct.pack(protocol.LOG_VERIFIED_FORMAT, log_id, chain))

    def delete_log(self, log_id: int) -> None:
        """Delete the log `log_id` on the device."""
        request = struct.pack(protocol.LOG_DELETE_FORMAT, log_id)
        try:
            self.link.request(protocol.LOG_DELETE, request, tries=1)
        except NoAnswerError:
            if any(entry.id == log_id for entry in self.list_logs()):
                self.link.request(protocol.LOG_DELETE, request, tries=1)

    def _once(self, kind: int, done: Callable[[Status], bool]) -> None:
        """Send a request that must not act twice: before a repeat, ask whether it acted."""
        for attempt in range(TRIES):
            try:
                self.link.request(kind, tries=1)
                return
            except NoAnswerError:
                if done(self.status()):
                    return
                if attempt == TRIES - 1:
                    raise


def _not_lower(to_ua: int, status: Status) -> RefusedError:
    """Return the refusal of `to_ua` in words: only less than now is taken, and no less than the device can deliver."""
    low, high = status.least_ua, status.target_ua - 1
    text = f"to_ma is {to_ua / 1_000:g} mA, allowed {low / 1_000:g} to {high / 1_000:g} mA"
    action = "`ionto comfort stinging --lower` takes a quarter off"
    if low > high:
        text = f"the current is at its least already, {status.target_ua / 1_000:g} mA"
        action = "`ionto comfort stinging --keep` puts it into the log"
    return RefusedError(
        f"{text}: a comfort report only ever lowers the current",
        f"{action}; `ionto comfort pain` ramps down and ends the session.",
        code=faults.OUT_OF_RANGE,
        name="OUT_OF_RANGE",
        field="to_ua",
        value=to_ua,
        low=low,
        high=high,
    )


def _wrong_version(theirs: str) -> VersionMismatchError:
    return VersionMismatchError(f"this host tool speaks protocol {version.PROTOCOL_VERSION}, the device {theirs}")


def _json_object(payload: bytes, what: str) -> dict[str, Any]:
    body = decode_json(payload, what)
    if not isinstance(body, dict):
        raise ProtocolError(f"{what} is not a JSON object: {payload[:60]!r}")
    return body


def _lookup(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else f"unknown ({index})"
