"""Are the firmware's files what `ionto flash` wrote? Each one's SHA-256 against the manifest, before every session.

Each module's CRC-32, checked at boot (ionto_pack), keeps a damaged module from being imported; this finds what changed
since, and the files outside the pack.
"""

import binascii
import hashlib
import json

from ionto.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST_PATH = "/lib/ionto/manifest.json"
_CHUNK_BYTES = const(2_048)


def check(feed: "Callable[[], None]") -> tuple:
    """Return (number of files that are right, path of the first that is not, or ""). `feed` is called in between."""
    try:
        with open(MANIFEST_PATH, "rb") as stream:
            wanted = json.loads(stream.read())["files"]
    except (OSError, ValueError, KeyError):
        return 0, MANIFEST_PATH
    for right, path in enumerate(sorted(wanted)):
        if _digest(path, feed) != wanted[path]:
            return right, path
    return len(wanted), "" if wanted else MANIFEST_PATH


def manifest_digest(feed: "Callable[[], None]") -> str:
    """Return the SHA-256 of the manifest, which names one firmware to the byte; "" when it cannot be read."""
    return _digest(MANIFEST_PATH, feed)


def _digest(path: str, feed: "Callable[[], None]") -> str:
    """Return the SHA-256 of the file `path` as 64 hex digits, "" when it cannot be read."""
    digest = hashlib.sha256()
    view = memoryview(bytearray(_CHUNK_BYTES))
    try:
        with open(path, "rb") as stream:
            while True:
                count = stream.readinto(view)
                if not count:
                    return binascii.hexlify(digest.digest()).decode()
                digest.update(view[:count])
                feed()
    except OSError:
        return ""
