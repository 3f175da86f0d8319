"""The frame codec: bytes to frames in bulk, finding its way back after garbage by itself."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from ionto import protocol

_HEADER = struct.Struct(protocol.HEADER_FORMAT)
_CRC = struct.Struct("<I")
_CHECKED_BYTES = protocol.HEADER_BYTES - 2
TEXT_KEPT_BYTES = 4096


class Frame(NamedTuple):
    """One whole frame whose checks held."""

    kind: int
    sequence: int
    payload: bytes


def encode(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """Return the frame of `kind` with `payload` as bytes; ValueError when the payload is too long."""
    if len(payload) > protocol.MAX_PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(payload)} bytes, at most {protocol.MAX_PAYLOAD_BYTES}")
    head = _HEADER.pack(protocol.SYNC, kind, sequence & 0xFF, len(payload), 0)[:_CHECKED_BYTES]
    body = head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + payload
    return body + _CRC.pack(zlib.crc32(body))


class Decoder:
    """Turns a byte stream into frames. What is no frame is skipped; its end is kept in `text` for diagnosis.

    `damaged` counts frames whose header held and whose payload did not; `skipped` counts skipped bytes.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self.skipped = 0
        self._text = bytearray()
        self._buffer = bytearray()

    @property
    def text(self) -> str:
        """The last skipped bytes as text: a banner, a prompt or a traceback, usually."""
        return self._text.decode("utf-8", "replace")

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes."""
        self._buffer += data
        frames: list[Frame] = []
        position = 0
        while True:
            start = self._buffer.find(protocol.SYNC, position)
            if start < 0:
                position = self._skip(position, self._end_of_garbage(position))
                break
            position = self._skip(position, start)
            frame_end = self._frame_end(start)
            if frame_end is None:
                position = self._skip(start, start + 1)
            elif frame_end > len(self._buffer):
                break
            else:
                position = self._take(start, frame_end, frames)
        del self._buffer[:position]
        return frames

    def _end_of_garbage(self, position: int) -> int:
        end = len(self._buffer)
        return end - 1 if end > position and self._buffer[-1] == protocol.SYNC[0] else end

    def _frame_end(self, start: int) -> int | None:
        """Return where the frame at `start` ends (past the buffer while unknown); None for no frame."""
        if len(self._buffer) - start < protocol.HEADER_BYTES:
            return len(self._buffer) + 1
        _, _, _, length, check = _HEADER.unpack_from(self._buffer, start)
        expected = zlib.crc32(self._buffer[start : start + _CHECKED_BYTES]) & 0xFFFF
        if check != expected or length > protocol.MAX_PAYLOAD_BYTES:
            return None
        return start + protocol.OVERHEAD_BYTES + length

    def _take(self, start: int, end: int, frames: list[Frame]) -> int:
        body_end = end - protocol.CRC_BYTES
        body = bytes(self._buffer[start:body_end])
        if zlib.crc32(body) != _CRC.unpack_from(self._buffer, body_end)[0]:
            self.damaged += 1
            return self._skip(start, start + 1)
        _, kind, sequence, _, _ = _HEADER.unpack_from(body)
        frames.append(Frame(kind, sequence, body[protocol.HEADER_BYTES :]))
        return end

    def _skip(self, start: int, end: int) -> int:
        if end > start:
            self.skipped += end - start
            self._text += self._buffer[start:end]
            del self._text[:-TEXT_KEPT_BYTES]
        return end
