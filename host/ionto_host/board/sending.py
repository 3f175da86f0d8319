"""Files on their way to a board: compressed piece by piece, in bytes that pass through a MicroPython prompt.

`mpremote` sends a file as the text of byte strings, which the board compiles: four characters for most bytes. Here a
small program on the board reads the pieces as they are. What a terminal or the prompt would act on (Ctrl-C, Ctrl-Z,
flow control) never stands among them, so that Ctrl-C always ends it. Whether a file has arrived its SHA-256 tells.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_BYTES = 4096  # of the file: one block of the flash
ACKNOWLEDGED = b"+"
END = b"0000"
_WINDOW_BITS = 12
_MARK = 0x1B
_ACTED_ON = (0x01, 0x02, 0x03, 0x04, 0x11, 0x13, 0x1A, 0x1C, _MARK)  # the mark last: it is what is put back last
_CHANGE = 0x40

RECEIVER = f"""
import deflate, io, sys
def _receive(path):
    read = sys.stdin.buffer.read
    with open(path, "wb") as file:
        while True:
            size = int(read(4), 16)
            if not size:
                return
            data = read(size)
            for code in {_ACTED_ON}:
                data = data.replace(bytes(({_MARK}, code ^ {_CHANGE})), bytes((code,)))
            file.write(deflate.DeflateIO(io.BytesIO(data), deflate.RAW, {_WINDOW_BITS}).read())
            sys.stdout.write("{ACKNOWLEDGED.decode()}")
"""


def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (bytes of the file, what to send) for each piece of `data`: four hex digits of length, then the content."""
    for start in range(0, len(data), PIECE_BYTES):
        piece = data[start : start + PIECE_BYTES]
        packer = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW_BITS)
        content = _harmless(packer.compress(piece) + packer.flush())
        yield len(piece), b"%04x" % len(content) + content


def _harmless(data: bytes) -> bytes:
    for code in reversed(_ACTED_ON):
        data = data.replace(bytes((code,)), bytes((_MARK, code ^ _CHANGE)))
    return data
