"""What the board tells of itself: who it is and what it may do."""

import sys

from ionto.compat import const
from ionto.version import FIRMWARE_VERSION, LOG_FORMAT_VERSION, PROTOCOL_VERSION

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ionto.parts import Parts


def identity(parts: "Parts") -> dict:
    """Return what HELLO tells, and what an arm record begins with: who the board is and what it may do."""
    return {
        "protocol": PROTOCOL_VERSION,
        "firmware": FIRMWARE_VERSION,
        "log_format": LOG_FORMAT_VERSION,
        "board_id": parts.board.board_id(),
        "variant": parts.limits.variant,
        "micropython": "%d.%d.%d" % tuple(sys.implementation.version[:3]),
        "mpy": sys.implementation._mpy,
        "reset_cause": parts.boot.cause,
        "unplanned_resets": parts.boot.unplanned,
        "clock_set": parts.clock_set,
        "store": parts.log.book.store,
        "logs": parts.log.book.state,
        "bench_strap": parts.reading.bench_strap,
        "cut_short": parts.log.book.cut_short,
        "kept_dose": parts.kept.state,
        "starts_left": parts.kept.starts_left,
        "limits": parts.limits.public(),
        "settings": parts.settings.public(),
        "calibration": parts.calibration.public(),
    }
