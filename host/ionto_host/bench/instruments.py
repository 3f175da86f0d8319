"""The meters of a bench: INA219 behind a USB bridge, SCPI multimeter, and the true current of a simulated circuit.

Each needs its library only when it is opened; `iontopico[bench]` has them all.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ionto.ina219 import PGA_RANGES_MV
from ionto_host.bench.benchfile import BRIDGES, MeterSpec, SimSpec
from ionto_host.board.meters import Accuracy, Ask, Meter, Sample, TypedMeter
from ionto_host.errors import BenchError, MissingPartError
from ionto_host.transport import simulators

if TYPE_CHECKING:
    from ionto_sim.client import SimClient

_EXTRA = "Install the extra: pip install 'iontopico[bench]'."
_BLINKA_VARIABLES = {"mcp2221": "BLINKA_MCP2221", "ft232h": "BLINKA_FT232H"}
_LOCKS = {name: threading.Lock() for name in BRIDGES}  # a reading in a thread and a relay must not mix their reports
_SCPI_OVERLOAD = 9e37  # IEEE 488.2: what stands for infinity
_SCPI_TIMEOUT_MS = 5_000
_AMPERE_UA = 1e6


def library(name: str) -> Any:
    """Return the module `name`; `MissingPartError` when it, or the library of the system below it, is not there.

    OSError is hidapi's or libusb's missing library; NotImplementedError is how Blinka says that it knows no such board.
    """
    try:
        return import_module(name)
    except (ImportError, OSError, NotImplementedError) as error:
        raise MissingPartError(f"the bench needs {name.split('.')[0]}, which does not load: {error}", _EXTRA) from error


def accuracy_of(spec: MeterSpec) -> Accuracy:
    """Return what the meter of `spec` promises."""
    return Accuracy(spec.range_ua, spec.gain_ppm, spec.offset_ua)


def bridge(name: str) -> Any:
    """Return Blinka's module `board` for the USB bridge `name`; `BenchError` when none is plugged in."""
    os.environ.setdefault(_BLINKA_VARIABLES[name], "1")
    try:
        return library("board")
    except (RuntimeError, ValueError) as error:  # hid, pyftdi: no such device
        raise BenchError(
            f"no {name.upper()} answers: {error}", "Plug it in; docs/bench.md has its udev rule."
        ) from error


@contextmanager
def on_bridge(name: str, what: str, action: str = "") -> Iterator[None]:
    """Have the bridge `name` alone, for whatever thread; its libraries' errors become `BenchError`s of `what`."""
    try:
        with _LOCKS[name]:
            yield
    except (OSError, ValueError, RuntimeError) as error:  # hid, pyftdi, Blinka
        raise BenchError(f"{what}: {error}", action) from error


class Ina219Meter(Meter):
    """An INA219 with its own shunt in series with the load, read by adafruit-circuitpython-ina219 on the bus `i2c`.

    The driver's presets assume a shunt of 0.1 ohm, so the current is the shunt voltage over `spec.shunt_ohm`.
    """

    def __init__(self, i2c: Any, spec: MeterSpec) -> None:
        driver = library("adafruit_ina219")
        self.name = spec.name
        self.accuracy = accuracy_of(spec)
        self.identification = (
            f"INA219 at {spec.address:#04x}, {spec.shunt_ohm:g} ohm, PGA {spec.pga_range_mv} mV, {spec.bridge}"
        )
        self._ua_per_volt = _AMPERE_UA / spec.shunt_ohm
        self._full_scale = spec.pga_range_mv * 100  # LSB of 10 uV
        self._bridge = spec.bridge
        with on_bridge(self._bridge, f"{spec.name}: no INA219 answers at {spec.address:#04x}"):
            self._chip = driver.INA219(i2c, spec.address)
            self._chip.gain = PGA_RANGES_MV.index(spec.pga_range_mv)
            self._chip.shunt_adc_resolution = driver.ADCResolution.ADCRES_12BIT_8S
            self._chip.bus_adc_resolution = driver.ADCResolution.ADCRES_12BIT_1S
            self._chip.mode = driver.Mode.SVOLT_CONTINUOUS

    def read_ua(self) -> float:
        """Return the newest conversion (8 samples, 4.3 ms); `BenchError` at the end of the PGA's range."""
        with on_bridge(self._bridge, f"{self.name} does not answer"):
            raw = self._chip.raw_shunt_voltage
        if abs(raw) >= self._full_scale:
            raise BenchError(f"{self.name} is at the end of its range", "Use a larger pga_range_mv or smaller shunt.")
        return raw * 1e-5 * self._ua_per_volt


