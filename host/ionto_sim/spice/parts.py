"""What each part of the drawing is in SPICE: a table of templates by reference, by value, or by kind of part.

In a template `{3}` is the node of pin 3, `{ref}` the part's reference (for internal nodes and names), `{model}` its
value as a device model, `{value}` its value in ohm or farad. Element names: `{ref}` for a resistor or capacitor,
`R{ref}_word` for what is inside a part. Signals that no pin carries (the boost's activity, the relay's armature) are
nodes named `{ref}_word`.

PWM_SETPOINT is drawn twice, as it is in the high part of a period (`{6}`) and in the low part (`{6.low}`), so that a
leak or a bridge is judged against the input's threshold in both; U3 then mixes by the duty, which is what the filter
leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOW_PHASE = ".low"
PHASED_NETS = ("PWM_SETPOINT",)

# Nothing in SPICE, and why. By reference or by letters before the number.
LEFT_OUT: Mapping[str, str] = {
    "TP": "a test point is a pad on its net",
    "J": "an electrode socket is where the load is connected: its pin is the load's end",
}

_STEP = "0.5*(1+tanh(({0})*{1}))"


def above(signal: str, threshold: float, per_volt: float = 10.0) -> str:
    """Return an expression that goes smoothly from 0 to 1 where `signal` passes `threshold`."""
    return _STEP.format(f"{signal}-{threshold:g}", f"{per_volt:g}")


@dataclass(frozen=True)
class Model:
    """Elements of one part; `failures` are what its kind is known for: {name: {element: {parameter: value}}}."""

    lines: tuple[str, ...]
    failures: Mapping[str, Mapping[str, float]] | None = None


def model(*lines: str, **failures: Mapping[str, float]) -> Model:
    """Return a model; a failure's name has spaces where the keyword has underscores."""
    return Model(lines, {name.replace("_", " "): changes for name, changes in failures.items()})


# By kind: the letters of the reference.
KINDS: Mapping[str, Model] = {
    "R": model("{ref} {1} {2} {value}"),
    "C": model("{ref} {1} {2} {value}"),
}

_FET = model("M{ref} {3} {1} {2} {model}")
_DIODE_2 = model("{ref} {2} {1} {model}")  # cathode 1, anode 2
_BAS70 = model("{ref} {1} {3} BAS70")
_LIGHT = model("{ref} {2} {1} LIGHT")

# Into pin A of the analogue switch, through 6 ohm from the mean of its two inputs; it lives on 1.2 V and more.
_SWITCHED = "(V({ref}_part)*V({1})+(1-V({ref}_part))*V({3})-V({4}))/6*" + above("V({5})", 1.2)

