"""Answers the host's requests. Reads and asks; nothing here raises the current, writes code or touches pins."""

import json
import struct
from array import array

from ionto import faults, frames, kernel, protocol
from ionto.compat import const
from ionto.faults import Refusal
from ionto.identity import identity
from ionto.shelf import REST
from ionto.usblink import ANSWERED, UsbLink

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

    from ionto.desk import Desk
    from ionto.keeper import Keeper
    from ionto.parts import Parts
    from ionto.serialport import SerialPort

_STATUS_BYTES = struct.calcsize(protocol.STATUS_FORMAT)
_STATUS_SIZES = bytearray([struct.calcsize(code) for _, code in protocol.STATUS_FIELDS])
# While current flows only these are answered; they build nothing on the heap (HELLO sends what it built at rest).
_LIVE = (protocol.HELLO, protocol.STATUS, protocol.PAUSE, protocol.ABORT, protocol.COMFORT)
# These write to flash, look at many files, or are answered with more than a slow host takes at once. They stop the loop
# for longer than STOP may wait, so a session refuses them; they wait for the end of the current that flowed last.
_BETWEEN_SESSIONS = (
    protocol.DOSE_PUSH,
    protocol.START,
    protocol.SET_LIMITS,
    protocol.CALIBRATION,
    protocol.HEALTH,
    protocol.LOG_LIST,
    protocol.LOG_READ,
    protocol.LOG_DELETE,
    protocol.LOG_VERIFIED,
)
_COMFORT_BYTES = struct.calcsize(protocol.COMFORT_FORMAT)
_ERROR_BYTES = struct.calcsize(protocol.ERROR_FORMAT)


