"""The public path of `ionto_host.board.calibrating` (docs/api.md)."""

from ionto_host.board.calibrating import Calibrated, Point, Trim, calibrate

__all__ = ["Calibrated", "Point", "Trim", "calibrate"]
