"""The checks of the circuit, one module a subject; `ALL` is the table that `make hardware` works through."""

from __future__ import annotations

from hardware.spice.check import Check
from hardware.spice.checks import (
    breadboard,
    ceiling,
    compliance,
    dead_man,
    faults,
    interlock,
    lift,
    power,
    relay,
    second_measurement,
    second_parts,
    setpoint,
    start,
    transfer,
)

MODULES = (
    transfer,
    compliance,
    setpoint,
    ceiling,
    dead_man,
    start,
    interlock,
    lift,
    power,
    relay,
    faults,
    second_parts,
    second_measurement,
    breadboard,
)
ALL: tuple[Check, ...] = tuple(check for module in MODULES for check in module.CHECKS)
