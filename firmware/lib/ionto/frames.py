"""Work on frames in a buffer, in place and without allocation on the device."""

from ionto import crc, protocol
from ionto.compat import const, micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array

SYNC_0 = const(0xA5)
SYNC_1 = const(0xC3)
NOT_A_FRAME = const(0)
_HEADER_CHECKED = const(6)


def seal_header(table: "array | None", buffer: bytearray) -> None:
    """Write the header check into bytes 6 and 7 of `buffer`."""
    keep_a, keep_b = buffer[8], buffer[9]
    crc.store(table, buffer, 0, _HEADER_CHECKED)
    buffer[8], buffer[9] = keep_a, keep_b


def header_matches(table: "array | None", buffer: bytearray) -> bool:
    """Return True when bytes 6 and 7 of `buffer` are the check of the six before them."""
    low, high = buffer[6], buffer[7]
    keep_a, keep_b = buffer[8], buffer[9]
    crc.store(table, buffer, 0, _HEADER_CHECKED)
    good = buffer[6] == low and buffer[7] == high
    buffer[6], buffer[7] = low, high
    buffer[8], buffer[9] = keep_a, keep_b
    return good


def need(table: "array | None", buffer: bytearray, filled: int) -> int:
    """Return how many bytes the frame at the start of `buffer` has in all, as far as `filled` bytes tell.

    More than `filled`: wait for more. `NOT_A_FRAME`: no frame starts here. Otherwise: it is complete.
    """
    if buffer[0] != SYNC_0 or (filled > 1 and buffer[1] != SYNC_1):
        return NOT_A_FRAME
    if filled < protocol.HEADER_BYTES:
        return protocol.HEADER_BYTES
    if not header_matches(table, buffer):
        return NOT_A_FRAME
    length = buffer[4] | buffer[5] << 8
    if length + protocol.OVERHEAD_BYTES > len(buffer):
        return NOT_A_FRAME
    return length + protocol.OVERHEAD_BYTES


@micropython.native
def skip(buffer: bytearray, filled: int, count: int) -> int:
    """Drop `count` bytes and all up to the next possible sync; return how many bytes are left."""
    start = count
    while start < filled and buffer[start] != SYNC_0:
        start += 1
    left = filled - start
    for index in range(left):
        buffer[index] = buffer[start + index]
    return left
