"""The virtual Pico behaves as the drawing does: its model of the circuit against SPICE, within 2 %."""

import math

import numpy as np
import pytest

from hardware.spice import measure
from hardware.spice.board import Board, board
from hardware.spice.checks import ceiling, compliance, dead_man, interlock, relay, start
from hardware.spice.checks.common import FULL_MA, current_ma, duty_sweep, loaded
from hardware.spice.checks.faults import load_ma
from hardware.spice.checks.setpoint import step_response
from ionto_sim import parameters
from ionto_sim.circuit import FULL_DUTY, Circuit
from ionto_sim.deadman import DeadMan
from ionto_sim.setpoint import Filter
from ionto_sim.spice import netlist

SAME = 0.02
MS = 1000
BEAT_US = 2 * MS
BOTH = pytest.mark.parametrize("variant", ["A", "B"])


def drawn(variant: str = "A") -> Board:
    return board(netlist.read(), variant)


def values(variant: str = "A") -> dict:
    return parameters.board(variant, **parameters.IDEAL)


def virtual_ua(variant: str, ohm: float, duty: float, fault: str = "") -> float:
    """Return the virtual Pico's current after 100 ms of heartbeat, in uA."""
    circuit = Circuit(values(variant), ohm)
    circuit.set_bench_strap(0, True)
    circuit.set_boost(0, True)
    if fault:
        circuit.set_fault(0, fault, True)
    circuit.set_duty(0, round(duty * FULL_DUTY))
    for edge in range(50):
        circuit.heartbeat(edge * BEAT_US, 1 - edge % 2)
    circuit.settle_at(50 * BEAT_US)
    return circuit.current_ua()


def test_the_relay_is_held_as_long_as_the_drawing_holds_it() -> None:
    held_us = values()["relay_hold_us"]
    for found in (relay.least_hold(drawn()), relay.longest_hold(drawn())):
        assert held_us / MS == pytest.approx(found["nominal"], rel=SAME)


@BOTH
def test_transfer(variant: str) -> None:
    waves = duty_sweep(loaded(drawn(variant)), 0.1, 1.0, 0.1)
    for duty, simulated_ua in zip(waves.x, measure.shunt_ua(waves), strict=True):
        assert virtual_ua(variant, 100, float(duty)) == pytest.approx(simulated_ua, rel=SAME)


def test_step_of_the_set_point() -> None:
    waves = step_response(drawn())
    path, final_nv = Filter(), 800_000_000
    path.steer(final_nv)
    simulated = np.interp([1e-3 + at * 1e-3 for at in (1, 2, 4, 6, 8, 12)], waves.x, waves.volt("SETPOINT"))
    for at_ms, volt in zip((1, 2, 4, 6, 8, 12), simulated, strict=True):
        path.advance(at_ms * MS)
        assert path.value() / 1e9 == pytest.approx(volt, rel=SAME, abs=SAME * 0.8 / 10)


def virtual_decay(stuck_high: bool) -> tuple[DeadMan, int]:
    """Return the virtual dead-man after the heartbeat of `dead_man.decay`, and the time of its last edge in us."""
    pump, last = DeadMan(values()), 0
    for edge in range(60 - stuck_high):
        last = edge * BEAT_US
        pump.edge(last, 1 - edge % 2)
    return pump, last


@pytest.mark.parametrize("stuck_high", [False, True])
def test_decay_of_the_dead_man(stuck_high: bool) -> None:
    pump, last_us = virtual_decay(stuck_high)
    waves, last_s = dead_man.decay(drawn(), stuck_high)
    off_s = measure.last_above_s(waves.x, measure.shunt_ua(waves), measure.OFF_UA) - last_s
    assert (pump.off_us - last_us) / 1e6 == pytest.approx(off_s, rel=SAME)
    at_s = last_s + np.array([1e-3, off_s])
    first_v, final_v = np.interp(at_s, waves.x, waves.volt("PUMP"))
    tau_s = (off_s - 1e-3) / math.log(first_v / final_v)
    assert pump._decay.tau_us / 1e6 == pytest.approx(tau_s, rel=SAME)
    assert pump._volt / 1e6 == pytest.approx(np.interp(last_s + 5e-5, waves.x, waves.volt("PUMP")), rel=SAME)