# By value as the drawing has it.
VALUES: Mapping[str, Model] = {
    "BSS138": _FET,
    "BSS84": _FET,
    "NDT3055L": _FET,
    "NDT2955": _FET,
    "AO3401A": _FET,
    "MMBT3906": model("Q{ref} {3} {1} {2} Q3906"),
    "BC847B": model("Q{ref} {3} {1} {2} BC847B"),
    "BAS70": _BAS70,
    "BAS70-04": model("D{ref}_a {1} {3} BAS70", "D{ref}_b {3} {2} BAS70"),
    "1N4148W": _DIODE_2,
    "MBR0520": _DIODE_2,
    "MBR0540": _DIODE_2,
    "SS14": _DIODE_2,
    "27V": model("{ref} {2} {1} DZ27"),
    "green": _LIGHT,
    "yellow": _LIGHT,
    "red": _LIGHT,
    # Shunt reference; V{ref}_off moves its voltage.
    "2.5V": model(
        "V{ref}_off {1} {ref}_k dc 0",
        "X{ref} {ref}_k {2} LM4040",
        **{"high 2 %": {"V{ref}_off": 0.05}, "low 2 %": {"V{ref}_off": -0.05}},
    ),
    # Analogue switch: mixes B2 and B1 by the part of a period for which S is high.
    "74LVC1G3157": model(
        "V{ref}_duty {ref}_duty 0 dc 0",
        "V{ref}_stuck {ref}_stuck 0 dc 0",
        "B{ref}_part {ref}_part 0 V = min(1, max(0, V({ref}_stuck) + V({ref}_duty)*"
        + above("V({6})-0.5*V({5})", 0, 20)
        + "+(1-V({ref}_duty))*"
        + above("V({6.low})-0.5*V({5})", 0, 20)
        + "))",
        f"B{{ref}}_out 0 {{4}} I = {_SWITCHED}",
        f"B{{ref}}_b2 {{1}} 0 I = V({{ref}}_part)*{_SWITCHED}",
        f"B{{ref}}_b1 {{3}} 0 I = (1-V({{ref}}_part))*{_SWITCHED}",
        stuck_B2={"V{ref}_stuck": 1.0},
        stuck_B1={"V{ref}_stuck": -1.0},
    ),
    # Two op-amps; the resistors to the rails are 1e12 until an output sticks.
    "MCP6022": model(
        "V{ref}a_offset {ref}a_plus {3} dc 0",
        "X{ref}a {ref}a_plus {2} {ref}a_out {8} {4} MCP6022",
        "R{ref}a_out {ref}a_out {1} 1m",
        "R{ref}a_high {1} {8} 1e12",
        "R{ref}a_low {1} {4} 1e12",
        "V{ref}b_offset {ref}b_plus {5} dc 0",
        "X{ref}b {ref}b_plus {6} {ref}b_out {8} {4} MCP6022",
        "R{ref}b_out {ref}b_out {7} 1m",
        "R{ref}b_high {7} {8} 1e12",
        "R{ref}b_low {7} {4} 1e12",
        *(f"D{{ref}}_esd{pin}a {{{pin}}} {{8}} ESD\nD{{ref}}_esd{pin}b {{4}} {{{pin}}} ESD" for pin in "2356"),
        A_stuck_high={"R{ref}a_out": 1e9, "R{ref}a_high": 60.0},
        A_stuck_low={"R{ref}a_out": 1e9, "R{ref}a_low": 60.0},
        A_output_dead={"R{ref}a_out": 1e9},
        A_offset_5_mV={"V{ref}a_offset": 5e-3},
        A_offset_minus_5_mV={"V{ref}a_offset": -5e-3},
        B_stuck_high={"R{ref}b_out": 1e9, "R{ref}b_high": 60.0},
        B_stuck_low={"R{ref}b_out": 1e9, "R{ref}b_low": 60.0},
        B_output_dead={"R{ref}b_out": 1e9},
    ),
    # Current monitor: its supply, and IN+ towards GND (20 uA at 2 V of common mode and more, in proportion below).
    "INA219A": model(
        "R{ref}_in {1} {3} 100k",
        "R{ref}_in2 {2} {3} 320k",
        "R{ref}_vs {4} {3} 3.3k",
        *(f"R{{ref}}_leak{pin} {{{pin}}} {{3}} 100meg" for pin in "5678"),
    ),
    # Boost converters as their mean: U6 says how hard it works, L1 carries the power, D5 passes it on.
    "TPS61040": model(
        "V{ref}_ref {ref}_ref 0 dc 1.233",
        "B{ref}_act {ref}_act 0 V = max(0, tanh((V({ref}_ref)-V({3},{2}))*200))*"
        + "*".join((above("V({4},{2})", 0.9), above("V({5},{2})", 1.7), above("V({1},{2})", 0.8))),
        "R{ref}_watt {ref}_act 0 1k",
        "R{ref}_sw {1} {2} 20meg",
        "R{ref}_fb {3} {2} 100meg",
        "R{ref}_en {4} {2} 100meg",
        dead={"V{ref}_ref": 0.0},
        over_voltage={"V{ref}_ref": 2.5},
        under_voltage={"V{ref}_ref": 0.77},
    ),
    "Li-ion": model(
        "V{ref} {ref}_emf {2} dc 3.9",
        "R{ref}_inner {ref}_emf {1} 0.15",
        empty={"V{ref}": 2.9},
        dead={"R{ref}_inner": 1e9},
    ),
    "0.5A": model("R{ref}_on {1} {2} 0.4"),
    "2.7kHz": model("R{ref}_coil {1} {2} 16"),
    # STOP is normally closed; the others are as a session finds them.
    "STOP": model("R{ref}_contact {1} {2} 0.1", stuck_closed={"R{ref}_contact": 0.1}),
    "START": model("R{ref}_contact {1} {2} 1e12"),
    "POWER": model("R{ref}_contact {1} {2} 0.05"),
    "BENCH": model("R{ref}_12 {1} {2} 1e12", "R{ref}_34 {3} {4} 1e12"),
    "MAINT": model("R{ref}_12 {1} {2} 1e12"),
    # Coil of 3 V, 91 ohm; pulls in at 70 %, falls off at 20 %; the armature needs 0.5 ms to part and 2.4 ms to close.
    "G6K-2F-Y": model(
        "R{ref}_coil {1} {8} 91 tc1=0.0039",
        "B{ref}_pull {ref}_pull 0 V = " + above("V({1},{8})/3+0.5*V({ref}_arm)", 0.7, 20),
        "R{ref}_pull {ref}_pull {ref}_arm 1k",
        "C{ref}_mass {ref}_arm 0 1.5u",
        "I{ref}_hold 0 {ref}_arm dc 0",
        "R{ref}_hold {ref}_arm 0 1e12",
        "S{ref}_nc1 {3} {2} {ref}_arm 0 NC_CONTACT",
        "S{ref}_no1 {3} {4} {ref}_arm 0 NO_CONTACT",
        "S{ref}_nc2 {6} {7} {ref}_arm 0 NC_CONTACT",
        "S{ref}_no2 {6} {5} {ref}_arm 0 NO_CONTACT",
        stuck_at_rest={"R{ref}_hold": 1.0},
        stuck_changed_over={"R{ref}_hold": 1.0, "I{ref}_hold": 1.0},
        between={"R{ref}_hold": 1.0, "I{ref}_hold": 0.5},
    ),
}

