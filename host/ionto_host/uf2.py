"""The UF2 container: is a file one, is it whole, and is it for the RP2040? (github.com/microsoft/uf2)"""

from __future__ import annotations

import struct

from ionto_host.errors import IntegrityError

BLOCK_BYTES = 512
RP2040_FAMILY = 0xE48BFF56
_MAGIC = (0x0A324655, 0x9E5D5157)
_END_MAGIC = 0x0AB16F30
_HAS_FAMILY = 0x2000
_NOT_MAIN_FLASH = 0x0001
_FLASH_FROM, _FLASH_TO = 0x1000_0000, 0x1100_0000
_HEAD = struct.Struct("<8I")
_ACTION = "Give the RPI_PICO image that `ionto firmware show` names, or leave `--uf2` away."


def check(data: bytes, name: str) -> int:
    """Return how many bytes of flash the UF2 `data` fills; `IntegrityError` unless it is a whole one for the RP2040."""
    if not data or len(data) % BLOCK_BYTES:
        raise IntegrityError(f"{name} is no whole UF2 image: {len(data)} bytes are no blocks of 512", _ACTION)
    count, filled = len(data) // BLOCK_BYTES, 0
    for index in range(count):
        filled += _block(data[index * BLOCK_BYTES : (index + 1) * BLOCK_BYTES], index, count, name)
    return filled


def _block(block: bytes, index: int, count: int, name: str) -> int:
    """Return the payload bytes of one block, 0 for one that is not for flash."""
    first, second, flags, address, size, number, blocks, family = _HEAD.unpack_from(block)
    (end,) = struct.unpack_from("<I", block, BLOCK_BYTES - 4)
    if (first, second) != _MAGIC or end != _END_MAGIC:
        raise IntegrityError(f"{name} is no UF2 image: block {index} has no UF2 marks", _ACTION)
    if flags & _NOT_MAIN_FLASH:
        return 0
    if not flags & _HAS_FAMILY or family != RP2040_FAMILY:
        raise IntegrityError(
            f"{name} is for another chip: family {family:#010x}, the RP2040's {RP2040_FAMILY:#x}", _ACTION
        )
    if (number, blocks) != (index, count) or not _FLASH_FROM <= address <= _FLASH_TO - size:
        raise IntegrityError(f"{name} is damaged: block {index} says {number} of {blocks} at {address:#x}", _ACTION)
    return size
