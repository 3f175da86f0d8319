"""The firmware's files, compared with their manifest before every session, by SHA-256.

The CRC-32 of the modules, checked as they are loaded (ionto_pack), keeps damaged ones from being imported; this finds
what changed since, and the files beside them.
"""

import binascii
import hashlib

from ionto.compat import const
from ionto.files import read_checked

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Generator

MANIFEST_PATH = "/lib/ionto/manifest.json"
_CHUNK_BYTES = const(2_048)


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
