"""MicroPython's heap seen from outside, in any image: found by what its book-keeping looks like, nothing runs in it."""

from __future__ import annotations

from ionto_sim.emulator.chip import Chip

_SRAM = 0x20000000
_SRAM_END = 0x20042000
_BLOCK_BYTES = 16
_BLOCKS_A_BYTE = 4
_NO_THRESHOLD = 0xFFFFFFFF
_FREE_IN_BYTE = bytes(sum(not entry >> shift & 3 for shift in (0, 2, 4, 6)) for entry in range(256))


class Heap:
    """The heap of the MicroPython that `chip` has booted; LookupError when it is not found.

    MicroPython keeps, in this order, the start and length of the allocator's table (two bits a block of 16 bytes),
    the start of the finalisers' table and the start and end of the blocks (py/mpstate.h). A collection's threshold,
    all ones when there is none, stands after the count of blocks allocated since the last collection.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        words = memoryview(bytes(chip.rp2040.sram)).cast("I")
        self._table, self._table_bytes, at = _find_table(words)
        while words[at] != _NO_THRESHOLD:
            at += 1
        self._count_at = 4 * (at - 1)

    def allocated_bytes(self) -> int:
        """Return how much has been allocated since the last collection, freed again or not."""
        at = self._count_at
        return _BLOCK_BYTES * int.from_bytes(self._chip.rp2040.sram[at : at + 4], "little")

    def free_bytes(self) -> int:
        """Return how much is free, without what a collection would free."""
        table = bytes(self._chip.rp2040.sram[self._table : self._table + self._table_bytes])
        return _BLOCK_BYTES * sum(table.translate(_FREE_IN_BYTE))


def _find_table(words: memoryview) -> tuple[int, int, int]:
    """Return offset and length of the allocator's table, in bytes, and the index of the word after the area."""
    for index in range(len(words) - 5):
        table, length, finalisers, pool, end = words[index : index + 5]
        if (
            _SRAM < table < table + length <= finalisers < pool < end <= _SRAM_END
            and end - pool == length * _BLOCKS_A_BYTE * _BLOCK_BYTES
        ):
            return table - _SRAM, length, index + 5
    raise LookupError("the heap of this MicroPython is laid out in a way unknown here")
