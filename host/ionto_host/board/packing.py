"""Put the compiled modules into the one file that the board mounts; the layout is `ionto_pack`'s."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Mapping

from ionto_pack import ENTRY_FORMAT, HEADER_FORMAT, MAGIC


def pack(modules: Mapping[str, bytes]) -> bytes:
    """Return the pack of `modules` ({file name: content})."""
    names = {name: name.encode() for name in sorted(modules)}
    length = sum(struct.calcsize(ENTRY_FORMAT) + len(name) for name in names.values())
    table, content = b"", b""
    start = struct.calcsize(HEADER_FORMAT) + length
    for name, encoded in names.items():
        data = modules[name]
        table += (
            struct.pack(ENTRY_FORMAT, len(encoded), start + len(content), len(data), binascii.crc32(data)) + encoded
        )
        content += data
    return struct.pack(HEADER_FORMAT, MAGIC, length, binascii.crc32(table)) + table + content
