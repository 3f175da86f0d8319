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


@dataclass(frozen=True)
class Model:
    """Elements of one part; `failures` are what its kind is known for: {name: {element: value}}.

    In place of an element "pin 1" means a source in series with the pin, of so many volts towards the part.
    """

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


def _fet(low: float, high: float, drain: str = "3", source: str = "2") -> Model:
    """Return a FET whose gate sees `low` V more where its threshold is at the low end, `high` at the other."""
    line = f"M{{ref}} {{{drain}}} {{1}} {{{source}}} {{model}}"
    return model(line, **{"threshold low": {"pin 1": low}, "threshold high": {"pin 1": high}})


def _bipolar(name: str, low: float, high: float) -> Model:
    """Return a transistor whose base sees `low` V more where its base-emitter voltage is at the low end."""
    changes = {"base-emitter voltage low": {"pin 1": low}, "base-emitter voltage high": {"pin 1": high}}
    return model(f"Q{{ref}} {{3}} {{1}} {{2}} {name}", **changes)


_DIODE_2 = model("{ref} {2} {1} {model}")  # cathode 1, anode 2
_BAS70 = model("{ref} {1} {3} BAS70")
_LIGHT = model("{ref} {2} {1} LIGHT")

# Held against its spring or its coil: 1 ohm, and what makes 0, 1 or half a volt of it.
_ARMATURE = {
    "at rest": {"R": 1.0},
    "changed over": {"R": 1.0, "I": 1.0},
    "between": {"R": 1.0, "I": 0.5},
}

