"""CRC-32 in place: the IEEE one, at any offset, and no single flipped bit goes unseen."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto import crc

TABLE = crc.make_table()


def reference(data: bytes) -> int:
    """CRC-32 worked out bit by bit, from its polynomial."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


@pytest.mark.hazard("HAZ-32")
@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"123456789", 0xCBF43926), (b"", 0x00000000), (b"\x00", 0xD202EF8D), (b"\xff" * 4, 0xFFFFFFFF)],
)
def test_known_values(data: bytes, expected: int) -> None:
    buffer = bytearray(data + bytes(4))
    crc.store(TABLE, buffer, 0, len(data))
    assert int.from_bytes(buffer[len(data) :], "little") == expected == reference(data) == zlib.crc32(data)


@given(st.binary(max_size=100), st.binary(max_size=20), st.binary(min_size=4, max_size=20))
def test_it_is_stored_in_place_and_touches_nothing_else(data: bytes, before: bytes, after: bytes) -> None:
    buffer = bytearray(before + data + after)
    end = len(before) + len(data)
    crc.store(TABLE, buffer, len(before), end)
    assert buffer == before + data + reference(data).to_bytes(4, "little") + after[4:]
    assert crc.matches(TABLE, buffer, len(before), end)


@pytest.mark.hazard("HAZ-25", "HAZ-32")
@given(st.binary(min_size=1, max_size=60), st.integers(0, 10_000))
def test_a_flipped_bit_is_seen(data: bytes, bit: int) -> None:
    """Against a damaged record or frame that is taken for good."""
    buffer = bytearray(data + bytes(4))
    crc.store(TABLE, buffer, 0, len(data))
    bit %= len(buffer) * 8
    buffer[bit // 8] ^= 1 << bit % 8
    assert not crc.matches(TABLE, buffer, 0, len(data))
