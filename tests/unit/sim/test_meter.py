"""The independent meter of the virtual Pico."""

from __future__ import annotations

import pytest

from ionto_sim.meter import Meter


def fed() -> Meter:
    """Return a meter after 10 ms at 1 mA, 5 ms off, 2 ms at 3 mA reversed, 3 ms off."""
    meter = Meter()
    meter.feed(0, 10_000, 10_000 * 1_000_000, 1_000_000, 1_000_000, 1)
    meter.mark("first")
    meter.feed(10_000, 15_000, 0, 0, 0, 1)
    meter.feed(15_000, 17_000, 2_000 * 3_000_000, 3_000_000, 3_000_000, -1)
    meter.mark("second")
    meter.feed(17_000, 20_000, 0, 0, 0, -1)
    return meter


@pytest.mark.hazard("HAZ-34")
def test_charge_signed_and_absolute_peak_and_time() -> None:
    reading = fed().read()
    assert reading["charge_uc"] == pytest.approx(16.0)
    assert reading["signed_uc"] == pytest.approx(4.0)
    assert reading["peak_ua"] == 3000.0
    assert reading["on_us"] == 12_000
    assert reading["last_on_us"] == 17_000
    assert reading["now_ua"] == 0.0


@pytest.mark.hazard("HAZ-34")
def test_marks_see_what_came_after_them() -> None:
    meter = fed()
    first, second = meter.read_mark("first"), meter.read_mark("second")
    assert (first["t_us"], first["elapsed_us"]) == (10_000, 10_000)
    assert first["charge_uc"] == pytest.approx(6.0)
    assert first["signed_uc"] == pytest.approx(-6.0)
    assert first["peak_ua"] == 3000.0
    assert first["t_below_us"] == 7_000
    assert (second["charge_uc"], second["t_below_us"]) == (0.0, 0)
    assert second["peak_ua"] == 3000.0, "the current of the moment of the mark counts"


def test_time_below_is_unknown_while_current_flows() -> None:
    meter = fed()
    meter.feed(20_000, 21_000, 1_000 * 20_000, 20_000, 20_000, 1)
    assert meter.read_mark("first")["t_below_us"] is None


def test_a_name_used_again_moves_and_an_unknown_one_is_refused() -> None:
    meter = fed()
    meter.mark("first")
    assert meter.read_mark("first")["t_us"] == 20_000
    with pytest.raises(KeyError):
        meter.read_mark("third")


def test_state_survives_dump_and_restore() -> None:
    meter, other = fed(), Meter()
    other.restore(meter.dump())
    assert other.read() == meter.read()
    assert other.read_mark("second") == meter.read_mark("second")


def test_a_spike_is_told_apart_from_what_lasts():
    meter = Meter()
    meter.feed(0, 1000, 2_000_000 * 1000, 2_000_000, 2_000_000, 1)
    meter.spike(4_900_000)
    meter.spike(3_000_000)
    assert (meter.read()["peak_ua"], meter.read()["spike_ua"]) == (2000, 4900)
    again = Meter()
    again.restore(meter.dump())
    assert again.read()["spike_ua"] == 4900
