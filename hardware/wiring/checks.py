"""What has to be true of the netlist beyond what KiCad's rules check. Each check returns sentences, none when it holds.

The firmware's own tables (`ionto.pins`, `ionto.limits`) are the other half of every comparison.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ionto import pins
from ionto.limits import Limits, for_variant
from ionto_host.tables import pin_numbers
from ionto_sim.spice.netlist import Netlist, read, short_name

PICO = "A1"
ON_MODULE = {"VBUS_SENSE": 24, "LED_BOARD": 25, "ADC_VSYS": 29}
REFERENCE_V = 2.5
COLD_BASE_V = 0.6905  # base-emitter voltage at which one limiter alone holds at 0 C, from its SPICE runs
E9_PULL_DOWN_OHM = 8_200.0  # RP2350 erratum E9
RELAY_HOLD_MS = (87, 93)  # time constant: in SPICE held 134 to 309 ms, past the dead-man, under limits.RELAY_MS
LOGIC_V, LOGIC_HIGH_V, SCHOTTKY_V = 3.3, 2.0, 0.35
BUS = {"SDA": "I2C_SDA", "SCL": "I2C_SCL"}
INA226_FULL_V = 81.92e-3
POLE_GAIN = 500 * 2.3e6 / (2.3e6 + 200e3)  # of U9, with R60 and R61 before its 2.3 Mohm
BOOST_FEEDBACK_V = {"TPS61040": 1.233, "MT3608": 0.6}
RAIL_V = 24.0
_SCALE = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}
LIMITERS = (("RAIL_24V", "LIMIT_MID"), ("LIMIT_MID", "HS_SRC"))  # the nets that their resistors are between
SECOND_SHUNT = ("HS_SRC", "HS_SHUNT")
Check = Callable[[Netlist], list[str]]


@dataclass(frozen=True)
class Finding:
    """One thing wrong: the name of the check and a sentence."""

    check: str
    message: str


def run(netlist: Netlist) -> list[Finding]:
    """Return the findings of every check; nothing for a sound netlist."""
    found = []
    for check in CHECKS:
        try:
            messages = check(netlist)
        except KeyError as error:
            messages = [f"not there: {error.args[0]}"]
        found += [Finding(check.__name__, message) for message in messages]
    return found


def number(value: str) -> float:
    """Return a value such as 4.7k, 150n or 27V as a number in ohm, farad, henry or volt; ValueError for other text."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([pnumkM]?)[VAFH]?", value)
    if match is None:
        raise ValueError(f"{value!r} is no value")
    return float(match[1]) * _SCALE[match[2]]


def value_of(netlist: Netlist, reference: str, variant: str = "A") -> float:
    """Return a part's value in `variant`; KeyError when the variant leaves it out or there is none."""
    value = netlist.components[reference].value_in(variant) if reference in netlist.components else None
    if value is None:
        raise KeyError(f"{reference} in variant {variant}")
    return number(value)


def parallel_ohm(netlist: Netlist, first: str, second: str, variant: str) -> float:
    """Return the resistance in ohm that `variant` has between two nets, of resistors directly between them."""
    values = [
        number(value)
        for reference in netlist.between(first, second)
        if reference.startswith("R") and (value := netlist.components[reference].value_in(variant)) is not None
    ]
    if not values:
        raise KeyError(f"a resistor between {first} and {second} in variant {variant}")
    return 1.0 / sum(1.0 / value for value in values)


def _pins_on(netlist: Netlist, expected: dict[tuple[str, str], str]) -> list[str]:
    """Return a sentence for each pin (part, name or number) that is not on the net it should be on."""
    wrong = []
    for (reference, pin), net in expected.items():
        actual = netlist.net_of(reference, pin)
        if actual != net:
            wrong.append(f"{reference} {pin} is on {actual}, not on {net}")
    return wrong


