"""Files that the board keeps on flash, each with a CRC-32. One is replaced as a whole or not at all."""

import binascii
import json
import os

TYPE_CHECKING = 0
if TYPE_CHECKING:
    from typing import Any

_NEW = ".new"


def read_checked(path: str) -> "Any":
    """Return what `write_checked` put into the file `path`, None when it is damaged. Raises OSError for no file."""
    with open(path, "rb") as stream:
        body, _, checksum = stream.read().partition(b"\n")
    if checksum != _checksum(body):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def write_checked(path: str, content: dict) -> None:
    """Write `content` to the file `path` with its CRC-32. Raises OSError when flash refuses."""
    body = json.dumps(content).encode()
    write_whole(path, body + b"\n" + _checksum(body))


def write_whole(path: str, data: bytes) -> None:
    """Put `data` into the file `path`, which has the old content or the new one at every moment. Raises OSError.

    littlefs makes an empty file when it opens a new one: a cut there leaves it under the second name, not `path`.
    """
    with open(path + _NEW, "wb") as stream:
        stream.write(data)
    os.rename(path + _NEW, path)


def _checksum(body: bytes) -> bytes:
    return b"%08x" % binascii.crc32(body)
