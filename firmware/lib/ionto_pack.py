"""The firmware's modules as files that are checked before they are imported; and where MicroPython looks for modules.

`ionto flash` merges the modules into one, and some of them into parts of their own (`ionto_host.board.merging`). The
CRC-32 of each file stands behind it, where the import does not look.
"""

import binascii
import sys

PACK_PATH = "/lib/ionto/__init__.mpy"
SOUND = 0x2144DF1C  # CRC-32 of any data with its own CRC-32, little-endian, behind it
USUAL_PATH = ["", ".frozen", "/lib"]  # MicroPython's sys.path
NARROW_PATH = [".frozen"]
PART_PATH = [""]  # where a part is found (ionto.shelf), while it is imported only
_CHUNK_BYTES = 4096


def check() -> None:
    """Raise ValueError when the file is damaged. Without one the package lies open in /lib/ionto: nothing is done."""
    view = memoryview(bytearray(_CHUNK_BYTES))
    found = 0
    try:
        with open(PACK_PATH, "rb") as stream:
            while True:
                count = stream.readinto(view)
                if not count:
                    break
                found = binascii.crc32(view[:count], found)
    except OSError:
        return
    if found != SOUND:
        raise ValueError(PACK_PATH + " is damaged: flash the board again")


def narrow() -> None:
    """Look for modules in MicroPython only, once the package, or a part of it, is found.

    Every import of a built-in module, a repeated one too, first looks for a file of its name: nine times on flash.
    """
    if sys.path in (USUAL_PATH, PART_PATH):
        sys.path[:] = NARROW_PATH


def widen() -> None:
    """Look for modules everywhere again, for who works at the REPL."""
    if sys.path == NARROW_PATH:
        sys.path[:] = USUAL_PATH
