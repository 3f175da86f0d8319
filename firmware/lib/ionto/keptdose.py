"""The last accepted dose, kept on flash with the count of its starts, for sessions without a computer.

The file is JSON: the dose's canonical bytes, their SHA-256, the starts left, and a CRC-32 over the three. It is
written only with the output off, as a whole or not at all.
"""

import binascii
import json

from ionto.compat import const
from ionto.faults import Refusal
from ionto.files import write_whole

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from ionto.limits import Limits
    from ionto.plan import Dose

NOTHING = "nothing"
KEPT = "kept"
DAMAGED = "damaged"
REFUSED = "refused"


def _crc(digest: str, starts_left: int, raw: str) -> int:
    return binascii.crc32(("%s %d %s" % (digest, starts_left, raw)).encode())


def _checked(content: "Any", limits: "Limits") -> "Dose | None":
    """Return the dose in the file's `content`, None when it is damaged; `Refusal` when the limits refuse it."""
    from ionto.dose import parse

    raw, digest, left = content["dose"], content["digest"], content["starts_left"]
    if content["crc32"] != _crc(digest, left, raw):
        return None
    plan = parse(raw.encode(), limits)
    return plan if plan.digest() == digest and 0 <= left <= plan.starts else None


class KeptDose:
    """What `path` holds: `state` (one of the words above) and `starts_left` (0 without a dose).

    `dropped`: the file held a dose that is not used, because it is damaged or outside the limits.
    """

    def __init__(self, path: str):
        self._path = path
        self.starts_left = 0
        self._set_state(NOTHING)

    def _set_state(self, state: str) -> None:
        self.state = state
        self.dropped = state in (DAMAGED, REFUSED)

    def there(self) -> bool:
        """Return True when there is a file: then `restore` needs the part REST (ionto.shelf)."""
        try:
            open(self._path).close()
        except OSError:
            return False
        return True

    def restore(self, limits: "Limits") -> "Dose | None":
        """Return the dose on flash when it is intact and `limits` admit it; `state` says why there is none."""
        try:
            with open(self._path) as stream:
                content = json.loads(stream.read())
        except OSError:
            return None
        except ValueError:
            content = {}
        try:
            plan = _checked(content, limits)
        except Refusal:
            self._set_state(REFUSED)
            return None
        except (KeyError, TypeError, AttributeError):
            plan = None
        if plan is None:
            self._set_state(DAMAGED)
            return None
        self._set_state(KEPT)
        self.starts_left = content["starts_left"]
        return plan

    def keep(self, plan: "Dose") -> None:
        """Put `plan` on flash with all its starts. Raises OSError; the file is as before then."""
        self._write(plan, plan.starts)
        self._set_state(KEPT)

    def use_start(self, plan: "Dose") -> None:
        """Count a start of `plan` down on flash. Raises OSError, nothing counted."""
        self._write(plan, self.starts_left - 1)

    def _write(self, plan: "Dose", starts_left: int) -> None:
        raw, digest = plan.raw.decode(), plan.digest()
        content = {"crc32": _crc(digest, starts_left, raw), "digest": digest, "dose": raw, "starts_left": starts_left}
        write_whole(self._path, json.dumps(content).encode())
        self.starts_left = starts_left