def test_edge_that_turns_the_output_on() -> None:
    circuit = Circuit(values(), 2000)
    circuit.set_bench_strap(0, True)
    circuit.set_boost(0, True)
    rising = 0
    while not circuit.on:
        circuit.heartbeat(2 * rising * BEAT_US, 1)
        circuit.heartbeat((2 * rising + 1) * BEAT_US, 0)
        rising += 1
    assert rising == start.edges_until_on(drawn())


@pytest.mark.parametrize(("variant", "current_ma"), [("A", 1), ("A", 2), ("A", 4), ("B", 10), ("B", 20)])
def test_compliance(variant: str, current_ma: float) -> None:
    simulated_ohm = compliance.largest_kohm(drawn(variant), current_ma, 28.0 if variant == "A" else 2.8) * 1e3
    duty = current_ma / FULL_MA[variant]
    for side in (-1, 1):
        held = virtual_ua(variant, simulated_ohm * (1 + side * SAME), duty) > 990 * current_ma
        assert held == (side < 0)


@BOTH
def test_ceiling(variant: str) -> None:
    assert virtual_ua(variant, 1, 0.0, "sink_stuck_high") / 1e3 == pytest.approx(
        max(ceiling.room(drawn(variant)).values()), rel=SAME
    )


@pytest.mark.parametrize(
    ("fault", "name", "duty"),
    [
        ("shunt_short", "shunt short", 0.5),
        ("reference_open", "reference open", 0.5),
        ("reference_open", "reference open", 1.0),
        ("sense_short", "Rs short", 0.9),
    ],
)
def test_single_faults(fault: str, name: str, duty: float) -> None:
    assert virtual_ua("A", 1000, duty, fault) / 1e3 == pytest.approx(load_ma(drawn(), name, duty=duty), rel=SAME)


def test_interlock() -> None:
    pump, _ = virtual_decay(stuck_high=True)
    at_us = 59 * BEAT_US
    pump.short(at_us, True)
    assert (pump.off_us - at_us) / 1e3 == pytest.approx(interlock.off(drawn())["27 C"], rel=0.1)


@BOTH
def test_rail_runs_down_as_its_parts_say(variant: str) -> None:
    part = drawn(variant).ohm_or_farad
    farad = part("C9") + part("C10")
    ohm = 1 / (1 / (part("R24") + part("R25")) + 1 / (part("R30") + part("R31")))
    known = values(variant)
    assert known["rail_uf"] * 1e-6 == pytest.approx(farad, rel=SAME)
    assert known["rail_bleed_kohm"] * 1e3 == pytest.approx(ohm, rel=SAME)


@BOTH
def test_parts_of_the_model_are_the_drawn_ones(variant: str) -> None:
    board, known = drawn(variant), values(variant)
    part = board.ohm_or_farad
    assert known["sense_ohm"] + known["shunt_ohm"] == pytest.approx(board.source_ohm(), rel=1e-3)
    assert known["lead_ohm"] == part("R20") + part("R21")
    assert known["pump_kohm"] == pytest.approx(1e-3 / (1 / part("R17") + 1 / part("R48")))
    pumped_farad = 1 / (1 / part("C4") + 1 / part("C23"))
    assert (known["pump_c1_nf"], known["pump_c2_nf"]) == pytest.approx((pumped_farad * 1e9, part("C5") * 1e9))
    assert known["divider_ohm"] == pytest.approx(part("R22") + part("R54") + part("R23"))


def test_current_at_full_duty_is_that_of_the_firmware() -> None:
    from ionto.limits import for_variant

    for variant in ("A", "B"):
        full_ma = current_ma(loaded(drawn(variant)), 1.0)
        assert for_variant(variant).full_scale_ua / 1e3 == pytest.approx(full_ma, rel=1e-3)
