"""The set-point filter: 15k / 100n, then 15k / (100n parallel 20k), gain 0.4, exactly as its two exponentials.

The output is `target + a + b`, where `a` and `b` decay with the two time constants.
"""

import math

from .compat import make_room, micropython

_RATE = 1.0 / (15e3 * 100e-9)  # 1/s
_LEAK = 1.0 / (20e3 * 100e-9)
_TRACE = 3.0 * _RATE + _LEAK
_DETERMINANT = 2.0 * _RATE * (_RATE + _LEAK) - _RATE * _RATE
_ROOT = math.sqrt(_TRACE * _TRACE - 4.0 * _DETERMINANT)
SLOW_PER_US = (_TRACE - _ROOT) / 2e6
FAST_PER_US = (_TRACE + _ROOT) / 2e6
GAIN = 0.4
SLOW_SHARE = round(FAST_PER_US / (FAST_PER_US - SLOW_PER_US) * (1 << 20))
FAST_SHARE = SLOW_SHARE - (1 << 20)
_SLOW_AREA = round(65536 / SLOW_PER_US)
_FAST_AREA = round(65536 / FAST_PER_US)


def _table(rate_per_us: float, step_us: int) -> list:
    """Return the decay factors of 0 to 63 steps, times 2**30."""
    return [round(math.exp(-rate_per_us * step_us * index) * (1 << 30)) for index in range(64)]


class Filter:
    """All in nV and us, integers: `target`, the two decaying parts `a` and `b`, and `settled` when both are gone."""

    def __init__(self) -> None:
        make_room(self, 30)
        self.target = 0
        self.a = 0
        self.b = 0
        self.settled = True
        self.at_us = 0
        self.slow_share = SLOW_SHARE
        self.fast_share = FAST_SHARE
        self._slow_area = _SLOW_AREA
        self._fast_area = _FAST_AREA
        self._slow_fine = _table(SLOW_PER_US, 1)
        self._slow_coarse = _table(SLOW_PER_US, 64)
        self._fast_fine = _table(FAST_PER_US, 1)
        self._fast_coarse = _table(FAST_PER_US, 64)

    @micropython.native
    def advance(self, now_us: int) -> int:
        """Go on to `now_us`; return the integral of the output since the last call, in nV*us."""
        dt = now_us - self.at_us
        self.at_us = now_us
        target = self.target
        if self.settled:
            return target * dt
        if dt > 4095:
            return self._leap(dt)
        fine = dt & 63
        coarse = dt >> 6
        a = self.a
        b = self.b
        a1 = a * (self._slow_fine[fine] * self._slow_coarse[coarse] >> 30) >> 30
        b1 = b * (self._fast_fine[fine] * self._fast_coarse[coarse] >> 30) >> 30
        area = target * dt + ((a - a1) * self._slow_area + (b - b1) * self._fast_area >> 16)
        if -200 < a1 < 200 and -200 < b1 < 200:
            a1 = b1 = 0
            self.settled = True
        self.a = a1
        self.b = b1
        return area

    def _leap(self, dt: int) -> int:
        """As `advance`, for a long time."""
        area = 0
        at = self.at_us
        self.at_us = at - dt
        while self.at_us < at and not self.settled:
            area += self.advance(min(at, self.at_us + 4095))
        area += self.target * (at - self.at_us)
        self.at_us = at
        return area

    @micropython.native
    def steer(self, target: int) -> None:
        """Change the target now; output and slope stay continuous."""
        step = self.target - target
        if step:
            self.target = target
            self.a += step * self.slow_share >> 20
            self.b -= step * self.fast_share >> 20
            self.settled = False

    def value(self) -> int:
        """Return the output at the last `advance`, in nV."""
        return self.target + self.a + self.b

    def dump(self) -> list:
        """Return the state for `restore`."""
        return [self.target, self.a, self.b, self.at_us]

    def restore(self, state: list) -> None:
        """Take over what `dump` returned."""
        self.target, self.a, self.b, self.at_us = state
        self.settled = self.a == 0 and self.b == 0
