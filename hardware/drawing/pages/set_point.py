"""Sheet: PWM to a voltage between 0 and 1.00 V."""

from __future__ import annotations

from ..page import Page

_NOTE = """Set-point = duty x 2.5 V x R5 / (R3 + R4 + R5) = duty x 1.000 V; one PWM step of 4096 is 0.24 mV.
100 % duty is 1.000 V across Rs + shunt: 4.975 mA in A, 24.95 mA in B. That is the most the set-point path can ask
for, whatever the firmware does: the amplitude comes from U2, not from the Pico's 3.3 V.
R3, R4, R5 0.1 % and U2 0.1 %: with 1 % parts a PWM stuck at 100 % could pass 5 mA in A.

R2: without it a Pico in reset (pins open) could leave U3 on the reference. 4.7k, so that it also holds against the
input leakage of an RP2350 (erratum E9: at most 8.2k).

GP3, beside PWM_SETPOINT on the Pico, stays free as a guard.
U3: S low joins A with B1 (GND), S high with B2 (REF_2V5)."""


def build(page: Page) -> None:
    """Draw the sheet."""
    page.block("Reference", 14, 40, 66, 84)
    bias = page.add("R1", 40, 53)
    page.supply("3V3", bias["1"])
    reference = page.add("U2", 40, 73)
    page.nothing(reference["3"])
    page.wire(bias["2"], reference["1"])
    page.ground(reference["2"])
    bypass = page.add("C11", 52, 73)
    page.wire((52, 68), bypass["1"])
    page.ground(bypass["2"])
    switch = page.add("U3", 80, 72)
    page.wire((40, 68), switch["1"])
    page.label("REF_2V5", (56, 68))
    page.probe("TP4", (48, 68))
    _switch(page)
    _filter(page)
    page.note(_NOTE, (14, 112))


def _switch(page: Page) -> None:
    page.block("Switch", 67, 40, 99, 88)
    page.wire((72, 72), (69, 72), (69, 75))
    page.rail("GND", (69, 75))
    page.ground((80, 82), 2)
    page.wire((80, 64), (80, 52))
    page.rail("3V3", (80, 52))
    bypass = page.add("C16", 91, 57)
    page.wire((80, 54), bypass["1"])
    page.ground(bypass["2"], 1)
    page.port("PWM_SETPOINT", (30, 92), "left", "input")
    page.wire((30, 92), (70, 92), (70, 78), (72, 78))
    pull = page.add("R2", 58, 97)
    page.wire((58, 92), pull["1"])
    page.ground(pull["2"])


def _filter(page: Page) -> None:
    page.block("Two-pole filter, 0.4 times: 8.6 ms to 1 %", 100, 56, 176, 84)
    first = page.add("R3", 107, 70, turn=90, shown=("Reference", "Value", "Tolerance"))
    page.wire((88, 70), first["1"])
    page.label("SP_PWM", (90, 70))
    second = page.add("R4", 127, 70, turn=90, shown=("Reference", "Value", "Tolerance"))
    page.wire(first["2"], second["1"])
    page.label("SP_F1", (117, 70))
    page.wire(second["2"], (180, 70))
    page.label("SETPOINT", (162, 70))
    page.port("SETPOINT", (180, 70), "right", "output")
    page.probe("TP5", (158, 70))
    for name, x in (("C1", 115), ("C2", 135), ("R5", 146)):
        shunt = page.add(name, x, 75, shown=("Reference", "Value", "Tolerance"))
        page.wire((x, 70), shunt["1"])
        page.ground(shunt["2"])
