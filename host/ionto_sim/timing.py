"""An instrument on the loop timing pin: how often a control step runs, and how long. Times in us.

Runs on both Pythons, beside the circuit.
"""


class PinTiming:
    """Counts the pulses of one pin while it listens; `read` tells."""

    def __init__(self) -> None:
        self.periods = 0
        self._rise_us = -1
        self._first_us = -1
        self._longest_us = 0
        self._shortest_us = 1 << 30
        self._widths = 0
        self._width_us = 0
        self._widest_us = 0

    def edge(self, now_us: int, high: bool) -> None:
        """Take an edge at `now_us`."""
        if not high:
            if self._rise_us >= 0:
                width = now_us - self._rise_us
                self._widths += 1
                self._width_us += width
                self._widest_us = max(self._widest_us, width)
            return
        if self._rise_us >= 0:
            period = now_us - self._rise_us
            self.periods += 1
            self._longest_us = max(self._longest_us, period)
            self._shortest_us = min(self._shortest_us, period)
        else:
            self._first_us = now_us
        self._rise_us = now_us

    def read(self) -> dict:
        """Return the number of periods, their mean and extremes, and mean and greatest width; ValueError for none."""
        if not self.periods or not self._widths:
            raise ValueError("no pulses on the loop timing pin")
        return {
            "periods": self.periods,
            "period_mean_us": (self._rise_us - self._first_us) / self.periods,
            "period_min_us": self._shortest_us,
            "period_max_us": self._longest_us,
            "width_mean_us": self._width_us / self._widths,
            "width_max_us": self._widest_us,
        }
