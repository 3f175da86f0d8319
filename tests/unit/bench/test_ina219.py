"""The driver of the reference meter against the firmware's own, on the same register model."""

import adafruit_ina219
import pytest
from circuitpython_bus import CircuitPythonI2C, MicroPythonI2C, Source, chip
from hypothesis import given
from hypothesis import strategies as st

from ionto import limits
from ionto.ina219 import PGA_RANGES_MV, Ina219
from ionto_host.bench.benchfile import MeterSpec
from ionto_host.bench.instruments import Ina219Meter
from ionto_host.errors import BenchError

SHUNT_OHM = 10.0


def meter_spec(pga_range_mv=80, address=0x41):
    return MeterSpec("ina219", "ref", 8_000, 5_000, 2, address=address, shunt_ohm=SHUNT_OHM, pga_range_mv=pga_range_mv)


class Pair:
    """Both drivers, each with a chip of the same errors on the same shunt voltage."""

    def __init__(self, pga_range_mv, gain=1.0, offset_uv=0.0):
        self.source = Source()
        self.theirs = CircuitPythonI2C(at_41=chip(self.source, gain, offset_uv))
        self.meter = Ina219Meter(self.theirs, meter_spec(pga_range_mv))
        self.ours = Ina219(MicroPythonI2C(at_40=chip(self.source, gain, offset_uv)), 0x40, 10_000, pga_range_mv)
        assert self.ours.configure()

    def read(self, nv):
        """Return (theirs, ours) in uA at a shunt voltage of `nv`; theirs is None at the end of the range."""
        self.source.nv = nv
        self.theirs.now_us += 10_000  # eight samples
        assert self.ours.sample() and self.ours.sample()
        try:
            theirs = self.meter.read_ua()
        except BenchError as error:
            assert "end of its range" in error.message
            theirs = None
        return theirs, self.ours.raw * self.ours.ua_per_lsb


@pytest.mark.hazard("HAZ-03", "HAZ-34")
@pytest.mark.parametrize("pga_range_mv", PGA_RANGES_MV)
def test_both_drivers_agree_over_the_whole_range(pga_range_mv):
    """Every PGA setting, both signs, through the end of the range and beyond."""
    pair = Pair(pga_range_mv)
    full = pga_range_mv * 100
    seen = set()
    for raw in [*range(-full - 600, full + 600, 137), -full, 1 - full, full - 1, full, -1, 0, 1]:
        theirs, ours = pair.read(raw * 10_000)
        clipped = max(-full, min(raw, full))
        assert ours == clipped
        if abs(raw) < full:
            assert theirs == pytest.approx(clipped, abs=1e-6)
            assert abs(pair.ours.raw) <= pair.ours.full_scale_raw
        else:
            assert theirs is None, "the meter refuses the end of its range"
            assert abs(pair.ours.raw) > pair.ours.full_scale_raw, "which the firmware takes for a fault"
        seen.add((theirs is None, (raw > 0) - (raw < 0)))
    assert {(True, 1), (True, -1), (False, 1), (False, -1), (False, 0)} <= seen


@given(
    st.sampled_from(PGA_RANGES_MV),
    st.floats(-360e6, 360e6),
    st.floats(0.98, 1.02),
    st.floats(-125, 125),
)
def test_both_drivers_agree_for_any_chip(pga_range_mv, nv, gain, offset_uv):
    pair = Pair(pga_range_mv, gain, offset_uv)
    theirs, ours = pair.read(round(nv))
    if theirs is None:
        assert abs(ours) == pga_range_mv * 100
    else:
        assert theirs == pytest.approx(ours, abs=1e-6)


@pytest.mark.parametrize(("variant", "pga"), [(limits.variant_a(), 80), (limits.variant_b(), 320)])
def test_the_settings_of_both_builds_fit_what_they_measure(variant, pga):
    assert variant.pga_range_mv == pga
    theirs, ours = Pair(pga).read(variant.max_current_ua * 10_000)
    assert theirs == pytest.approx(variant.max_current_ua) and ours == variant.max_current_ua


def test_the_maths_overflow_flag_is_not_an_over_current_flag():
    """With a calibration word that is too large the chip's own current overflows; the shunt register still agrees."""
    pair = Pair(80)
    raw = adafruit_ina219.INA219(pair.theirs, 0x41)
    raw.gain = 1
    raw.calibration = 0xFFFE
    theirs, ours = pair.read(40_000_000)
    assert raw.current and raw.overflow
    assert theirs == ours == 4_000


def test_a_preset_of_the_driver_assumes_a_tenth_of_an_ohm():
    """Why the meter does not use `current`: it would show a hundred times as much."""
    pair = Pair(80)
    theirs, _ = pair.read(20_000_000)
    preset = adafruit_ina219.INA219(pair.theirs, 0x41)
    preset.set_calibration_16V_400mA()
    pair.theirs.now_us += 10_000
    assert preset.current * 1_000 == pytest.approx(100 * theirs, rel=0.01)


def test_a_chip_that_is_not_there_or_goes_away():
    with pytest.raises(BenchError, match="no INA219 answers at 0x44"):
        Ina219Meter(CircuitPythonI2C(at_41=chip(Source())), meter_spec(address=0x44))
    pair = Pair(80)
    pair.theirs.broken = True
    with pytest.raises(BenchError, match="ref does not answer"):
        pair.meter.read_ua()


def test_it_says_what_it_is():
    meter = Pair(80).meter
    assert meter.identification == "INA219 at 0x41, 10 ohm, PGA 80 mV, mcp2221"
    assert meter.accuracy.uncertainty_ua(2_000) == pytest.approx(12)
