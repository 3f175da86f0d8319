"""The faults of `make fmea` are all that the netlist has: nothing is missing, nothing is simulated twice."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from ionto_sim.spice import netlist as netlists
from verification.fmea import faults, typical
from verification.fmea.changes import Bridged, Failed, Opened, Scaled

NETLIST = netlists.read()


@pytest.fixture(scope="module")
def generated() -> list[faults.Fault]:
    return faults.generate(faults.Circuit(NETLIST))


def by_key(generated: list[faults.Fault]) -> dict[str, faults.Fault]:
    return {fault.key: fault for fault in generated}


def fitted_pins() -> dict[str, list[str]]:
    pins: dict[str, list[str]] = {}
    for nodes in NETLIST.nets.values():
        for reference, pin in nodes:
            if not NETLIST.components[reference].dnp:
                pins.setdefault(reference, []).append(pin)
    return pins


def test_an_id_stands_for_one_fault(generated: list[faults.Fault]) -> None:
    assert len(by_key(generated)) == len(generated)


def test_every_pin_of_every_fitted_part_comes_off(generated: list[faults.Fault]) -> None:
    wanted = {f"{reference}:open:{pin}" for reference, pins in fitted_pins().items() for pin in pins}
    assert wanted <= set(by_key(generated))


def test_every_pair_of_pins_of_every_part_is_shorted(generated: list[faults.Fault]) -> None:
    known = set(by_key(generated))
    for reference, pins in fitted_pins().items():
        for first, second in combinations(pins, 2):
            assert known & {f"{reference}:{first}-{second}:short", f"{reference}:{second}-{first}:short"}


def test_every_resistor_and_capacitor_has_its_values(generated: list[faults.Fault]) -> None:
    known = by_key(generated)
    for reference in fitted_pins():
        if reference.rstrip("0123456789") in ("R", "C"):
            factors = [change.factor for change in scaled(known, reference)]
            assert 0.5 in factors and 2.0 in factors and len(factors) == 4
            assert sorted(factors)[1] + sorted(factors)[2] == pytest.approx(2.0)


def scaled(known: dict[str, faults.Fault], reference: str) -> list[Scaled]:
    changes = [fault.change for fault in known.values()]
    return [change for change in changes if isinstance(change, Scaled) and change.part == reference]


def test_every_net_leaks_to_ground_and_to_the_rail(generated: list[faults.Fault]) -> None:
    known = by_key(generated)
    for net in (name for name in NETLIST.nets if not name.startswith("unconnected-")):
        for target in {"GND", "RAIL_24V"} - {net}:
            for ohm in ("100k", "4k", "800", "200"):
                if net != "GND":
                    assert isinstance(known[f"{net}:{target}:{ohm}"].change, Bridged)


def test_every_semiconductor_and_every_module_fails_in_its_ways(generated: list[faults.Fault]) -> None:
    known = by_key(generated)
    circuit = faults.Circuit(NETLIST)
    for reference in fitted_pins():
        for how in (*circuit.failures(reference), *typical.outside(reference)):
            assert known[f"{reference}:{how.replace(' ', '_')}"].change == Failed(reference, how)
    for reference in (name for name in fitted_pins() if name[0] in "QDU"):
        assert [key for key in known if key.startswith(f"{reference}:") and not re.search(r":open:|:short$", key)]


@pytest.mark.parametrize("key", ["Q2:open:1", "Q3:open:1", "U4:open:3", "Q5:open:1", "A1:open:29", "SW1:open:2"])
def test_what_floats_is_tried_with_leakage_up_and_down(generated: list[faults.Fault], key: str) -> None:
    known = by_key(generated)
    assert isinstance(known[key].change, Opened)
    changes = [known[f"{key}:{way}"].change for way in ("up", "down")]
    assert [change.leak for change in changes if isinstance(change, Opened)] == ["up", "down"]


def test_equal_changes_are_one_row_with_many_names(generated: list[faults.Fault]) -> None:
    rows = faults.rows(generated)
    assert len({row.change for row in rows}) == len(rows)
    names = [name for row in rows for name in row.names]
    assert sorted(names) == sorted(fault.key for fault in generated if fault.change is not None)
    [pump] = [row for row in rows if "R17:1-2:short" in row.names]
    assert {"C5:1-2:short", "Q5:2-3:short"} <= set(pump.names)
    [open_row] = [row for row in rows if "R17:open:1" in row.names]
    assert "R17:open:2" in open_row.names


def test_what_changes_nothing_says_why(generated: list[faults.Fault]) -> None:
    for fault in generated:
        assert (fault.change is None) == bool(fault.why)


def test_nets_that_lie_side_by_side_on_the_breadboard_are_bridged(generated: list[faults.Fault]) -> None:
    pairs = faults.adjacent_nets(faults.Circuit(NETLIST))
    assert ("FEEDBACK", "OA_OUT") in pairs
    assert {f"{one}~{other}:bridge" for one, other in pairs} <= set(by_key(generated))