class Commands:
    """Takes requests from `port` and sends the answers, by `link`."""

    def __init__(self, parts: "Parts", keeper: "Keeper", desk: "Desk", port: "SerialPort"):
        self._parts = parts
        self._log = parts.log
        self._session = parts.session
        self._keeper = keeper
        self._desk = desk
        self.link = UsbLink(port, self.handle, self.reject, self.may_handle)
        self._handlers = {
            protocol.HELLO: self._hello,
            protocol.STATUS: self._status,
            protocol.DOSE_PUSH: self._dose_push,
            protocol.DOSE_READ: self._dose_read,
            protocol.START: self._start,
            protocol.PAUSE: self._pause,
            protocol.RESUME: self._resume,
            protocol.ABORT: self._abort,
            protocol.CLEAR_FAULT: self._clear,
            protocol.SET_CLOCK: self._set_clock,
            protocol.SELF_TEST: self._self_test,
            protocol.MAINTENANCE: self._maintenance,
            protocol.COMFORT: self._comfort,
        }
        self._values = array("i", [0] * kernel.T_SIZE)
        self._status_sequence = 0
        self._fill_status = self._collect_status  # bound once: a method looked up is an object made
        self._fill_flags = self._collect_flags
        self._pack_status = self._send_status
        self._test_sequence = -1
        self._waiting: tuple = ()  # what is answered when the desk's errand is done
        self._identity = b""

    def may_handle(self, kind: int) -> bool:
        """Return False while a request of type `kind` has to wait: at most `quiet.GIVE_UP_MS`, and in no session."""
        at_once = self._session.output_on or kind not in _BETWEEN_SESSIONS or self._desk.busy()
        return at_once or self._parts.quiet.over()

    def handle(self, kind: int, sequence: int, buffer: bytearray, start: int, length: int) -> None:
        """Answer one request: `length` payload bytes at `buffer[start]`."""
        handler = self._handlers.get(kind)
        if handler is None and kind not in _BETWEEN_SESSIONS:
            self._refuse(faults.UNKNOWN_COMMAND, kind, sequence)
            return
        if handler and kind in _LIVE:
            code = handler(sequence, buffer, start, length)
        elif self._session.output_on:
            code = faults.OUTPUT_ON
        elif kind in _BETWEEN_SESSIONS and self._desk.busy():
            code = faults.WRONG_STATE
        else:
            code = self._handle_at_rest(handler, kind, sequence, buffer, start, length)
        if code > 0:
            self._refuse(code, kind, sequence)
        elif code == faults.NONE:
            self.link.answer(kind | protocol.RESPONSE, sequence, 0)

    def _handle_at_rest(
        self, handler: "Callable[..., int] | None", kind: int, sequence: int, buffer: bytearray, start: int, length: int
    ) -> int:
        try:
            return (handler or self._fetched(kind))(sequence, buffer, start, length)
        except Refusal as refusal:
            self._refuse(refusal.code, kind, sequence, _detail(refusal))
        except OSError as error:
            self._refuse(faults.of_flash(error), kind, sequence)
        return ANSWERED

    def _fetched(self, kind: int) -> "Callable[..., int]":
        """Return what answers a request that comes between sessions only."""
        self._parts.shelf.take(REST)
        from ionto.requests import Requests

        return Requests(self._parts, self._keeper, self._desk, self.link).handler(kind)

    def reject(self, kind: int, sequence: int) -> None:
        """Answer a frame whose CRC is wrong."""
        self._refuse(faults.BAD_FRAME, kind, sequence)

    def _refuse(self, code: int, kind: int, sequence: int, detail: bytes = b"") -> None:
        link = self.link
        payload = link.payload()
        state = self._session.state
        struct.pack_into(protocol.ERROR_FORMAT, payload, protocol.HEADER_BYTES, code, kind, state)
        start = protocol.HEADER_BYTES + _ERROR_BYTES
        if detail:
            payload[start : start + len(detail)] = detail
        link.answer(protocol.ERROR, sequence, _ERROR_BYTES + len(detail))

    def _answer_json(self, kind: int, sequence: int, content: dict) -> int:
        self.link.answer_json(kind, sequence, content)
        return ANSWERED

    def _answer_later(self, kind: int, sequence: int, answer: "Callable[[int], object]") -> int:
        """The desk's errand is under way: when it is done, answer with its refusal or by `answer(sequence)`."""
        self._waiting = (kind, sequence, answer)
        self.link.later(self._wait)
        return ANSWERED

    def _wait(self) -> bool:
        """Look whether the errand is done; True: not in this cycle."""
        errand = self._desk.errand
        if errand.under_way():
            self.link.later(self._wait)
            return True
        kind, sequence, answer = self._waiting
        self._waiting = ()
        refusal = errand.refusal
        if errand.code:
            self._refuse(errand.code, kind, sequence, b"" if refusal is None else _detail(refusal))
        else:
            answer(sequence)
        return False

    # While current may flow.

    def _status(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        self._status_sequence = sequence
        self.link.later(self._fill_status)
        return ANSWERED

    def _collect_status(self) -> None:
        self._desk.fill_status(self._values)
        self.link.later(self._fill_flags)

    def _collect_flags(self) -> None:
        self._desk.fill_flags(self._values)
        self.link.later(self._pack_status)

    def _send_status(self) -> None:
        link = self.link
        frames.pack(link.payload(), protocol.HEADER_BYTES, self._values, _STATUS_SIZES, kernel.T_SIZE)
        link.answer(protocol.STATUS | protocol.RESPONSE, self._status_sequence, _STATUS_BYTES)

    def _pause(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        return self._desk.note_request(protocol.PAUSE) or self._session.pause()

    def _abort(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        return self._desk.abort()

    def _comfort(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if length != _COMFORT_BYTES:
            return faults.BAD_PAYLOAD
        return self._desk.comfort(buffer[start], buffer[start + 1] | buffer[start + 2] << 8)

    def _hello(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if not self._session.output_on:
            self.remember_identity()
        self.link.answer_bytes(protocol.HELLO | protocol.RESPONSE, sequence, self._identity)
        return ANSWERED

    # Output off.

    def remember_identity(self) -> None:
        """Build the answer to HELLO, so that it is there when a host comes while current flows."""
        self._identity = json.dumps(identity(self._parts)).encode()

    def _dose_push(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        self._parts.shelf.take(REST)
        from ionto.dose import parse

        parsed = parse(bytes(buffer[start : start + length]), self._parts.limits)
        self._parts.settings.admit(parsed)
        return self._desk.take_dose(parsed) or self._answer_later(protocol.DOSE_PUSH, sequence, self._dose_taken)

    def _dose_taken(self, sequence: int) -> int:
        plan = self._session.dose
        return self._answer_json(protocol.DOSE_PUSH, sequence, {"digest": plan.digest() if plan else ""})

    def _dose_read(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        plan = self._session.dose
        if plan is None:
            return faults.NO_DOSE
        self.link.answer_bytes(protocol.DOSE_READ | protocol.RESPONSE, sequence, plan.raw)
        return ANSWERED

    def _start(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        code = self._session.may_start(self._parts.reading)
        if not code and self._session.dose is None:
            code = faults.NO_DOSE
        code = self._with_hand(code) or self._desk.start()
        return code or self._answer_later(protocol.START, sequence, self._started)

    def _started(self, sequence: int) -> None:
        self.link.answer(protocol.START | protocol.RESPONSE, sequence, 0)

    def _with_hand(self, code: int) -> int:
        """Return `code`, or NEEDS_HAND when nothing else is in the way and nobody is at the board; a press is used."""
        hand = self._parts.hand
        if not code and not hand.there(self._parts.reading.block):
            return faults.NEEDS_HAND
        if not code:
            hand.used()
        return code

    def _resume(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        session, reading = self._session, self._parts.reading
        code = self._with_hand(session.may_resume(reading))
        if code == faults.NEEDS_HAND:  # asked again and again until somebody presses: no event
            return code
        return self._desk.note_request(protocol.RESUME) or code or session.resume(reading)

    def _clear(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        return self._desk.clear_fault()

    def _set_clock(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if length != struct.calcsize(protocol.CLOCK_FORMAT):
            return faults.BAD_PAYLOAD
        unix_s = struct.unpack_from(protocol.CLOCK_FORMAT, buffer, start)[0]
        low, high = protocol.CLOCK_FROM_S, protocol.CLOCK_TO_S
        if not low <= unix_s <= high:
            raise Refusal(faults.OUT_OF_RANGE, "unix_time_s", unix_s, low, high)
        self._desk.set_clock(unix_s)
        return faults.NONE

    def _self_test(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if bytes(buffer[start : start + length]) == protocol.SELF_TEST_LAST:
            return self._answer_json(protocol.SELF_TEST, sequence, {"results": self._parts.selftest.results})
        return self._desk.self_test() or self._answer_later(protocol.SELF_TEST, sequence, self._test_begun)

    def _test_begun(self, sequence: int) -> None:
        self._test_sequence = sequence

    def self_test_done(self, results: list) -> None:
        """Answer the self-test request that is waiting, if one is, with `results` rows."""
        if self._test_sequence >= 0 and not self.link.busy():
            self._answer_json(protocol.SELF_TEST, self._test_sequence, {"results": results})
            self._test_sequence = -1

    def _maintenance(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        return self._with_hand(faults.NONE) or self._desk.leave_for_maintenance()


def _detail(refusal: Refusal) -> bytes:
    """Return what an answer says of `refusal` beside its code."""
    return json.dumps(refusal.as_dict()).encode()
