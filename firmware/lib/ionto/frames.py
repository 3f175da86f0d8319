"""Work on frames in a buffer, in place and without allocation on the device. Layout: ionto.protocol."""

from ionto.compat import const, micropython, ptr8, ptr32

SYNC_0 = const(0xA5)
SYNC_1 = const(0xC3)
NOT_A_FRAME = const(0)
_HEADER_BYTES = const(8)
_OVERHEAD_BYTES = const(12)
_CHECKED_BYTES = const(6)


@micropython.viper
def seal(table: ptr32, buffer: ptr8, kind: int, sequence: int, length: int) -> int:
    """Write header, header check and CRC around the `length` payload bytes at buffer[8:]; return the frame's size."""
    buffer[0] = SYNC_0
    buffer[1] = SYNC_1
    buffer[2] = kind
    buffer[3] = sequence
    buffer[4] = length & 0xFF
    buffer[5] = length >> 8
    crc = -1
    for index in range(_CHECKED_BYTES):
        crc = table[(crc ^ buffer[index]) & 0xFF] ^ ((crc >> 8) & 0xFFFFFF)
    check = crc ^ -1
    buffer[6] = check & 0xFF
    buffer[7] = (check >> 8) & 0xFF
    end = _HEADER_BYTES + length
    for index in range(_CHECKED_BYTES, end):
        crc = table[(crc ^ buffer[index]) & 0xFF] ^ ((crc >> 8) & 0xFFFFFF)
    crc = crc ^ -1
    buffer[end] = crc & 0xFF
    buffer[end + 1] = (crc >> 8) & 0xFF
    buffer[end + 2] = (crc >> 16) & 0xFF
    buffer[end + 3] = (crc >> 24) & 0xFF
    return end + 4


@micropython.viper
def need(table: ptr32, buffer: ptr8, filled: int, size: int) -> int:
    """Return how many bytes the frame at the start of `buffer` (of `size`) has in all, as far as `filled` bytes tell.

    More than `filled`: wait for more. `NOT_A_FRAME`: no frame starts here. Otherwise: it is complete.
    """
    if buffer[0] != SYNC_0 or (filled > 1 and buffer[1] != SYNC_1):
        return NOT_A_FRAME
    if filled < _HEADER_BYTES:
        return _HEADER_BYTES
    crc = -1
    for index in range(_CHECKED_BYTES):
        crc = table[(crc ^ buffer[index]) & 0xFF] ^ ((crc >> 8) & 0xFFFFFF)
    if ((crc ^ -1) & 0xFFFF) != (buffer[6] | buffer[7] << 8):
        return NOT_A_FRAME
    length = buffer[4] | buffer[5] << 8
    return length + _OVERHEAD_BYTES if length + _OVERHEAD_BYTES <= size else NOT_A_FRAME


@micropython.viper
def skip(buffer: ptr8, filled: int, count: int) -> int:
    """Drop `count` bytes and all up to the next possible sync; return how many bytes are left."""
    start = count
    while start < filled and buffer[start] != SYNC_0:
        start += 1
    left = filled - start
    index = 0
    while index < left:
        buffer[index] = buffer[start + index]
        index += 1
    return left


@micropython.viper
def pack(buffer: ptr8, at: int, values: ptr32, sizes: ptr8, count: int) -> int:
    """Write `count` values from buffer[at] on, each little-endian in its `sizes` bytes; return the end."""
    for index in range(count):
        value = values[index]
        for _byte in range(sizes[index]):
            buffer[at] = value & 0xFF
            value = value >> 8
            at += 1
    return at
