"""ngspice is not trusted: a bad model, a missing vector, half an analysis or a check without a number is an error."""

import json
from pathlib import Path

import numpy as np
import pytest

from hardware.spice import checks, measure, rawfile, runner
from hardware.spice.board import board
from hardware.spice.check import TABLE, Check, Limit, around, judge
from hardware.spice.checks.common import held, loaded
from hardware.spice.deck import Deck
from hardware.spice.engine import SimulationError, Waves, sweep, transient
from ionto_sim.spice import netlist

DIVIDER = Deck({}, ()).plus("Vin IN 0 10", "R1 IN OUT 1k", "R2 OUT 0 3k")


def test_sweep_of_a_divider() -> None:
    waves = sweep(DIVIDER, "Vin", 0.0, 8.0, 2.0)
    assert waves.volt("OUT") == pytest.approx([0.0, 1.5, 3.0, 4.5, 6.0])


def test_charging_of_a_capacitor() -> None:
    deck = Deck({}, ()).plus("Vin IN 0 PWL(0 0 1n 1)", "R1 IN OUT 1k", "C1 OUT 0 1u")
    waves = transient(deck, 5e-3, 1e-5)
    assert np.interp(1e-3, waves.x, waves.volt("OUT")) == pytest.approx(1 - np.exp(-1), rel=2e-3)


def test_unknown_model_is_an_error() -> None:
    with pytest.raises(SimulationError):
        sweep(DIVIDER.plus("D1 OUT 0 NO_SUCH_DIODE"), "Vin", 0.0, 1.0, 1.0)


def test_vector_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SimulationError, match=r"no vector v\(nowhere\)"):
        sweep(DIVIDER, "Vin", 0.0, 1.0, 1.0).volt("NOWHERE")


def test_unsaved_vector_is_an_error() -> None:
    with pytest.raises(SimulationError, match="no vector"):
        sweep(DIVIDER, "Vin", 0.0, 1.0, 1.0, ("v(in)",)).volt("OUT")


def test_sweep_of_a_source_that_is_not_there_is_an_error() -> None:
    with pytest.raises((SimulationError, rawfile.RawFileError)):
        sweep(DIVIDER, "Vnone", 0.0, 1.0, 1.0)


def test_missing_raw_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(rawfile.RawFileError, match="no binary plot"):
        rawfile.read(tmp_path / "none.raw")


def test_missing_ngspice_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SimulationError, match="make hardware"):
        sweep(DIVIDER, "Vin", 0.0, 1.0, 1.0)


def test_models_meet_their_datasheets() -> None:
    for model, sign, volt in (("BSS138", 1, 1.3), ("BSS84", -1, 1.7), ("ZVNL110A", 1, 1.2), ("ZVP2106A", -1, 2.5)):
        fall = []
        for temp in (17.0, 27.0, 37.0):
            deck = Deck({}, ()).plus(f"Iin {'0 D' if sign > 0 else 'D 0'} 1m", f"M1 D D 0 {model}").at(temp)
            fall.append(abs(float(sweep(deck, "temp", temp, temp, 1.0).volt("D")[0])))
        assert fall[1] == pytest.approx(volt, abs=0.06), model
        assert -3.5e-3 < (fall[2] - fall[0]) / 20 < -1.5e-3, model


@pytest.mark.parametrize(
    ("model", "gate_v", "ohm"),
    [("BSS138", 4.5, 1.0), ("BSS138", 10.0, 0.7), ("BSS84", -5.0, 1.2), ("NDT2955", -10.0, 0.3)],
)
def test_models_have_the_resistance_of_their_datasheets(model: str, gate_v: float, ohm: float) -> None:
    sign = np.sign(gate_v)
    deck = Deck({}, ()).plus(f"Iin {'0 D' if sign > 0 else 'D 0'} 0.1", f"Vg G 0 {gate_v}", f"M1 D G 0 {model}")
    volt = sweep(deck, "Iin", 0.05, 0.1, 0.05).volt("D")[-1]
    assert abs(float(volt)) / 0.1 == pytest.approx(ohm, rel=0.15)


def test_no_result_fails_the_check() -> None:
    check = Check("g", "i", Limit(high=1.0), "V", TABLE, "", lambda board: {})
    assert not judge(check, {}).passed
    assert not judge(check, {"case": float("nan")}).passed
    assert judge(check, {"low": 0.5, "high": 0.9}).worst_case == "high"
    assert not judge(check, {"low": 0.5, "high": 1.1}).passed


def test_failed_simulation_fails_the_check() -> None:
    drawing = netlist.read()
    sad = Check(
        "g", "i", Limit(high=1.0), "V", TABLE, "", lambda a: {"x": float(sweep(a.deck(("sink",)), "V", 0, 1, 1).x[0])}
    )
    outcome = runner.one(sad, board(drawing, "A"))
    assert not outcome.passed
    assert outcome.error


def test_outcomes_are_written_with_every_case(tmp_path: Path) -> None:
    check = Check("g", "i", around(1.0, 0.1), "V", TABLE, "h", lambda board: {})
    runner.write_json([judge(check, {"a": 1.0, "b": 1.05}), judge(check, {})], tmp_path / "x.json")
    rows = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert rows[0]["cases"] == {"a": 1.0, "b": 1.05}
    assert rows[0]["passed"]
    assert (rows[1]["passed"], rows[1]["worst"], rows[1]["error"]) == (False, None, "nothing was measured")


def test_every_check_has_a_limit_and_says_where_it_is_from() -> None:
    names = [(check.group, check.item, check.variant) for check in checks.ALL]
    assert len(set(names)) == len(names) > 80
    for check in checks.ALL:
        assert check.limit.low is not None or check.limit.high is not None
        assert check.source
        assert check.how


def test_a_wrong_part_fails_a_check() -> None:
    drawing = netlist.read()
    parts = dict(drawing.components)
    parts["R12"] = type(parts["R12"])("R12", "82", parts["R12"].fields)
    wrong = board(type(drawing)(parts, drawing.nets, drawing.pin_names), "A")
    ceilings = [check for check in checks.ALL if check.item == "ceiling at 27 C" and check.variant == "A"]
    assert [runner.one(check, wrong).passed for check in ceilings] == [False]


def test_operating_point_of_the_whole_board() -> None:
    waves = sweep(held(loaded(board(netlist.read(), "A"))), "Vduty", 0.0, 1.0, 0.5)
    assert waves.volt("DRAIN_DIV")[-1] < 3.3
    assert waves.volt("ADC_SNS")[-1] == pytest.approx(1.0, rel=2e-3)
    assert waves.volt("ADC_RAIL")[-1] == pytest.approx(24 / 11, rel=5e-3)


def test_charge_and_time_of_a_triangle() -> None:
    x, y = np.array([0.0, 1e-6, 2e-6]), np.array([0.0, 10e3, 0.0])
    assert measure.charge_nc(x, y) == pytest.approx(10.0)
    assert measure.time_above_us(x, y, 5e3) == pytest.approx(1.0)
    waves = Waves(x, {"v(shunt_hi)": y * 1e-5})
    assert measure.shunt_ua(waves) == pytest.approx(y)
    with pytest.raises(SimulationError):
        measure.last_above_s(x, y, 20e3)
