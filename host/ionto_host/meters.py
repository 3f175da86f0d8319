"""The public path of `ionto_host.board.meters` (docs/api.md)."""

from ionto_host.board.meters import Accuracy, Meter, Sample, SimulatorMeter, TypedMeter

__all__ = ["Accuracy", "Meter", "Sample", "SimulatorMeter", "TypedMeter"]
