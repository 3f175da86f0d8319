"""CRC-32 (IEEE 802.3, as zlib) without allocation on the device.

A 32-bit CRC does not fit MicroPython's small integers on a 32-bit machine, so the device never makes it an
object: it is computed in registers and written to, or compared with, four little-endian bytes in place.
"""

from array import array

from ionto import compat
from ionto.compat import micropython

if compat.CPYTHON:
    import zlib

    def make_table():
        """Return a placeholder: zlib brings its own table."""
        return

    def store(table, buffer, start, end):
        """Write the CRC-32 of `buffer[start:end]` to `buffer[end:end + 4]`, little-endian."""
        buffer[end : end + 4] = zlib.crc32(buffer[start:end]).to_bytes(4, "little")

    def matches(table, buffer, start, end):
        """Return True when `buffer[end:end + 4]` is the CRC-32 of `buffer[start:end]`."""
        return bytes(buffer[end : end + 4]) == zlib.crc32(buffer[start:end]).to_bytes(4, "little")

else:

    def make_table():
        """Return the 256-entry table that `store` and `matches` take."""
        table = array("I", bytes(1024))
        _fill(table)
        return table

    @micropython.viper
    def _fill(table: ptr32):
        for index in range(256):
            value = uint(index)
            for _bit in range(8):
                if value & uint(1):
                    value = (value >> uint(1)) ^ uint(0xEDB88320)
                else:
                    value = value >> uint(1)
            table[index] = value

    @micropython.viper
    def store(table: ptr32, buffer: ptr8, start: int, end: int):
        """Write the CRC-32 of `buffer[start:end]` to `buffer[end:end + 4]`, little-endian."""
        crc = uint(0xFFFFFFFF)
        while start < end:
            crc = uint(table[(crc ^ uint(buffer[start])) & uint(0xFF)]) ^ (crc >> uint(8))
            start += 1
        crc = crc ^ uint(0xFFFFFFFF)
        buffer[end] = crc & uint(0xFF)
        buffer[end + 1] = (crc >> uint(8)) & uint(0xFF)
        buffer[end + 2] = (crc >> uint(16)) & uint(0xFF)
        buffer[end + 3] = crc >> uint(24)

    @micropython.viper
    def matches(table: ptr32, buffer: ptr8, start: int, end: int) -> bool:
        """Return True when `buffer[end:end + 4]` is the CRC-32 of `buffer[start:end]`."""
        crc = uint(0xFFFFFFFF)
        while start < end:
            crc = uint(table[(crc ^ uint(buffer[start])) & uint(0xFF)]) ^ (crc >> uint(8))
            start += 1
        crc = crc ^ uint(0xFFFFFFFF)
        low = uint(buffer[end]) | (uint(buffer[end + 1]) << uint(8))
        high = uint(buffer[end + 2]) | (uint(buffer[end + 3]) << uint(8))
        return (crc & uint(0xFFFF)) == low and (crc >> uint(16)) == high
