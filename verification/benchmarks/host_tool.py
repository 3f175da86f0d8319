"""The host tool: start of the command, frame decoding, decoding of a 20 min log."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ionto import protocol
from ionto_host.logs import index as logindex
from ionto_host.logs import sessionfile
from ionto_host.logs import store as logstore
from ionto_host.transport.frames import Decoder, encode
from verification.benchmarks import session_log
from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options
from verification.benchmarks.timing import best_s

_LOGS = 1_000
_SAMPLES = 1_200  # what the board keeps of a session


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    options.progress("host tool")
    yield Result("help_ms", min(_help_s() for _ in range(3)) * 1000)
    yield Result("decode_mb_s", _frame_rate() / 1e6)
    log = session_log.long_log(_SAMPLES)
    yield Result("log_ms", best_s(lambda: sessionfile.decode(log)) * 1000)
    with tempfile.TemporaryDirectory(prefix="ionto-bench-") as folder:
        yield Result("list_ms", _list_s(Path(folder), log) * 1000)


def _help_s() -> float:
    """Return the processor time in s of one `ionto --help`, which other work on the machine does not stretch much."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "ionto_host", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _list_s(root: Path, log: bytes) -> float:
    """Return the time in s that `ionto logs list` needs for the rows of 1,000 pulled logs, known to the index."""
    for number in range(_LOGS):
        path = logstore.path_of(logstore.board_folder(f"board{number % 4}", root), number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(log)

    def rows() -> None:
        with logindex.opened(root) as index:
            if len(index.refresh(logstore.stored(root))) != _LOGS:
                raise RuntimeError("the index does not have every log")

    rows()
    return best_s(rows)


def _frame_rate() -> float:
    stream = b"".join(encode(protocol.LOG_READ | protocol.RESPONSE, 1, bytes(2052)) for _ in range(250))

    def decode() -> None:
        decoder = Decoder()
        for start in range(0, len(stream), 4096):
            list(decoder.feed(stream[start : start + 4096]))

    return len(stream) / best_s(decode)
