"""Put the compiled modules into the one file that the board mounts; the layout is `ionto_pack`'s."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Mapping

from ionto_pack import COUNT_FORMAT, ENTRY_FORMAT, HEADER_FORMAT, MAGIC


def pack(modules: Mapping[str, bytes]) -> bytes:
    """Return the pack of `modules` ({file name: content})."""
    names = {name: name.encode() for name in sorted(modules)}
    start = struct.calcsize(HEADER_FORMAT) + struct.calcsize(COUNT_FORMAT)
    start += sum(struct.calcsize(ENTRY_FORMAT) + len(name) for name in names.values())
    entries, content = struct.pack(COUNT_FORMAT, len(names)), b""
    for name, encoded in names.items():
        entries += struct.pack(ENTRY_FORMAT, len(encoded), start + len(content), len(modules[name])) + encoded
        content += modules[name]
    body = entries + content
    return struct.pack(HEADER_FORMAT, MAGIC, binascii.crc32(body)) + body