def _between(netlist: Netlist, expected: dict[str, tuple[str, str]]) -> list[str]:
    """Return a sentence for each two-ended part that is not between the two nets it should be between."""
    wrong = []
    for reference, nets in expected.items():
        actual = sorted(name for name, nodes in netlist.nets.items() for node in nodes if node[0] == reference)
        if actual != sorted(nets):
            wrong.append(f"{reference} is between {' and '.join(actual) or 'nothing'}, not {' and '.join(nets)}")
    return wrong


def _near(what: str, actual: float, expected: float, share: float) -> list[str]:
    if abs(actual - expected) <= share * abs(expected):
        return []
    return [f"{what} is {actual:.5g}, not {expected:.5g} within {share:.1%}"]


def _variants() -> list[tuple[str, Limits]]:
    return [(variant, for_variant(variant)) for variant in ("A", "B")]


def net_names(netlist: Netlist) -> list[str]:
    """A net's short name is that of one net."""
    counted = Counter(short_name(full) for full in netlist.full_names)
    return [f"{name} names {count} nets" for name, count in counted.items() if count > 1]


def firmware_pins(netlist: Netlist) -> list[str]:
    """Every pin of the firmware's table is on the Pico's pin of that GPIO, and no other GPIO is wired."""
    table = pin_numbers()
    wrong = [f"{net} is GP{table.get(net)}, on the module GP{gpio}" for net, gpio in ON_MODULE.items()
             if table.get(net) != gpio]  # fmt: skip
    wired = {net: gpio for net, gpio in table.items() if net not in ON_MODULE}
    wrong += _pins_on(netlist, {(PICO, f"GP{gpio}"): net for net, gpio in wired.items()})
    for (reference, pin), name in netlist.pin_names.items():
        match = re.fullmatch(r"GP(\d+)", name)
        if reference == PICO and match and int(match[1]) not in wired.values():
            net = netlist.net_of(PICO, pin)
            if len(netlist.nets[net]) > 1:
                wrong.append(f"{name} is wired to {net}, and the firmware does not know it")
    return wrong


def heartbeat_neighbours(netlist: Netlist) -> list[str]:
    """Beside HEARTBEAT on the header are only GND and RUN, beside PWM_SETPOINT only GND and pins that are open."""
    return [
        f"{net} (pin {pin}) lies beside {other}"
        for net, allowed in (("HEARTBEAT", ("GND", "RUN")), ("PWM_SETPOINT", ("GND", "open")))
        for pin, other in _neighbours(netlist, net)
        if other not in allowed
    ]


def _neighbours(netlist: Netlist, net: str) -> list[tuple[int, str]]:
    """Return (pin, what lies beside it) for the header pins beside those of the Pico on `net`."""
    own = [int(pin) for reference, pin in netlist.nets.get(net, ()) if reference == PICO]
    beside = []
    for pin in own:
        for other in (pin - 1, pin + 1):
            if 1 <= other <= 40 and (other <= 20) == (pin <= 20):
                there = netlist.net_of(PICO, str(other))
                if there.startswith("unconnected-"):
                    name = netlist.pin_names[(PICO, str(other))]
                    there = "RUN" if name == "RUN" else "open"
                beside.append((pin, there))
    return beside


def sensor_address(netlist: Netlist) -> list[str]:
    """A0 and A1 of the INA219 give the address that the firmware calls, on the firmware's bus."""
    codes = {"GND": 0, "3V3": 1, "I2C_SDA": 2, "I2C_SCL": 3}
    low, high = (codes.get(netlist.net_of("U5", pin), -64) for pin in ("A0", "A1"))
    address = 0x40 + low + 4 * high
    wrong = (
        [] if address == pins.INA219_ADDRESS else [f"the INA219 answers at {address:#x}, not {pins.INA219_ADDRESS:#x}"]
    )
    wrong += _pins_on(netlist, {("U5", "SDA"): "I2C_SDA", ("U5", "SCL"): "I2C_SCL"})
    return wrong + _between(netlist, {"R37": ("I2C_SDA", "3V3"), "R38": ("I2C_SCL", "3V3")})


