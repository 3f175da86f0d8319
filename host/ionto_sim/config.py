"""What a virtual Pico is made of: the settings of one simulator and the files of its state directory."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ionto import pins
from ionto_host.tables import pin_numbers

from . import load, parameters
from .errors import SimStartError

BANNER = "MicroPython v1.28.0 (virtual Pico); Raspberry Pi Pico with RP2040"
CIRCUITS = ("model", "spice")
MACHINE = "Raspberry Pi Pico with RP2040"


@dataclass
class SimConfig:
    """Settings of a virtual Pico; all have defaults.

    `speed` is a factor of real time or "max"; `load` a spec of `ionto_sim.load`; `values` changes to
    `parameters.board`; `ideal` removes all tolerances; `pins` and the sensors' addresses come from the firmware's own
    table unless given. Starting in a state directory that was used before is a power-on, which keeps flash, meter
    and virtual time; with `resume` it is a reset that keeps scratch registers and clock as well.

    `clock_us` is the virtual time at which a new state directory begins.

    With `bootsel` it begins in its boot ROM, as a Pico with BOOTSEL held: a drive, and no port until it gets an image.

    A VM that has not answered for `stuck_s` of wall time is in a loop of Python, in which virtual time stands still:
    an armed watchdog then resets it.

    `circuit` is "model", or "spice": the drawing in ngspice, about real time while current flows.

    With `image`, the path of a MicroPython UF2 for the RPI_PICO, it is an emulated Pico: the image itself on an
    emulated RP2040. Its `speed` is the most that virtual time may run at, and it keeps the flash only.
    """

    state_dir: str = ""
    variant: str = "A"
    load: Any = "skin"
    speed: Any = "max"
    bench_strap: bool = True
    maintenance: bool = False
    plugged: bool = True
    powered: bool = True
    resume: bool = False
    clock_us: int = 0
    stuck_s: float = 5.0
    ideal: bool = False
    values: dict[str, float] = field(default_factory=dict)
    pins: dict[str, int] = field(default_factory=dict)
    sensor_address: int = 0
    second_address: int = 0
    unique_id: str = ""
    image: str = ""
    circuit: str = "model"
    bootsel: bool = False

    def to_json(self) -> str:
        """Return the settings as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SimConfig:
        """Return the settings that `to_json` wrote."""
        return cls(**json.loads(text))

    def factor(self) -> float:
        """Return the speed as the VM wants it: 0 for "max"; SimStartError when it is neither."""
        if self.speed == "max":
            return 0.0
        try:
            factor = float(self.speed)
        except (TypeError, ValueError):
            factor = -1.0
        if not factor > 0:
            raise SimStartError(f"speed must be 'max' or a factor above 0, got {self.speed!r}")
        return factor

    def for_vm(self) -> dict[str, Any]:
        """Return what the VM needs to know; SimStartError when a setting is wrong."""
        pins, address, second = dict(self.pins), self.sensor_address, self.second_address
        if not pins:
            pins, address, second = firmware_pins()
        if self.circuit not in CIRCUITS:
            raise SimStartError(f"circuit must be {' or '.join(CIRCUITS)}, got {self.circuit!r}")
        if self.circuit == "spice" and self.image:
            raise SimStartError("the circuit in ngspice is for a virtual Pico; an emulated one has the fast model")
        try:
            changes = {**(parameters.IDEAL if self.ideal else {}), **self.values}
            values = parameters.board(self.variant, **changes)
            spec = load.normal_spec(self.load)
        except (TypeError, ValueError) as error:
            raise SimStartError(f"{error}; correct the setting and start again") from error
        return {
            "variant": self.variant,
            "values": values,
            "load": spec,
            "speed": self.factor(),
            "clock_us": self.clock_us,
            "bench_strap": self.bench_strap,
            "maintenance": self.maintenance,
            "plugged": self.plugged,
            "pins": pins,
            "sensor_address": address or 0x40,
            "second_address": second or 0x41,
            "unique_id": self.unique_id or self._unique_id(),
            "image": str(Paths(self.state_dir).image),
            "spice": "",
            "banner": BANNER,
            "machine": MACHINE,
        }

    def _unique_id(self) -> str:
        """Return 16 hex digits that stay the same for a state directory."""
        return "e6" + hashlib.sha256(str(Path(self.state_dir).resolve()).encode()).hexdigest()[:14]


class Paths:
    """The files of a state directory."""

    def __init__(self, state_dir: str | Path) -> None:
        self.root = Path(state_dir).resolve()
        self.image = self.root / "flash.img"
        self.state = self.root / "state.json"
        self.port = self.root / "port"
        self.socket = self.root / "control.sock"
        self.lock = self.root / "lock"
        self.bootsel = self.root / "RPI-RP2"
        self.errors = self.root / "vm-errors.txt"


def firmware_pins() -> tuple[dict[str, int], int, int]:
    """Return the firmware's own pin table and the addresses of both sensors."""
    return pin_numbers(), int(pins.INA219_ADDRESS), int(pins.INA226_ADDRESS)
