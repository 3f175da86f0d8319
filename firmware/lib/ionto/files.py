"""Files on flash that are trusted: what the board keeps, and the firmware's manifest, each with a CRC-32.

A kept file is replaced as a whole or not at all. The firmware's files are compared before every session, by SHA-256:
the CRC-32 of the modules, checked at boot (ionto_pack), keeps damaged ones from being imported; this finds what changed
since, and the files beside them.
"""

import binascii
import hashlib
import json
import os

from ionto.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

MANIFEST_PATH = "/lib/ionto/manifest.json"
_CHUNK_BYTES = const(2_048)
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


def check() -> "Generator[None, None, tuple[int, str]]":
    """Return (number of files that are right, path of the first that is not, or ""), in steps."""
    wanted = _wanted()
    yield
    for right, path in enumerate(sorted(wanted)):
        if (yield from _digest(path)) != wanted[path]:
            return right, path
    return len(wanted), "" if wanted else MANIFEST_PATH


def _wanted() -> dict:
    """Return {path: SHA-256 as hex digits} of the manifest; {} when it is not there, damaged, or of another shape."""
    try:
        manifest = read_checked(MANIFEST_PATH)
    except OSError:
        return {}
    wanted = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(wanted, dict):
        return {}
    sound = all(isinstance(path, str) and isinstance(digest, str) for path, digest in wanted.items())
    return wanted if sound else {}


def manifest_digest() -> "Generator[None, None, str]":
    """Return the SHA-256 of the manifest, which names one firmware to the byte; "" when it cannot be read. In steps."""
    return (yield from _digest(MANIFEST_PATH))


def _digest(path: str) -> "Generator[None, None, str]":
    """Return the SHA-256 of the file `path` as 64 hex digits, "" when it cannot be read; a step is a chunk."""
    digest = hashlib.sha256()
    view = memoryview(bytearray(_CHUNK_BYTES))
    try:
        with open(path, "rb") as stream:
            while True:
                count = stream.readinto(view)
                if not count:
                    return binascii.hexlify(digest.digest()).decode()
                digest.update(view[:count])
                yield
    except OSError:
        return ""