def second_measurement(netlist: Netlist) -> list[str]:
    """The INA226 measures between limiters and switch, at its own address; with the switch off it draws nothing.

    What is on the load's side of the shunt and not in its way, or joins the load with anything, makes it wrong.
    """
    expected = {"IN+": SECOND_SHUNT[0], "VBUS": "GND", "IN-": SECOND_SHUNT[1], "A0": "3V3", "A1": "GND"}
    wrong = _pins_on(netlist, {("U7", pin): net for pin, net in {**expected, **BUS}.items()})
    codes = {"GND": 0, "3V3": 1, "I2C_SDA": 2, "I2C_SCL": 3}
    low, high = (codes.get(netlist.net_of("U7", pin), -64) for pin in ("A0", "A1"))
    if 0x40 + low + 4 * high != pins.INA226_ADDRESS:
        wrong.append(f"the INA226 does not answer at {pins.INA226_ADDRESS:#x}")
    for variant, limits in _variants():
        full_ua = INA226_FULL_V / parallel_ohm(netlist, *SECOND_SHUNT, variant) * 1e6
        if not 1.05 * limits.hardware_ceiling_ua < full_ua < 2 * limits.hardware_ceiling_ua:
            wrong.append(f"the INA226 reads up to {full_ua:.0f} uA in {variant}")
    behind = {"HS_SHUNT": {"R55", "R56", "R64", "U7", "Q2", "Q12"}, "HS_OUT": {"Q2", "Q12", "K1", "TP9"}}
    return wrong + [
        f"{name} is on {net}, behind the second measurement"
        for net, own in behind.items()
        for name in sorted(netlist.parts_on(net) - own)
    ]


def pole(netlist: Netlist) -> list[str]:
    """The pole is told by the current in the lead of E+, at the electrode's side of the relay; U9 can leak little."""
    wrong = _between(netlist, {"R60": ("OUT_A", netlist.net_of("U9", "IN+")), "R20": ("OUT_A", "E_PLUS")})
    wrong += _between(netlist, {"R61": ("E_PLUS", netlist.net_of("U9", "IN-"))})
    wrong += _between(netlist, {"R62": (netlist.net_of("U9", "OUT"), "POLE_SENSE")})
    wrong += _pins_on(netlist, {("U9", "REF"): "GND", ("U9", "VS"): "3V3", ("U9", "GND"): "GND"})
    wrong += _between(netlist, {"R63": ("RELAY_COIL", "RELAY_SENSE")})
    most_v = number(netlist.components["D3"].value) * 1.05
    least = min(value_of(netlist, name) for name in ("R60", "R61"))
    if most_v / least > 0.3e-3:
        wrong.append(f"U9 may leak {most_v / least * 1e3:.1f} mA from an electrode")
    for variant, limits in _variants():
        high_v = limits.probe_ua * 1e-6 * value_of(netlist, "R20", variant) * POLE_GAIN
        if high_v < LOGIC_HIGH_V:
            wrong.append(f"the self-test's current makes {high_v:.2f} V at POLE_SENSE in {variant}")
    return wrong


def memory(netlist: Netlist) -> list[str]:
    """The FRAM is on the bus at the firmware's address, never write-protected."""
    wrong = _pins_on(
        netlist, {("U8", pin): net for pin, net in {"VDD": "3V3", "VSS": "GND", "WP": "GND", **BUS}.items()}
    )
    low = sum(bit for pin, bit in (("A0", 1), ("A1", 2), ("A2", 4)) if netlist.net_of("U8", pin) == "3V3")
    return wrong + ([] if 0x50 + low == pins.FRAM_ADDRESS else [f"the FRAM is not at {pins.FRAM_ADDRESS:#x}"])


def shunt(netlist: Netlist) -> list[str]:
    """The shunt is what the firmware divides by, 0.1 %, and the INA219 sits across it."""
    wrong = _pins_on(netlist, {("U5", "IN+"): "SHUNT_HI", ("U5", "IN-"): "GND"})
    for variant, limits in _variants():
        ohm = parallel_ohm(netlist, "SHUNT_HI", "GND", variant)
        wrong += _near(f"shunt in {variant}, mohm", ohm * 1e3, limits.shunt_mohm, 1e-6)
    return wrong


