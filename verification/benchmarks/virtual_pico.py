"""The virtual Pico: how fast simulated time runs while a session holds 4 mA."""

import time
from collections.abc import Iterator

from ionto import dose
from ionto_host.board import firmware_files
from ionto_host.device.client import Device
from ionto_sim.client import VirtualPico
from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options

_MEASURE_S = 8.0
_SESSION_S = 20 * 60
_UNIX_X64_MPY = 2822  # sys.implementation._mpy of the virtual Pico's VM
_DOSE = {
    "schema": 1,
    "name": "benchmark",
    "drug": "",
    "site": "",
    "current_ua": 4_000,
    "dose_uc": 4_800_000,
    "area_mm2": 1_000,
    "polarity": 1,
    "ramp_up_ms": 1_000,
    "ramp_down_ms": 1_000,
    "waveform": "dc",
    "pulse_on_ms": 0,
    "pulse_off_ms": 0,
    "pulse_edge_ms": 0,
    "reversal": "none",
    "reversal_interval_ms": 0,
    "max_extension_pct": 50,
    "starts": 1,
    "max_density_ua_cm2": 500,
}


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    options.progress("virtual Pico")
    files = firmware_files.build(_UNIX_X64_MPY).contents()
    with VirtualPico(firmware=files, load="skin", speed="max", bench_strap=True) as pico:
        with Device.open(pico.port) as device:
            device.push_dose(dose.canonical(_DOSE))
            device.start()
        pico.wait(current_above_ua=3_900, for_us=100_000, timeout_s=60)
        before_us, start = pico.status()["t_us"], time.monotonic()
        time.sleep(_MEASURE_S)
        passed_us, wall_s = pico.status()["t_us"] - before_us, time.monotonic() - start
    factor = passed_us / 1e6 / wall_s
    yield Result("virtual_factor", factor)
    yield Result("virtual_session_s", _SESSION_S / factor)
    yield Result("virtual_tick_us", wall_s / passed_us * 1e9)
