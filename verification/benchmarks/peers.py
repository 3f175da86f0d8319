"""Our INA219 driver against the public ones, on the same emulated board in the same run.

The peers' sources come from where they are installed, adafruit's from PyPI and pyb_ina219 from the folder that
IONTO_PYB_INA219 names; nothing of them is kept here. Our shims offer them the thinnest bus there can be.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ionto import pins
from ionto_host.board.firmware_files import compile_source
from verification.benchmarks.board import BOARD_ARCHITECTURE, at_prompt, firmware_files, guest
from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options

PYB_FOLDER = "IONTO_PYB_INA219"
_DISTRIBUTION = "adafruit-circuitpython-ina219"
_REGISTER_MODULES = ("__init__", "i2c_bit", "i2c_bits", "i2c_struct")

Cost = tuple[float, float]  # us and bytes a call


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    options.progress("peers: INA219 drivers")
    files, cases = {**firmware_files(options, (guest("ina219_samples"),)), **_adafruit_files()}, ["ours", "adafruit"]
    pyb = os.environ.get(PYB_FOLDER, "")
    if pyb:
        files |= _pyb_files(Path(pyb))
        cases.append("pyb")
    found = _measure(options, files, cases)
    about = {"peer": f"{_DISTRIBUTION} {version(_DISTRIBUTION)}"}
    yield from _pair(("sample_us", "sample_b"), found["ours.sample"], found["adafruit.shunt_voltage"], about)
    yield from _pair(("current_us", "current_b"), found["ours.current"], found["adafruit.current"], about)
    yield from _pair(
        ("pyb_us", "pyb_b"), found["ours.current"], found.get("pyb.current"), {"peer": pyb and Path(pyb).name}
    )


def _pair(keys: tuple[str, str], ours: Cost, peer: Cost | None, parts: Mapping[str, str]) -> Iterator[Result]:
    note = "" if peer else f"name a folder with chrisb2/pyb_ina219 in {PYB_FOLDER}"
    for index, key in enumerate(keys):
        yield Result(key, ours[index], peer[index] if peer else None, parts, note)


def _measure(options: Options, files: Mapping[str, bytes], cases: list[str]) -> dict[str, Cost]:
    repl = at_prompt(options, files)
    repl.execute("import ionto, ionto_pack\nionto_pack.widen()")
    bus = (pins.I2C_BUS, pins.I2C_SCL, pins.I2C_SDA, pins.I2C_FREQ_HZ, pins.INA219_ADDRESS)
    return ast.literal_eval(repl.execute(f"{guest('ina219_samples')}\nmain({cases!r}, *{bus!r})"))


def _compiled(path: Path) -> bytes:
    return compile_source(path.name, path.read_text(encoding="utf-8"), BOARD_ARCHITECTURE)


def _adafruit_files() -> dict[str, bytes]:
    """Return the library, what it needs of adafruit_register, and our bus device: {path on the board: data}."""
    driver, register = find_spec("adafruit_ina219"), find_spec("adafruit_register")
    if driver is None or register is None or not driver.origin or not register.submodule_search_locations:
        raise RuntimeError(f"{_DISTRIBUTION} is not installed: pip install {_DISTRIBUTION}")
    folder = Path(register.submodule_search_locations[0])
    files = {f"/lib/adafruit_register/{name}.mpy": _compiled(folder / f"{name}.py") for name in _REGISTER_MODULES}
    device = compile_source("i2c_device.py", guest("i2c_device"), BOARD_ARCHITECTURE)
    return {
        **files,
        "/lib/adafruit_ina219.mpy": _compiled(Path(driver.origin)),
        "/lib/adafruit_bus_device/i2c_device.mpy": device,
    }


def _pyb_files(folder: Path) -> dict[str, bytes]:
    """Return pyb_ina219 and the silent `logging` it needs."""
    driver = folder / "ina219.py"
    if not driver.is_file():
        raise RuntimeError(f"{PYB_FOLDER} names {folder}, where no ina219.py is; name a checkout of chrisb2/pyb_ina219")
    log = compile_source("logging.py", guest("logging"), BOARD_ARCHITECTURE)
    return {"/lib/ina219.mpy": _compiled(driver), "/lib/logging.mpy": log}