def sense(netlist: Netlist) -> list[str]:
    """Rs and the shunt are what the firmware takes V(SNS) by, and give its full scale at 100 % duty."""
    wrong = []
    for variant, limits in _variants():
        ohm = parallel_ohm(netlist, "SNS", "SHUNT_HI", variant) + parallel_ohm(netlist, "SHUNT_HI", "GND", variant)
        wrong += _near(f"Rs and shunt in {variant}, mohm", ohm * 1e3, limits.sense_mohm, 0.001)
        full_ua = REFERENCE_V * _gain(netlist, variant) / ohm * 1e6
        wrong += _near(f"full scale in {variant}, uA", full_ua, limits.full_scale_ua, 0.001)
    return wrong


def _gain(netlist: Netlist, variant: str) -> float:
    first = parallel_ohm(netlist, "SP_PWM", "SP_F1", variant)
    second = parallel_ohm(netlist, "SP_F1", "SETPOINT", variant)
    load = parallel_ohm(netlist, "SETPOINT", "GND", variant)
    return load / (first + second + load)


def precision(netlist: Netlist) -> list[str]:
    """What sets the most that the set-point path can ask for is 0.1 %."""
    parts = ("R3", "R4", "R5", "R9", "R10", "R11", "U2")
    return [
        f"{name} is {tolerance}, not 0.1%"
        for name in parts
        if (tolerance := netlist.components[name].fields.get("Tolerance", "of no stated tolerance")) != "0.1%"
    ]


def set_point(netlist: Netlist) -> list[str]:
    """The PWM pin switches the filter between reference (high) and ground (low)."""
    expected = {("U3", "S"): "PWM_SETPOINT", ("U3", "B2"): "REF_2V5", ("U3", "B1"): "GND", ("U3", "A"): "SP_PWM"}
    wrong = _pins_on(netlist, {**expected, ("U2", "K"): "REF_2V5", ("U2", "A"): "GND"})
    wrong += _between(netlist, {"R1": ("3V3", "REF_2V5"), "C1": ("SP_F1", "GND"), "C2": ("SETPOINT", "GND")})
    return wrong + _near("gain of the set-point filter", _gain(netlist, "A"), 0.4, 1e-6)


def amplifier(netlist: Netlist) -> list[str]:
    """The sink's op-amp follows SETPOINT with its plus input and feeds V(SNS) back to its minus input."""
    wrong = _pins_on(netlist, {("U4", "3"): "SETPOINT", ("U4", "2"): "FEEDBACK", ("U4", "1"): "OA_OUT"})
    wrong += _between(netlist, {"R8": ("FEEDBACK", "SNS"), "C3": ("FEEDBACK", "OA_OUT"), "R6": ("OA_OUT", "SINK_GATE")})
    others = netlist.parts_on("FEEDBACK") - {"U4", "R8", "C3"}
    return wrong + [f"{name} is on FEEDBACK" for name in sorted(others)]


def sink_transistor(netlist: Netlist) -> list[str]:
    """Q1, in B Q11, has its drain at the output and its source at the resistors; one of them is fitted."""
    places = {"D": "DRAIN", "G": "SINK_GATE", "S": "SNS"}
    wrong = _pins_on(netlist, {(name, pin): net for name in ("Q1", "Q11") for pin, net in places.items()})
    return wrong + _either(netlist, "Q1", "Q11")


def _either(netlist: Netlist, only_a: str, only_b: str) -> list[str]:
    """Return a sentence for each variant that does not fit its own one of two parts."""
    fitted = {(name, variant) for name in (only_a, only_b) for variant in "AB"
              if netlist.components[name].value_in(variant) is not None}  # fmt: skip
    right = {(only_a, "A"), (only_b, "B")}
    return [f"{name} is fitted in {variant} or missing there" for name, variant in sorted(fitted ^ right)]


