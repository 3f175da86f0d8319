"""Writes one session's log: the arm record before current, everything else from RAM after the output is off.

During a session only `sample` and `event` are called; they pack into buffers made at boot and allocate nothing.
"""

import binascii
import hashlib
import json
import os
import struct
from array import array

from ionto import frames, kernel
from ionto import sessionlog_format as fmt
from ionto.compat import const, micropython
from ionto.files import read_checked, write_checked
from ionto.version import LOG_FORMAT_VERSION

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_MAX_SAMPLES = const(880)
_FOLD_FROM = const(810)  # samples held when two begin to be made one; even: 20 min and two ramps at 1.6 s
_FOLD_UNITS = const(7)  # made one or moved with each sample (8: a cycle of 1.1 ms): 406 + n while n come, 68 in all
_MAX_EVENTS = const(400)  # a session with all its reversals twice, and hundreds of requests and changes of contact
_MIN_PERIOD_MS = const(100)
_MAX_PERIOD_MS = const(12_800)  # whose sums fit 31 bits; 3.5 h of samples
_PAYLOAD_MAX_BYTES = const(3_542)  # an arm record with the longest dose
_RESERVE = const(24)  # event slots for the end of a session: 5 states, 2 faults, a relay, requests, a press
_MAX_CUT_SHORT = const(8)
_EFBIG = const(27)
_SAMPLE_SIZES = bytearray([struct.calcsize(code) for _, code in fmt.SAMPLE_FIELDS])
_EVENT_SIZES = bytearray([struct.calcsize(code) for _, code in fmt.EVENT_FIELDS])
_EVENT_CELLS = const(5)
_BOOK_FILE = "book"
KEPT, NEW, DAMAGED, UNREADABLE = "kept", "new", "damaged", "unreadable"


def file_name(log_id: int) -> str:
    """Return the file name of session `log_id`."""
    return "%06d.ilog" % log_id


def file_head() -> bytes:
    """Return the first bytes of a log, with which its chain begins."""
    return struct.pack(fmt.MAGIC_FORMAT, fmt.MAGIC, LOG_FORMAT_VERSION)


class Book:
    """What is known of the logs in `folder` beyond their files, in a file of its own.

    `store` names this file system, 8 hex digits; another one means that it was made anew. `last` is the newest id that
    was deleted, `pulled` has the ids whose copies a host has verified. `cut_short` has rows [id, charge_uc or -1] of
    sessions that a reset or a power cut ended and that nobody has pulled yet. `state` is a word above.
    """

    def __init__(self, folder: str):
        self._path = folder + "/" + _BOOK_FILE
        self.store = ""
        self.last = 0
        self.pulled = []
        self.cut_short = []
        self.state = NEW

    def open(self) -> None:
        """Read the file; without one, or with a damaged one, begin anew and forget what was pulled. Raises OSError."""
        self.state = DAMAGED
        try:
            kept = read_checked(self._path)
            self.store, self.last, self.pulled = kept["store"], kept["last"], kept["pulled"]
            self.cut_short = kept.get("cut_short", [])
            self.state = KEPT
        except OSError:
            self.state = NEW
        except (KeyError, TypeError):
            pass
        if self.state != KEPT:
            self.store = binascii.hexlify(os.urandom(4)).decode()
            self.write()

    def write(self) -> None:
        """Put what is known on flash. Raises OSError; the file is as before then."""
        kept = {"store": self.store, "last": self.last, "pulled": self.pulled, "cut_short": self.cut_short}
        write_checked(self._path, kept)

    def tell_of(self, log_id: int, charge_uc: int) -> None:
        """Remember that session `log_id` was cut short at `charge_uc` (-1: unknown), until it is pulled.

        Raises OSError. What is known of it already is kept: a second cut knows no more.
        """
        if log_id not in [row[0] for row in self.cut_short]:
            self.cut_short = (self.cut_short + [[log_id, charge_uc]])[-_MAX_CUT_SHORT:]
            self.write()

    def done_with(self, log_id: int) -> None:
        """Forget what there was to tell about `log_id`; `write` follows."""
        self.cut_short = [row for row in self.cut_short if row[0] != log_id]


