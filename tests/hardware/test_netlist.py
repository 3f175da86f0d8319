"""The committed netlist against the firmware's tables, and mistakes that KiCad's rules let pass. Without KiCad."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from hardware.drawing import pinout
from hardware.exports import bom
from hardware.folders import EXPORTS, NETLIST, PINOUT
from hardware.wiring import checks
from hardware.wiring.checks import CHECKS, number, run
from ionto_sim.spice import netlist
from ionto_sim.spice.netlist import Netlist, NetlistError, from_text, read

BOARD = read()
CHECK_NAMES = [check.__name__ for check in CHECKS]


@pytest.mark.parametrize("check", CHECKS, ids=CHECK_NAMES)
def test_board(check: Callable[[Netlist], list[str]]) -> None:
    assert check(BOARD) == []


# Mistakes. Each is a change of the netlist and the names of the checks that have to find it.


def moved(board: Netlist, reference: str, pin: str, to: str) -> Netlist:
    """Return the board with one pin on another net."""
    node = next(node for node in board.pin_names | dict.fromkeys(all_nodes(board), "")
                if node[0] == reference and pin in (node[1], board.pin_names.get(node)))  # fmt: skip
    nets = {name: nodes - {node} for name, nodes in board.nets.items()}
    nets[to] = nets.get(to, frozenset()) | {node}
    return replace(board, nets=nets)


def all_nodes(board: Netlist) -> list[netlist.Node]:
    return [node for nodes in board.nets.values() for node in nodes]


def swapped(board: Netlist, reference: str, one: str, other: str) -> Netlist:
    """Return the board with the nets of two pins of a part exchanged."""
    first, second = board.net_of(reference, one), board.net_of(reference, other)
    return moved(moved(board, reference, one, second), reference, other, first)


def shorted(board: Netlist, net: str, to: str) -> Netlist:
    """Return the board with `net` being part of the net `to`."""
    nets = {name: nodes for name, nodes in board.nets.items() if name != net}
    nets[to] = board.nets[to] | board.nets[net]
    return replace(board, nets=nets)


def without(board: Netlist, reference: str) -> Netlist:
    """Return the board without a part."""
    nets = {
        name: frozenset(node for node in nodes if node[0] != reference) for name, nodes in board.nets.items()
    }  # fmt: skip
    parts = {name: part for name, part in board.components.items() if name != reference}
    return replace(board, components=parts, nets=nets)


def valued(board: Netlist, reference: str, value: str = "", **fields: str) -> Netlist:
    """Return the board with another value or other fields of a part."""
    part = board.components[reference]
    part = replace(part, value=value or part.value, fields={**part.fields, **fields})
    return replace(board, components={**board.components, reference: part})


def bridged(board: Netlist, one: str, other: str, value: str = "0") -> Netlist:
    """Return the board with one more resistor, R99, between two nets."""
    part = netlist.Component("R99", value)
    nets = {**board.nets, one: board.nets[one] | {("R99", "1")}, other: board.nets[other] | {("R99", "2")}}
    return replace(board, components={**board.components, "R99": part}, nets=nets)


MISTAKES: dict[str, tuple[Callable[[Netlist], Netlist], set[str]]] = {
    "feedback shorted to ground": (lambda b: shorted(b, "FEEDBACK", "GND"), {"amplifier"}),
    "op-amp inputs swapped": (lambda b: swapped(b, "U4", "2", "3"), {"amplifier"}),
    "feedback from the shunt instead of SNS": (lambda b: moved(b, "R8", "2", "SHUNT_HI"), {"amplifier"}),
    "feedback from another place": (lambda b: bridged(b, "FEEDBACK", "GND", "10k"), {"amplifier"}),
    "PWM pull-down missing": (lambda b: without(b, "R2"), {"pull_downs"}),
    "boost pull-down missing": (lambda b: without(b, "R32"), {"pull_downs"}),
    "relay pull-down missing": (lambda b: without(b, "R35"), {"pull_downs"}),
    "buzzer pull-down missing": (lambda b: without(b, "R36"), {"pull_downs"}),
    "sink gate pull-down missing": (lambda b: without(b, "R7"), {"pull_downs"}),
    "pump bleed missing": (lambda b: without(b, "R17"), {"dead_man"}),
    "both pump bleeds missing": (lambda b: without(without(b, "R17"), "R48"), {"pull_downs", "dead_man"}),
    "pump bleeds unequal": (lambda b: valued(valued(b, "R17", "430k"), "R48", "2M"), {"dead_man"}),
    "pull-down to the wrong rail": (lambda b: moved(b, "R2", "2", "3V3"), {"pull_downs"}),
    "pull-down too weak for an RP2350": (lambda b: valued(b, "R2", "47k"), {"pull_downs"}),
    "heartbeat moved beside the PWM pin": (
        lambda b: moved(moved(b, "A1", "29", "spare"), "A1", "5", "HEARTBEAT"),
        {"firmware_pins", "heartbeat_neighbours"},
    ),
    "PWM moved beside the heartbeat": (
        lambda b: moved(moved(b, "A1", "4", "spare"), "A1", "28", "PWM_SETPOINT"),
        {"firmware_pins", "heartbeat_neighbours"},
    ),
    "guard pin wired": (lambda b: moved(b, "A1", "GP3", "BUZZER"), {"firmware_pins", "heartbeat_neighbours"}),
    "SDA and SCL swapped": (lambda b: swapped(b, "A1", "GP4", "GP5"), {"firmware_pins"}),
    "two pins swapped": (lambda b: swapped(b, "A1", "GP6", "GP7"), {"firmware_pins"}),
    "a pin that the firmware does not know": (lambda b: moved(b, "A1", "GP21", "BUZZER"), {"firmware_pins"}),
    "pole and relay sense swapped": (lambda b: swapped(b, "A1", "GP18", "GP19"), {"firmware_pins"}),
    "second monitor at the first's address": (lambda b: moved(b, "U7", "A0", "GND"), {"second_measurement"}),
    "second monitor turned round": (lambda b: swapped(b, "U7", "IN+", "IN-"), {"second_measurement"}),
    "its bus pin on the load's side": (lambda b: moved(b, "U7", "VBUS", "HS_OUT"), {"second_measurement"}),
    "its shunt behind the switch": (
        lambda b: moved(moved(b, "U7", "IN+", "HS_OUT"), "U7", "IN-", "OUT_A"),
        {"second_measurement"},
    ),
    "nothing that holds the switch's source": (lambda b: moved(b, "R64", "1", "3V3"), {"high_side"}),
    "its shunt ten times smaller": (lambda b: valued(b, "R55", "1"), {"second_measurement"}),
    "a leak behind it": (lambda b: bridged(b, "HS_OUT", "GND", "100k"), {"second_measurement"}),
    "pole sensed before the relay": (
        lambda b: moved(moved(b, "R60", "1", "HS_OUT"), "R61", "1", "E_PLUS"),
        {"pole", "second_measurement"},
    ),
    "pole sense turned round": (lambda b: swapped(b, "U9", "IN+", "IN-"), {"pole"}),
    "pole sense that can leak": (lambda b: valued(b, "R60", "1k"), {"pole"}),
    "memory at another address": (lambda b: moved(b, "U8", "A0", "3V3"), {"memory"}),
    "memory write-protected": (lambda b: moved(b, "U8", "WP", "3V3"), {"memory"}),
    "drain of B's sink on pin 3, as of a SOT-23": (lambda b: swapped(b, "Q11", "2", "3"), {"sink_transistor"}),
    "high side of B as of a SOT-23": (lambda b: swapped(b, "Q12", "2", "3"), {"high_side"}),
    "A's sink fitted in B too": (lambda b: valued(b, "Q1", Value_B=""), {"sink_transistor"}),
    "sink drain and source swapped": (lambda b: swapped(b, "Q1", "D", "S"), {"sink_transistor"}),
    "high-side drain and source swapped": (lambda b: swapped(b, "Q2", "D", "S"), {"high_side"}),
    "dead-man drain and source swapped": (lambda b: swapped(b, "Q3", "D", "S"), {"high_side", "stop"}),
    "interlock drain and source swapped": (lambda b: swapped(b, "Q5", "D", "S"), {"interlock"}),
    "limiter turned round": (lambda b: swapped(b, "Q4", "E", "C"), {"limiter"}),
    "limiter base on the wrong side": (lambda b: moved(b, "R27", "2", "RAIL_24V"), {"limiter"}),
    "second limiter turned round": (lambda b: swapped(b, "Q9", "E", "C"), {"limiter"}),
    "second limiter across the first": (lambda b: moved(b, "Q9", "E", "RAIL_24V"), {"limiter"}),
    "both limiters bypassed": (lambda b: shorted(b, "LIMIT_MID", "RAIL_24V"), {"limiter", "series_resistance"}),
    "limiter bypassed": (lambda b: bridged(b, "RAIL_24V", "LIMIT_MID", "47"), {"limiter", "series_resistance"}),
    "limiter of B fitted in A": (lambda b: fitted(b, "R13"), {"limiter", "series_resistance", "straps"}),
    "Rs of B fitted in A": (lambda b: fitted(b, "R10"), {"sense", "straps"}),
    "range strap fitted in A": (lambda b: fitted(b, "R26"), {"straps"}),
    "shunt of another value": (lambda b: valued(b, "R11", "1"), {"shunt", "sense"}),
    "shunt a little off": (lambda b: valued(b, "R11", "10.1"), {"shunt"}),
    "shunt of 1 %": (lambda b: valued(b, "R11", Tolerance="1%"), {"precision"}),
    "Rs of another value": (lambda b: valued(b, "R9", "180"), {"sense"}),
    "INA219 across Rs": (lambda b: moved(b, "U5", "IN+", "SNS"), {"shunt"}),
    "INA219 turned round": (lambda b: swapped(b, "U5", "IN+", "IN-"), {"shunt"}),
    "address strap to 3V3": (lambda b: moved(b, "U5", "A0", "3V3"), {"sensor_address"}),
    "STOP's wetting current from the rail": (lambda b: moved(b, "R59", "1", "RAIL_24V"), {"stop"}),
    "STOP's contact dry": (lambda b: valued(b, "R59", "47k"), {"stop"}),
    "STOP bridged": (lambda b: bridged(b, "STOP_LOOP", "GND"), {"stop"}),
    "STOP bypassed at the source": (lambda b: moved(b, "Q3", "S", "GND"), {"stop"}),
    "STOP shorted": (lambda b: shorted(b, "STOP_LOOP", "GND"), {"stop"}),
    "STOP sensed without its diode": (lambda b: swapped(b, "D6", "K", "A"), {"stop"}),
    "interlock off the pump": (lambda b: moved(b, "Q5", "D", "PUMP_AC"), {"interlock"}),
    "interlock fed from VSYS": (lambda b: moved(b, "D13", "A", "VSYS"), {"interlock"}),
    "interlock fed without its diode": (lambda b: moved(b, "R18", "1", "VBUS"), {"interlock"}),
    "interlock's pin too strong": (lambda b: valued(b, "R57", "10k"), {"interlock"}),
    "firmware on the interlock": (lambda b: moved(b, "A1", "GP20", "INTERLOCK_GATE"), {"interlock", "firmware_pins"}),
    "interlock divider upside down": (lambda b: valued(valued(b, "R18", "220k"), "R19", "47k"), {"interlock"}),
    "bench strap poles swapped": (lambda b: swapped(b, "JP1", "1", "3"), {"interlock"}),
    "pump fed past its capacitor": (lambda b: bridged(b, "HEARTBEAT", "PUMP", "1k"), {"dead_man"}),
    "pump capacitors as large as the store": (
        lambda b: valued(valued(b, "C4", "150n"), "C23", "150n"),
        {"dead_man"},
    ),
    "one pump capacitor bypassed": (lambda b: shorted(b, "PUMP_MID", "PUMP_IN"), {"dead_man"}),
    "pump held too long": (lambda b: valued(valued(b, "R17", "1.5M"), "R48", "1.5M"), {"dead_man"}),
    "pump diodes reversed": (lambda b: swapped(b, "D1", "A", "K"), {"dead_man"}),
    "reference and ground swapped at the switch": (lambda b: swapped(b, "U3", "B1", "B2"), {"set_point"}),
    "reference turned round": (lambda b: swapped(b, "U2", "A", "K"), {"set_point"}),
    "set-point gain": (lambda b: valued(b, "R5", "30k"), {"set_point", "sense"}),
    "gate of Q2 overdriven when one of two shorts": (lambda b: valued(b, "R15", "47k"), {"high_side"}),
    "gate of Q2 overdriven": (lambda b: valued(valued(b, "R15", "68k"), "R50", "68k"), {"high_side"}),
    "gate of Q2 held by one": (lambda b: without(b, "R49"), {"high_side"}),
    "drain divider with one on top": (lambda b: shorted(b, "DRAIN_MID", "DRAIN"), {"measurements"}),
    "divider returned to ground": (lambda b: moved(b, "R23", "2", "GND"), {"measurements"}),
    "second measurement behind the op-amp": (lambda b: moved(b, "R34", "1", "OA_OUT"), {"measurements"}),
    "rail divider ratio": (lambda b: valued(b, "R25", "120k"), {"measurements"}),
    "relay contacts not crossed": (lambda b: swapped(b, "K1", "NC1", "NO1"), {"relay"}),
    "relay driver turned round": (lambda b: swapped(b, "Q8", "D", "S"), {"relay"}),
    "relay's capacitor missing": (lambda b: without(b, "C22"), {"relay_hold"}),
    "relay's capacitor not to ground": (lambda b: moved(b, "C22", "2", "3V3"), {"relay_hold"}),
    "relay's diode missing": (lambda b: without(b, "D12"), {"relay_hold"}),
    "relay's diode reversed": (lambda b: swapped(b, "D12", "A", "K"), {"relay_hold"}),
    "relay's diode bridged": (lambda b: bridged(b, "RELAY_IN", "RELAY_HOLD"), {"relay_hold"}),
    "relay's hold bypassed": (lambda b: moved(b, "R46", "1", "POLARITY_RELAY"), {"relay_hold"}),
    "relay's gate on the pin": (lambda b: moved(b, "Q8", "G", "POLARITY_RELAY"), {"relay"}),
    "relay held too short": (lambda b: valued(b, "R45", "100k"), {"relay_hold"}),
    "relay held too long": (lambda b: valued(b, "C22", "2.2u"), {"relay_hold"}),
    "relay held by a capacitor of 100n": (lambda b: valued(b, "C22", "100n"), {"relay_hold"}),
    "relay's bleed missing": (lambda b: without(b, "R45"), {"relay_hold"}),
    "relay's pull-up missing": (lambda b: without(b, "R47"), {"relay_hold"}),
    "relay's transistor turned round": (lambda b: swapped(b, "Q6", "C", "E"), {"relay_hold"}),
    "coil diode reversed": (lambda b: swapped(b, "D2", "A", "K"), {"relay"}),
    "boost fed from VSYS": (lambda b: moved(b, "U6", "5", "VSYS"), {"rail"}),
    "TPS61040 on a pad that is open": (lambda b: moved(b, "U6", "6", "spare"), {"rail"}),
    "USB past D4": (lambda b: moved(b, "D4", "K", "VSYS"), {"rail"}),
    "Q10 turned round": (lambda b: swapped(b, "Q10", "D", "S"), {"rail"}),
    "clamp across the electrodes only": (lambda b: moved(b, "D14", "3", "E_MINUS"), {"clamps"}),
    "clamp under the rail": (lambda b: valued(b, "D14", "24V"), {"clamps"}),
    "one EMI capacitor bridged": (lambda b: shorted(b, "EMI_MID", "E_MINUS"), {"clamps"}),
    "rail of 30 V": (lambda b: valued(b, "R31", "77.5k"), {"rail"}),
    "rail of B with A's resistors": (lambda b: valued(b, "R30", Value_B="1.8M"), {"rail"}),
    "clamp missing": (lambda b: without(b, "D3"), {"rail", "high_side"}),
    "lead resistor of B in A": (lambda b: valued(b, "R20", "33"), {"series_resistance"}),
    "a resistor turned round": (lambda b: swapped(b, "R43", "1", "2"), set()),
    "START to another pin": (lambda b: moved(b, "R43", "1", "RANGE_STRAP"), {"straps"}),
    "a part without a number to buy": (lambda b: valued(b, "R1", MPN=""), {"purchasing"}),
    "one name for two nets": (
        lambda b: replace(b, full_names=(*b.full_names, "/Set-point/SNS")),
        {"net_names"},
    ),
}


def fitted(board: Netlist, reference: str) -> Netlist:
    """Return the board with a part of B fitted in A too."""
    part = replace(board.components[reference], dnp=False)
    return replace(board, components={**board.components, reference: part})


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_found(name: str) -> None:
    change, expected = MISTAKES[name]
    found = {finding.check for finding in run(change(BOARD))}
    assert found >= expected
    assert bool(found) == bool(expected)


def test_every_check_finds_something() -> None:
    assert set(CHECK_NAMES) == set().union(*(expected for _, expected in MISTAKES.values()))


def test_a_check_that_meets_a_missing_part_says_so() -> None:
    assert "R12" not in {finding.message for finding in run(BOARD)}
    found = run(without(BOARD, "U5"))
    assert {"sensor_address", "shunt"} <= {finding.check for finding in found}
    assert any("U5" in finding.message for finding in found)


# The exports.


def test_bill_of_materials_is_of_this_netlist() -> None:
    assert (EXPORTS / "bom.csv").read_text(encoding="utf-8") == bom.text(BOARD)


def test_bill_of_materials_counts_every_part() -> None:
    rows = bom.rows(BOARD)
    named = [reference for row in rows for reference in row[0].split()]
    assert sorted(named) == sorted(BOARD.components)
    assert sum(int(row[1]) for row in rows) == len(BOARD.components)
    by_first = {row[0]: dict(zip(bom.HEADER, row, strict=True)) for row in rows}
    assert (by_first["R10"]["Value"], by_first["R10"]["B value"]) == ("omit", "35.7")
    assert (by_first["R20 R21"]["Value"], by_first["R20 R21"]["B value"]) == ("150", "33")
    assert by_first["R11 R55"]["B value"] == ""


def test_pinout_is_of_this_netlist() -> None:
    assert PINOUT.read_text(encoding="utf-8") == pinout.text(BOARD)


def test_exports_hold_no_path_and_no_date_of_the_day() -> None:
    names = {path.name for path in EXPORTS.iterdir()}
    assert {"iontopico.net", "bom.csv", "iontopico.pdf", "overview.svg"} <= names
    for path in EXPORTS.iterdir():
        content = path.read_bytes()
        assert not re.search(rb"/(?:home|work|root|tmp|Users)/|[A-Z]:\\\\", content), path.name
    assert '(date "20' not in NETLIST.read_text(encoding="utf-8").split("(sheet", 1)[0]


# The reader.


def test_reader_takes_quotes_brackets_and_sheet_paths() -> None:
    text = (
        '(export (components (comp (ref "R1") (value "a (b) \\"c\\"") (property (name "dnp"))))'
        ' (nets (net (name "/Sheet/X") (node (ref "R1") (pin "1") (pinfunction "A")))'
        ' (net (name "unconnected-(R1-Pad2)") (node (ref "R1") (pin "2")))))'
    )
    board = from_text(text)
    assert board.components["R1"].value == 'a (b) "c"'
    assert board.components["R1"].dnp
    assert board.nets["X"] == {("R1", "1")}
    assert board.net_of("R1", "A") == "X"
    assert board.net_of("R1", "2") == "unconnected-(R1-Pad2)"


@pytest.mark.parametrize("text", ["", "(export", "(export))", "(export (nets))", '(export "components")'])
def test_reader_refuses_what_is_no_netlist(text: str) -> None:
    with pytest.raises(NetlistError):
        from_text(text)


def test_values_in_both_variants() -> None:
    part = netlist.Component("R1", "1k", {"Value_B": "2k"})
    assert (part.value_in("A"), part.value_in("B")) == ("1k", "2k")
    only_b = netlist.Component("R2", "5", {"Value_B": "fit"}, dnp=True)
    assert (only_b.value_in("A"), only_b.value_in("B")) == (None, "5")
    only_a = netlist.Component("R3", "5", {"Value_B": "omit"})
    assert (only_a.value_in("A"), only_a.value_in("B")) == ("5", None)


@pytest.mark.parametrize(("text", "value"), [("4.7k", 4700), ("10M", 1e7), ("150n", 150e-9), ("27V", 27), ("0", 0)])
def test_number(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value)


def test_number_refuses_other_text() -> None:
    with pytest.raises(ValueError, match="BSS138"):
        number("BSS138")


def test_main_prints_the_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.main() == 0
    assert f"{len(CHECKS)} checks of the netlist, 0 findings" in capsys.readouterr().out