def pull_downs(netlist: Netlist) -> list[str]:
    """What must be low while nothing drives it is pulled low, on the Pico's pins hard enough for an RP2350."""
    most_ohm = dict.fromkeys(("PWM_SETPOINT", "BOOST_ENABLE", "POLARITY_RELAY", "BUZZER"), E9_PULL_DOWN_OHM)
    most_ohm |= {"SINK_GATE": 220e3, "INTERLOCK_GATE": 220e3, "PUMP": 1e6}
    wrong = []
    for net, most in most_ohm.items():
        names = [name for name in netlist.between(net, "GND") if name.startswith("R")]
        if not any(value_of(netlist, name) <= most for name in names):
            wrong.append(f"{net} has no pull-down of at most {most:.0f} ohm")
    return wrong


def high_side(netlist: Netlist) -> list[str]:
    """Q2, in B Q12, switches the rail to the output, off by R14 and R49 unless Q3 pulls its gate through R15 and R50.

    Its gate stays within 20 V also when one of R14 and R49 is open, or one of R15 and R50 shorted.
    """
    expected = {("Q2", "S"): "HS_SHUNT", ("Q2", "G"): "HS_GATE", ("Q2", "D"): "HS_OUT", ("Q3", "D"): "Q3_D"}
    expected |= {("Q12", "S"): "HS_SHUNT", ("Q12", "G"): "HS_GATE", ("Q12", "D"): "HS_OUT"}
    wrong = _pins_on(netlist, {**expected, ("Q3", "G"): "PUMP"}) + _either(netlist, "Q2", "Q12")
    wrong += _between(netlist, {**dict.fromkeys(("R14", "R49"), ("HS_GATE", "HS_SRC")), "R64": SECOND_SHUNT})
    wrong += _between(netlist, {"R15": ("HS_GATE", "HS_DRIVE"), "R50": ("HS_DRIVE", "Q3_D")})
    holds = [value_of(netlist, name) for name in ("R14", "R49")]
    drives = [value_of(netlist, name) for name in ("R15", "R50")]
    clamp_v = number(netlist.components["D3"].value) * 1.05
    both = 1 / sum(1 / ohm for ohm in holds)
    worst = [(max(holds), sum(drives)), (both, min(drives))]
    gate_v = max(clamp_v * hold / (hold + drive) for hold, drive in worst)
    return wrong + ([f"the gate of Q2 may see {gate_v:.1f} V, it stands 20 V"] if gate_v > 20 else [])


def limiter(netlist: Netlist) -> list[str]:
    """Each of two limiters takes the gate of Q2 at the firmware's ceiling, at the cold end."""
    wrong = []
    for transistor, protection, (top, bottom) in (("Q4", "R27", LIMITERS[0]), ("Q9", "R52", LIMITERS[1])):
        wrong += _pins_on(netlist, {(transistor, "E"): top, (transistor, "C"): "HS_GATE"})
        wrong += _between(netlist, {protection: (netlist.net_of(transistor, "B"), bottom)})
        for variant, limits in _variants():
            ceiling_ua = COLD_BASE_V / parallel_ohm(netlist, top, bottom, variant) * 1e6
            wrong += _near(f"ceiling of {transistor} in {variant}, uA", ceiling_ua, limits.hardware_ceiling_ua, 0.005)
    return wrong


def series_resistance(netlist: Netlist) -> list[str]:
    """What the firmware takes off the load's voltage is both limiters, the INA226's shunt and both lead resistors."""
    wrong = _between(netlist, {"R20": ("OUT_A", "E_PLUS"), "R21": ("OUT_B", "E_MINUS")})
    for variant, limits in _variants():
        ohm = sum(parallel_ohm(netlist, top, bottom, variant) for top, bottom in (*LIMITERS, SECOND_SHUNT))
        ohm += value_of(netlist, "R20", variant) + value_of(netlist, "R21", variant)
        wrong += _near(f"limiters and leads in {variant}, ohm", ohm, limits.series_ohm, 0.005)
    return wrong


