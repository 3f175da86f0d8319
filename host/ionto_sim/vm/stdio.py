"""stdin and stdout as the chip's USB CDC port: reading lets virtual time pass, writing gives up after 500 ms.

Text is cooked as on rp2: `print` sends CR LF.
"""

import select
import sys

from ..compat import NEVER_US
from .core import CLOCK

_TX_TIMEOUT_US = 500_000
_IN = sys.stdin.buffer
_OUT = sys.stdout.buffer
_WRITABLE = select.poll()
_WRITABLE.register(1, select.POLLOUT)


class _Writer:
    """stdout.buffer."""

    @micropython.native
    def write(self, data):
        """Write `data`; return how much went out before a host that stalls was given up."""
        sent = _OUT.write(data)
        size = len(data)
        if sent == size:
            return sent
        return _write_rest(data, sent or 0, size)

    def flush(self):
        """Nothing is buffered."""


def _write_rest(data: object, sent: int, size: int) -> int:
    view = memoryview(data)
    give_up = CLOCK.now_us + _TX_TIMEOUT_US
    while sent < size and CLOCK.now_us < give_up:
        now_sent = _OUT.write(view[sent:])
        if now_sent:
            sent += now_sent
            give_up = CLOCK.now_us + _TX_TIMEOUT_US
            continue
        if not _WRITABLE.poll(1):
            CLOCK.run_until(CLOCK.now_us + 1000)
    return sent


class StdOut:
    """sys.stdout."""

    buffer = _Writer()

    def write(self, text):
        """Write text with line ends as CR LF; return its length."""
        data = text.encode() if isinstance(text, str) else bytes(text)
        self.buffer.write(data.replace(b"\n", b"\r\n"))
        return len(text)

    def flush(self):
        """Nothing is buffered."""

    def fileno(self):
        """Return the descriptor."""
        return 1

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass


class _Reader:
    """stdin.buffer."""

    def readinto(self, buffer, count=-1):
        """Fill `buffer` (or `count` bytes of it), waiting for them."""
        size = len(buffer)
        if 0 <= count < size:
            size = count
        got = _IN.readinto(buffer, size) or 0
        while got < size:
            CLOCK.wait_input(NEVER_US)
            got += _IN.readinto(memoryview(buffer)[got:size]) or 0
        return size

    def read(self, count=-1):
        """Return `count` bytes, waiting for them."""
        if count < 0:
            raise OSError(22)
        buffer = bytearray(count)
        self.readinto(buffer)
        return bytes(buffer)

    def readline(self):
        """Return bytes up to and with the next line feed."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.read(1)
        return line


class StdIn:
    """sys.stdin."""

    buffer = _Reader()

    def read(self, count=-1):
        """Return `count` characters, carriage returns as line feeds."""
        return self.buffer.read(count).replace(b"\r", b"\n").decode()

    def readinto(self, buffer, count=-1):
        """As `stdin.buffer.readinto`."""
        return self.buffer.readinto(buffer, count)

    def readline(self):
        """Return characters up to and with the next line end."""
        line = ""
        while not line.endswith("\n"):
            line += self.read(1)
        return line

    def fileno(self):
        """Return the descriptor."""
        return 0


STDIN = StdIn()
STDOUT = StdOut()


def put(text: str) -> None:
    """Write text, cooked."""
    STDOUT.write(text)


def put_raw(data: bytes) -> None:
    """Write bytes as they are."""
    STDOUT.buffer.write(data)


def get() -> int:
    """Return the next byte of input, waiting for it."""
    return STDIN.buffer.read(1)[0]


def ask(prompt=""):
    """`input`: a line, echoed."""
    put(prompt)
    line = ""
    while True:
        byte = get()
        if byte in (10, 13):
            put("\n")
            return line
        line += chr(byte)
        put_raw(bytes([byte]))


def cooked_print(*args, sep=" ", end="\n", file=None):
    """`print`, to the cooked stdout."""
    out = STDOUT if file is None else file
    out.write(sep.join([str(arg) for arg in args]) + end)
