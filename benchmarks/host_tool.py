"""The host tool: start of the command, frame decoding, decoding of a 20 min log."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator

from benchmarks.catalogue import Result
from benchmarks.options import Options
from benchmarks.timing import best_s
from ionto import protocol
from ionto import sessionlog_format as fmt
from ionto.version import LOG_FORMAT_VERSION
from ionto_host import sessionfile
from ionto_host.transport.frames import Decoder, encode

_SAMPLES = 1_400  # what the board keeps of a session


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    options.progress("host tool")
    start_s = best_s(lambda: subprocess.run([sys.executable, "-m", "ionto_host", "--help"], capture_output=True), 3)
    yield Result("help_ms", start_s * 1000)
    yield Result("decode_mb_s", _frame_rate() / 1e6)
    log = _log()
    yield Result("log_ms", best_s(lambda: sessionfile.decode(log)) * 1000)


def _frame_rate() -> float:
    stream = b"".join(encode(protocol.LOG_READ | protocol.RESPONSE, 1, bytes(1028)) for _ in range(500))

    def decode() -> None:
        decoder = Decoder()
        for start in range(0, len(stream), 4096):
            list(decoder.feed(stream[start : start + 4096]))

    return len(stream) / best_s(decode)


def _record(kind: int, sequence: int, payload: bytes) -> bytes:
    body = struct.pack(fmt.RECORD_HEAD_FORMAT, kind, sequence & 0xFF, len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def _log() -> bytes:
    """Return a log with as many samples as the board keeps."""
    samples = [
        struct.pack(fmt.SAMPLE_FORMAT, 900 * n, 4000, 4000, 3998, 4002, 12_000, protocol.HOLD, 3600 * n)
        for n in range(_SAMPLES)
    ]
    size = fmt.SAMPLES_PER_RECORD
    blocks = [b"".join(samples[at : at + size]) for at in range(0, _SAMPLES, size)]
    records = [_record(fmt.ARM, 0, json.dumps({"firmware": "0"}).encode())]
    records += [_record(fmt.SAMPLES, 1 + n, block) for n, block in enumerate(blocks)]
    records.append(_record(fmt.END, len(records), json.dumps({"outcome": protocol.COMPLETE}).encode()))
    return struct.pack(fmt.MAGIC_FORMAT, fmt.MAGIC, LOG_FORMAT_VERSION) + b"".join(records)