def dead_man(netlist: Netlist) -> list[str]:
    """The heartbeat reaches Q3 through the pump only, two capacitors in a row; one edge is a small part of its store.

    Two bleeders beside each other: with one of them open the pump still lets go, in twice the time.
    """
    expected = {
        "R16": ("HEARTBEAT", "PUMP_IN"),
        "C4": ("PUMP_IN", "PUMP_MID"),
        "C23": ("PUMP_MID", "PUMP_AC"),
        "C5": ("PUMP", "GND"),
        "R17": ("PUMP", "GND"),
        "R48": ("PUMP", "GND"),
    }
    wrong = _between(netlist, expected)
    wrong += _pins_on(netlist, {("D1", "A"): "GND", ("D1", "AK"): "PUMP_AC", ("D1", "K"): "PUMP"})
    members = {"PUMP": {"D1", "C5", "R17", "R48", "Q3", "Q5", "TP8"}, "PUMP_MID": {"C4", "C23"}}
    wrong += [f"{name} is on {net}" for net, own in members.items() for name in sorted(netlist.parts_on(net) - own)]
    one = 1 / (1 / value_of(netlist, "C4") + 1 / value_of(netlist, "C23"))
    store = value_of(netlist, "C5")
    if one * 5 > store:
        wrong.append(f"C4 and C23 of {one * 1e9:.0f} nF are not much smaller than C5 of {store * 1e9:.0f} nF")
    bleeders = [value_of(netlist, name) for name in ("R17", "R48")]
    if max(bleeders) > 1.05 * min(bleeders):
        wrong.append("R17 and R48 differ: with the smaller one open the pump holds for more than twice the time")
    decay_ms = (one + store) / sum(1 / ohm for ohm in bleeders) * 1e3
    return wrong + ([] if 40 <= decay_ms <= 80 else [f"the pump decays with {decay_ms:.0f} ms, not 40 to 80"])


def stop(netlist: Netlist) -> list[str]:
    """STOP is the only way from Q3's source to ground, the pin that sees it cannot feed it, 1 mA keeps it clean."""
    wrong = _pins_on(netlist, {("Q3", "S"): "STOP_LOOP", ("D6", "K"): "STOP_LOOP", ("D6", "A"): "STOP_FEED"})
    expected = {"SW1": ("STOP_LOOP", "GND"), "R28": ("STOP_FEED", "STOP_SENSE"), "R59": ("STOP_FEED", "3V3")}
    wrong += _between(netlist, expected)
    wetting_ma = (LOGIC_V - SCHOTTKY_V) / value_of(netlist, "R59") * 1e3
    if not 1.0 <= wetting_ma <= 3.0:
        wrong.append(f"{wetting_ma:.2f} mA flow through the STOP contact, not 1 to 3")
    return wrong + [f"{name} is on STOP_LOOP" for name in sorted(netlist.parts_on("STOP_LOOP") - {"Q3", "SW1", "D6"})]


def interlock(netlist: Netlist) -> list[str]:
    """VBUS shorts the pump; only the bench strap takes that out. A pin of the Pico sees it, can do it, not undo it."""
    wrong = _pins_on(netlist, {("Q5", "D"): "PUMP", ("Q5", "S"): "GND", ("Q5", "G"): "INTERLOCK_GATE"})
    wrong += _pins_on(netlist, {("D13", "A"): "VBUS", ("D13", "K"): "USB_FED"})
    expected = {
        "R18": ("USB_FED", "INTERLOCK_GATE"),
        "R19": ("INTERLOCK_GATE", "GND"),
        "R57": ("INTERLOCK_GATE", "INTERLOCK_SENSE"),
    }
    wrong += _between(netlist, expected)
    strap = {("JP1", "1"): "INTERLOCK_GATE", ("JP1", "2"): "GND", ("JP1", "3"): "BENCH_STRAP", ("JP1", "4"): "GND"}
    wrong += _pins_on(netlist, strap)
    if PICO in netlist.parts_on("INTERLOCK_GATE"):
        wrong.append("the Pico is on INTERLOCK_GATE")
    top, bottom, pin = (value_of(netlist, name) for name in ("R18", "R19", "R57"))
    held = 1 / (1 / bottom + 1 / pin)
    gate_v = {
        "at 4.4 V of VBUS, pin low,": (4.4 - SCHOTTKY_V) * held / (top + held),
        "without VBUS, pin high,": LOGIC_V * bottom / (pin + bottom),
    }
    return wrong + [
        f"{when} the gate of Q5 has {volt:.2f} V, less than 2 V" for when, volt in gate_v.items() if volt < 2
    ]


