"""What is done to a board: heartbeat, PWM, steps and ramps as SPICE sources, single faults as lines. SI units."""

from __future__ import annotations

from collections.abc import Iterable

EDGE_S = 1e-6
LOGIC_V = 3.3
BEAT_HZ = 250.0  # an edge every 2 ms
PWM_HZ = 125e6 / 4096


def pwl(points: Iterable[tuple[float, float]]) -> str:
    """Return a source that goes in straight lines through `points` (s, V)."""
    return "PWL(" + " ".join(f"{at:.9g} {volt:.6g}" for at, volt in points) + ")"


def step(at_s: float, before: float, after: float, rise_s: float = EDGE_S) -> str:
    """Return a source that goes from `before` to `after` at `at_s`."""
    return pwl([(0.0, before), (at_s, before), (at_s + rise_s, after)])


def pulses(edges: Iterable[tuple[float, float]], start: float = 0.0) -> str:
    """Return a source that begins at `start` and goes to each (s, V) of `edges` within 1 us."""
    points, level = [(0.0, start)], start
    for at, volt in edges:
        points += [(at, level), (at + EDGE_S, volt)]
        level = volt
    return pwl(points)


def heartbeat(beats: int, hz: float = BEAT_HZ, stuck_high: bool = False, start_s: float = EDGE_S) -> tuple[str, float]:
    """Return `beats` periods of the heartbeat pin and the time of its last edge, after which it stays low or high."""
    edges: list[tuple[float, float]] = []
    for beat in range(beats):
        edges += [(start_s + beat / hz, LOGIC_V), (start_s + (beat + 0.5) / hz, 0.0)]
    if stuck_high:
        edges.pop()
    return pulses(edges), edges[-1][0]


def pwm(duty: float, hz: float = PWM_HZ) -> str:
    """Return the PWM pin at `duty` (0 to 1)."""
    if duty in (0.0, 1.0):
        return f"DC {duty * LOGIC_V:g}"
    return f"PULSE(0 {LOGIC_V} 0 5n 5n {duty / hz - 5e-9:.9g} {1 / hz:.9g})"


def short(one: str, other: str, ohm: float = 0.05) -> str:
    """Return a short between two nets, as a single fault."""
    return f"Rshort {one} {other} {ohm:g}"


def load(ohm: float) -> str:
    """Return a resistor between the electrodes."""
    return f"Rload E_PLUS E_MINUS {ohm:.9g}"


def skin(series_ohm: float = 500.0, parallel_ohm: float = 4000.0, farad: float = 50e-9) -> tuple[str, str, str]:
    """Return the virtual Pico's skin: a series resistance, and a resistance beside a capacitor."""
    return (
        f"Rskin E_PLUS SKIN {series_ohm:g}",
        f"Rdeep SKIN E_MINUS {parallel_ohm:g}",
        f"Cdeep SKIN E_MINUS {farad:g}",
    )
