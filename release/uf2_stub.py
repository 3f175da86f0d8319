"""A UF2 for the RP2040 with nothing in it: what a virtual Pico, which brings its own MicroPython, is satisfied with."""

from __future__ import annotations

import struct

from ionto_host.uf2 import RP2040_FAMILY

_HEAD = struct.Struct("<8I")


def stub(blocks: int = 16) -> bytes:
    """Return `blocks` blocks of 256 bytes for the start of flash."""
    parts = []
    for number in range(blocks):
        head = (0x0A324655, 0x9E5D5157, 0x2000, 0x1000_0000 + 256 * number, 256, number, blocks, RP2040_FAMILY)
        parts.append(_HEAD.pack(*head).ljust(508, b"\0") + struct.pack("<I", 0x0AB16F30))
    return b"".join(parts)
