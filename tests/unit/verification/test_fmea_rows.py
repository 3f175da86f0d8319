"""What `make fmea` keeps, compares and shows, without a circuit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ionto_host.board import benchtest
from ionto_sim.spice import netlist as netlists
from verification.fmea import (
    byhand,
    causes,
    children,
    document,
    faults,
    known,
    page,
    places,
    results,
    runner,
    store,
    sweep,
)
from verification.fmea.changes import bridged
from verification.fmea.moments import FROZEN, HOLD_4, NAMES, START

ROW = faults.Row(("SNS:GND:800", "R9:somewhere"), bridged("GND", "SNS", 800.0))
QUIET = {"peak_ua": 4_000.0, "end_ua": 4_000.0, "told_end_ua": 4_000, "asked_end_ua": 4_000, "watched_ms": 80}
FIGURES = {
    **QUIET,
    "dark_ms": 0.0,
    "cut_ms": None,
    "over_ms": 0,
    "apart_ms": 0,
    "let_go_ms": 0,
    "wrong_pole_ms": 0,
    "off_ua": 0,
    "cell_ua": 0,
    "gate_mv": 0,
}


def measured(moment: str, **more: Any) -> dict[str, Any]:
    figures = {**FIGURES, "excess_uc": 0.0, **{key: more.pop(key) for key in list(more) if key in FIGURES}}
    base = {"row": ROW.key, "moment": moment, "figures": figures, "fault": "", "refused": False, "error": ""}
    return {**base, "cut": False, "end": "unnoticed", "same": True, **more}


def lines_of(*rows: dict[str, Any]) -> list[results.Line]:
    parts = {"SNS:GND:800": "SNS", "R9:somewhere": "R9"}
    return results.lines([ROW], parts, {(row["row"], row["moment"]): row for row in rows})


def test_rows_are_kept_for_their_sources_and_a_line_cut_short_is_none(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    keeper = store.Keeper("now", path)
    keeper.keep(measured(START.name))
    keeper.close()
    path.write_text(path.read_text() + '{"row": "R1', encoding="utf-8")
    assert set(store.read("now", path)) == {(ROW.key, START.name)}
    assert store.read("before", path) == {}


def test_words_do_not_change_the_sources_and_meaning_does(tmp_path: Path) -> None:
    folder = tmp_path / "firmware/lib/ionto"
    folder.mkdir(parents=True)
    for name in ("hardware/schematics/exports", "verification/fmea"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "hardware/schematics/exports/iontopico.net").write_text("(export)")
    for name in ("bench", "changes", "chip", "disk", "moments", "mutations", "runner", "trace", "typical"):
        (tmp_path / f"verification/fmea/{name}.py").write_text("")
    found = []
    for text in ('"""One."""\nX = 1\n', '"""Two."""\nX = 1  # why\n', "X = 2\n"):
        (folder / "x.py").write_text(text)
        found.append(store.digest(tmp_path))
    assert found[0] == found[1] != found[2]


def test_a_fault_refused_before_the_session_does_not_come_to_a_freeze() -> None:
    frozen = measured(FROZEN[0], dark_ms=200.0, cut=True, end="frozen")
    [line] = lines_of(frozen)
    assert line.violations and results.violations([line]) == {f"{ROW.key} at {FROZEN[0]}": ("dark_ms",)}
    [line] = lines_of(frozen, measured(START.name, fault="SELFTEST_SENSE", refused=True))
    assert not line.violations
    assert "SELFTEST_SENSE" in line.cells[-1].verdict.why


def test_what_a_person_has_to_find_is_a_fault_of_the_drawing_and_a_step_of_the_bench() -> None:
    steps = {step.key for stage in benchtest.STAGES for step in stage.steps}
    names = {fault.key for fault in faults.generate(faults.Circuit(netlists.read()))}
    assert set(byhand.FOUND) <= names
    assert {step for step, _ in byhand.FOUND.values()} <= steps


def test_what_a_person_finds_is_no_violation_of_a_second_fault_and_nothing_else_is_excused() -> None:
    row = faults.Row((next(iter(byhand.FOUND)),), bridged("GND", "SNS"))
    found = {(row.key, name): {**measured(name, dark_ms=200.0), "row": row.key} for name in (HOLD_4.name, FROZEN[0])}
    [line] = results.lines([row], {row.key: "SW1"}, found)
    assert [cell.verdict.result for cell in line.cells if not cell.verdict.violations] == ["by hand"]
    assert [cell.moment for cell in line.violations] == [HOLD_4.name]


def test_the_list_of_known_violations_is_strict_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    known.write({"R1:open:1 at START": (("peak_ua",), "7 mA"), "R2:open:1 at START": (("dark_ms",), "1 s")}, path)
    listed = known.read(path)
    run = [*listed, "R3:open:1 at START"]
    assert not known.compare(listed, run, listed)
    found = {"R1:open:1 at START": ("off_ua",), "R3:open:1 at START": ("peak_ua",)}
    difference = known.compare(found, run, listed)
    assert difference.new == ("R3:open:1 at START",)
    assert difference.gone == ("R2:open:1 at START",)
    assert difference.other == ("R1:open:1 at START",)
    assert not known.compare({}, [], listed)  # what was not run tells nothing


@pytest.mark.parametrize(("same", "others"), [(True, 0), (False, len(sweep.OTHERS))])
def test_a_row_that_moves_nothing_is_taken_over_and_one_that_does_is_run(
    monkeypatch: pytest.MonkeyPatch, same: bool, others: int
) -> None:
    asked: list[str] = []

    def run(todo: runner.Todo, jobs: int) -> Any:
        for name, rows in todo.items():
            asked.extend(name for _ in rows)
            yield from (measured(name, same=same) for _ in rows)

    monkeypatch.setattr(runner, "run", run)
    kept: dict[store.Key, dict[str, Any]] = {}
    got = list(sweep.measure([ROW], NAMES, kept, 1))
    assert len(got) == len(kept) == len(NAMES)
    assert sum(name in sweep.OTHERS for name in asked) == others
    assert sum(bool(row.get("taken_over")) for row in got) == len(sweep.OTHERS) - others
    assert asked.count(START.name) == asked.count(HOLD_4.name) == 1


def test_a_sample_is_the_same_for_a_seed() -> None:
    rows = [faults.Row((f"R{number}:open:1",), bridged("GND", f"N{number}")) for number in range(99)]
    assert sweep.sample(rows, 60, 1) == sweep.sample(rows, 60, 1) != sweep.sample(rows, 60, 2)
    assert len(set(sweep.sample(rows, 60, 1))) == 60


def test_copies_answer_in_their_own_time_and_one_that_dies_is_told() -> None:
    def work(item: int, emit: children.Emit) -> None:
        if item == 3:
            raise ValueError("three")
        emit({"square": item * item})

    answers = list(children.each([1, 2, 3], work, 2))
    assert sorted(answer.content["square"] for answer in answers if not answer.error) == [1, 4]
    assert [(answer.item, answer.error) for answer in answers if answer.error] == [(3, "ValueError: three")]


def test_the_page_leads_to_the_place_in_the_drawing_and_the_document_has_the_figures() -> None:
    netlist = netlists.read()
    lines = lines_of(measured(HOLD_4.name, apart_ms=400, end_ua=5_000.0))
    html = page.render(lines, netlist, "one")
    assert places.link(netlist, "R9").split("#")[0] in html.replace("&#34;", '"')
    assert "apart_ms" in html
    assert "the log tells something else: 400 ms" in document.text(lines, "one", 0)


def test_every_part_of_the_drawing_has_a_place_in_a_picture_that_is_there() -> None:
    netlist = netlists.read()
    for reference in netlist.components:
        path, _, view = places.link(netlist, reference).partition("#")
        assert (store.ROOT / path).is_file()
        assert not view.startswith("svgView(viewBox(0,0,")


def test_trace_knows_which_parts_cause_a_hazard_and_what_a_sweep_of_this_tree_found(tmp_path: Path) -> None:
    listed = {"R9:open:1 at START": ("over_ms", "apart_ms"), "FEEDBACK~OA_OUT:bridge at START": ("over_ms",)}
    assert causes.parts(listed) == {"HAZ-02": ["FEEDBACK", "R9"], "HAZ-03": ["R9"]}
    path = tmp_path / "fmea.json"
    assert causes.problems(path, listed) == []
    row = {"id": "R9:open:1", "moment": START.name, "violates": [], "sources": store.digest()}
    path.write_text(json.dumps([row, {**row, "id": "R1:x2", "violates": ["peak_ua"]}]))
    assert causes.problems(path, listed) == [
        "R1:x2 at START violates a limit and is not listed",
        "R9:open:1 at START is listed and violates nothing",
    ]
    path.write_text(json.dumps([{**row, "sources": "of another tree"}]))
    assert causes.problems(path, listed) == []


def test_every_listed_violation_is_of_a_fault_that_exists_and_stands_in_the_document() -> None:
    names = {row.key for row in faults.rows(faults.generate(faults.Circuit(netlists.read())))}
    text = (store.ROOT / document.PAGE).read_text(encoding="utf-8")
    for label, violations in known.read().items():
        key, moment = label.split(" at ")
        assert key in names and moment in NAMES
        assert set(violations) <= set(causes.HAZARDS)
        assert f"`{key}`" in text
