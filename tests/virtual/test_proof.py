"""What is proven before each session, judged by the meter: both cut-offs by their time, relay, pole and interlock."""

import pytest

MOST_UA = 50  # of the self-test

LATENT = [
    pytest.param("q3_short", "SELFTEST_LATENT_SWITCH", marks=pytest.mark.hazard("HAZ-13")),
    pytest.param("highside_short", "SELFTEST_LATENT_SWITCH", marks=pytest.mark.hazard("HAZ-13")),
    pytest.param("bleeder_open", "SELFTEST_DEADMAN_HIGH", marks=pytest.mark.hazard("HAZ-13", "HAZ-16")),
    pytest.param("pump_coupled", "SELFTEST_DEADMAN_HIGH", marks=pytest.mark.hazard("HAZ-13", "HAZ-16")),
    pytest.param("gate_floats", "SELFTEST_DEADMAN_HIGH", marks=pytest.mark.hazard("HAZ-13", "HAZ-16")),
    pytest.param("interlock_dead", "SELFTEST_INTERLOCK", marks=pytest.mark.hazard("HAZ-19")),
    pytest.param("relay_stuck", "SELFTEST_POLE", marks=pytest.mark.hazard("HAZ-18")),
    pytest.param("relay_flips", "SELFTEST_POLE", marks=pytest.mark.hazard("HAZ-18")),
    pytest.param("relay_driver_on", "SELFTEST_RELAY", marks=pytest.mark.hazard("HAZ-18")),
    pytest.param("relay_unheld", "SELFTEST_RELAY", marks=pytest.mark.hazard("HAZ-18")),
    pytest.param("pole_sense_dead", "SELFTEST_POLE", marks=pytest.mark.hazard("HAZ-18")),
]


@pytest.mark.parametrize(("name", "code"), LATENT)
def test_a_latent_fault_refuses_the_session(bench_with, name, code):
    """START on battery, as a person presses it: the part is named, and never more than the small current flows."""
    bench = bench_with(bench_strap=False)
    bench.push()
    bench.pico.unplug()
    bench.pico.fault(name)
    bench.pico.mark("start")
    bench.pico.press_start(ms=2_500)
    bench.pass_us(6_000_000)
    reading = bench.pico.since("start")
    assert 0 < reading.charge_uc < 30 or code == "SELFTEST_RELAY"
    assert reading.peak_ua <= MOST_UA
    bench.pico.plug()
    assert bench.wait_state("FAULT").fault_name == code


@pytest.mark.hazard("HAZ-12", "HAZ-13")
@pytest.mark.parametrize("variant", ["A", "B"])
def test_the_proof_is_short_and_small(bench_with, flashed_files, variant):
    """Under 3 s, and under 50 uA (B: 250, at a hundredth of its full scale), from its first to its last."""
    blank = {name: data for name, data in flashed_files.items() if "settings" not in name or "lib" in name}
    bench = bench_with(variant=variant, firmware=blank)
    bench.pico.at({"cmd": "mark", "name": "on"}, pin=["BOOST_ENABLE", 1])
    rows = bench.ionto("selftest")["results"]
    bench.pico.mark("off")
    assert all(row["ok"] for row in rows), rows
    on = bench.pico.since("on")
    assert on.peak_ua <= (MOST_UA if variant == "A" else 250)
    assert 300_000 < on.on_us < 1_000_000
    assert bench.pico.since("off").t_us - on.t_us < 3_000_000
    assert bench.pico.meter().hot_switches == 0


@pytest.mark.hazard("HAZ-19")
def test_an_interlock_that_does_not_see_a_computer_is_told_when_one_is_plugged_in(bench_with):
    """The only moment at which it shows; without the bench strap, which takes the interlock out."""
    bench = bench_with(bench_strap=False)
    bench.pico.fault("interlock_blind")
    assert bench.wait_state("FAULT").fault_name == "INTERLOCK_BLIND"


@pytest.mark.hazard("HAZ-18")
@pytest.mark.parametrize("polarity", ["+", "-"])
def test_a_wrong_pole_in_a_session_is_latched_within_100_ms(bench_with, polarity):
    """A relay that changes over by itself in a pause: the current is the right one, its direction is not."""
    bench = bench_with(bench_strap=True)
    bench.start_and_hold(polarity=polarity, speed=1)
    bench.ionto("pause")
    bench.wait_state("PAUSED")
    bench.pico.fault("relay_flips")
    bench.pico.at({"cmd": "mark", "name": "wrong"}, current_above_ua=60)
    bench.ionto("resume")
    assert bench.wait_state("FAULT").fault_name == "WRONG_POLE"
    bench.pass_us(300_000)
    reading = bench.pico.since("wrong")
    assert reading.peak_ua < 60 + 2_000 * 0.25, "the ramp of 1 s went on for no longer than told and cut"
    assert reading.t_below_us < 100_000 + 60_000
