"""What is measured of one row, a millisecond at a time, and the figures that come of it. Times in ms, currents in uA.

The load's current is an integral of SPICE's own, over each millisecond: no sampling, no sensor of the circuit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

OFF_UA = 10.0
PROBE_UA = 60.0  # a self-test tries to pass up to this much with its output off, on purpose
SHARE, LEAST_UA = 0.05, 50.0  # delivered against what is asked or told: 5 % or 50 uA, whichever is more


@dataclass(frozen=True)
class Point:
    """One millisecond: mean current through the load from E+ to E-, what the log is told, and what is asked.

    `pole` is +1 or -1, the one that the session asks for; `live` False once firmware does not run any more. `cell_ua`
    flows into the cell, which nothing may charge; `gate_mv` is at the gate of the high side, either way.
    """

    load_ua: float
    told_ua: float
    asked_ua: float
    pole: int
    output_on: bool
    live: bool = True
    cell_ua: float = 0.0
    gate_mv: float = 0.0


@dataclass
class Figures:
    """What one row shows, from the moment of the fault (or of the freeze) on. None: did not happen."""

    peak_ua: float = 0.0  # greatest mean of a millisecond, either way
    end_ua: float = 0.0  # mean of the last milliseconds
    told_end_ua: float = 0.0
    asked_end_ua: float = 0.0
    dark_ms: float | None = (
        0.0  # longest from a cut (or the freeze) to the last ms above 10 uA; None: still on at the end
    )
    cut_ms: float | None = None  # from the fault to the first cycle that took the output off
    over_ms: float = 0.0  # how long more flowed than asked, by more than SHARE or LEAST_UA
    apart_ms: float = 0.0  # the longest time the log was told something else than what flowed
    wrong_pole_ms: float = 0.0  # until what turned the pole was told, and the current ended
    let_go_ms: float = 0.0  # the same after a second fault: a relay that lets go of an output that is not off yet
    off_ua: float = 0.0  # greatest current while the output was to be off, after the dead-man's time
    excess_uc: float = 0.0  # charge beyond what was asked
    cell_ua: float = 0.0  # greatest current into the cell
    gate_mv: float = 0.0  # greatest voltage at the gate of the high side
    watched_ms: int = 0


@dataclass
class Trace:
    """The milliseconds of a row, from its fault on; `second`: from the second one, the first having been unnoticed."""

    points: list[Point] = field(default_factory=list)
    second: bool = False

    def add(self, point: Point) -> None:
        """Take one millisecond."""
        self.points.append(point)

    def is_dark(self, ms: int) -> bool:
        """Return True when the last `ms` milliseconds were below 10 uA."""
        return len(self.points) >= ms and all(abs(point.load_ua) < OFF_UA for point in self.points[-ms:])

    def off_ms(self) -> int:
        """Return for how many milliseconds the output is to be off now."""
        on = next((at for at, point in enumerate(reversed(self.points)) if point.output_on and point.live), None)
        return len(self.points) if on is None else on

    def figures(self, settle_ms: int, dead_man_ms: int, off_ua: float = OFF_UA) -> Figures:
        """Return the figures. `settle_ms`: the filter's lag; `dead_man_ms`: when off has to be under `off_ua`."""
        found = Figures(watched_ms=len(self.points))
        if not self.points:
            return found
        self._current(found, off_ua)
        self._cut(found, dead_man_ms, off_ua)
        self._against_asked(found, settle_ms)
        self._against_told(found)
        return found

    def _current(self, found: Figures, off_ua: float) -> None:
        points = self.points
        last = points[-5:]
        found.peak_ua = max(abs(point.load_ua) for point in points)
        found.end_ua = sum(point.load_ua for point in last) / len(last)
        found.told_end_ua, found.asked_end_ua = last[-1].told_ua, last[-1].asked_ua
        found.cell_ua = max(0.0, max(point.cell_ua for point in points))
        found.gate_mv = max(point.gate_mv for point in points)
        turned_ms = sum(point.load_ua * point.pole < -off_ua for point in points)
        if self.second:
            found.let_go_ms = turned_ms
        else:
            found.wrong_pole_ms = turned_ms

    def _cut(self, found: Figures, dead_man_ms: int, off_ua: float) -> None:
        """Note the worst of all the stretches in which the output is to be off; a self-test has several."""
        start = None
        for at, point in enumerate(self.points):
            if point.output_on and point.live:
                start = None
                continue
            if start is None:
                start = at
                if at or not point.live:
                    found.cut_ms = float(at) if found.cut_ms is None else found.cut_ms
            if abs(point.load_ua) > off_ua and found.dark_ms is not None:
                found.dark_ms = max(found.dark_ms, float(at + 1 - start))
            if at - start >= dead_man_ms and abs(point.load_ua) > off_ua:
                found.off_ua = max(found.off_ua, abs(point.load_ua))
        if start is not None and abs(self.points[-1].load_ua) > off_ua:
            found.dark_ms = None

    def _against_asked(self, found: Figures, settle_ms: int) -> None:
        for at, point in enumerate(self.points):
            lag = self.points[max(0, at - settle_ms) : at + 1]
            asked = max(other.asked_ua for other in lag)
            over = abs(point.load_ua) - asked
            found.over_ms += over > _allowance(asked)
            found.excess_uc += max(0.0, over) / 1_000

    def _against_told(self, found: Figures) -> None:
        run = longest = 0
        for at, point in enumerate(self.points):
            lag = self.points[max(0, at - 2) : at + 1]
            low, high = min(abs(o.load_ua) for o in lag), max(abs(o.load_ua) for o in lag)
            told = max(0.0, point.told_ua)
            apart = max(told - high, low - told) > _allowance(max(told, high))
            run = run + 1 if apart and point.live and point.output_on else 0
            longest = max(longest, run)
        found.apart_ms = float(longest)


def _allowance(ua: float) -> float:
    return max(LEAST_UA, SHARE * ua)
