"""The words that the merged firmware uses are names of the official image."""

import struct

from ionto_host.board.firmware_files import words


def test_every_word_is_in_the_image(image):
    """A word that MicroPython does not have would be searched for and kept like any name."""
    blocks = [image.read_bytes()[start : start + 512] for start in range(0, image.stat().st_size, 512)]
    flash = b"".join(block[32 : 32 + struct.unpack_from("<I", block, 16)[0]] for block in blocks)
    assert not [word for word in words() if word.encode() + b"\0" not in flash]
