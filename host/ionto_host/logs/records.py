"""The bytes of a session log as records, format by format: found again after damage, their CRC and chain checked.

The current format is laid out in `ionto.sessionlog_format`; older ones, which no board writes any more, stand here.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ionto import sessionlog_format as layout
from ionto.version import LOG_FORMAT_VERSION
from ionto_host.errors import NotALogError

MAGIC = struct.Struct(layout.MAGIC_FORMAT)
_CRC = struct.Struct("<I")
_MAX_JSON_BYTES = 4096  # more than the board's buffer for a record


class Sample(NamedTuple):
    """Means and extremes over the `cycles` of 1 ms before `t_ms`; the fields are `layout.SAMPLE_FIELDS`.

    `cycles` is 0, and `load_max_mv` the mean, in a log of format 1, which had neither; `second_mean_ua` is 0 in one
    before format 3, when nobody measured it.
    """

    t_ms: int
    charge_uc: int
    setpoint_ua: int
    current_mean_ua: int
    current_min_ua: int
    current_max_ua: int
    second_mean_ua: int
    load_mv: int
    load_max_mv: int
    cycles: int
    state: int
    flags: int


class Record(NamedTuple):
    """One record whose CRC holds; `chain` is empty in a format without one."""

    kind: int
    sequence: int
    offset: int
    payload: bytes
    chain: bytes
    size_bytes: int


class Damage(NamedTuple):
    """A stretch of the file that cannot be trusted, and why."""

    offset: int
    size_bytes: int
    reason: str

    def describe(self) -> str:
        """Return the damage in one line."""
        return f"byte {self.offset}, {self.size_bytes} bytes: {self.reason}"


@dataclass(frozen=True)
class Format:
    """How one version of the format lays out records and samples."""

    version: int
    head: struct.Struct
    mark: int | None  # first byte of a record
    chain_bytes: int
    sequences: int  # after which the count begins anew
    sample: struct.Struct
    samples: int  # in a record, at most
    events: int
    to_sample: Callable[..., Sample]

    @property
    def overhead_bytes(self) -> int:
        """What a record has beyond its payload."""
        return self.head.size + self.chain_bytes + _CRC.size

    def head_at(self, data: bytes, position: int) -> tuple[int, int, int] | None:
        """Return kind, sequence and payload length of the head at `position`; None when none is there."""
        if position + self.head.size > len(data):
            return None
        fields = self.head.unpack_from(data, position)
        if self.mark is None:
            return fields
        return fields[1:] if fields[0] == self.mark else None

    def record_at(self, data: bytes, position: int) -> Record | None:
        """Return the record at `position`; None unless it is whole, likely, and its CRC holds."""
        head = self.head_at(data, position)
        if head is None:
            return None
        kind, sequence, length = head
        end = position + self.overhead_bytes + length
        if end > len(data) or not self._plausible(data, kind, position, length):
            return None
        if zlib.crc32(memoryview(data)[position : end - _CRC.size]) != _CRC.unpack_from(data, end - _CRC.size)[0]:
            return None
        start = position + self.head.size
        chain = data[start + length : start + length + self.chain_bytes]
        return Record(kind, sequence, position, data[start : start + length], chain, end - position)

    def _plausible(self, data: bytes, kind: int, position: int, length: int) -> bool:
        """Return True when a record of `kind` can have `length` bytes; keeps the search after damage fast."""
        if kind == layout.SAMPLES:
            return length % self.sample.size == 0 and length <= self.samples * self.sample.size
        if kind == layout.EVENTS:
            return length % layout.EVENT_BYTES == 0 and length <= self.events * layout.EVENT_BYTES
        start = position + self.head.size
        return kind in layout.RECORD_NAMES and length <= _MAX_JSON_BYTES and data[start : start + 1] == b"{"

    def link(self, chain: bytes, data: bytes, record: Record) -> bytes:
        """Return the chain that `record` must have after a record with `chain`."""
        end = record.offset + self.head.size + len(record.payload)
        return hashlib.sha256(chain + data[record.offset : end]).digest()

    def cut_at(self, data: bytes, start: int) -> bool:
        """Return True when the bytes from `start` on look like a record that was cut off."""
        if len(data) - start < self.overhead_bytes:
            return True
        head = self.head_at(data, start)
        return head is not None and head[0] in layout.RECORD_NAMES and start + self.overhead_bytes + head[2] > len(data)


def _from_1(
    t_ms: int, setpoint_ua: int, mean_ua: int, min_ua: int, max_ua: int, load_mv: int, state: int, charge_uc: int
) -> Sample:
    """Return the sample of a log of format 1 as one of today."""
    return Sample(t_ms, charge_uc, setpoint_ua, mean_ua, min_ua, max_ua, 0, load_mv, load_mv, 0, state, 0)


def _from_2(*values: int) -> Sample:
    """Return the sample of a log of format 2 as one of today: nobody measured the current a second time."""
    return Sample._make((*values[:6], 0, *values[6:]))


def _since_2(version: int, sample: str, to_sample: Callable[..., Sample]) -> Format:
    """Return a format with mark and chain, whose samples are laid out by `sample`."""
    return Format(
        version,
        struct.Struct(layout.RECORD_HEAD_FORMAT),
        layout.RECORD_MARK,
        layout.CHAIN_BYTES,
        0x10000,
        struct.Struct(sample),
        layout.SAMPLES_PER_RECORD,
        layout.EVENTS_PER_RECORD,
        to_sample,
    )


FORMATS = {
    1: Format(1, struct.Struct("<BBH"), None, 0, 256, struct.Struct("<IHhhhHHI"), 50, 60, _from_1),
    2: _since_2(2, "<IIHHHHHHHBB", _from_2),
    LOG_FORMAT_VERSION: _since_2(LOG_FORMAT_VERSION, layout.SAMPLE_FORMAT, Sample),
}


def format_of(data: bytes) -> Format:
    """Return the format of the log `data`; `NotALogError` when it is none, or of an unknown format."""
    if len(data) < MAGIC.size:
        raise NotALogError(f"not a session log: only {len(data)} bytes")
    magic, version = MAGIC.unpack_from(data)
    if magic != layout.MAGIC:
        raise NotALogError("not a session log: it does not begin with IONTOLOG")
    if version not in FORMATS:
        raise NotALogError(f"log format {version}; this host tool reads formats {', '.join(map(str, FORMATS))}")
    return FORMATS[version]


def scan(data: bytes) -> Iterator[Record | Damage]:
    """Yield the records of the log `data` in order, and what is damaged or missing between them.

    Raises `NotALogError`. A record after damage whose chain does not continue that of the record before is yielded
    without complaint: what came between is not known.
    """
    form = format_of(data)
    position, expected, chain = MAGIC.size, 0, data[: MAGIC.size]
    follows = True  # the record before this one is known
    while position < len(data):
        record = form.record_at(data, position)
        if record is None:
            start, position = position, _next_record(form, data, position + 1)
            reason = "cut off" if position == len(data) and form.cut_at(data, start) else "damaged"
            yield Damage(start, position - start, reason)
            follows = False
            continue
        missing = (record.sequence - expected) % form.sequences
        if missing and follows:
            yield Damage(position, 0, f"{missing} records are missing before this one")
        elif follows and form.chain_bytes and record.chain != form.link(chain, data, record):
            yield Damage(position, record.size_bytes, "the chain is broken: this or an earlier record was altered")
        yield record
        position += record.size_bytes
        expected, chain, follows = (record.sequence + 1) % form.sequences, record.chain, True


def _next_record(form: Format, data: bytes, position: int) -> int:
    while position < len(data) and not form.record_at(data, position):
        if form.mark is None:
            position += 1
        else:
            found = data.find(form.mark, position + 1)
            position = found if found >= 0 else len(data)
    return position


def good_prefix(data: bytes) -> int:
    """Return how many bytes from the start are an intact beginning of a log: magic and whole records."""
    position = 0
    try:
        position = min(len(data), MAGIC.size) if format_of(data) else 0
        for item in scan(data):
            if isinstance(item, Damage):
                break
            position = item.offset + item.size_bytes
    except NotALogError:
        return 0
    return position
