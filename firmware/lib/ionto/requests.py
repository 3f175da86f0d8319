"""Answers the requests of a host that only come between sessions: its logs, settable limits, calibration, health."""

import gc
import json
import os
import struct

from ionto import faults, protocol
from ionto.compat import const
from ionto.faults import Refusal
from ionto.usblink import ANSWERED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from ionto.desk import Desk
    from ionto.keeper import Keeper
    from ionto.parts import Parts
    from ionto.usblink import UsbLink

_LOG_LIST_MAX = const(60)
_LOG_READ_MAX_BYTES = const(0x10000)


class Requests:
    """Answers one request, by `link`; LOG_READ in the cycles to come. Codes and refusals as in ionto.commands."""

    _stream: "BinaryIO"  # of the LOG_READ that is being answered

    def __init__(self, parts: "Parts", keeper: "Keeper", desk: "Desk", link: "UsbLink"):
        self._parts = parts
        self._log = parts.log
        self._session = parts.session
        self._keeper = keeper
        self._desk = desk
        self._link = link
        self._stream_sequence = self._stream_at = self._stream_left = 0

    def handler(self, kind: int) -> "Callable[..., int]":
        """Return what answers a request of type `kind`."""
        return {
            protocol.SET_LIMITS: self._set_limits,
            protocol.CALIBRATION: self._calibration,
            protocol.HEALTH: self._health,
            protocol.LOG_LIST: self._log_list,
            protocol.LOG_READ: self._log_read,
            protocol.LOG_DELETE: self._log_delete,
            protocol.LOG_VERIFIED: self._log_verified,
        }[kind]

    def _answer_json(self, kind: int, sequence: int, content: dict) -> int:
        self._link.answer_json(kind, sequence, content)
        return ANSWERED

    def _set_limits(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        wanted = _object(buffer, start, length)
        code = faults.BAD_PAYLOAD if wanted is None else self._desk.set_limits(wanted)
        return code or self._answer_json(protocol.SET_LIMITS, sequence, self._parts.settings.public())

    def _calibration(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        code = faults.NONE
        if length:
            wanted = _object(buffer, start, length)
            code = faults.BAD_PAYLOAD if wanted is None else self._desk.set_calibration(wanted)
        return code or self._answer_json(protocol.CALIBRATION, sequence, self._parts.calibration.public())

    def _health(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if self._session.state == protocol.SELF_TESTING:
            return faults.WRONG_STATE
        return self._answer_json(protocol.HEALTH, sequence, _health(self._parts))

    def _log_list(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if length != struct.calcsize(protocol.LOG_LIST_FORMAT):
            return faults.BAD_PAYLOAD
        first = struct.unpack_from(protocol.LOG_LIST_FORMAT, buffer, start)[0]
        rows = self._log.rows(first, _LOG_LIST_MAX + 1)
        more = len(rows) > _LOG_LIST_MAX
        return self._answer_json(protocol.LOG_LIST, sequence, {"logs": rows[:_LOG_LIST_MAX], "more": more})

    def _log_path(self, log_id: int) -> str:
        if not self._log.has(log_id):
            raise Refusal(faults.NO_SUCH_LOG, "log", log_id)
        return self._log.path(log_id)

    def _log_read(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if length != struct.calcsize(protocol.LOG_READ_FORMAT):
            return faults.BAD_PAYLOAD
        log_id, offset, count = struct.unpack_from(protocol.LOG_READ_FORMAT, buffer, start)
        path = self._log_path(log_id)
        if count > _LOG_READ_MAX_BYTES:
            raise Refusal(faults.OUT_OF_RANGE, "length", count, 1, _LOG_READ_MAX_BYTES)
        stream = open(path, "rb")  # noqa: SIM115 - read in the cycles to come, closed by `_end_stream`
        self._stream = stream
        self._desk.sending_log = True
        self._stream_sequence, self._stream_at, self._stream_left = sequence, offset, count
        if offset < self._log.size(log_id):
            stream.seek(offset)
        else:  # nothing is there; and a seek that far is an OverflowError
            self._stream_left = 0
        self._link.stalled = False
        self._link.later(self._send_chunks)
        return ANSWERED

    def _send_chunks(self) -> bool:
        """Send the next frame of a log, when the last one is out; the last of all carries only the offset.

        A session that begins ends the answer, and so does a host that does not read; then it asks again.
        """
        left = -1
        try:
            left = -1 if self._session.running or self._link.stalled else self._send_chunk()
        except OSError:
            pass  # the answer ends here
        if left > 0:
            self._link.later(self._send_chunks)
        else:
            self._end_stream(left == 0)
        return False

    def _send_chunk(self) -> int:
        """Send one frame; return how many bytes of the log it carries, 0 for no more: then none is sent."""
        head = protocol.HEADER_BYTES + 4
        view = memoryview(self._link.payload())
        wanted = min(self._stream_left, protocol.LOG_CHUNK_BYTES)
        got = (wanted and self._stream.readinto(view[head : head + wanted])) or 0
        struct.pack_into(protocol.LOG_DATA_FORMAT, view, protocol.HEADER_BYTES, self._stream_at)
        if got:
            self._link.send_bulk(protocol.LOG_READ | protocol.RESPONSE, self._stream_sequence, 4 + got)
        self._stream_at += got
        self._stream_left -= got
        return got

    def _end_stream(self, whole: bool) -> None:
        """Close the log; when all of it is out the last frame, which `_send_chunk` has left in the buffer, says so."""
        self._stream.close()
        self._desk.sending_log = False
        if whole:
            self._link.answer(protocol.LOG_READ | protocol.RESPONSE, self._stream_sequence, 4)

    def _log_delete(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if length != struct.calcsize(protocol.LOG_DELETE_FORMAT):
            return faults.BAD_PAYLOAD
        log_id = struct.unpack_from(protocol.LOG_DELETE_FORMAT, buffer, start)[0]
        self._log_path(log_id)
        self._keeper.delete(log_id)
        return faults.NONE

    def _log_verified(self, sequence: int, buffer: bytearray, start: int, length: int) -> int:
        if length != struct.calcsize(protocol.LOG_VERIFIED_FORMAT):
            return faults.BAD_PAYLOAD
        log_id, chain = struct.unpack_from(protocol.LOG_VERIFIED_FORMAT, buffer, start)
        self._log_path(log_id)
        code = self._desk.may_write()
        if code:
            return code
        return faults.NONE if self._log.verified(log_id, chain) else faults.OTHER_LOG


def _health(parts: "Parts") -> dict:
    """Return what HEALTH tells: clock, flash, heap and sensor as they are now. Collects, so at rest only."""
    gc.collect()
    flash = os.statvfs("/")
    return {
        "time_unix_s": parts.board.unix_time_s(),
        "flash_bytes": flash[0] * flash[2],
        "flash_free_bytes": flash[0] * flash[3],
        "heap_free_bytes": gc.mem_free(),
        "sensor_ok": parts.reading.fresh and parts.reading.sensor_ok,
        "logs": len(parts.log.ids()),
    }


def _object(buffer: bytearray, start: int, length: int) -> "dict | None":
    """Return the JSON object in `length` bytes at `buffer[start]`, None when it is none."""
    try:
        found = json.loads(bytes(buffer[start : start + length]))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
