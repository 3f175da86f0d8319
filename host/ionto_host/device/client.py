"""The device as a Python object: one typed method for each command of the protocol."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from types import TracebackType
from typing import Any

from ionto import faults, protocol, version
from ionto_host.device.answers import Check, Health, Hello, LogEntry, Status, json_object, settled
from ionto_host.device.opening import open_link
from ionto_host.errors import IntegrityError, NoAnswerError, ProtocolError, RefusedError, VersionMismatchError
from ionto_host.patience import patient
from ionto_host.transport.link import TRIES, Link, no_firmware
from ionto_host.transport.ports import resolve

SELF_TEST_TIMEOUT_S = 15.0
LOG_WINDOW_BYTES = 64 * 1024
LOG_STALLS = 5

Progress = Callable[[int, int], None]


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
        device = cls(open_link(port))
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
        answer = json_object(self.link.request(protocol.DOSE_PUSH, raw), "the answer to DOSE_PUSH")
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
        body = json_object(payload, "the answer to SELF_TEST")
        try:
            return [Check(*line) for line in body["results"]]
        except (KeyError, TypeError) as error:
            raise ProtocolError(f"the answer to SELF_TEST is malformed: {error}") from error

    def set_limits(self, wanted: dict[str, int]) -> dict[str, Any]:
        """Set the settable limits in `wanted` {field: device units}; return all that hold then.

        `RefusedError` outside the compiled limits, and for raising one without a hand on the board.
        """
        request = json.dumps(wanted, separators=(",", ":")).encode()
        return json_object(self.link.request(protocol.SET_LIMITS, request), "the answer to SET_LIMITS")

    def health(self) -> Health:
        """Return clock, flash, heap and sensor as they are now; `RefusedError` while current flows."""
        body = json_object(self.link.request(protocol.HEALTH), "the answer to HEALTH")
        try:
            return Health(**{item.name: body[item.name] for item in fields(Health)})
        except KeyError as error:
            raise ProtocolError(f"the answer to HEALTH lacks {error}") from error

    def read_calibration(self) -> dict[str, Any]:
        """Return the calibration: `state` ("none", "kept", "damaged") and the fields of `ionto.calibration.FIELDS`."""
        return json_object(self.link.request(protocol.CALIBRATION), "the answer to CALIBRATION")

    def write_calibration(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Let the device keep the calibration `wanted` ({} for none); return what holds then.

        `RefusedError` for implausible values, while a session is under way, and without a hand on the board.
        """
        request = json.dumps(wanted, separators=(",", ":")).encode()
        return json_object(self.link.request(protocol.CALIBRATION, request), "the answer to CALIBRATION")

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
            body = json_object(payload, "the answer to LOG_LIST")
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
