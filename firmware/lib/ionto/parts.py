"""The parts of one device, made and connected. Nothing here acts; who is handed them keeps what it may touch."""

from ionto import protocol
from ionto.calibration import Calibration
from ionto.compat import const
from ionto.controller import Controller
from ionto.guards import Guards
from ionto.hand import Hand
from ionto.keptdose import KeptDose
from ionto.pins import PWM_TOP
from ionto.quiet import Quiet
from ionto.reading import Reading
from ionto.selftest import SelfTest
from ionto.session import Session
from ionto.sessionlog import SessionLog
from ionto.shelf import Shelf

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from ionto.bootmode import Boot
    from ionto.hal_rp2 import Hal
    from ionto.limits import Limits
    from ionto.settings import Settings

_LOG_FOLDER = "/logs"
_DOSE_FILE = "/dose.json"


class Parts:
    """`hal` is the board (ionto.hal_rp2.Hal), `board` the functions beside it, `boot` what this boot is.

    `limits` are compiled, `settings` what lies inside them.
    """

    def __init__(
        self,
        hal: "Hal",
        board: "Any",
        boot: "Boot",
        limits: "Limits",
        settings: "Settings",
    ):
        self.hal = hal
        self.board = board
        self.boot = boot
        self.limits = limits
        self.settings = settings
        self.calibration = Calibration()
        self.calibrate()
        self.hand = Hand()
        self.quiet = Quiet()
        self.reading = Reading()
        self.reading.start_pressed = True  # until it is seen released: a stuck button starts nothing
        self.guards = Guards(limits)
        self.selftest = SelfTest(limits)
        self.log = SessionLog(_LOG_FOLDER)
        self.kept = KeptDose(_DOSE_FILE)
        self.session = Session(limits, self.selftest, self.guards, self.note)
        self.shelf = Shelf(self.session, self.quiet)
        self.controller = Controller(limits.full_scale_ua, PWM_TOP)
        self.clock_set = board.unix_time_s() > protocol.CLOCK_FROM_S

    def note(self, event: int, code: int, a: int, b: int) -> None:
        """Put an event (ionto.sessionlog_format) into the session's log, at the session's time."""
        self.log.event(self.session.t_ms, event, code, a, b)

    def calibrate(self) -> None:
        """Let the board measure with the calibration that holds; a session begins with a zero of its own."""
        self.hal.scale.zero_16ths = self.calibration.zero_ua << 4
        self.hal.scale.gain_q15 = self.calibration.gain_q15
