"""The INA226 model against the datasheet (TI SBOS547), and what the modelled board shows it."""

from __future__ import annotations

import pytest

from ionto_sim import ina226_model as model
from ionto_sim import parameters
from ionto_sim.circuit import FULL_DUTY, Circuit

BOTH_CONTINUOUS = 0x409F  # bus 332 us, shunt 588 us, no average
ROUND_US = 920


class Source:
    """A shunt voltage in nV."""

    def __init__(self, shunt_nv: int) -> None:
        self.shunt = shunt_nv

    def second_nv(self, start_us: int, end_us: int, now_us: int) -> int:
        """Return the mean over the window."""
        assert start_us < end_us <= now_us
        return self.shunt


def configured(source: Source, gain: float = 1.0, offset_uv: float = 0.0, noise_uv: float = 0.0) -> model.Ina226:
    """Return a chip on `source` that converts since 0."""
    chip = model.Ina226(source, gain, offset_uv, noise_uv, 7)
    write(chip, model.CONFIG, BOTH_CONTINUOUS, 0)
    return chip


def write(chip: model.Ina226, register: int, word: int, now_us: int) -> None:
    """Write a register over the bus."""
    chip.write(bytes([register, word >> 8, word & 0xFF]), now_us)


def read(chip: model.Ina226, register: int, now_us: int) -> int:
    """Point at a register and read it over the bus."""
    chip.write(bytes([register]), now_us)
    buffer = bytearray(2)
    chip.read_into(buffer, now_us)
    return buffer[0] << 8 | buffer[1]


@pytest.mark.hazard("HAZ-34")
def test_power_on_and_identity() -> None:
    chip = model.Ina226(Source(0), 1.0, 0.0, 0.0, 7)
    assert read(chip, model.CONFIG, 0) == 0x4127
    assert [read(chip, register, 0) for register in (1, 2, 6)] == [0, 0, 0]
    assert (read(chip, 0xFE, 0), read(chip, 0xFF, 0)) == (0x5449, 0x2260)


@pytest.mark.parametrize(("shunt_nv", "raw"), [(0, 0), (20_000_000, 8_000), (-2_500, 0xFFFF), (10**9, 0x7FFF)])
def test_a_step_is_2_5_uv_signed_and_clipped(shunt_nv: int, raw: int) -> None:
    assert read(configured(Source(shunt_nv)), model.SHUNT, ROUND_US) == raw


def test_nothing_is_converted_before_a_round_is_over() -> None:
    chip = configured(Source(20_000_000))
    assert (read(chip, model.SHUNT, ROUND_US - 1), read(chip, model.MASK, ROUND_US - 1)) == (0, 0)
    assert read(chip, model.SHUNT, ROUND_US) == 8_000


def test_the_ready_flag_is_cleared_by_reading_it_and_set_by_the_next_conversion() -> None:
    chip = configured(Source(0))
    assert [read(chip, model.MASK, at) for at in (1_000, 1_100, 2_000)] == [8, 0, 8]
    chip.stuck = True
    assert read(chip, model.MASK, 5_000) == 0


def test_errors_of_a_chip() -> None:
    chip = configured(Source(10_000_000), gain=1.01, offset_uv=5.0)
    assert read(chip, model.SHUNT, ROUND_US) == 4_042
    chip.factor = 1.2
    assert read(chip, model.SHUNT, 2 * ROUND_US) == 4_850


def test_state_survives_dump_and_restore() -> None:
    chip = configured(Source(10_000_000), noise_uv=3.0)
    chip.advance(5_000)
    other = configured(Source(10_000_000), noise_uv=3.0)
    other.restore(chip.dump())
    assert [read(chip, model.SHUNT, at) for at in (6_000, 7_000)] == [
        read(other, model.SHUNT, at) for at in (6_000, 7_000)
    ]


# What the board shows it.


def board(variant: str, duty: float) -> Circuit:
    """Return an ideal board that has passed current for 200 ms, at 200 ms."""
    circuit = Circuit(parameters.board(variant, **parameters.IDEAL), 500)
    circuit.set_bench_strap(0, True)
    circuit.set_boost(0, True)
    circuit.set_duty(0, round(duty * FULL_DUTY))
    for at in range(0, 200_000, 2_000):
        circuit.heartbeat(at, at // 2_000 % 2 ^ 1)
    circuit.settle_at(200_000)
    return circuit


@pytest.mark.parametrize(("variant", "ohm"), [("A", 10.0), ("B", 2.4925)])
def test_both_shunts_carry_the_load_s_current(variant: str, ohm: float) -> None:
    circuit = board(variant, 0.4)
    current_ua = circuit.shunt_nv(198_000, 199_000, 200_000) / 1e4
    assert circuit.second_nv(198_000, 199_000, 200_000) / 1e3 / ohm == pytest.approx(current_ua, rel=1e-3)


@pytest.mark.hazard("HAZ-03")
@pytest.mark.parametrize("variant", ["A", "B"])
def test_a_leak_of_the_sense_node_passes_the_load_and_the_second_shunt_only(variant: str) -> None:
    """Against case C5: the first sensor and V(SNS) read the set current, the load gets twice as much."""
    sound, leaky = board(variant, 0.3), board(variant, 0.0)
    leaky.set_fault(200_000, "sense_leak", True)
    leaky.set_duty(200_000, round(0.3 * FULL_DUTY))
    for at in range(200_000, 300_000, 2_000):
        leaky.heartbeat(at, at // 2_000 % 2 ^ 1)
    leaky.settle_at(300_000)
    assert leaky.current_ua() == pytest.approx(2 * sound.current_ua(), rel=0.01)
    first, second = (window(298_000, 299_000, 300_000) for window in (leaky.shunt_nv, leaky.second_nv))
    assert first == pytest.approx(sound.shunt_nv(198_000, 199_000, 200_000), rel=0.01)
    assert second == pytest.approx(2 * sound.second_nv(198_000, 199_000, 200_000), rel=0.01)
