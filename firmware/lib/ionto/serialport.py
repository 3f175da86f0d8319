"""The USB serial port as a byte stream that never blocks while it must not."""

import select
import sys

from ionto.compat import const

_STALL_MS = const(200)  # a buffer that is full for a moment is no host that has gone


class SerialPort:
    """stdin and stdout as bytes. Methods allocate nothing."""

    def __init__(self):
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._readable = select.poll()
        self._readable.register(sys.stdin, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sys.stdout, select.POLLOUT)
        self._byte = bytearray(1)

    def get(self) -> int:
        """Return the next byte, or -1 when none has arrived."""
        for _ in self._readable.ipoll(0):
            self._in.readinto(self._byte, 1)
            return self._byte[0]
        return -1

    def put(self, byte: int) -> bool:
        """Write one byte and return True, or return False when the host is not reading."""
        for _ in self._writable.ipoll(0):
            self._byte[0] = byte
            self._out.write(self._byte)
            return True
        return False

    def put_all(self, view: memoryview) -> bool:
        """Write `view` (memoryview) whole; may wait up to 0.7 s for a host that stalls, so only with output off."""
        for _ in self._writable.ipoll(_STALL_MS):
            return self._out.write(view) == len(view)
        return False
