"""Session logs made to measure: the records given, framed and chained as the firmware does it. Also used by tests."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable

from ionto import protocol
from ionto import sessionlog_format as fmt
from ionto.version import LOG_FORMAT_VERSION

HEAD = struct.pack(fmt.MAGIC_FORMAT, fmt.MAGIC, LOG_FORMAT_VERSION)


def record(kind: int, sequence: int, payload: bytes, chain: bytes = HEAD) -> bytes:
    """Return one record that follows `chain`; the next one's chain is in `chain_of` its bytes."""
    body = struct.pack(fmt.RECORD_HEAD_FORMAT, fmt.RECORD_MARK, kind, sequence & 0xFFFF, len(payload)) + payload
    body += hashlib.sha256(chain + body).digest()
    return body + struct.pack("<I", zlib.crc32(body))


def chain_of(data: bytes) -> bytes:
    """Return the chain of the record, or of the log, that ends with `data`."""
    return data[-4 - fmt.CHAIN_BYTES : -4]


def log(records: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a whole log of `records` (kind, payload)."""
    data, chain = HEAD, HEAD
    for sequence, (kind, payload) in enumerate(records):
        item = record(kind, sequence, payload, chain)
        data, chain = data + item, chain_of(item)
    return data


def split(packed: list[bytes], most: int) -> list[bytes]:
    """Return the payloads of records with at most `most` of the `packed` rows."""
    return [b"".join(packed[at : at + most]) for at in range(0, len(packed), most)]


def long_log(samples: int) -> bytes:
    """Return a sound log with `samples` samples of a hold at 4 mA."""
    rows = [
        struct.pack(
            fmt.SAMPLE_FORMAT, 900 * n, 3600 * n, 4000, 4000, 3998, 4002, 4001, 12_000, 12_100, 900, protocol.HOLD, 0
        )
        for n in range(samples)
    ]
    blocks = [(fmt.SAMPLES, block) for block in split(rows, fmt.SAMPLES_PER_RECORD)]
    arm = json.dumps({"firmware": "0", "board_id": "bench", "dose": "{}"}).encode()
    end = json.dumps({"outcome": protocol.COMPLETE, "charge_uc": 3600 * samples, "t_ms": 900 * samples}).encode()
    return log([(fmt.ARM, arm), *blocks, (fmt.END, end)])
