"""CRC-32 (IEEE 802.3, as zlib) without allocation on the device.

A 32-bit CRC does not fit MicroPython's small integers on a 32-bit machine, so it never becomes an object there: it is
computed in registers and written to, or compared with, four little-endian bytes in place. One source for viper, the
VM and CPython: every shift is masked, because a viper integer of the RP2040 is negative from bit 31 on.
"""

from array import array

from ionto.compat import micropython, ptr8, ptr32


def make_table() -> "array":
    """Return the 256-entry table that the functions of this module and of ionto.frames take."""
    table = array("I", bytes(1024))
    _fill(table)
    return table


@micropython.viper
def _fill(table: ptr32):
    # In two steps each, because neither is a small integer on the RP2040.
    polynomial = 0xEDB8
    polynomial = polynomial << 16 | 0x8320
    positive = 0x7FFF
    positive = positive << 16 | 0xFFFF
    for index in range(256):
        value = index
        for _bit in range(8):
            low = value & 1
            value = (value >> 1) & positive
            if low != 0:
                value = value ^ polynomial
        table[index] = value


@micropython.viper
def store(table: ptr32, buffer: ptr8, start: int, end: int):
    """Write the CRC-32 of `buffer[start:end]` to `buffer[end:end + 4]`, little-endian."""
    crc = -1
    while start < end:
        crc = table[(crc ^ buffer[start]) & 0xFF] ^ ((crc >> 8) & 0xFFFFFF)
        start += 1
    crc = crc ^ -1
    buffer[end] = crc & 0xFF
    buffer[end + 1] = (crc >> 8) & 0xFF
    buffer[end + 2] = (crc >> 16) & 0xFF
    buffer[end + 3] = (crc >> 24) & 0xFF


@micropython.viper
def matches(table: ptr32, buffer: ptr8, start: int, end: int) -> int:
    """Return 1 when `buffer[end:end + 4]` is the CRC-32 of `buffer[start:end]`, else 0."""
    crc = -1
    while start < end:
        crc = table[(crc ^ buffer[start]) & 0xFF] ^ ((crc >> 8) & 0xFFFFFF)
        start += 1
    crc = crc ^ -1
    low = buffer[end] | buffer[end + 1] << 8
    high = buffer[end + 2] | buffer[end + 3] << 8
    return 1 if (crc & 0xFFFF) == low and ((crc >> 16) & 0xFFFF) == high else 0