class SessionLog:
    """The log of the current session in `folder`; ids count up and never repeat while the book is kept."""

    def __init__(self, folder: str):
        self.folder = folder
        self._samples = bytearray(_MAX_SAMPLES * fmt.SAMPLE_BYTES)
        self._events = bytearray(_MAX_EVENTS * fmt.EVENT_BYTES)
        self._sample = array("i", [0] * kernel.L_SIZE)
        self._event = array("i", [0] * _EVENT_CELLS)
        self.window = array("i", [0] * kernel.W_SIZE)
        self.book = Book(folder)
        self.log_id = 0
        self.reset()

    def reset(self) -> None:
        """Begin collecting for a session."""
        self._sequence = 0
        self._chain = file_head()
        self.sample_count = 0
        self.event_count = 0
        self.events_lost = 0
        self.samples_lost = 0
        self.max_load_mv = 0
        self._fold_at = self._fold_to = -1
        self._fold_end = 0
        self._written_samples = 0
        self._written_events = 0
        self.window[kernel.W_PERIOD_MS] = _MIN_PERIOD_MS
        kernel.open_window(self.window, 0)

    # While current flows: no allocation, no flash. `plan` is the session's block, which knows time and charge.

    @micropython.native
    def sample(self, plan: "array", reading: "array", state: int) -> None:
        """Fold a cycle's `reading` (its block) into the open window; store the window when its period has passed."""
        if kernel.window(self.window, reading, plan[kernel.S_T_MS]):
            self.store(plan, state)

    @micropython.native
    def store(self, plan: "array", state: int) -> None:
        """Store the open window as one sample and open the next, twice as long each time the buffer has filled."""
        window = self.window
        count = self.sample_count
        if count < _MAX_SAMPLES:
            sample = self._sample
            kernel.take_window(sample, window, plan, state)
            if sample[kernel.L_LOAD_MAX_MV] > self.max_load_mv:
                self.max_load_mv = sample[kernel.L_LOAD_MAX_MV]
            frames.pack(self._samples, count * fmt.SAMPLE_BYTES, sample, _SAMPLE_SIZES, kernel.L_SIZE)
            self.sample_count = count + 1
        else:
            self.samples_lost += 1
        if self._fold_at >= 0:
            self._fold(_FOLD_UNITS)
        elif count >= _FOLD_FROM and window[kernel.W_PERIOD_MS] < _MAX_PERIOD_MS:
            window[kernel.W_PERIOD_MS] *= 2
            self._fold_at = self._fold_to = 0
            self._fold_end = _FOLD_FROM
        kernel.open_window(window, plan[kernel.S_T_MS])

    @micropython.native
    def _fold(self, units: int) -> None:
        """Go on making two samples one: merge those before `_fold_end` in pairs, move those after it down."""
        at, to = self._fold_at, self._fold_to
        samples = self._samples
        size = fmt.SAMPLE_BYTES
        while units > 0 and at < self.sample_count:
            if at < self._fold_end:
                kernel.fold(samples, to * size, at * size)
                at += 2
            else:
                kernel.move(samples, to * size, at * size)
                at += 1
            to += 1
            units -= 1
        self._fold_at, self._fold_to = at, to
        if at >= self.sample_count:
            self.sample_count = to
            self._fold_at = -1

    def close_window(self, plan: "array", state: int) -> None:
        """The session is over: store what the open window has, if anything, and end a folding that is under way."""
        if self.window[kernel.W_COUNT]:
            self.store(plan, state)
        if self._fold_at >= 0:
            self._fold(_MAX_SAMPLES)

    @micropython.native
    def event(self, t_ms: int, event: int, code: int, a: int, b: int) -> None:
        """Store one event. Whoever makes events asks `crowded` first; `events_lost`, in the end record, proves it."""
        count = self.event_count
        if count == _MAX_EVENTS:
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

    def crowded(self) -> bool:
        """Return True when the event slots that are left are kept for the end of the session."""
        return self.event_count >= _MAX_EVENTS - _RESERVE

    # With the output off: flash.

    def path(self, log_id: int) -> str:
        """Return the path of log `log_id`."""
        return self.folder + "/" + file_name(log_id)

    def _append(self, path: str, mode: str, kind: int, payload: "bytes | memoryview") -> None:
        length = len(payload)
        if length > _PAYLOAD_MAX_BYTES:
            raise OSError(_EFBIG)
        head = struct.pack(fmt.RECORD_HEAD_FORMAT, fmt.RECORD_MARK, kind, self._sequence & 0xFFFF, length)
        record = head + payload
        chain = hashlib.sha256(self._chain + record).digest()
        record += chain
        record += struct.pack("<I", binascii.crc32(record))
        with open(path, mode) as stream:
            if mode == "wb":
                stream.write(file_head())
            stream.write(record)
        self._sequence += 1
        self._chain = chain

    def arm(self, header: dict) -> None:
        """Create the file with the arm record `header` (dict). Raises OSError when flash refuses; no file is left."""
        self.log_id = self.last_id() + 1
        path = self.path(self.log_id)
        try:
            self._append(path, "wb", fmt.ARM, json.dumps(header).encode())
        except OSError:
            if file_name(self.log_id) in os.listdir(self.folder):
                os.remove(path)
            raise

    def add_test(self, content: dict) -> None:
        """Add the record `content` (dict) of the self-test. Raises OSError."""
        self._append(self.path(self.log_id), "ab", fmt.TEST, json.dumps(content).encode())

    def records_left(self) -> int:
        """Return how many records are still to be written, the end record not counted."""
        samples = self.sample_count - self._written_samples + fmt.SAMPLES_PER_RECORD - 1
        events = self.event_count - self._written_events + fmt.EVENTS_PER_RECORD - 1
        return samples // fmt.SAMPLES_PER_RECORD + events // fmt.EVENTS_PER_RECORD

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
        self._append(self.path(self.log_id), "ab", kind, payload)
        return end

    def close(self, summary: dict) -> None:
        """Write the end record `summary` (dict); the log is complete. Raises OSError."""
        self._append(self.path(self.log_id), "ab", fmt.END, json.dumps(summary).encode())

    def ids(self) -> list:
        """Return the ids of the logs that are kept, ascending."""
        names = [name for name in os.listdir(self.folder) if name.endswith(".ilog") and name[:-5].isdigit()]
        return sorted([int(name[:-5]) for name in names])

    def has(self, log_id: int) -> bool:
        """Return True when log `log_id` is kept."""
        return log_id in self.ids()

    def size(self, log_id: int) -> int:
        """Return the size of log `log_id`, in bytes."""
        return os.stat(self.path(log_id))[6]

    def rows(self, first: int, most: int) -> list:
        """Return up to `most` rows [id, bytes, 1 when a host has a verified copy] of the logs from id `first` on."""
        ids = [log_id for log_id in self.ids() if log_id >= first]
        return [[log_id, self.size(log_id), int(log_id in self.book.pulled)] for log_id in ids[:most]]

    def last_id(self) -> int:
        """Return the newest id ever used, 0 for none."""
        ids = self.ids()
        return max(ids[-1] if ids else 0, self.book.last)

    def delete(self, log_id: int) -> None:
        """Delete log `log_id`; its id is remembered if it is the newest, so that ids never repeat. Raises OSError."""
        book = self.book
        told = len(book.cut_short)
        book.done_with(log_id)
        if log_id in book.pulled or log_id == self.last_id() or len(book.cut_short) != told:
            book.last = max(book.last, log_id)
            book.pulled = [other for other in book.pulled if other != log_id]
            book.write()
        os.remove(self.path(log_id))

    def make_room(self, enough: "Callable[[], bool]") -> "Generator[None, None, bool]":
        """Delete the oldest logs whose copies are verified until there is `enough`; False when that is not enough.

        A step is one look or one log. Raises OSError.
        """
        while not enough():
            yield
            ids = [log_id for log_id in self.ids() if log_id in self.book.pulled]
            if not ids:
                return False
            self.delete(ids[0])
            yield
        return True

    def verified(self, log_id: int, chain: bytes) -> bool:
        """A host has verified its copy of log `log_id`, whose last chain is `chain`; False when that is not this log.

        Raises OSError.
        """
        sequence, last, ended, _ = scan(self.path(log_id))
        if not sequence or not ended or last != chain:
            return False
        if log_id not in self.book.pulled:
            self.book.pulled = sorted(self.book.pulled + [log_id])
            self.book.done_with(log_id)
            self.book.write()
        return True

    def close_interrupted(self, log_id: int, sequence: int, chain: bytes, summary: dict) -> None:
        """Write the end record of session `log_id` that a reset or a power cut left open, as `scan` found it.

        That it was cut short is remembered first: a cut in between finds the log open again. Raises OSError.
        """
        self.book.tell_of(log_id, summary.get("charge_uc", -1))
        self._sequence = sequence
        self._chain = chain
        self._append(self.path(log_id), "ab", fmt.END, json.dumps(summary).encode())


def scan(path: str) -> tuple:
    """Return (sequence of the next record, last chain, True when an end record is there, True when sound) of a log.

    Looks at the heads only. Of another format nothing is known but that it is not to be added to.
    """
    start = file_head()
    head = bytearray(fmt.RECORD_HEAD_BYTES)
    chain = start
    sequence = 0
    ended = False
    size = os.stat(path)[6]
    at = len(start)
    with open(path, "rb") as stream:
        if stream.read(at) != start:
            return (1, b"", True, False) if size >= at else (0, b"", False, False)
        while at < size:
            stream.seek(at)
            if stream.readinto(head) != fmt.RECORD_HEAD_BYTES:
                break
            mark, kind, number, length = struct.unpack(fmt.RECORD_HEAD_FORMAT, head)
            end = at + fmt.RECORD_OVERHEAD_BYTES + length
            if mark != fmt.RECORD_MARK or number != sequence & 0xFFFF or end > size:
                break
            ended = kind == fmt.END
            sequence += 1
            at = end
        if sequence:
            stream.seek(at - 4 - fmt.CHAIN_BYTES)
            chain = stream.read(fmt.CHAIN_BYTES)
    return sequence, chain, ended, at == size
