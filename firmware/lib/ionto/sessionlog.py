"""Writes one session's log: the arm record before current, everything else from RAM after the output is off.

During a session only `sample` and `event` are called; they pack into buffers made at boot and allocate nothing.
"""

import json
import os
import struct
from array import array

from ionto import crc, frames, kernel
from ionto import sessionlog_format as fmt
from ionto.compat import const, micropython
from ionto.version import LOG_FORMAT_VERSION

_MAX_SAMPLES = const(1_400)
_MAX_EVENTS = const(200)  # a session with all its reversals, twice as many when the contact is poor
_MIN_PERIOD_MS = const(100)
_RECORD_MAX_BYTES = const(3_072)  # an arm record with the longest dose
_REQUEST_ROOM = const(48)  # event slots that host requests may not take
_EFBIG = const(27)
_SAMPLE_SIZES = bytearray([struct.calcsize(code) for _, code in fmt.SAMPLE_FIELDS])
_EVENT_SIZES = bytearray([struct.calcsize(code) for _, code in fmt.EVENT_FIELDS])
_EVENT_CELLS = const(5)
_LAST_ID_FILE = "last"


def file_name(log_id: int) -> str:
    """Return the file name of session `log_id`."""
    return "%06d.ilog" % log_id


class SessionLog:
    """The log of the current session in `folder`; ids count up and never repeat while a log is kept."""

    def __init__(self, folder: str):
        self._folder = folder
        self._table = crc.make_table()
        self._samples = bytearray(_MAX_SAMPLES * fmt.SAMPLE_BYTES)
        self._events = bytearray(_MAX_EVENTS * fmt.EVENT_BYTES)
        self._sample = array("i", [0] * kernel.L_SIZE)
        self._event = array("i", [0] * _EVENT_CELLS)
        self.window = array("i", [0] * kernel.W_SIZE)
        self._record = bytearray(_RECORD_MAX_BYTES)
        self.log_id = 0
        self._forget()

    def _forget(self) -> None:
        self._sequence = 0
        self.sample_count = 0
        self.event_count = 0
        self.events_lost = 0
        self.samples_lost = 0
        self._written_samples = 0
        self._written_events = 0
        self._begin_window(_MIN_PERIOD_MS)

    def _begin_window(self, period_ms: int) -> None:
        self.window[kernel.W_PERIOD_MS] = period_ms
        kernel.open_window(self.window, 0)

    def reset(self, longest_ms: int) -> None:
        """Begin collecting for a session of at most `longest_ms`; the sample period follows from the buffer."""
        self._forget()
        self._begin_window(max(_MIN_PERIOD_MS, -(-longest_ms // (_MAX_SAMPLES - 8))))

    # While current flows: no allocation, no flash. `plan` is the session's block, which knows time and charge.

    @micropython.native
    def sample(self, plan: "array", reading: "array", state: int) -> None:
        """Fold a cycle's `reading` (its block) into the open window; store the window when its period has passed."""
        if kernel.window(self.window, reading, plan[kernel.S_T_MS]):
            self.store(plan, state)

    @micropython.native
    def store(self, plan: "array", state: int) -> None:
        """Store the open window as one sample and open the next."""
        window = self.window
        count = self.sample_count
        if count < _MAX_SAMPLES:
            sample = self._sample
            kernel.take_window(sample, window, plan, state)
            frames.pack(self._samples, count * fmt.SAMPLE_BYTES, sample, _SAMPLE_SIZES, kernel.L_SIZE)
            self.sample_count = count + 1
        else:
            self.samples_lost += 1
        kernel.open_window(window, plan[kernel.S_T_MS])

    def close_window(self, plan: "array", state: int) -> None:
        """Store what the open window has, if anything: the session is over and its extremes count."""
        if self.window[kernel.W_COUNT]:
            self.store(plan, state)

    @micropython.native
    def event(self, t_ms: int, event: int, code: int, a: int, b: int) -> None:
        """Store one event; when the buffer is full it is counted in `events_lost`, which the end record carries."""
        count = self.event_count
        room = _MAX_EVENTS - count
        if room == 0 or (event == fmt.REQUESTED and room <= _REQUEST_ROOM):
            self.events_lost += 1
            return
        values = self._event
        values[0] = t_ms
        values[1] = event
        values[2] = code
        values[3] = a
        values[4] = b
        frames.pack(self._events, count * fmt.EVENT_BYTES, values, _EVENT_SIZES, _EVENT_CELLS)
        self.event_count = count + 1

    # With the output off: flash.

    def _path(self, log_id: int) -> str:
        return self._folder + "/" + file_name(log_id)

    def _append(self, path: str, mode: str, kind: int, payload: "bytes | memoryview") -> None:
        record = self._record
        length = len(payload)
        if length > _RECORD_MAX_BYTES - fmt.RECORD_OVERHEAD_BYTES:
            raise OSError(_EFBIG)
        struct.pack_into(fmt.RECORD_HEAD_FORMAT, record, 0, kind, self._sequence & 0xFF, length)
        end = fmt.RECORD_HEAD_BYTES + length
        record[fmt.RECORD_HEAD_BYTES : end] = payload
        crc.store(self._table, record, 0, end)
        with open(path, mode) as stream:
            if mode == "wb":
                stream.write(struct.pack(fmt.MAGIC_FORMAT, fmt.MAGIC, LOG_FORMAT_VERSION))
            stream.write(memoryview(record)[: end + 4])
        self._sequence += 1

    def arm(self, header: dict) -> None:
        """Create the file with the arm record `header` (dict). Raises OSError when flash refuses; no file is left."""
        self.log_id = last_id(self._folder) + 1
        path = self._path(self.log_id)
        try:
            self._append(path, "wb", fmt.ARM, json.dumps(header).encode())
        except OSError:
            if file_name(self.log_id) in os.listdir(self._folder):
                os.remove(path)
            raise

    def add_test(self, content: dict) -> None:
        """Add the record `content` (dict) of the self-test. Raises OSError."""
        self._append(self._path(self.log_id), "ab", fmt.TEST, json.dumps(content).encode())

    def flush_step(self) -> bool:
        """Write one record of what RAM holds; True when nothing is left to write. Raises OSError."""
        if self._written_samples < self.sample_count:
            self._written_samples = self._flush(
                fmt.SAMPLES,
                self._samples,
                fmt.SAMPLE_BYTES,
                self._written_samples,
                min(self.sample_count, self._written_samples + fmt.SAMPLES_PER_RECORD),
            )
            return False
        if self._written_events < self.event_count:
            self._written_events = self._flush(
                fmt.EVENTS,
                self._events,
                fmt.EVENT_BYTES,
                self._written_events,
                min(self.event_count, self._written_events + fmt.EVENTS_PER_RECORD),
            )
            return False
        return True

    def _flush(self, kind: int, buffer: bytearray, size: int, start: int, end: int) -> int:
        payload = memoryview(buffer)[start * size : end * size]
        self._append(self._path(self.log_id), "ab", kind, payload)
        return end

    def close(self, summary: dict) -> None:
        """Write the end record `summary` (dict); the log is complete. Raises OSError."""
        self._append(self._path(self.log_id), "ab", fmt.END, json.dumps(summary).encode())

    def delete(self, log_id: int) -> None:
        """Delete log `log_id`; its id is remembered if it is the newest, so that ids never repeat."""
        if log_id == last_id(self._folder):
            with open(self._folder + "/" + _LAST_ID_FILE, "w") as stream:
                stream.write(str(log_id))
        os.remove(self._path(log_id))

    def close_interrupted(self, log_id: int, sequence: int, summary: dict) -> None:
        """Write the end record of session `log_id` that a reset or a power cut left open."""
        self._sequence = sequence
        self._append(self._path(log_id), "ab", fmt.END, json.dumps(summary).encode())


def list_ids(folder: str) -> list:
    """Return the ids of the logs in `folder`, ascending."""
    return sorted([int(name[:-5]) for name in os.listdir(folder) if name.endswith(".ilog") and name[:-5].isdigit()])


def last_id(folder: str) -> int:
    """Return the newest id ever used in `folder`, 0 for none."""
    ids = list_ids(folder)
    newest = ids[-1] if ids else 0
    if _LAST_ID_FILE in os.listdir(folder):
        with open(folder + "/" + _LAST_ID_FILE) as stream:
            text = stream.read()
        if text.isdigit():
            newest = max(newest, int(text))
    return newest


def scan(path: str) -> tuple:
    """Return `(sequence of the next record, True when an end record is there)` of a log file."""
    head = bytearray(fmt.RECORD_HEAD_BYTES)
    sequence = 0
    ended = False
    with open(path, "rb") as stream:
        stream.seek(struct.calcsize(fmt.MAGIC_FORMAT))
        while stream.readinto(head) == fmt.RECORD_HEAD_BYTES:
            kind, _, length = struct.unpack(fmt.RECORD_HEAD_FORMAT, head)
            ended = kind == fmt.END
            sequence += 1
            stream.seek(length + 4, 1)
    return sequence, ended
