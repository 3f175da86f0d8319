"""SPICE and the schematic cannot drift apart: values come from the netlist, wiring is compared with it."""

import re
from dataclasses import replace

import pytest

from hardware.spice.board import board
from hardware.spice.checks.common import current_ma, loaded
from hardware.spice.deck import BLOCKS, DeckError, block_text, fill
from ionto_sim.spice import netlist, quantity
from ionto_sim.spice.netlist import Netlist

# Nodes of the templates whose net has no name of its own in the drawing, or another one.
NODES = {
    "0": "GND",
    "+3V3": "3V3",
    "Q1_GATE": "SINK_GATE",
    "Q2_GATE": "HS_GATE",
    "Q3_GATE": "PUMP",
    "Q5_GATE": "INTERLOCK_GATE",
    "Q6_BASE": "RELAY_BASE",
    "Q8_GATE": "RELAY_GATE",
    "Q4_BASE": "Net-(Q4-B)",
    "Q4_INNER": "Net-(Q4-B)",
    "Q9_BASE": "Net-(Q9-B)",
    "Q9_INNER": "Net-(Q9-B)",
    "OPAMP_IN": "SETPOINT",
}
# Pins in the order of an element's nodes.
PINS = {
    "MQ1": ("Q1", "D", "G", "S"),
    "MQ2": ("Q2", "D", "G", "S"),
    "MQ3": ("Q3", "D", "G", "S"),
    "MQ5": ("Q5", "D", "G", "S"),
    "MQ8": ("Q8", "D", "G", "S"),
    "QQ4": ("Q4", "C", "B", "E"),
    "QQ6": ("Q6", "C", "B", "E"),
    "QQ9": ("Q9", "C", "B", "E"),
    "DD3": ("D3", "A", "K"),
    "DD6": ("D6", "A", "K"),
    "DD12": ("D12", "A", "K"),
    "DD13": ("D13", "A", "K"),
    "DD1A": ("D1", "A", "AK"),
    "DD1B": ("D1", "AK", "K"),
    "XU2": ("U2", "K", "A"),
    "XU4A": ("U4", "3", "2", "1", "V+", "V-"),
    "SU3A": ("U3", "B2", "A"),
    "SU3B": ("U3", "A", "B1"),
}
ONLY_BREADBOARD = {"breadboard_output"}


def elements() -> list[tuple[str, list[str]]]:
    """Return every element of the templates that stands for a part of the drawing, with its nodes."""
    found = []
    for path in sorted(BLOCKS.glob("*.cir")):
        if path.stem in ONLY_BREADBOARD:
            continue
        for line in block_text(path.stem).splitlines():
            name, *nodes = line.split()
            if re.fullmatch(r"[RC]\d+", name):
                found.append((name, nodes[:2]))
            elif name in PINS:
                found.append((name, nodes[: len(PINS[name]) - 1]))
    return found


def wiring_differences(drawing: Netlist) -> list[str]:
    """Return the elements of the SPICE templates that are connected otherwise than in the drawing."""
    wrong = []
    for name, nodes in elements():
        nets = [NODES.get(node, node) for node in nodes]
        reference, *pins = PINS.get(name, (name, "1", "2"))
        if reference not in drawing.components:
            wrong.append(f"{reference} is not drawn")
            continue
        drawn = [drawing.net_of(reference, pin) for pin in pins]
        if drawn != nets and not (name not in PINS and drawn == nets[::-1]):
            wrong.append(f"{name}: {nets} in SPICE, {drawn} in the drawing")
    return wrong


def test_templates_are_wired_as_drawn() -> None:
    assert len(elements()) > 50
    assert wiring_differences(netlist.read()) == []


def swap(drawing: Netlist, first: tuple[str, str], second: tuple[str, str]) -> Netlist:
    """Return the netlist with two pins on each other's nets."""
    other = {first: second, second: first}
    nets = {name: frozenset(other.get(node, node) for node in nodes) for name, nodes in drawing.nets.items()}
    return replace(drawing, nets=nets)


def test_wiring_mistake_in_the_drawing_is_found() -> None:
    swapped = swap(netlist.read(), ("U4", "2"), ("U4", "3"))
    assert [line for line in wiring_differences(swapped) if line.startswith("XU4A")]


def changed(reference: str, **change: object) -> Netlist:
    """Return the committed netlist with one component changed."""
    drawing = netlist.read()
    return replace(
        drawing, components={**drawing.components, reference: replace(drawing.components[reference], **change)}
    )


def test_value_changed_in_the_netlist_changes_the_simulated_current() -> None:
    before = current_ma(loaded(board(netlist.read(), "A")), 0.5)
    after = current_ma(loaded(board(changed("R9", value="391"), "A")), 0.5)
    assert after == pytest.approx(before * 201 / 401, rel=1e-3)


def test_missing_part_is_an_error() -> None:
    drawing = netlist.read()
    without = replace(drawing, components={name: part for name, part in drawing.components.items() if name != "R12"})
    with pytest.raises(DeckError, match="R12"):
        current_ma(loaded(board(without, "A")), 0.5)


def test_part_left_out_is_an_error() -> None:
    with pytest.raises(DeckError, match="R17"):
        current_ma(loaded(board(changed("R17", dnp=True), "A")), 0.5)


def test_value_that_is_none_is_an_error() -> None:
    with pytest.raises(DeckError, match="R8: 'ten k'"):
        board(changed("R8", value="ten k"), "A").deck()


def test_transistor_changed_in_the_netlist_changes_the_model() -> None:
    assert board(netlist.read(), "A").deck().values["sink_fet"] == "BSS138"
    assert board(netlist.read(), "B").deck().values["sink_fet"] == "NDT3055L"


def test_only_b_has_the_parallel_resistors() -> None:
    assert "R10" not in board(netlist.read(), "A").texts
    assert "R10 SNS SHUNT_HI" in board(netlist.read(), "B").deck().text(".op")


def test_precision_parts_have_their_tolerance_from_the_schematic() -> None:
    board_a = board(netlist.read(), "A")
    for reference in ("R3", "R4", "R5", "R9", "R11"):
        assert board_a.tolerance(reference) == pytest.approx(0.001)
    for reference in ("C4", "C23", "C5"):
        assert board_a.tolerance(reference) <= 0.05


@pytest.mark.parametrize(
    ("text", "value"),
    [("4.7k", 4700), ("4k7", 4700), ("191", 191), ("10R", 10), ("0", 0), ("35.7", 35.7), ("10M", 1e7), ("1.8M", 1.8e6)],
)
def test_resistor_values(text: str, value: float) -> None:
    assert quantity.number(text) == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), [("220p", 220e-12), ("22n", 22e-9), ("4.7u", 4.7e-6), ("100n 50V", 1e-7)])
def test_capacitor_values(text: str, value: float) -> None:
    assert quantity.number(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "k", "BSS138", "ten", "-3k"])
def test_no_value(text: str) -> None:
    with pytest.raises(ValueError, match="no component value"):
        quantity.number(text)


def test_tolerance() -> None:
    assert quantity.fraction("0.1%", 0.5) == pytest.approx(0.001)
    assert quantity.fraction("Vgs(th) 0.8 to 1.5 V", 0.5) == 0.5


def test_unfilled_placeholder_names_the_part() -> None:
    with pytest.raises(DeckError, match="block x: no value for C9, R1"):
        fill("R1 a b {R1}\nC9 b c {C9}", {}, "x")
