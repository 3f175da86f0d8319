"""A USB port with its two ends: bytes as the device sends and takes them, frames as a host does."""

from __future__ import annotations

import struct
import zlib
from collections import deque


class Port:
    """The serial port: `to_device` waits to be read, `from_device` is what came back."""

    def __init__(self) -> None:
        self.to_device: deque[int] = deque()
        self.from_device = bytearray()
        self.reading_host = True  # False: the host does not take anything
        self.moved_in = 0
        self.moved_out = 0
        self.bulk = 0
        self.takes: int | None = None  # how many bytes the host takes from now on; None: whatever comes

    def get(self) -> int:
        """Return the next byte for the device, or -1."""
        if not self.to_device:
            return -1
        self.moved_in += 1
        return self.to_device.popleft()

    def put(self, byte: int) -> bool:
        """Take one byte from the device; False when the host does not read."""
        if not self._room(1):
            return False
        self.moved_out += 1
        self.from_device.append(byte)
        return True

    def put_packets(self, view: memoryview, at: int, end: int) -> int:
        """Take of `view[at:end]` what the host takes; return where the rest begins."""
        count = self._room(end - at)
        self.bulk += 1 if count else 0
        self.from_device += view[at : at + count]
        return at + count

    def _room(self, wanted: int) -> int:
        if not self.reading_host:
            return 0
        if self.takes is None:
            return wanted
        count = min(wanted, self.takes)
        self.takes -= count
        return count


def request(kind: int, sequence: int = 1, payload: bytes = b"") -> bytes:
    """Return a frame of the protocol, built from its description and not from the firmware's code."""
    head = b"\xa5\xc3" + struct.pack("<BBH", kind, sequence, len(payload))
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head + payload + struct.pack("<I", zlib.crc32(head + payload))


def answers(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return (type, sequence, payload) of the frames that `data` is made of; AssertionError for anything else."""
    found = []
    while data:
        assert data[:2] == b"\xa5\xc3", f"not a frame: {bytes(data[:40])!r}"
        kind, sequence, length, check = struct.unpack_from("<BBHH", data, 2)
        assert check == zlib.crc32(data[:6]) & 0xFFFF
        end = 8 + length
        assert len(data) >= end + 4, "cut short"
        assert struct.unpack_from("<I", data, end)[0] == zlib.crc32(data[:end])
        found.append((kind, sequence, bytes(data[8:end])))
        data = data[end + 4 :]
    return found