class ScpiMeter(Meter):
    """A multimeter that speaks SCPI, through pyvisa (with pyvisa-py: serial, USBTMC, TCP socket, VXI-11)."""

    def __init__(self, spec: MeterSpec) -> None:
        self.name = spec.name
        self.accuracy = accuracy_of(spec)
        self._query = spec.query
        self._port = open_scpi(spec.resource, spec.backend, spec.baud)
        try:
            for command in spec.setup:
                _tell_scpi(self._port, command)
            self.identification = ask_scpi(self._port, "*IDN?")
        except BaseException:
            self.close()
            raise

    def read_ua(self) -> float:
        """Return the answer to the query, in A, as uA; `BenchError` for none, for nonsense and for an overload."""
        value = scpi_number(self._port, self._query)
        return value * _AMPERE_UA

    def close(self) -> None:
        """Close the connection."""
        self._port.close()


def open_scpi(resource: str, backend: str = "@py", baud: int = 9_600) -> Any:
    """Return the open VISA resource, with newlines as ends of line; `BenchError` when it does not open."""
    visa = library("pyvisa")
    port = None
    try:
        port = visa.ResourceManager(backend).open_resource(resource, open_timeout=_SCPI_TIMEOUT_MS)
        port.timeout = _SCPI_TIMEOUT_MS
        port.read_termination = port.write_termination = "\n"
        if resource.upper().startswith("ASRL"):
            port.baud_rate = baud
    except Exception as error:  # pyvisa-py lets the exceptions of every backend through
        if port is not None:
            with suppress(Exception):
                port.close()
        raise BenchError(f"cannot open {resource}: {error}", "Check the resource in the bench file.") from error
    return port


def _tell_scpi(port: Any, command: str) -> None:
    try:
        port.write(command)
    except Exception as error:  # as above
        raise BenchError(f"cannot send {command}: {error}", "Check the instrument, its cable and `setup`.") from error


def ask_scpi(port: Any, query: str) -> str:
    """Return the answer to `query`; `BenchError` without one."""
    try:
        return str(port.query(query)).strip()
    except Exception as error:  # as above
        raise BenchError(f"no answer to {query}: {error}", "Check the instrument, its cable and the query.") from error


def scpi_number(port: Any, query: str) -> float:
    """Return the number that answers `query`; `BenchError` for nonsense and for an overload."""
    answer = ask_scpi(port, query)
    try:
        value = float(answer.split(",")[0])
    except ValueError:
        raise BenchError(f"{query} was answered with {answer!r}, not a number") from None
    if not abs(value) < _SCPI_OVERLOAD:
        raise BenchError(f"{query} was answered with an overload, {answer}", "Use a larger range of the instrument.")
    return value


class SimMeter(Meter):
    """The true current of a simulated circuit as an instrument sees it: with its own offset, gain and noise.

    It may be wired wrongly: reversed, or not in series. Its clock is virtual time.
    """

    def __init__(self, pico: SimClient, spec: MeterSpec, sim: SimSpec) -> None:
        self.name = spec.name
        self.identification = (
            f"true current of the simulated circuit, offset {sim.meter_offset_ua:+g} uA, "
            f"gain {sim.meter_gain_ppm / 1e4:+g} %, noise {sim.meter_noise_ua:g} uA"
        )
        self.accuracy = accuracy_of(spec)
        self._pico = pico
        self._sim = sim
        self._random = random.Random(sim.seed)

    def read_ua(self) -> float:
        """Return the current now, in uA."""
        return self.sample().current_ua

    def sample(self) -> Sample:
        """Return the current with the virtual time at which it flowed."""
        with simulators.errors():
            true, sim = self._pico.meter(), self._sim
        current_ua = true.now_ua if sim.meter_in_series else 0.0
        if sim.meter_reversed:
            current_ua = -current_ua
        noise_ua = self._random.gauss(0.0, sim.meter_noise_ua) if sim.meter_noise_ua else 0.0
        return Sample(true.t_us / 1e6, current_ua * (1 + sim.meter_gain_ppm / 1e6) + sim.meter_offset_ua + noise_ua)


def open_real(spec: MeterSpec, ask: Ask | None) -> Meter:
    """Return the real meter of `spec`; `ask` asks a person for a reading, None where nobody is there."""
    if spec.kind == "ina219":
        board = bridge(spec.bridge)
        with on_bridge(spec.bridge, f"{spec.name}: no I2C on the {spec.bridge.upper()}"):
            i2c = board.I2C()
        return Ina219Meter(i2c, spec)
    if spec.kind == "scpi":
        return ScpiMeter(spec)
    if ask is None:
        raise BenchError("the meter is read by a person, and nobody can be asked here", "Run it in a terminal.")
    return TypedMeter(spec.name, ask, accuracy_of(spec))