# As TPS61040, with the reference of the MT3608 and 4 A in place of 0.4 A in its switch.
_BOOST_W = {"TPS61040": 0.17, "MT3608": 1.0}  # W for each volt of the battery that reach the rail


def boost_choke(converter: str) -> Model:
    """Return L1 for the converter beside it: `watt` at full work, 85 % of what the battery gives."""
    watt = f"V(u6_act)*{_BOOST_W[converter]:g}*max(0,V({{1}}))*{above('V({1})', 1.0)}"
    return model(
        "D{ref}_winding {1} {2} WINDING",
        f"B{{ref}}_out 0 {{2}} I = {watt}/max(3,V({{2}}))*(1-{above('V({2})', 42.0, 1.0)})",
        f"B{{ref}}_in {{1}} 0 I = {watt}/0.85/max(1,V({{1}}))",
    )


def mt3608() -> Model:
    """Return U6 of variant B: as A's, with a reference of 0.6 V."""
    like = VALUES["TPS61040"]
    lines = tuple(line.replace("dc 1.233", "dc 0.6") for line in like.lines)
    return model(
        *lines, dead={"V{ref}_ref": 0.0}, over_voltage={"V{ref}_ref": 1.2}, under_voltage={"V{ref}_ref": 0.375}
    )


PIN_OHM = 40.0  # of an output pin, 4 mA drive
PULL_OHM = 50e3
LOGIC_V = 3.3


def pico(pin_names: Mapping[str, str], drawn: frozenset[str]) -> Model:
    """Return A1 for its pins `{number: name}`, those in `drawn` wired to something.

    A GPIO is a current source beside a resistor, which is any driver, pull or rest; all of them rest pulled low, as
    after a reset. On board: VBUS through a Schottky diode to VSYS, and a 3.3 V converter with 90 % that gives 0.9 A
    at most.
    """
    numbers = {name: number for number, name in pin_names.items()}
    grounds = [number for number, name in pin_names.items() if name in ("GND", "AGND")]
    supply, vsys, vbus = (f"{{{numbers[name]}}}" for name in ("3V3", "VSYS", "VBUS"))
    enable, vref, run = (f"{{{numbers[name]}}}" for name in ("3V3_EN", "ADC_VREF", "RUN"))
    lines = [f"R{{ref}}_gnd{number} {{{number}}} {{ref}}_gnd 10m" for number in grounds]
    for number, name in pin_names.items():
        if not name.startswith("GP"):
            continue
        phases = ("", LOW_PHASE) if name == "GP2" else ("",)
        for phase in phases:
            tail = name.lower() + ("_low" if phase else "")
            pin = f"{{{number}{phase}}}"
            lines += [f"I{{ref}}_{tail} 0 {pin} dc 0", f"R{{ref}}_{tail} {pin} {{ref}}_gnd {PULL_OHM:g}"]
            if number in drawn:
                lines += [f"D{{ref}}_{tail}h {pin} {supply} ESD", f"D{{ref}}_{tail}l {{ref}}_gnd {pin} ESD"]
    watch = "*".join((above(f"V({vsys})", 1.8), above(f"V({enable})", 1.0)))
    lines += [
        f"D{{ref}}_vbus {vbus} {vsys} MBR120",
        f"I{{ref}}_usb 0 {vbus} dc 0",
        f"R{{ref}}_usb {vbus} {{ref}}_gnd 15.6k",
        f"B{{ref}}_amp {{ref}}_amp 0 V = 0.9*max(0, tanh(({LOGIC_V:g}-V({supply}))/0.018))*{watch}",
        f"G{{ref}}_out {{ref}}_gnd {supply} {{ref}}_amp 0 1",
        f"B{{ref}}_in {vsys} {{ref}}_gnd I = V({{ref}}_amp)*V({supply})/0.9/max(1.5,V({vsys}))",
        f"R{{ref}}_core {supply} {{ref}}_gnd 132",
        f"R{{ref}}_en {vsys} {enable} 100k",
        f"R{{ref}}_vref {supply} {vref} 200",
        f"R{{ref}}_run {supply} {run} 50k",
    ]
    return model(*lines)
