"""One frame in a buffer: sealed as a host checks it, and known for what it is from its first bytes on."""

from __future__ import annotations

import struct
import zlib

import pytest
from fake_port import request
from hypothesis import given
from hypothesis import strategies as st

from ionto import crc, frames

TABLE = crc.make_table()
FRAME = request(0x05, 9, b"dose")
HEADER = FRAME[:8]


def need(data: bytes, size: int = 64) -> int:
    """Return what the frame at the start of `data` needs in a buffer of `size`."""
    buffer = bytearray(size)
    buffer[: len(data)] = data
    return frames.need(TABLE, buffer, len(data), size)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=700))
def test_a_sealed_frame_has_both_checks_of_zlib(kind: int, sequence: int, payload: bytes) -> None:
    buffer = bytearray(8) + payload + bytearray(8)
    end = frames.seal(TABLE, buffer, kind, sequence, len(payload))
    head = b"\xa5\xc3" + struct.pack("<BBH", kind, sequence, len(payload))
    body = head + struct.pack("<H", zlib.crc32(head) & 0xFFFF) + payload
    assert bytes(buffer[:end]) == body + struct.pack("<I", zlib.crc32(body[6:], zlib.crc32(head)))
    assert bytes(buffer[end:]) == bytes(4), "and nothing is written behind it"


@pytest.mark.parametrize("filled", range(1, 9))
def test_a_frame_is_waited_for_from_its_first_byte_on(filled: int) -> None:
    assert need(HEADER[:filled]) == (8 if filled < 8 else len(FRAME))


@pytest.mark.parametrize("data", [b"X", b"\xc3", b"X\xc3", b"\xa5X", b"\xa5\xa5", b"X" + HEADER[1:]])
def test_what_cannot_be_one_is_told_at_once(data: bytes) -> None:
    """Against a link that waits for the rest of a line of text."""
    assert need(data) == frames.NOT_A_FRAME


@pytest.mark.parametrize("bit", range(64))
def test_every_bit_of_a_header_counts(bit: int) -> None:
    damaged = bytearray(HEADER)
    damaged[bit // 8] ^= 1 << bit % 8
    assert need(bytes(damaged)) == frames.NOT_A_FRAME


def test_a_frame_that_is_longer_than_the_buffer_is_none() -> None:
    assert need(HEADER, len(FRAME)) == len(FRAME)
    assert need(HEADER, len(FRAME) - 1) == frames.NOT_A_FRAME


@pytest.mark.parametrize(
    ("data", "count", "rest"),
    [
        (b"abc", 1, b""),
        (b"\xa5bc", 1, b""),
        (b"\xa5b\xa5d", 1, b"\xa5d"),
        (b"ab\xa5\xa5", 1, b"\xa5\xa5"),
        (b"\xa5b\xa5d", 0, b"\xa5b\xa5d"),
        (b"\xa5\xa5\xa5", 3, b""),
    ],
)
def test_what_is_dropped_ends_before_the_next_byte_that_may_begin_a_frame(data: bytes, count: int, rest: bytes) -> None:
    buffer = bytearray(data)
    left = frames.skip(buffer, len(buffer), count)
    assert bytes(buffer[:left]) == rest
