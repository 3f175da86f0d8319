"""The deck from the drawing: every fitted part is there or has a reason; wiring is the netlist's."""

import re

import pytest

from ionto_sim.spice import mutations
from ionto_sim.spice.drawing import Drawing, node
from ionto_sim.spice.errors import DrawingError
from ionto_sim.spice.netlist import read
from ionto_sim.spice.parts import LEFT_OUT

NETLIST = read()
DRAWINGS = {variant: Drawing(NETLIST, variant) for variant in "AB"}


def elements(drawing: Drawing) -> dict[str, list[str]]:
    """Return the elements of a deck by name, each with its words."""
    lines = [line.split() for line in drawing.deck().lines if line[0] not in "*.+"]
    return {words[0]: words[1:] for words in lines}


@pytest.mark.parametrize("variant", "AB")
def test_every_fitted_part_is_modelled_or_has_a_reason(variant: str) -> None:
    fitted = {ref for ref, part in NETLIST.components.items() if part.value_in(variant) is not None}
    drawing = DRAWINGS[variant]
    assert set(drawing.parts) == fitted
    absent = {ref for ref, part in drawing.parts.items() if part.model is None}
    assert {re.sub(r"\d+$", "", ref) for ref in absent} == set(LEFT_OUT)
    names = " ".join(elements(drawing))
    assert [ref for ref in fitted - absent if not re.search(rf"\b\w?{ref}(_|[ab](_|\b)|\b)", names)] == []


@pytest.mark.parametrize("variant", "AB")
def test_a_resistor_and_a_capacitor_stand_between_the_nets_of_the_drawing(variant: str) -> None:
    drawing = DRAWINGS[variant]
    there = elements(drawing)
    for ref, part in drawing.parts.items():
        if part.kind in ("R", "C"):
            assert set(there[ref][:2]) == {node(net) for net in part.pins.values()}, ref


def test_every_pin_of_every_modelled_part_is_in_the_deck_or_goes_nowhere() -> None:
    """A pin that is opened has a node of its own; the part is on it."""
    drawing = DRAWINGS["A"]
    silent = {("U2", "3"), ("U6", "5")}  # no connection; the pad of the other variant's package
    for ref, part in drawing.parts.items():
        if part.model is None:
            continue
        for pin in part.pins:
            deck = drawing.deck(armed=[mutations.open_pin(ref, pin)])
            own = re.compile(rf"\b{ref.lower()}_{pin}\b")
            users = [line for line in deck.lines if own.search(line) and not line.startswith("Ropen")]
            assert bool(users) != ((ref, pin) in silent), (ref, pin)


def test_nets_have_nodes_of_their_own() -> None:
    nets = DRAWINGS["B"].nets
    assert len({node(net) for net in nets}) == len(nets)


@pytest.mark.parametrize("variant", ["A", "B"])
def test_no_node_inside_a_part_is_a_net(variant: str) -> None:
    """Against a failure that does nothing: ngspice takes U9_out and u9_out for one node, which joins inside and pin."""
    drawing = DRAWINGS[variant]
    nets = {node(net) for net in drawing.nets}
    inside = {word for line in drawing.deck().lines for word in line.split()[1:] if word.split("_")[0] in drawing.parts}
    assert inside, "nodes inside parts begin with the part's name"
    assert not {word for word in inside if word.lower() in nets}


def test_an_armed_mutation_changes_nothing_until_it_is_switched() -> None:
    drawing = DRAWINGS["A"]
    armed = [
        mutations.open_pin("R17", "1"),
        mutations.open_pin("Q3", "1", "RAIL_24V", 1e9),
        mutations.leak("SNS", "GND", 800),
        mutations.scale("C4", 0.5),
        mutations.fail("U4", "A stuck high"),
        mutations.fail("Q3", "threshold low"),
    ]
    with pytest.raises(DrawingError, match="opens Q3:1"):
        drawing.deck(armed=armed)
    deck = drawing.deck(armed=armed[:-1])
    assert deck.switches[armed[0]] == {"Ropen_R17_1": 1e12}
    assert deck.switches[armed[1]] == {"Ropen_Q3_1": 1e12, "Rbridge_Q3_1__RAIL_24V__1e_09": 1e9}
    assert deck.switches[armed[3]] == {"C4": drawing.part("C4").number() / 2}
    text = deck.text()
    assert "Ropen_R17_1 r17_1 pump 0.001" in text
    assert "Rbridge_SNS__GND__800 sns 0 1e+12" in text
    assert "Rbridge_SNS__GND__800 sns 0 800" in drawing.deck(present=[armed[2]]).text()
    assert "Vshift_Q3_1 q3_1 pump dc 0.5" in drawing.deck(present=[armed[-1]]).text()


def test_what_touches_the_set_points_pin_touches_both_parts_of_its_period() -> None:
    deck = DRAWINGS["A"].deck(present=[mutations.leak("PWM_SETPOINT", "GND", 200)])
    assert [line.split()[1:] for line in deck.lines if line.startswith("Rbridge")] == [
        ["pwm_setpoint", "0", "200"],
        ["pwm_setpoint_low", "0", "200"],
    ]


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (mutations.open_pin("R99", "1"), "no part R99"),
        (mutations.open_pin("R13", "1"), "variant A has no part R13"),
        (mutations.open_pin("R17", "3"), "no pin 3"),
        (mutations.bridge("SNS", "NOWHERE"), "no net NOWHERE"),
        (mutations.scale("Q1", 2), "no value"),
        (mutations.fail("U4", "tired"), "A stuck high"),
        (mutations.short("U5", "2", "3"), "same node"),
    ],
)
def test_a_mutation_of_what_is_not_there_is_refused(mutation: mutations.Mutation, message: str) -> None:
    with pytest.raises(DrawingError, match=message):
        DRAWINGS["A"].deck(present=[mutation])


def test_every_failure_that_the_table_names_can_be_made() -> None:
    for drawing in DRAWINGS.values():
        for ref, part in drawing.parts.items():
            for how in (part.model.failures or {}) if part.model else ():
                assert drawing.deck(present=[mutations.fail(ref, how)]).text()
