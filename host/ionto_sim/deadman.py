"""The dead-man: a charge pump fed by heartbeat edges holds the gate of Q3; nothing else turns the output on.

Each rising edge carries C1 * (pump voltage - output) into C2. The output decays through R17: with C1 in
parallel while the pin is high and the diode conducts, without it while the pin is low. Times in us.
"""

import math

from .compat import make_room, micropython

_FINE = 64
_STEPS = 512  # of the table of holding times


class _Decay:
    """exp(-t / tau) as two tables, times 2**30, for t below 4096 us; and how long a voltage stays above the gate's."""

    def __init__(self, tau_us: float, gate_uv: int, step_uv: int) -> None:
        self.tau_us = tau_us
        self.fine = [round(math.exp(-index / tau_us) * (1 << 30)) for index in range(_FINE)]
        self.coarse = [round(math.exp(-index * _FINE / tau_us) * (1 << 30)) for index in range(_FINE)]
        self.hold_us = [round(tau_us * math.log(1.0 + index * step_uv / gate_uv)) for index in range(_STEPS + 2)]


class DeadMan:
    """`off_us` is the time at which Q3 opens unless another edge comes; 0 when it is open. Voltages in uV."""

    def __init__(self, values: dict) -> None:
        make_room(self, 30)
        c1, c2, kohm = values["pump_c1_nf"], values["pump_c2_nf"], values["pump_kohm"]
        self._share = round(c1 / (c1 + c2) * (1 << 20))
        self._pump_uv = round(values["pump_v"] * 1e6)
        self._gate_uv = round(values["gate_v"] * 1e6)
        self._step_uv = (self._pump_uv - self._gate_uv) // _STEPS + 1
        self._high = _Decay(kohm * (c1 + c2), self._gate_uv, self._step_uv)
        self._low = _Decay(kohm * c2, self._gate_uv, self._step_uv)
        self._short = _Decay(values["interlock_us"], self._gate_uv, self._step_uv)
        self.shorted = False
        self.level = 0
        self._volt = 0
        self._at_us = 0
        self._decay = self._low
        self.off_us = 0
        self.lag_us: tuple[int, int] = (
            0,
            0,
        )  # how much later Q3's load opens, the line low or high: what a fault does

    @micropython.native
    def edge(self, now_us: int, level: int) -> None:
        """The heartbeat line goes to `level` (0 or 1) at `now_us`; no change, no effect."""
        if level == self.level:
            return
        self.level = level
        dt = now_us - self._at_us
        if dt < 4096:
            decay = self._decay
            volt = self._volt * (decay.fine[dt & 63] * decay.coarse[dt >> 6] >> 30) >> 30
            self._at_us = now_us
        else:
            self._fall(now_us)
            volt = self._volt
        if level:
            if self._pump_uv > volt:
                volt += (self._pump_uv - volt) * self._share >> 20
            decay = self._high
        else:
            decay = self._low
        if self.shorted:
            decay = self._short
        self._decay = decay
        self._volt = volt
        above = volt - self._gate_uv
        if above > 0:
            step = self._step_uv
            index = above // step
            hold = decay.hold_us
            early = hold[index]
            self.off_us = (
                now_us + early + (hold[index + 1] - early) * (above - index * step) // step + self.lag_us[level]
            )
        else:
            self.off_us = 0

    def _fall(self, now_us: int) -> None:
        """Let the output decay until `now_us`."""
        dt = now_us - self._at_us
        self._at_us = now_us
        self._volt = int(self._volt * math.exp(max(-700.0, -dt / self._decay.tau_us)))

    def short(self, now_us: int, shorted: bool) -> None:
        """Short the pump's output, or let go of it (the VBUS interlock)."""
        if shorted == self.shorted:
            return
        self._fall(now_us)
        self.shorted = shorted
        self._decay = self._short if shorted else self._high if self.level else self._low
        above = self._volt > self._gate_uv
        self.off_us = now_us + int(self._decay.tau_us * math.log(self._volt / self._gate_uv)) if above else 0

    def dump(self) -> dict:
        """Return the state as a JSON object for `restore`."""
        return {
            "volt": self._volt,
            "at_us": self._at_us,
            "off_us": self.off_us,
            "level": self.level,
            "shorted": self.shorted,
        }

    def restore(self, state: dict) -> None:
        """Take over what `dump` returned."""
        self._volt = state["volt"]
        self._at_us = state["at_us"]
        self.off_us = state["off_us"]
        self.level = state["level"]
        self.shorted = state["shorted"]
        self._decay = self._short if self.shorted else self._high if self.level else self._low

    def discharge(self, now_us: int) -> None:
        """Empty the pump: the power is gone."""
        self._volt = self.off_us = self.level = 0
        self._at_us = now_us