def measurements(netlist: Netlist) -> list[str]:
    """V(SNS) reaches the ADC past op-amp and INA219; drain (two in a row, about SNS) and rail are divided by 11."""
    wrong = _between(netlist, {"R34": ("SNS", "ADC_SNS"), "R22": ("DRAIN", "DRAIN_MID")})
    wrong += _between(netlist, {"R54": ("DRAIN_MID", "DRAIN_DIV"), "R23": ("DRAIN_DIV", "SNS")})
    wrong += _between(netlist, {"R24": ("RAIL_24V", "ADC_RAIL"), "R25": ("ADC_RAIL", "GND")})
    wrong += _pins_on(netlist, {("U4", "5"): "DRAIN_DIV", ("U4", "6"): netlist.net_of("U4", "7")})
    wrong += _between(netlist, {"R33": (netlist.net_of("U4", "7"), "ADC_DRAIN")})
    for tops, bottom in ((("R22", "R54"), "R23"), (("R24",), "R25")):
        ratio = 1 + sum(value_of(netlist, top) for top in tops) / value_of(netlist, bottom)
        wrong += _near(f"divider {' '.join(tops)} {bottom}", ratio, 11, 0.002)
    return wrong


def relay(netlist: Netlist) -> list[str]:
    """At rest E+ is at the high side; both contacts cross over; the coil has its diode."""
    contacts = {"COM2": "OUT_A", "NC2": "HS_OUT", "NO2": "DRAIN", "COM1": "OUT_B", "NC1": "DRAIN", "NO1": "HS_OUT"}
    wrong = _pins_on(netlist, {("K1", pin): net for pin, net in contacts.items()})
    coil = {("K1", "+"): "RELAY_COIL", ("K1", "-"): "GND", ("D2", "K"): "RELAY_COIL", ("D2", "A"): "GND"}
    return wrong + _pins_on(netlist, {**coil, ("Q8", "D"): "RELAY_COIL", ("Q8", "S"): "3V3", ("Q8", "G"): "RELAY_GATE"})


def relay_hold(netlist: Netlist) -> list[str]:
    """C22 is charged through D12 alone and holds the relay past the dead-man's worst case."""
    wrong = _pins_on(netlist, {("D12", "A"): "RELAY_IN", ("D12", "K"): "RELAY_HOLD"})
    wrong += _pins_on(netlist, {("Q6", "B"): "RELAY_BASE", ("Q6", "E"): "GND", ("Q6", "C"): "RELAY_GATE"})
    expected = {
        "R44": ("POLARITY_RELAY", "RELAY_IN"),
        "C22": ("RELAY_HOLD", "GND"),
        "R45": ("RELAY_HOLD", "GND"),
        "R46": ("RELAY_HOLD", "RELAY_BASE"),
        "R47": ("RELAY_GATE", "3V3"),
    }
    wrong += _between(netlist, expected)
    members = {
        "RELAY_HOLD": {"D12", "C22", "R45", "R46"},
        "RELAY_BASE": {"R46", "Q6"},
        "RELAY_GATE": {"Q6", "R47", "Q8"},
    }
    wrong += [f"{name} is on {net}" for net, own in members.items() for name in sorted(netlist.parts_on(net) - own)]
    bleed = 1 / (1 / value_of(netlist, "R45") + 1 / value_of(netlist, "R46"))
    decay_ms = bleed * value_of(netlist, "C22") * 1e3
    least, most = RELAY_HOLD_MS
    return wrong + ([] if least <= decay_ms <= most else [f"C22 decays with {decay_ms:.0f} ms, not {least} to {most}"])


