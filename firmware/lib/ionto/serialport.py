"""The USB serial port as a byte stream. Nothing waits for the host: what it does not take now goes in a later cycle."""

import select
import sys

from ionto.compat import const, micropython

PACKET_BYTES = const(64)  # of USB; the host takes them whole, so there is room for one when there is any
_LOOKS = const(8)  # at least 0.15 ms: a host that is there takes a packet in 0.05


class SerialPort:
    """stdin and stdout as bytes. `get` and `put` allocate nothing."""

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

    @micropython.native
    def put_packets(self, view: memoryview, at: int, end: int) -> int:
        """Write from `view[at:end]`, packet by packet, while the host takes them; return where the rest begins."""
        write, ipoll = self._out.write, self._writable.ipoll
        looks = _LOOKS
        while looks and at < end:
            looks -= 1
            for _ in ipoll(0):
                last = at + PACKET_BYTES
                at += write(view[at : last if last < end else end]) or 0
                looks = _LOOKS
        return at
