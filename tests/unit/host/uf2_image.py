"""A UF2 image that is well formed and runs nowhere."""

from __future__ import annotations

import struct

from ionto_host import uf2


def image(blocks: int = 8, family: int = uf2.RP2040_FAMILY, flags: int = 0x2000) -> bytes:
    """Return a UF2 of so many blocks of 256 bytes for the RP2040's flash."""
    parts = []
    for number in range(blocks):
        head = (0x0A324655, 0x9E5D5157, flags, 0x1000_0000 + 256 * number, 256, number, blocks, family)
        parts.append(struct.pack("<8I", *head).ljust(508, b"\x5a") + struct.pack("<I", 0x0AB16F30))
    return b"".join(parts)