def rail(netlist: Netlist) -> list[str]:
    """The boost makes 24 V from the battery's side of D4 and Q10, and D3 clamps it within the firmware's limit and 5 %.

    Pad 5 of the converter is MT3608's input, pad 6 that of the TPS61040. USB reaches the cell past neither D4 nor Q10.
    """
    wrong = _pins_on(netlist, {("U6", "5"): "VBAT", ("U6", "6"): "VBAT", ("U6", "EN"): "BOOST_ENABLE"})
    wrong += _pins_on(netlist, {("D4", "A"): "VBAT", ("D4", "K"): "VSYS_IN", ("Q10", "D"): "VSYS_IN"})
    wrong += _pins_on(netlist, {("Q10", "S"): "VSYS", ("Q10", "G"): "VBUS"})
    wrong += _between(netlist, {"R58": ("VBUS", "GND"), "C25": ("RAIL_24V", "BOOST_FB")})
    wrong += _pins_on(netlist, {("D3", "K"): "RAIL_24V", ("D3", "A"): "GND", ("D5", "K"): "RAIL_24V"})
    for variant, limits in _variants():
        chip = netlist.components["U6"].value_in(variant) or ""
        top = parallel_ohm(netlist, "RAIL_24V", "BOOST_FB", variant)
        bottom = parallel_ohm(netlist, "BOOST_FB", "GND", variant)
        wrong += _near(f"rail in {variant}, V", BOOST_FEEDBACK_V[chip] * (1 + top / bottom), RAIL_V, 0.02)
        if not limits.min_rail_mv / 1e3 < RAIL_V < value_of(netlist, "D3", variant) <= limits.max_rail_mv / 1e3:
            wrong.append(f"D3 does not clamp between {RAIL_V} V and the firmware's limit in {variant}")
    return wrong


def clamps(netlist: Netlist) -> list[str]:
    """Both electrodes are clamped to ground, at their sockets, by what stands the rail's clamp."""
    wrong = _pins_on(netlist, {("D14", "1"): "E_PLUS", ("D14", "2"): "E_MINUS", ("D14", "3"): "GND"})
    wrong += _pins_on(netlist, {("J2", "1"): "E_PLUS", ("J3", "1"): "E_MINUS"})
    most_v = number(netlist.components["D3"].value) * 1.05
    if number(netlist.components["D14"].value) < 1.1 * most_v:
        wrong.append(f"D14 conducts below 1.1 times the rail's clamp of {most_v:.1f} V")
    return wrong + _between(netlist, {"C6": ("E_PLUS", "EMI_MID"), "C24": ("EMI_MID", "E_MINUS")})


def straps(netlist: Netlist) -> list[str]:
    """Straps, START and the range resistor connect their pin to ground; R26 is B's."""
    wrong = _between(netlist, {"JP2": ("MAINTENANCE_STRAP", "GND"), "R26": ("RANGE_STRAP", "GND")})
    for name in ("R10", "R13", "R26", "R53"):
        if not netlist.components[name].dnp or netlist.components[name].value_in("B") is None:
            wrong.append(f"{name} is not variant B's alone")
    button = netlist.net_of("SW2", "1")
    return wrong + _between(netlist, {"SW2": (button, "GND"), "R43": ("START_BUTTON", button)})


def purchasing(netlist: Netlist) -> list[str]:
    """Every part says what to buy."""
    return [
        f"{name} has no {key}"
        for name, part in netlist.components.items()
        for key in ("MPN", "Tolerance", "Package", "Cost", "Description")
        if not part.fields.get(key)
    ]


CHECKS: tuple[Check, ...] = (
    net_names, firmware_pins, heartbeat_neighbours, sensor_address, second_measurement, pole, memory, shunt, sense,
    precision, set_point, amplifier, sink_transistor, pull_downs, high_side, limiter, series_resistance, dead_man, stop,
    interlock, measurements, relay, relay_hold, rail, clamps, straps, purchasing,
)  # fmt: skip


def main() -> int:
    """Print the findings about the committed netlist; 1 when there are any."""
    found = run(read())
    for finding in found:
        print(f"{finding.check}: {finding.message}")
    print(f"{len(CHECKS)} checks of the netlist, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
