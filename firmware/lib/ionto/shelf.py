"""The shelf: parts of the firmware that no session with current needs, each in a file of its own.

Their code is on the heap only from `take` to `put_back`. A part is a few modules of these sources; which ones says
`ionto_host.board.merging`. Who needs something of one takes it, and imports what it needs in the function that does.
Where the sources lie open, as in tests, the import alone finds it.
"""

import binascii
import sys

import ionto
import ionto_pack
from ionto import faults
from ionto.compat import const
from ionto.faults import Refusal

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ionto.quiet import Quiet
    from ionto.session import Session

PROOF = "ionto_proof"  # what a start needs: the comparison of the files, and the self-test
REST = "ionto_rest"  # what requests between sessions need
PARTS = (PROOF, REST)


class Shelf:
    """Takes parts for a device with `session` and `quiet`, and puts them back."""

    def __init__(self, session: "Session", quiet: "Quiet"):
        self._session = session
        self._quiet = quiet

    def take(self, part: str) -> None:
        """Have `part` on the heap: as a flash operation, never in a session, nor while a current remains.

        Raises `Refusal`, FILES_DAMAGED with the path of a file that is damaged or missing.
        """
        if self._session.running:
            raise Refusal(faults.WRONG_STATE)
        if self._quiet.current_remains():
            raise Refusal(faults.CURRENT_REMAINS)
        fetch(part)

    def put_back(self) -> None:
        """Leave the parts to the next collection. Nobody has anything of them any more."""
        for part in PARTS:
            sys.modules.pop(part, None)


def fetch(part: str) -> None:
    """Have `part` on the heap, before the loop runs. Raises `Refusal` as `Shelf.take`."""
    if part in sys.modules or not str(ionto.__file__).endswith(".mpy"):
        return
    try:
        load(part)
    except (ValueError, OSError):
        raise Refusal(faults.FILES_DAMAGED, "file", path_of(part))


def path_of(part: str) -> str:
    """Return the path of the file of `part`: not deep, because an import looks for it four times."""
    return "/%s.mpy" % part


def load(part: str) -> None:
    """Import `part`. Raises ValueError when its file, with its CRC-32 behind it, is damaged; OSError without one."""
    with open(path_of(part), "rb") as stream:
        if binascii.crc32(stream.read()) != ionto_pack.SOUND:
            raise ValueError
    sys.path[:] = ionto_pack.PART_PATH
    try:
        __import__(part)  # whose first line narrows the path
    finally:
        ionto_pack.narrow()