# By value as the drawing has it.
VALUES: Mapping[str, Model] = {
    "BSS138": _fet(0.5, -0.2),
    "BSS84": _fet(-0.9, 0.3),
    "NDT3055L": _fet(0.6, -0.4, drain="2", source="3"),
    "NDT2955": _fet(-0.6, 1.4, drain="2", source="3"),
    "AO3401A": _fet(-0.4, 0.4),
    "MMBT3906": _bipolar("Q3906", -0.02, 0.02),
    "BC847B": _bipolar("BC847B", 0.075, -0.045),
    "BAS70": _BAS70,
    "BAS70-04": model("D{ref}_a {1} {3} BAS70", "D{ref}_b {3} {2} BAS70"),
    "1N4148W": _DIODE_2,
    "MBR0520": _DIODE_2,
    "MBR0540": _DIODE_2,
    "SS14": _DIODE_2,
    "27V": model("{ref} {2} {1} DZ27", **{"18 V": {"pin 1": 9.0}, "36 V": {"pin 1": -9.0}}),
    # Two clamps to a common pin, each both ways; they leak 100 nA at 32 V at most.
    "35V": model(
        *(
            f"D{{ref}}_{line}l {{ref}}_mid{line} {{{line}}} CLAMP35\nD{{ref}}_{line}g {{ref}}_mid{line} {{3}} CLAMP35\n"
            f"R{{ref}}_{line} {{{line}}} {{3}} 320meg"
            for line in "12"
        )
    ),
    "green": _LIGHT,
    "yellow": _LIGHT,
    "red": _LIGHT,
    # Shunt reference; V{ref}_off moves its voltage.
    "2.5V": model(
        "V{ref}_off {1} {ref}_k dc 0",
        "X{ref} {ref}_k {2} LM4040",
        **{"high 10 %": {"V{ref}_off": 0.25}, "low 10 %": {"V{ref}_off": -0.25}},
    ),
    # Analogue switch: pin A follows the mean of B2 and B1, mixed by the part of a period for which S is high. A pin
    # that comes off leaves A at the other input's voltage. The currents are 1 A for a whole period, into 1 ohm.
    "74LVC1G3157": model(
        "V{ref}_duty {ref}_duty 0 dc 0",
        "G{ref}_high 0 {ref}_high {ref}_duty 0 1",
        "R{ref}_high {ref}_high 0 1meg",
        "S{ref}_high {ref}_high {ref}_part {6} 0 LOGIC",
        "I{ref}_low 0 {ref}_low dc 1",
        "G{ref}_low {ref}_low 0 {ref}_duty 0 1",
        "R{ref}_low {ref}_low 0 1meg",
        "S{ref}_low {ref}_low {ref}_part {6.low} 0 LOGIC",
        "R{ref}_part {ref}_part 0 1",
        "I{ref}_stuck 0 {ref}_part dc 0",
        "B{ref}_out 0 {4} I = (V({ref}_part)*V({1},{3})+V({3})-V({4}))/6",
        "G{ref}_b2 {1} 0 {ref}_part 0 60u",
        "R{ref}_off {1} {3} 1meg",
        *(f"R{{ref}}_vcc{pin} {{{pin}}} {{5}} 100meg" for pin in "26"),
        reference={"R{ref}_part": 1e-6, "I{ref}_stuck": 1e6},
        ground={"R{ref}_part": 1e-6},
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
    # Second monitor: its supply, its bus pin, 10 uA into each input at 24 V, the most that a data sheet leaves open.
    "INA226": model(
        "R{ref}_vs {6} {7} 10k",
        "R{ref}_bus {8} {7} 830k",
        "R{ref}_in {10} {7} 2.4meg",
        "R{ref}_in2 {9} {7} 2.4meg",
        *(f"R{{ref}}_leak{pin} {{{pin}}} {{7}} 100meg" for pin in "12345"),
        input_leaks={"R{ref}_in2": 24e3},
        latched_up={"R{ref}_vs": 100.0},
    ),
    # Current-sense amplifier of gain 500 from REF on, within its supply; R{ref}_out opens where its output sticks.
    "INA190A5": model(
        "R{ref}_vs {3} {2} 66k",
        "R{ref}_in {4} {5} 2.3meg",
        "R{ref}_cm {4} {2} 10g",
        "R{ref}_cm2 {5} {2} 10g",
        "R{ref}_ref {1} {2} 10meg",
        "B{ref}_out {ref}_says {2} V = 0.5*V({3},{2})*(1 + tanh((500*V({4},{5}) + V({1},{2}) - 1.65)/1.2))",
        "R{ref}_out {ref}_says {6} 100",
        "R{ref}_high {6} {3} 1e12",
        "R{ref}_low {6} {2} 1e12",
        stuck_high={"R{ref}_out": 1e9, "R{ref}_high": 100.0},
        stuck_low={"R{ref}_out": 1e9, "R{ref}_low": 100.0},
    ),
    "MB85RC256V": model(
        "R{ref}_vdd {8} {4} 150k",
        *(f"R{{ref}}_leak{pin} {{{pin}}} {{4}} 100meg" for pin in "123567"),
        latched_up={"R{ref}_vdd": 100.0},
    ),
    # Boost converters as their mean: U6 says how hard it works (0 to 1 V), L1 carries the power, D5 passes it on.
    "TPS61040": model(
        "V{ref}_ref {ref}_ref 0 dc 1.233",
        "V{ref}_full {ref}_full 0 dc 1",
        "B{ref}_act 0 {ref}_act I = 3m*tanh(0.2*V({ref}_ref,{3})/3m)",
        "R{ref}_act {ref}_act 0 1k",
        "D{ref}_full {ref}_act {ref}_full IDEAL",
        "D{ref}_none 0 {ref}_act IDEAL",
        "S{ref}_en {ref}_act 0 {4} {2} ASLEEP",
        "S{ref}_vin {ref}_act 0 {6} {2} ASLEEP",
        "S{ref}_sw {ref}_act 0 {1} {2} ASLEEP",
        "R{ref}_sw {1} {2} 20meg",
        "R{ref}_fb {3} {2} 100meg",
        "R{ref}_en {4} {2} 100meg",
        dead={"V{ref}_ref": 0.0},
        over_voltage={"V{ref}_ref": 2.5},
        under_voltage={"V{ref}_ref": 0.6},
    ),
    "Li-ion": model(
        "V{ref} {ref}_emf {2} dc 3.9",
        "R{ref}_inner {ref}_emf {1} 0.15",
        empty={"V{ref}": 2.9},
        overcharged={"V{ref}": 4.35},
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
    # Coil of 3 V, 91 ohm; pulls in at 2.1 V, falls off at 0.6 V; the armature (0 to 1 V) needs 0.5 ms to part and 2.4
    # ms to close. The two poles move together unless one sticks.
    "G6K-2F-Y": model(
        "R{ref}_coil {1} {8} 91 tc1=0.0039",
        "I{ref}_pull 0 {ref}_off dc 1",
        "R{ref}_off {ref}_off 0 1meg",
        "S{ref}_pull {ref}_off {ref}_pull {1} {8} COIL",
        "R{ref}_pull {ref}_pull 0 1",
        *(
            f"R{{ref}}_slow{pole} {{ref}}_pull {{ref}}_arm{pole} 1k\nC{{ref}}_mass{pole} {{ref}}_arm{pole} 0 1.5u\n"
            f"I{{ref}}_hold{pole} 0 {{ref}}_arm{pole} dc 0\nR{{ref}}_hold{pole} {{ref}}_arm{pole} 0 1e12"
            for pole in "12"
        ),
        "S{ref}_nc1 {3} {2} {ref}_arm1 0 NC_CONTACT",
        "S{ref}_no1 {3} {4} {ref}_arm1 0 NO_CONTACT",
        "S{ref}_nc2 {6} {7} {ref}_arm2 0 NC_CONTACT",
        "S{ref}_no2 {6} {5} {ref}_arm2 0 NO_CONTACT",
        **{
            name + word: {f"{letter}{{ref}}_hold{pole}": value for pole in poles for letter, value in held.items()}
            for name, poles in (("", "12"), ("pole 1 ", "1"), ("pole 2 ", "2"))
            for word, held in _ARMATURE.items()
        },
    ),
}
# As TPS61040, with the reference of the MT3608 and 4 A in place of 0.4 A in its switch.
_BOOST_W = {"TPS61040": 0.17, "MT3608": 1.0}  # W for each volt of the battery that reach the rail


def boost_choke(converter: str) -> Model:
    """Return L1 for the converter beside it: `watt` at full work, 85 % of what the battery gives."""
    watt = _BOOST_W[converter]
    return model(
        "D{ref}_winding {1} {2} WINDING",
        f"B{{ref}}_out 0 {{2}} I = {watt:g}*max(0,V(u6_act)-2m)*max(0,V({{1}}))/max(3,V({{2}}))",
        f"B{{ref}}_in {{1}} 0 I = {watt / 0.85:g}*V(u6_act)*max(0,tanh(2*V({{1}})))",
        "S{ref}_dry u6_act 0 {1} 0 ASLEEP",
        "D{ref}_break 0 {2} FLYBACK",
        "C{ref}_near {1} 0 1n",
        "C{ref}_node {2} 0 100p",
    )


def mt3608() -> Model:
    """Return U6 of variant B: as A's, with a reference of 0.6 V and its supply at pad 5."""
    like = VALUES["TPS61040"]
    lines = tuple(line.replace("dc 1.233", "dc 0.6").replace("{6}", "{5}") for line in like.lines)
    return model(*lines, dead={"V{ref}_ref": 0.0}, over_voltage={"V{ref}_ref": 1.2}, under_voltage={"V{ref}_ref": 0.29})


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
    lines += [
        f"D{{ref}}_vbus {vbus} {vsys} MBR120",
        f"I{{ref}}_usb 0 {vbus} dc 0",
        f"R{{ref}}_usb {vbus} {{ref}}_gnd 15.6k",
        f"V{{ref}}_set {{ref}}_set 0 dc {LOGIC_V:g}",
        f"B{{ref}}_amp 0 {{ref}}_amp I = 0.9*max(0, tanh((V({{ref}}_set)-V({supply}))/0.018))",
        "R{ref}_amp {ref}_amp 0 1",
        f"S{{ref}}_vsys {{ref}}_amp 0 {vsys} 0 DARK",
        f"S{{ref}}_en {{ref}}_amp 0 {enable} 0 ASLEEP",
        f"G{{ref}}_out {{ref}}_gnd {supply} {{ref}}_amp 0 1",
        f"G{{ref}}_in {vsys} {{ref}}_gnd {{ref}}_amp 0 1",
        f"R{{ref}}_core {supply} {{ref}}_gnd 132",
        f"R{{ref}}_en {vsys} {enable} 100k",
        f"C{{ref}}_vsys {vsys} {{ref}}_gnd 10u",
        f"R{{ref}}_vref {supply} {vref} 200",
        f"R{{ref}}_run {supply} {run} 50k",
    ]
    return model(*lines, **{"3V3:low": {"V{ref}_set": 3.0}, "3V3:high": {"V{ref}_set": 3.6}})
