"""An instrument that does not share anything with the firmware: it integrates the true current in the load.

It counts in nA, us and their product fC; positive is the polarity with the relay at rest.
"""

FLOWING_NA = 10_000
_MAX_MARKS = 64


class Meter:
    """`feed` it every stretch of current; `read` and `read_mark` tell."""

    def __init__(self) -> None:
        self.now_us = 0
        self.now_na = 0
        self.signed_fc = 0
        self.absolute_fc = 0
        self.peak_na = 0
        self.on_us = 0
        self.last_on_us = -1
        self.hot_switches = 0
        self.spike_na = 0  # at any instant; the peak is of what lasts
        self._window_na = 0
        self._marks = []  # [name, t_us, signed_fc, absolute_fc, peak_na until the next mark, on_us]

    def feed(self, start_us: int, end_us: int, charge_fc: int, peak_na: int, end_na: int, sign: int) -> None:
        """Count a stretch: `charge_fc` (nA*us, not negative), `peak_na`, the current at its end, the polarity.

        A stretch is all above `FLOWING_NA` or all below, but for its ends.
        """
        self.now_us = end_us
        self.now_na = end_na * sign
        self.signed_fc += charge_fc * sign
        self.absolute_fc += charge_fc
        if peak_na > self._window_na:
            self._window_na = peak_na
        if peak_na > FLOWING_NA:
            self.on_us += end_us - start_us
            self.last_on_us = end_us

    def spike(self, current_na: int) -> None:
        """Take note of a current that flows for microseconds, and carries no charge worth counting."""
        if current_na > self.spike_na:
            self.spike_na = current_na

    def mark(self, name: str) -> None:
        """Remember now as `name`; a name used again moves."""
        self._close_window()
        self._marks = [mark for mark in self._marks if mark[0] != name][-_MAX_MARKS:]
        self._marks.append([name, self.now_us, self.signed_fc, self.absolute_fc, 0, self.on_us])

    def _close_window(self) -> None:
        peak = self._window_na
        self._window_na = abs(self.now_na)
        if peak > self.peak_na:
            self.peak_na = peak
        for mark in self._marks:
            if peak > mark[4]:
                mark[4] = peak

    def read(self) -> dict:
        """Return everything since the meter was made; current in uA, charge in uC, time in us."""
        self._close_window()
        return {
            "t_us": self.now_us,
            "now_ua": self.now_na / 1e3,
            "charge_uc": self.absolute_fc / 1e9,
            "signed_uc": self.signed_fc / 1e9,
            "peak_ua": self.peak_na / 1e3,
            "on_us": self.on_us,
            "last_on_us": self.last_on_us,
            "hot_switches": self.hot_switches,
            "spike_ua": max(self.spike_na, self.peak_na) / 1e3,
        }

    def read_mark(self, name: str) -> dict:
        """Return what happened since the mark `name`; KeyError when there is none.

        `t_below_us` is the time from the mark until the current went below 10 uA to stay (0: it was not flowing),
        None while it flows; `on_us` the time for which more than that flowed.
        """
        self._close_window()
        for mark in self._marks:
            if mark[0] == name:
                break
        else:
            raise KeyError(name)
        below = None
        if abs(self.now_na) <= FLOWING_NA:
            below = max(0, self.last_on_us - mark[1])
        return {
            "name": name,
            "t_us": mark[1],
            "elapsed_us": self.now_us - mark[1],
            "charge_uc": (self.absolute_fc - mark[3]) / 1e9,
            "signed_uc": (self.signed_fc - mark[2]) / 1e9,
            "peak_ua": mark[4] / 1e3,
            "now_ua": self.now_na / 1e3,
            "on_us": self.on_us - mark[5],
            "t_below_us": below,
        }

    _PLAIN = (
        "now_us",
        "now_na",
        "signed_fc",
        "absolute_fc",
        "peak_na",
        "on_us",
        "last_on_us",
        "hot_switches",
        "spike_na",
        "_marks",
    )

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        self._close_window()
        return {name: getattr(self, name) for name in self._PLAIN}

    def restore(self, state: dict) -> None:
        """Take over what `dump` returned."""
        for name in self._PLAIN:
            setattr(self, name, state.get(name, 0))
        self._window_na = abs(self.now_na)
