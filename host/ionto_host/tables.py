"""The device package's pins and fault codes as tables. The board needs the numbers only, so these are the host's."""

from __future__ import annotations

from ionto import faults, pins

_BANDS = ("FAULT_BAND",)
_BUS_SETTINGS = ("I2C_BUS", "I2C_FREQ_HZ", "INA219_ADDRESS", "INA226_ADDRESS", "FRAM_ADDRESS", "PWM_FREQ_HZ", "PWM_TOP")


def fault_names() -> dict[int, str]:
    """Return `{code: NAME}` for every code of `ionto.faults`."""
    return {value: name for name, value in _integers(faults) if name not in _BANDS}


def pin_numbers() -> dict[str, int]:
    """Return `{net name: GPIO number}` for every pin of `ionto.pins`."""
    return {name: value for name, value in _integers(pins) if name not in _BUS_SETTINGS}


def _integers(module: object) -> list[tuple[str, int]]:
    return [(name, value) for name, value in vars(module).items() if name.isupper() and isinstance(value, int)]
